"""What a report shows: findings in their order, the sources they point at, what was checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from compiler.diagnostics import Diagnostic, Span, in_order
from compiler.nodes import SourceFile


class Findings(NamedTuple):
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
    """Findings sorted, none twice.

    The one way into a report: no format reads a file or a text of the spec that did not come
    through here, so what must not be shown is taken out here.
    """
    return Findings(tuple(in_order(diagnostics)), sources, tuple(dict.fromkeys(checked)), colour)


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
    return file.text[start:end]


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
