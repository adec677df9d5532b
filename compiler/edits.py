"""Fixes to text: which of them can be made together, and what comes of it.

Pure: nothing is read or written here. Edits count lines and columns in the text that they were
found in, so all that are made in one round are made at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from compiler.diagnostics import Edit, Fix, Span
from compiler.nodes import SourceFile

_LINE_END = re.compile(r"\r\n|\r|\n")
_Range = tuple[tuple[int, int], tuple[int, int]]


class Edited(Struct, frozen=True):
    """A text after its edits. `moved` tells for each edit where in the new text it stands: offset
    and length before, offset and length after."""

    text: str
    moved: tuple[tuple[int, int, int, int], ...]

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Where a range of the text before lies now; it grows with the edits that touch it."""
        return self._moved(start, at_end=False), self._moved(end, at_end=True)

    def _moved(self, index: int, *, at_end: bool) -> int:
        shift = 0
        for start, length, now, size in self.moved:
            if start + length < index or (start + length == index and (at_end or length)):
                shift = now + size - start - length
            elif start < index:  # inside of what was replaced
                return now + size if at_end else now
        return index + shift


def apply(text: str, edits: Iterable[Edit]) -> Edited:
    """The text with edits made in it; new lines end as the text's own do.

    Raises:
        ValueError: edits overlap.
    """
    file = SourceFile("", text)
    found = _LINE_END.search(text)
    line_end = found[0] if found else "\n"
    parts: list[str] = []
    moved = []
    done = size = 0
    for edit in sorted(edits, key=lambda e: _range(e.span)):
        start = file.index(edit.span.line, edit.span.column)
        end = file.index(edit.span.end_line, edit.span.end_column)
        if start < done:
            raise ValueError("edits overlap")
        new = _LINE_END.sub(line_end, edit.text)
        parts += (text[done:start], new)
        size += start - done
        moved.append((start, end - start, size, len(new)))
        size += len(new)
        done = end
    return Edited("".join((*parts, text[done:])), tuple(moved))


def apart(fixes: Iterable[Fix]) -> list[Fix]:
    """Those fixes that don't get in each other's way, by place: of two that do, the first."""
    taken: dict[str, list[_Range]] = {}
    chosen = []
    for fix in sorted(fixes, key=lambda f: (min(e.span for e in f.edits), f)):
        places = [(edit.span.path, _range(edit.span)) for edit in fix.edits]
        if not any(_meet(at, other) for path, at in places for other in taken.get(path, ())):
            chosen.append(fix)
            for path, at in places:
                taken.setdefault(path, []).append(at)
    return chosen


def _range(span: Span) -> _Range:
    return (span.line, span.column), (span.end_line, span.end_column)


def _meet(one: _Range, other: _Range) -> bool:
    return one[0] == other[0] or (one[0] < other[1] and other[0] < one[1])
