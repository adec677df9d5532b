"""Takes credentials out of what a report shows: the sources, and all that findings say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from compiler import credentials
from compiler.diagnostics import Diagnostic, Fix
from compiler.nodes import SourceFile

# A message may show the first characters of a long text only.
_SHORTEST = 6
# What is shorter may be a part of any word.
_FEWEST = 4


def masked(
    diagnostics: Iterable[Diagnostic], sources: Mapping[str, SourceFile]
) -> tuple[list[Diagnostic], Mapping[str, SourceFile]]:
    """Findings and sources without credentials; what stands in a source is told nowhere else."""
    diagnostics = list(diagnostics)
    if not diagnostics:  # then no report shows a text
        return diagnostics, sources
    shown = dict(sources)
    secrets: set[str] = set()
    for path, file in sources.items():
        found = credentials.of_file(file)
        if found:
            shown[path] = SourceFile(path, credentials.hide(file.text, found), file.file)
            for one in found:
                secrets.update(file.text[one.start : one.end].split())
    if not secrets:
        return diagnostics, sources
    starts: dict[str, list[str]] = {}
    for secret in sorted(secrets, key=lambda secret: (-len(secret), secret)):
        if len(secret) >= _FEWEST:
            starts.setdefault(secret[:_SHORTEST], []).append(secret)
    return [_without(diagnostic, starts) for diagnostic in diagnostics], shown


def _without(diagnostic: Diagnostic, starts: dict[str, list[str]]) -> Diagnostic:
    def clean(text: str) -> str:
        return _hidden(text, starts)

    fix = diagnostic.fix
    if fix is not None:
        # An edit that is not whole is no edit.
        whole = all(clean(edit.text) == edit.text for edit in fix.edits)
        fix = Fix(clean(fix.title), fix.edits) if whole else None
    return diagnostic._replace(
        message=clean(diagnostic.message),
        label=clean(diagnostic.label),
        hint=clean(diagnostic.hint),
        related=tuple(r._replace(message=clean(r.message)) for r in diagnostic.related),
        fix=fix,
    )


def _hidden(text: str, starts: dict[str, list[str]]) -> str:
    """The text without secrets, which are known by their starts, and without what is left of
    those that the text ends in or is cut at."""
    parts, at, kept = [], 0, 0
    lengths = sorted({len(start) for start in starts}, reverse=True)
    while at < len(text):
        found = (starts.get(text[at : at + length]) for length in lengths)
        reach = max(
            (_common(text, at, secret) for some in found for secret in some or ()), default=0
        )
        if reach:
            parts += [text[kept:at], "*" * reach]
            kept = at + reach
        at += reach or 1
    return "".join([*parts, text[kept:]])


def _common(text: str, at: int, secret: str) -> int:
    """How much of a secret stands at a place of a text."""
    if text.startswith(secret, at):
        return len(secret)
    length = 0
    while text[at + length : at + length + 1] == secret[length]:
        length += 1
    return length
