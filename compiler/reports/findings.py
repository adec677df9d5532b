"""What a report shows: findings in their order, the sources they point at, what was checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from compiler.diagnostics import Diagnostic, Severity, Span, in_order
from compiler.nodes import SourceFile
from compiler.reports.masking import masked

# Nobody reads more; a file that is wrong throughout would fill a disk.
MOST_OF_A_FILE = 1000
_LONGEST = 1000
# Of one finding: a circle has as many as steps.
_MOST_PLACES = 50


class Findings(Struct, frozen=True):
    """Made by `gather`. `checked` are the paths that were asked for, with findings or without;
    `colour` is for terminals."""

    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, SourceFile]
    checked: tuple[str, ...] = ()
    colour: bool = False


def gather(
    diagnostics: Iterable[Diagnostic],
    sources: Mapping[str, SourceFile],
    checked: Iterable[str] = (),
    *,
    colour: bool = False,
) -> Findings:
    """Findings sorted, none twice, and of each file so many that they can be read.

    The one way into a report: no format reads a file or a text of the spec that did not come
    through here, so what must not be shown (`masking`) is taken out here.
    """
    found, shown = masked(_bounded(in_order(diagnostics)), sources)
    found = in_order(map(_cut, found))
    return Findings(tuple(found), shown, tuple(dict.fromkeys(checked)), colour)


def _bounded(found: list[Diagnostic]) -> list[Diagnostic]:
    """The first findings of each file, errors before others, and how many more there are."""
    if len(found) <= MOST_OF_A_FILE:
        return found
    by_file: dict[str, list[Diagnostic]] = {}
    for diagnostic in found:
        by_file.setdefault(diagnostic.span.path, []).append(diagnostic)
    kept: list[Diagnostic] = []
    for own in by_file.values():
        if len(own) > MOST_OF_A_FILE:
            more = len(own) - MOST_OF_A_FILE
            errors = [d for d in own if d.severity is Severity.ERROR]
            others = [d for d in own if d.severity is not Severity.ERROR]
            own = [*errors, *others][:MOST_OF_A_FILE]
            message = f"{more} more findings in this file are not shown"
            span = max(d.span for d in own)
            own.append(Diagnostic("MLC008", Severity.NOTE, message, span, hint="mend these first"))
        kept += own
    return kept


def _cut(diagnostic: Diagnostic) -> Diagnostic:
    """A finding without the middle of a text that nobody would read to its end."""
    texts = (diagnostic.message, diagnostic.label, diagnostic.hint)
    if max(map(len, texts)) <= _LONGEST and not diagnostic.related and diagnostic.fix is None:
        return diagnostic
    message, label, hint = map(_without_middle, texts)
    related = tuple(
        r._replace(message=_without_middle(r.message)) for r in diagnostic.related[:_MOST_PLACES]
    )
    fix = diagnostic.fix
    if fix is not None:
        fix = fix._replace(title=_without_middle(fix.title))
    return diagnostic._replace(message=message, label=label, hint=hint, related=related, fix=fix)


def _without_middle(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST * 2 // 3]}…{text[-_LONGEST // 4 :]}"


def files(findings: Findings) -> list[str]:
    """The paths that a report is about: those checked, then those that findings lie in."""
    return list(dict.fromkeys([*findings.checked, *(d.span.path for d in findings.diagnostics)]))


def written(findings: Findings, span: Span) -> str:
    """The text at a place, empty where it is not known."""
    file = findings.sources.get(span.path)
    if file is None or span.end_line > len(file.starts):
        return ""
    start, end = (
        file.starts[line - 1] + column - 1
        for line, column in ((span.line, span.column), (span.end_line, span.end_column))
    )
    return _without_middle(file.text[start:end])


def told(diagnostic: Diagnostic) -> str:
    """All that a finding says, as lines of text without the source."""
    lines = [diagnostic.message]
    if diagnostic.label:
        lines.append(f"here: {diagnostic.label}")
    lines += [f"{related.span}: {related.message}" for related in diagnostic.related]
    if diagnostic.hint:
        lines.append(f"help: {diagnostic.hint}")
    if diagnostic.fix:
        lines.append(f"fix: {diagnostic.fix.title}")
    return "\n".join(lines)


def fingerprints(findings: Findings) -> list[str]:
    """For each finding a name that stays the same when lines above it come or go.

    Made of the code, the file, the message and the text of the line; what is alike in all of
    these is told apart by its order in the file.
    """
    import hashlib

    seen: dict[str, int] = {}
    names = []
    for diagnostic in findings.diagnostics:
        span = diagnostic.span
        line = " ".join(_line(findings, span).split())
        key = "\0".join((diagnostic.code, span.path, diagnostic.message, line))
        seen[key] = seen.get(key, 0) + 1
        text = f"{key}\0{seen[key]}".encode("utf-8", "surrogatepass")
        names.append(hashlib.sha256(text).hexdigest()[:32])
    return names


def _line(findings: Findings, span: Span) -> str:
    file = findings.sources.get(span.path)
    if file is None or not 1 <= span.line <= len(file.starts):
        return ""
    end = file.starts[span.line] if span.line < len(file.starts) else len(file.text)
    return file.text[file.starts[span.line - 1] : end]
