"""From an offset in a scalar's text back to its place in the file."""

from __future__ import annotations

import bisect
import functools
import re

from msgspec import Struct

from compiler.diagnostics import Span
from compiler.nodes import Scalar

_OPENING = "${{"
# Of texts so short, what is written is compared for each expression.
_SHORT = 500
_SIGN = re.compile(re.escape(_OPENING))


def place(node: Scalar, start: int, end: int) -> Span:
    """The place in the file of a range of a scalar's text.

    Escapes and folded lines move the text; an expression is then found again by its `${{`.
    """
    file = node.file
    if len(node.text) < _SHORT:
        first = node.start.index + (node.style in ("'", '"'))
        if file.text.startswith(node.text, first, node.end.index):
            line = node.start.line + 1
            if node.end.line + 1 == line:
                column = node.start.column + 1 + first - node.start.index
                return Span(file.path, line, column + start, line, column + end)
            return file.span(first + start, first + end)
    written = _written(node)
    if written.start is not None:
        first = written.start
        return file.span(first + start, first + end)
    nth = bisect.bisect_right(written.opened, start + 3 - len(_OPENING)) - 1
    if nth < 0 or len(written.raw_opened) != len(written.opened):
        return node.span
    opened, at = written.opened[nth], written.raw_opened[nth]
    if file.text[at : at + end - opened] == node.text[opened:end]:
        return file.span(at + start - opened, at + end - opened)
    closed = file.text.find("}}", at, node.end.index)
    return file.span(at, closed + 2 if closed > 0 else at + len(_OPENING))


class _Written(Struct, frozen=True):
    """How a scalar's text is written: `start` is its place in the file where it is written as it
    is, else None; the offsets of `${{` in the text and in the file."""

    start: int | None
    opened: list[int]
    raw_opened: list[int]


# One scalar may have many expressions, and each is asked for.
@functools.lru_cache(maxsize=64)
def _written(node: Scalar) -> _Written:
    first = node.start.index + (node.style in ("'", '"'))
    if node.file.text.startswith(node.text, first) and first + len(node.text) <= node.end.index:
        return _Written(first, [], [])
    opened = [found.start() for found in _SIGN.finditer(node.text)]
    raw = [
        found.start() for found in _SIGN.finditer(node.file.text, node.start.index, node.end.index)
    ]
    return _Written(None, opened, raw)
