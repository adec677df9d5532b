"""The printer of manifests: plain data in, YAML text out, the last stop before a target's file.

Block style, mappings in their order, one scalar a line. A text is written bare only where no
reader of YAML, neither of version 1.1 (PyYAML, the Go library of Kubernetes) nor of 1.2, could
take it for anything but itself: what begins with a letter or a slash, holds only tame characters
and is no word like `no` or `null`. Text of several lines becomes a literal block where that gives
back every character; all else is quoted.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from compiler.values import JsonValue

_TAME = r"[A-Za-z0-9_./@+=(),-]"
_BARE = re.compile(rf"(?:--?)?[A-Za-z/]{_TAME}*(?:[ :]{_TAME}+)*")
_AMBIGUOUS = frozenset(
    sign + word
    for word in ("y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf")
    for sign in ("", "-")
)
# What YAML 1.1 calls printable, less the line breaks that only some readers know.
_UNPRINTABLE = re.compile(
    r"[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_UNPRINTABLE_IN_BLOCK = re.compile(
    r"[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# Readers look for the colon of a key within 1024 characters; beyond, a key must be announced.
_LONGEST_KEY = 200


def dump(document: JsonValue) -> str:
    """The YAML text of one document, ending in a newline.

    Reading it back with a YAML 1.1 or 1.2 reader gives equal data of the same types.

    Raises:
        ValueError: the data hold NaN, an infinity or a lone surrogate, which have no text.
    """
    lines: list[str] = []
    seen = _Seen({}, {})
    if isinstance(document, dict | list) and document:
        _write(document, "", "", lines, seen)
    else:
        lines.append(_text(document, "", seen) if isinstance(document, str) else _scalar(document))
    lines.append("")
    return "\n".join(lines)


def dump_all(documents: Iterable[JsonValue]) -> str:
    """The YAML text of several documents, one after the other, parted by `---`."""
    return "---\n".join(map(dump, documents))


@dataclass(frozen=True, slots=True)
class _Seen:
    """Texts and keys that were written already: most of a manifest's stand in it many times.

    A text is known by itself and its indent.
    """

    texts: dict[tuple[str, str], str]
    keys: dict[str, str]


def _write(
    value: dict[str, JsonValue] | list[JsonValue],
    lead: str,
    indent: str,
    lines: list[str],
    seen: _Seen,
) -> None:
    """Write a collection that isn't empty: `lead` before its first line, `indent` before others."""
    if isinstance(value, dict):
        for key, item in value.items():
            written = seen.keys.get(key)
            head = lead + (_key(key, indent, seen) if written is None else written)
            lead = indent
            if isinstance(item, str):
                lines.append(
                    f"{head} {seen.texts.get((item, indent)) or _text(item, indent, seen)}"
                )
            elif isinstance(item, dict) and item:
                lines.append(head)
                _write(item, indent + "  ", indent + "  ", lines, seen)
            elif isinstance(item, list) and item:
                lines.append(head)
                _write(item, indent, indent, lines, seen)
            else:
                lines.append(f"{head} {_scalar(item)}")
        return
    for item in value:
        head = lead + "- "
        lead = indent
        if isinstance(item, str):
            lines.append(head + (seen.texts.get((item, indent)) or _text(item, indent, seen)))
        elif isinstance(item, dict | list) and item:
            _write(item, head, indent + "  ", lines, seen)
        else:
            lines.append(head + _scalar(item))


def _key(key: str, indent: str, seen: _Seen) -> str:
    """A key with its colon."""
    written = key if _is_bare(key) else _quoted(key)
    if len(written) > _LONGEST_KEY:
        return f"? {written}\n{indent}:"
    seen.keys[key] = f"{written}:"
    return f"{written}:"


def _text(text: str, indent: str, seen: _Seen) -> str:
    """A text on a line that is indented so far."""
    if _is_bare(text):
        written = text
    else:
        written = _block(text, indent + "  ") if _fits_block(text) else _quoted(text)
    seen.texts[text, indent] = written
    return written


def _scalar(value: bool | int | float | dict[str, JsonValue] | list[JsonValue] | None) -> str:
    """A value that is no text and has no items."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _number(value)
        case None:
            return "null"
        case dict():
            return "{}"
        case list():
            return "[]"


def _is_bare(text: str) -> bool:
    return _BARE.fullmatch(text) is not None and text.lower() not in _AMBIGUOUS


def _fits_block(text: str) -> bool:
    """Whether a literal block gives back the text in every reader.

    Readers differ on blocks that begin with white space and on white space after the last line.
    """
    if "\n" not in text or text[0] in " \n" or _UNPRINTABLE_IN_BLOCK.search(text):
        return False
    last = text.removesuffix("\n").rpartition("\n")[2]
    return bool(last.strip(" "))


def _block(text: str, indent: str) -> str:
    header, body = ("|", text[:-1]) if text.endswith("\n") else ("|-", text)
    return header + "".join(f"\n{indent}{line}" if line else "\n" for line in body.split("\n"))


def _quoted(text: str) -> str:
    if _SURROGATE.search(text):
        raise ValueError("a lone surrogate is no character and has no YAML text")
    if ("\\" in text or '"' in text) and not _UNPRINTABLE.search(text):
        return "'" + text.replace("'", "''") + "'"
    return _UNPRINTABLE.sub(_escape, json.dumps(text, ensure_ascii=False))


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _number(value: float) -> str:
    """A float as each reader knows one: with a point, and a sign in its exponent."""
    if not math.isfinite(value):
        raise ValueError(f"{value} has no place in a manifest")
    digits, e, exponent = repr(value).partition("e")
    return digits + ("" if "." in digits else ".0") + e + exponent
