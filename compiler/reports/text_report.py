"""Diagnostics for people: the message, its place, the line with carets, and how to mend it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from compiler.diagnostics import Diagnostic, Severity, Span
from compiler.nodes import SourceFile

_COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTE: "36"}
MOST_COLUMNS = 120


def render_text(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, SourceFile], colour: bool
) -> str:
    """One block for each finding, with a blank line between blocks."""
    lines = {path: file.lines() for path, file in sources.items()}
    return "\n".join(_block(d, lines, _Paint(colour)) for d in diagnostics)


class _Paint:
    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, text: str, *codes: str) -> str:
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if self.on else text


def _block(diagnostic: Diagnostic, lines: Mapping[str, list[str]], paint: _Paint) -> str:
    tone = _COLOURS[diagnostic.severity]
    head = paint(f"{diagnostic.severity}[{diagnostic.code}]", "1", tone)
    width = len(str(max([diagnostic.span.line, *(r.span.line for r in diagnostic.related)])))
    block = [f"{head}{paint(': ' + _visible(diagnostic.message), '1')}"]
    block += _place(diagnostic.span, diagnostic.label, lines, width, paint, tone, "^")
    for related in diagnostic.related:
        block += _place(related.span, related.message, lines, width, paint, "34", "-")
    if diagnostic.hint:
        block.append(
            f"{' ' * width} {paint('=', '34')} {paint('help:', '1')} {_visible(diagnostic.hint)}"
        )
    return "\n".join(block) + "\n"


def _place(
    span: Span,
    label: str,
    lines: Mapping[str, list[str]],
    width: int,
    paint: _Paint,
    tone: str,
    mark: str,
) -> list[str]:
    arrow = paint("-->" if mark == "^" else ":::", "34")
    shown = [f"{' ' * width}{arrow} {span}"]
    known = lines.get(span.path)
    if not known or known == [""] or not 1 <= span.line <= len(known):
        if label:
            shown[0] += f": {label}"
        return shown
    line = known[span.line - 1]
    end = span.end_column if span.end_line == span.line else len(line) + 1
    line, start, stop = _window(line, span.column - 1, max(end - 1, span.column))
    bar = paint("|", "34")
    before, under = _columns(line[:start]), max(1, _columns(line[start:stop]))
    marks = paint(mark * under + (f" {label}" if label else ""), "1", tone)
    shown.append(f"{' ' * width} {bar}")
    shown.append(f"{paint(f'{span.line:>{width}}', '34')} {bar} {_visible(line)}".rstrip())
    shown.append(f"{' ' * width} {bar} {' ' * before}{marks}")
    return shown


def _window(line: str, start: int, stop: int) -> tuple[str, int, int]:
    """Cut a long line around what is marked."""
    if len(line) <= MOST_COLUMNS:
        return line, start, stop
    first = max(0, start - MOST_COLUMNS // 3)
    cut = line[first : first + MOST_COLUMNS]
    lead = "…" if first else ""
    tail = "…" if first + MOST_COLUMNS < len(line) else ""
    shift = len(lead) - first
    return lead + cut + tail, start + shift, min(stop + shift, len(lead) + len(cut))


def _visible(text: str) -> str:
    """The text with nothing in it that a terminal would act on."""
    return "".join(" " if c == "\t" else c if c.isprintable() or c == " " else "�" for c in text)


def _columns(text: str) -> int:
    """The columns of a terminal that a text takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
