"""From an offset in a scalar's text back to its place in the file."""

from __future__ import annotations

from compiler.diagnostics import Span
from compiler.nodes import Scalar


def place(node: Scalar, start: int, end: int) -> Span:
    """The place in the file of a range of a scalar's text.

    Escapes and folded lines move the text; an expression is then found again by its `${{`.
    """
    file = node.file
    first = node.start.index + (1 if node.style in ("'", '"') else 0)
    if file.text.startswith(node.text, first, node.end.index):
        return file.span(first + start, first + end)
    raw = file.text[node.start.index : node.end.index]
    opened = node.text.rfind("${{", 0, start + 3)
    if opened < 0:
        return node.span
    nth = node.text.count("${{", 0, opened)
    if raw.count("${{") != node.text.count("${{"):
        return node.span
    at = -1
    for _ in range(nth + 1):
        at = raw.find("${{", at + 1)
    if at < 0:
        return node.span
    if raw[at : at + end - opened] == node.text[opened:end]:
        first = node.start.index + at
        return file.span(first + start - opened, first + end - opened)
    closed = raw.find("}}", at)
    return file.span(
        node.start.index + at, node.start.index + (closed + 2 if closed > 0 else at + 3)
    )
