"""Lines of source with marks under them, as `text_report` shows them."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Mapping

from msgspec import Struct

from compiler.diagnostics import Span
from compiler.nodes import SourceFile

MOST_COLUMNS = 120
# Of a range of lines at most so many are shown, and an ellipsis for those between.
_MOST_LINES = 6
_BLUE = "34"


class Mark(Struct, frozen=True):
    """A range that is marked by `sign`, with a label; `tone` is a colour of terminals."""

    span: Span
    label: str
    sign: str
    tone: str


class Paint:
    """Colours text where that is wanted; calling it takes the text and codes of ECMA-48."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, text: str, *codes: str) -> str:
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if self.on else text


class _Line(Struct, frozen=True):
    """A line as it is shown, cut where it is too long: `text` starts at character `first`."""

    text: str
    first: int
    lead: str
    tail: str

    def at(self, column: int) -> int:
        """The column of the terminal of a character, counted from 1."""
        return len(self.lead) + columns(self.text[: max(0, column - 1 - self.first)])

    def holds(self, start: int, stop: int) -> bool:
        return self.first <= start - 1 and stop - 1 <= self.first + len(self.text)

    def __str__(self) -> str:
        return visible(self.lead + self.text + self.tail)


class Snippets:
    """Draws marks into the lines of files."""

    def __init__(self, sources: Mapping[str, SourceFile], paint: Paint) -> None:
        self.sources = sources
        self.paint = paint
        self.known: dict[str, list[str]] = {}

    def lines(self, path: str) -> list[str]:
        """The lines of a file, none where its text is not known."""
        if path not in self.known:
            file = self.sources.get(path)
            self.known[path] = file.lines() if file and file.text else []
        return self.known[path]

    def beside(self, first: Mark, others: Iterable[Mark]) -> tuple[list[Mark], list[Mark]]:
        """Those marks that go under the same line as the first one, and the others."""
        beside: list[Mark] = []
        apart: list[Mark] = []
        line = self.line(first.span)
        for mark in others:
            span = mark.span
            together = (
                line is not None
                and (span.path, span.line) == (first.span.path, first.span.line)
                and span.line == span.end_line == first.span.end_line
                and line.holds(span.column, span.end_column)
                and span[1:] not in [m.span[1:] for m in (first, *beside)]
            )
            (beside if together else apart).append(mark)
        return beside, apart

    def line(self, span: Span) -> _Line | None:
        """The first line of a place, or None where the text is not known."""
        known = self.lines(span.path)
        if not 1 <= span.line <= len(known):
            return None
        return _cut(known[span.line - 1], span.column - 1)

    def drawn(self, marks: list[Mark], width: int, arrow: str) -> list[str]:
        """The place of the first mark and its lines; `width` is that of the numbers of lines."""
        span = marks[0].span
        shown = [f"{' ' * width}{self.paint(arrow, _BLUE)} {visible(str(span))}"]
        line = self.line(span)
        if line is None:
            if marks[0].label:
                shown[0] += f": {visible(marks[0].label)}"
            return shown
        gutter = f"{' ' * width} {self.paint('|', _BLUE)}"
        shown.append(gutter)
        last = self._last(span)
        if last > span.line:
            rows = self._range(marks[0], last)
        else:
            rows = [(str(span.line), str(line)), *(("", row) for row in self._under(line, marks))]
        for number, row in rows:
            if number == "...":
                shown.append(self.paint(number, _BLUE))
            elif number:
                start = f"{self.paint(f'{number:>{width}}', _BLUE)} {self.paint('|', _BLUE)}"
                shown.append(f"{start} {row}".rstrip())
            else:
                shown.append(f"{gutter} {row}")
        return shown

    def _last(self, span: Span) -> int:
        """The last line with something of the range in it."""
        last = span.end_line - (span.end_column <= 1 and span.end_line > span.line)
        return min(last, len(self.lines(span.path)))

    def _under(self, line: _Line, marks: list[Mark]) -> list[str]:
        """The row of marks, and below it the labels that have no room beside them."""
        placed = sorted((self._columns(line, mark), mark) for mark in marks)
        cells: dict[int, Mark] = {}
        # The first mark is what it is about: it lies over the others.
        for (start, stop), mark in sorted(placed, key=lambda p: p[1] is marks[0]):
            cells |= dict.fromkeys(range(start, stop), mark)
        row, end = "", max(cells) + 1
        for cell, run in itertools.groupby(range(end), cells.get):
            length = len(list(run))
            row += self.paint(cell.sign * length, "1", cell.tone) if cell else " " * length
        hanging = [(start, mark) for (start, _), mark in placed if mark.label]
        (start, stop), last = placed[-1]
        if last.label and stop == end:
            row += " " + self.paint(visible(last.label), "1", last.tone)
            hanging = [(at, mark) for at, mark in hanging if mark is not last]
        rows = [row]
        if hanging:
            rows.append(self._bars(hanging))
        while hanging:
            start, mark = hanging.pop()
            label = self.paint(visible(mark.label), "1", mark.tone)
            before = [(at, m) for at, m in hanging if at < start]
            lead = self._bars(before)
            rows.append(lead + " " * (start - _reach(before)) + label)
        return rows

    def _bars(self, hanging: list[tuple[int, Mark]]) -> str:
        row, reach = "", 0
        for start, mark in hanging:
            if start >= reach:
                row += " " * (start - reach) + self.paint("|", "1", mark.tone)
                reach = start + 1
        return row

    def _columns(self, line: _Line, mark: Mark) -> tuple[int, int]:
        start = line.at(mark.span.column)
        stop = mark.span.end_column if mark.span.end_line == mark.span.line else 1 << 30
        return start, max(start + 1, line.at(stop))

    def _range(self, mark: Mark, last: int) -> list[tuple[str, str]]:
        """Several lines, with a rail at their side."""
        span, lines = mark.span, self.lines(mark.span.path)
        rail = self.paint("|", "1", mark.tone)
        numbers = list(range(span.line, last + 1))
        if len(numbers) > _MOST_LINES:
            numbers = [*numbers[: _MOST_LINES - 2], 0, last]
        rows = []
        for number in numbers:
            if not number:
                rows.append(("...", ""))
                continue
            line = _cut(lines[number - 1], span.column - 1 if number == span.line else 0)
            side = " " if number == span.line else rail
            rows.append((str(number), f"{side} {line}"))
            if number == span.line:
                rows.append(
                    ("", self.paint(f" {'_' * (line.at(span.column) + 1)}{mark.sign}", mark.tone))
                )
        line = _cut(lines[last - 1], 0)
        stop = span.end_column if last == span.end_line else len(lines[last - 1]) + 1
        under = self.paint(f"{'_' * max(1, line.at(stop))}{mark.sign}", "1", mark.tone)
        label = f" {self.paint(visible(mark.label), '1', mark.tone)}" if mark.label else ""
        return [*rows, ("", f"{rail}{under}{label}")]


def visible(text: str) -> str:
    """The text with nothing in it that a terminal would act on."""
    return "".join(" " if c == "\t" else c if c.isprintable() or c == " " else "�" for c in text)


def columns(text: str) -> int:
    """The columns of a terminal that a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.category(c) in ("Mn", "Me")
        else 2
        if unicodedata.east_asian_width(c) in "WF"
        else 1
        for c in text
    )


def _cut(line: str, around: int) -> _Line:
    """A long line, cut around what is marked."""
    if len(line) <= MOST_COLUMNS:
        return _Line(line, 0, "", "")
    first = max(0, around - MOST_COLUMNS // 3)
    shown = line[first : first + MOST_COLUMNS]
    tail = "…" if first + MOST_COLUMNS < len(line) else ""
    return _Line(shown, first, "…" if first else "", tail)


def _reach(hanging: list[tuple[int, Mark]]) -> int:
    return hanging[-1][0] + 1 if hanging else 0
