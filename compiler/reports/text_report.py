"""Findings for people: the message, its place, the lines with what is meant marked, and how to
mend it. How lines are drawn is in `snippets`."""

from __future__ import annotations

from compiler.diagnostics import Diagnostic, Fix, Related, Severity
from compiler.reports.findings import Findings
from compiler.reports.snippets import Mark, Paint, Snippets, visible

_COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTE: "36"}
_BLUE = "34"


def render_text(findings: Findings) -> str:
    """One block for each finding, with a blank line between blocks."""
    return "\n".join(blocks(findings))


def blocks(findings: Findings) -> list[str]:
    """The block of each finding."""
    paint = Paint(findings.colour)
    snippets = Snippets(findings.sources, paint)
    return [_block(diagnostic, snippets, paint) for diagnostic in findings.diagnostics]


def _block(diagnostic: Diagnostic, snippets: Snippets, paint: Paint) -> str:
    tone = _COLOURS[diagnostic.severity]
    head = paint(f"{diagnostic.severity}[{diagnostic.code}]", "1", tone)
    places = [diagnostic.span, *(r.span for r in diagnostic.related)]
    width = len(str(max(span.end_line for span in places)))
    block = [f"{head}{paint(': ' + visible(diagnostic.message), '1')}"]
    first = Mark(diagnostic.span, diagnostic.label, "^", tone)
    beside, apart = snippets.beside(first, [_related(r) for r in diagnostic.related])
    block += snippets.drawn([first, *beside], width, "-->")
    for mark in apart:
        block += snippets.drawn([mark], width, ":::")
    foot = f"{' ' * width} {paint('=', _BLUE)}"
    if diagnostic.hint:
        block.append(f"{foot} {paint('help:', '1')} {visible(diagnostic.hint)}")
    if diagnostic.fix and not _is_said(diagnostic.fix, diagnostic.hint):
        title = visible(diagnostic.fix.title)
        block.append(f"{foot} {paint('fix:', '1')} {title} (mlc validate --fix)")
    return "\n".join(block) + "\n"


def _is_said(fix: Fix, hint: str) -> bool:
    """Whether a hint tells already what a fix does: it has the one text that is put in."""
    texts = [edit.text.strip().strip("\"'") for edit in fix.edits]
    return len(texts) == 1 and bool(texts[0]) and texts[0] in hint


def _related(related: Related) -> Mark:
    return Mark(related.span, related.message, "-", _BLUE)
