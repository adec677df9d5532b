"""How `Marks` are written on things: as tags, labels, annotations, or the last line of a text.

KFP gives tags to pipelines and versions alone (63 characters each) and keeps 255 characters of
the description of everything else. Kubernetes wants labels of 63 plain characters, by which can be
asked, and takes any text as annotation.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from msgspec.structs import asdict

from compiler.cluster.errors import EngineError
from compiler.cluster.records import Marks

PREFIX = "mlc"
ANNOTATION = f"{PREFIX}/marks"
_MOST_OF_A_TAG = 63
_MOST_OF_A_DESCRIPTION = 255
_LINE = re.compile(rf"^{PREFIX}((?: [a-z]=[^ ]+)+)$", re.MULTILINE)
# The letters in that line, and how long each value may be for all of them to fit.
_LETTERS = {
    "project": ("p", 40), "algorithm": ("a", 40), "branch": ("b", 40), "commit": ("c", 12),
    "version": ("v", 32), "key": ("k", 24), "schedule": ("s", 30), "experiment": ("e", 0),
    "generation": ("g", 6),
    "digest": ("d", 0), "mlc": ("m", 0),
    # Of schedules alone, which have no key.
    "account": ("u", 24),
}  # fmt: skip
# By what objects of Kubernetes are looked for.
_LABELS = ("project", "algorithm", "branch", "key", "schedule", "experiment", "version")
_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def cut(text: str, most: int) -> str:
    """The text, or where it is too long its beginning and a digest; the same for the same text."""
    if len(text) <= most:
        return text
    return f"{text[: most - 9]}~{_digest(text, 8)}" if most > 12 else text[:most]


def is_cut(text: str) -> bool:
    """Whether `cut` has made it; no name in a spec is like that."""
    return re.search(r"~[0-9a-f]{8}$", text) is not None


def tags(marks: Marks) -> dict[str, str]:
    """Tags of KFP, for pipelines and versions; their keys may hold no dot."""
    return {f"{PREFIX}-{name}": cut(value, _MOST_OF_A_TAG) for name, value in _given(marks).items()}


def of_tags(found: Mapping[str, Any] | None) -> Marks | None:
    """The marks in tags; None where mlc has not made it."""
    return _marks(
        {
            name.removeprefix(f"{PREFIX}-"): str(value)
            for name, value in (found or {}).items()
            if name.startswith(f"{PREFIX}-")
        }
    )


def description(text: str, marks: Marks) -> str:
    """A text for people with the marks as its last line, within what KFP keeps."""
    line = PREFIX + "".join(
        f" {_LETTERS[name][0]}={_word(value, _LETTERS[name][1])}"
        for name, value in _given(marks).items()
        if _LETTERS[name][1]
    )
    room = _MOST_OF_A_DESCRIPTION - len(line) - 2
    text = text.strip()
    if len(text) > room:
        text = f"{text[: max(room - 2, 0)].rstrip()} …" if room > 12 else ""
    return f"{text}\n\n{line}" if text else line


def of_description(text: str | None) -> tuple[str, Marks | None]:
    """The text for people, and the marks."""
    text = text or ""
    found = _LINE.search(text)
    if found is None:
        return text, None
    letters = {letter: name for name, (letter, _) in _LETTERS.items()}
    pairs = (pair.split("=", 1) for pair in found[1].split())
    named = {letters[letter]: unquote(value) for letter, value in pairs if letter in letters}
    return text[: found.start()].rstrip(), _marks(named)


def same(name: str, mark: str, wanted: str) -> bool:
    """Whether the mark `name`, which may have been cut, is that of `wanted`."""
    # As that mark alone is cut: a short one keeps a beginning, which is another's whole name.
    _, most = _LETTERS[name]
    return mark in (wanted, cut(wanted, _MOST_OF_A_TAG), unquote(_word(wanted, most)))


def is_of(found: Marks | None, project: str) -> bool:
    """Whether a thing with these marks is the project's."""
    return found is not None and same("project", found.project, project)


def whose(found: Marks | None) -> str:
    """Of one that is not the project's."""
    return f"of the project {found.project}" if found else "not made by mlc"


def foreign(found: Marks | None, what: str, engine: str, project: str | None = None) -> str:
    """Why a thing with these marks is not to be touched; empty where it may be: it is mlc's, and
    the project's where one is named. `what` is the thing in words, `engine` where it is."""
    if is_of(found, project) if project is not None else found is not None:
        return ""
    return (
        f"{what} on engine `{engine}` is {whose(found)}, so it stays as it is; rename the "
        "algorithm, or remove that one by hand"
    )


def check_own(found: Marks | None, what: str, engine: str, project: str | None = None) -> None:
    """As `foreign`.

    Raises:
        EngineError: it is not to be touched.
    """
    refused = foreign(found, what, engine, project)
    if refused:
        raise EngineError(refused, "conflict")


def label(value: str) -> str:
    """A value as a label of Kubernetes: as it is, or what is left of it and a digest."""
    if not value or _LABEL.fullmatch(value):
        return value
    plain = re.sub(r"[^A-Za-z0-9]+", "-", value).strip("-")[:50].rstrip("-")
    return f"{plain}-{_digest(value, 8)}".lstrip("-")


def labels(marks: Marks) -> dict[str, str]:
    given = _given(marks)
    return {f"{PREFIX}/{name}": label(given[name]) for name in _LABELS if name in given}


def selector(**wanted: str | None) -> str:
    """A label selector for what has these marks."""
    return ",".join(
        f"{PREFIX}/{name}={label(value)}" for name, value in sorted(wanted.items()) if value
    )


def notes(marks: Marks) -> dict[str, str]:
    return {ANNOTATION: json.dumps(_given(marks), sort_keys=True)}


def of_metadata(metadata: Mapping[str, Any]) -> Marks | None:
    """The marks of an object of Kubernetes; None where mlc has not made it."""
    written = (metadata.get("annotations") or {}).get(ANNOTATION)
    try:
        data = json.loads(written) if isinstance(written, str) else None
    except ValueError:
        data = None
    if isinstance(data, dict):
        return _marks({str(name): str(value) for name, value in data.items()})
    given = metadata.get("labels") or {}
    start = f"{PREFIX}/"
    found = {n.removeprefix(start): str(v) for n, v in given.items() if n.startswith(start)}
    return _marks(found)


def _given(marks: Marks) -> dict[str, str]:
    return {name: value for name, value in asdict(marks).items() if value}


def _marks(found: Mapping[str, str]) -> Marks | None:
    given = {name: value for name, value in found.items() if name in Marks.__struct_fields__}
    return Marks(**given) if given.get("project") else None


def _word(value: str, most: int) -> str:
    """A value that fits its place once it is quoted; of a commit its beginning will do."""
    quoted = quote(value, safe="/:@+~")
    while len(quoted) > most:
        value = cut(value, min(most, len(value) - 1)) if most > 12 else value[:most]
        quoted = quote(value, safe="/:@+~")
        if len(value) <= most // 3:
            return quoted[:most]
    return quoted


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]
