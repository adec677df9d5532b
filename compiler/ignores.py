"""`# mlc: ignore[CODE] reason`: comments by which a spec takes findings on its lines as they are.

libyaml drops comments, so they are looked for in the text, where it has `mlc:` in it at all, and
told from quoted text and scripts by the places of the scalars. `frontend` settles by them, and by
the severities of the project's policy, what counts of what the phases found.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

import yaml
from msgspec import Struct
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from compiler.codes import CODES, WHERE_CODES_ARE, is_fixed, meant
from compiler.diagnostics import (
    Diagnostic,
    Edit,
    Fix,
    Related,
    Span,
    warning,
)
from compiler.nodes import SourceFile
from compiler.settings import Policy

_COMMENT = re.compile(r"(?<![^\s])#[ \t]*mlc:[^\r\n]*")
_IGNORE = re.compile(r"#[ \t]*mlc:[ \t]*ignore[ \t]*\[(?P<codes>[^\[\]]*)\][ \t:–-]*(?P<reason>.*)")
_CODE = re.compile(r"[^,\s]+")
_BARE = re.compile(
    r"#[ \t]*mlc:[ \t]*ignore[ \t:]+(?P<codes>MLC\d+(?:[ \t,]+MLC\d+)*)[ \t:]*(?P<reason>.*)"
)
_FORM = "`# mlc: ignore[MLC603] why it is right here`"
# Nobody has reasons for more on one line.
_MOST_CODES = 50
# Found only when something is compiled or run, not by `mlc validate`.
_ELSEWHERE = ("MLC70", "MLC8")


class Ignore(Struct, frozen=True):
    """A comment that counts. `codes` with their places, `lines` the first and last that it is
    about, `span` the comment."""

    codes: tuple[tuple[str, Span], ...]
    lines: tuple[int, int]
    span: Span
    removal: Edit

    def without(self, code: str, file: SourceFile) -> Fix:
        """The comment without a code, which is none where that was the only one."""
        kept = [name for name, _ in self.codes if name != code]
        if not kept:
            return Fix("take the comment out", (self.removal,))
        first, last = self.codes[0][1], self.codes[-1][1]
        listed = Span(file.path, first.line, first.column, last.end_line, last.end_column)
        return Fix(f"take {code} out", (Edit(listed, ", ".join(kept)),))


class Settled(NamedTuple):
    """What is left of findings, and the places of the codes in ignores that took some away."""

    diagnostics: list[Diagnostic]
    used: frozenset[Span]


def settle(
    diagnostics: Iterable[Diagnostic], policy: Policy, files: Iterable[SourceFile]
) -> Settled:
    """Findings by the severities of the policy and without what the files' comments ignore, with
    what is wrong with these comments."""
    found = list(diagnostics)
    ignores: dict[str, _Index] = {}
    for file in files:
        if "mlc:" in file.text and not file.path.endswith((".toml", ".py")):
            own, problems = read(file)
            ignores[file.path] = _Index(own, policy)
            found += problems
            found += _not_ignorable(own, policy, file)
    found = weighed(found, policy)
    if not ignores:
        return Settled(found, frozenset())
    kept: list[Diagnostic] = []
    used: set[Span] = set()
    for diagnostic in found:
        index = ignores.get(diagnostic.span.path)
        places = set(index.matching(diagnostic)) if index else set()
        used |= places
        if not places:
            kept.append(diagnostic)
    return Settled(kept, frozenset(used))


def weighed(diagnostics: Iterable[Diagnostic], policy: Policy) -> list[Diagnostic]:
    """Findings with the severities that the policy gives to their codes, without those off."""
    if not policy.severity:
        return list(diagnostics)
    given = ((d, policy.severity.get(d.code, d.severity)) for d in diagnostics)
    return [d._replace(severity=severity) for d, severity in given if severity is not None]


def unused(file: SourceFile, used: Collection[Span], policy: Policy) -> Iterator[Diagnostic]:
    """Ignores of a file that took nothing away."""
    for ignore in read(file)[0] if "mlc:" in file.text else ():
        for code, span in ignore.codes:
            if span in used or not _ignorable(code, policy) or code.startswith(_ELSEWHERE):
                continue
            message = f"nothing to ignore: {code} ({CODES[code]}) is not found here"
            fix = ignore.without(code, file)
            yield warning("MLC933", message, span, hint="take it out", fix=fix)


@functools.lru_cache(maxsize=256)
def read(file: SourceFile) -> tuple[tuple[Ignore, ...], tuple[Diagnostic, ...]]:
    """The ignores of a spec, and what is wrong with those that don't count."""
    comments = list(_COMMENT.finditer(file.text))
    if not comments:
        return (), ()
    scalars = _Scalars(file)
    ignores: list[Ignore] = []
    problems: list[Diagnostic] = []
    for comment in comments:
        if not scalars.covers(comment.start()):
            one = _ignore(comment, file, scalars, problems)
            if one is not None:
                ignores.append(one)
    return tuple(ignores), tuple(problems)


def _ignore(
    comment: re.Match[str], file: SourceFile, scalars: _Scalars, problems: list[Diagnostic]
) -> Ignore | None:
    text, start = comment[0].rstrip(), comment.start()
    span = file.span(start, start + len(text))
    removal = _removal(file, start, start + len(text))
    form = _IGNORE.fullmatch(text)
    places = list(_CODE.finditer(text, *form.span("codes"))) if form else []
    if form is None or not 1 <= len(places) <= _MOST_CODES:
        problems.append(_malformed(text, span))
        return None
    if not re.search(r"\w", form["reason"]):
        message = "an ignore says why, or it does not count"
        hint = f"write `# mlc: ignore[{form['codes']}] why it is right here`"
        problems.append(warning("MLC932", message, span, hint=hint))
        return None
    lines = scalars.about(file.position(start)[0])
    codes = tuple((at[0], file.span(start + at.start(), start + at.end())) for at in places)
    ignore = Ignore(codes, lines, span, removal)
    for code, place in codes:
        if code not in CODES:
            near = meant(code)
            hint = f"did you mean {near}, {CODES[near]}?" if near else WHERE_CODES_ARE
            fix = Fix(f"write {near}", (Edit(place, near),)) if near else None
            message = f"there is no diagnostic {code}"
            problems.append(warning("MLC931", message, place, hint=hint, fix=fix))
    return ignore


def _malformed(text: str, span: Span) -> Diagnostic:
    bare = _BARE.fullmatch(text)
    message = "this comment can't be read, so it ignores nothing"
    if bare is None or not bare["reason"]:
        return warning("MLC930", message, span, hint=f"write {_FORM}")
    listed = ", ".join(_CODE.findall(bare["codes"]))
    mended = f"# mlc: ignore[{listed}] {bare['reason']}"
    fix = Fix("put the codes in brackets", (Edit(span, mended),))
    return warning("MLC930", message, span, hint=f"write `{mended}`", fix=fix)


def _removal(file: SourceFile, start: int, end: int) -> Edit:
    """Takes a comment out: its line where it is alone there, else it and the space before it."""
    line, _ = file.position(start)
    first = file.starts[line - 1]
    if file.text[first:start].strip():
        before = len(file.text[first:start].rstrip())
        return Edit(file.span(first + before, end), "")
    last = file.starts[line] if line < len(file.starts) else end
    return Edit(file.span(first, last), "")


def _ignorable(code: str, policy: Policy) -> bool:
    return (
        code in CODES
        and not is_fixed(code)
        and not code.startswith("MLC93")
        and code not in policy.enforced
    )


def _not_ignorable(
    ignores: Iterable[Ignore], policy: Policy, file: SourceFile
) -> Iterator[Diagnostic]:
    for ignore in ignores:
        for code, span in ignore.codes:
            if code not in CODES or _ignorable(code, policy):
                continue
            related: tuple[Related, ...] = ()
            why = "it is an error of the language"
            if code in policy.enforced:
                why = "the project's policy enforces it"
                related = (Related("the policy", policy.places["enforced"]),)
            elif code.startswith("MLC93"):
                why = "it is about ignores"
            message = f"{code} ({CODES[code]}) can't be ignored: {why}"
            hint = "mend what is found, and take this out"
            fix = ignore.without(code, file)
            yield warning("MLC934", message, span, hint=hint, related=related, fix=fix)


class _Index:
    """The ignores of a file by code, to find those of a range of lines."""

    def __init__(self, ignores: Iterable[Ignore], policy: Policy) -> None:
        self.places: dict[str, list[tuple[tuple[int, int], Span]]] = {}
        for ignore in ignores:
            for code, place in ignore.codes:
                if _ignorable(code, policy):
                    self.places.setdefault(code, []).append((ignore.lines, place))

    def matching(self, diagnostic: Diagnostic) -> Iterator[Span]:
        span, places = diagnostic.span, self.places.get(diagnostic.code, [])
        # Blocks of text do not overlap, so first and last lines are both in order.
        start = bisect.bisect_left(places, span.line, key=lambda p: p[0][1])
        for (first, _), place in itertools.islice(places, start, None):
            if first > span.end_line:
                break
            yield place


class _Scalars:
    """Where text of a YAML file is no comment whatever it looks like."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.blocks: dict[int, int] = {}  # by the line of the sign, the last line of the text
        parser: Any = CParser(file.text)
        try:
            while (event := parser.get_event()) is not None:
                if isinstance(event, yaml.ScalarEvent) and event.style:
                    self.add(event)
        except yaml.YAMLError:
            # The rest of the file is not read at all, and that is told.
            pass

    def add(self, scalar: Any) -> None:
        start, end = scalar.start_mark.index, scalar.end_mark.index
        if scalar.style in "|>":
            line, _ = self.file.position(start)
            self.blocks[line] = self.file.position(max(start, end - 1))[0]
            # What stands behind the sign is a comment.
            start = self.file.starts[line] if line < len(self.file.starts) else end
        self.starts.append(start)
        self.ends.append(end)

    def covers(self, index: int) -> bool:
        at = bisect.bisect_right(self.starts, index) - 1
        return at >= 0 and index < self.ends[at]

    @functools.cached_property
    def following(self) -> list[int]:
        """For each line, from 0, the first at or below it that is not empty or a comment."""
        lines = self.file.lines()
        found = list(range(1, len(lines) + 1))
        for number in range(len(lines) - 2, -1, -1):
            if lines[number].lstrip()[:1] in ("", "#"):
                found[number] = found[number + 1]
        return found

    def about(self, line: int) -> tuple[int, int]:
        """The lines that a comment on a line is about: its own, or the next with something in it
        where the comment stands alone; and all of a block of text that starts there."""
        line = self.following[line - 1]
        return line, self.blocks.get(line, line)
