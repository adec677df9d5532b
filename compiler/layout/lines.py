"""Lays a spec out anew, line by line.

Each entry of a block collection is a few lines with the comments above it; it moves as a whole.
Comments that are indented deeper than the next key belong to what is above them. What comes before
the first key of the file, and after the last, stays there.
"""

from __future__ import annotations

import bisect
import re

from msgspec import Struct

from compiler import schema
from compiler.layout import order
from compiler.layout.order import Schema
from compiler.layout.pieces import Piece, parse, scalars

_COLON = re.compile(r"[ \t]*:")
_INDICATOR = re.compile(r"(?P<style>[|>])(?P<rest>[-+0-9]*)")


class CantLayOutError(Exception):
    """A file that can't be laid out without a change of what it says; the message is why."""


def lay_out(text: str, *, in_order: bool = True) -> str:
    """The canonical layout of a text with `\\n` for line ends.

    Raises:
        CantLayOutError: the text has a form that the layout does not know.
    """
    text = _quoted_alike(text, parse(text))
    text = _without_open_end(text, parse(text))
    return _Layout(text, parse(text), in_order=in_order).whole()


def _quoted_alike(text: str, root: Piece) -> str:
    """Double quotes, where nothing between the quotes is read differently then."""
    letters = list(text)
    for scalar in scalars(root):
        inner = text[scalar.start + 1 : scalar.end - 1]
        if scalar.style == "'" and text[scalar.start] == "'" and not set(inner) & set("\\\"'\n"):
            letters[scalar.start] = letters[scalar.end - 1] = '"'
    return "".join(letters)


def _without_open_end(text: str, root: Piece) -> str:
    """A block of text at the end of the file, whose last line has no end: it says so by `-`."""
    last = list(scalars(root))[-1]
    if not last.is_text_block or text.endswith("\n") or text[last.end :].strip(" \t"):
        return text
    found = _INDICATOR.match(text, last.start)
    if found is None:
        raise CantLayOutError("an anchor on the last block of text")
    rest = re.sub(r"[-+]", "", found["rest"])
    return f"{text[: found.start()]}{found['style']}{rest}-{text[found.end() :]}\n"


class _Child(Struct, frozen=True):
    """An entry or item: the lines of comments above it, where its own start and end, and the
    comments below that are in it."""

    key: Piece | None
    value: Piece
    column: int
    head: int
    last: int
    lead: list[str]
    tail: list[str]


class _Layout:
    def __init__(self, text: str, root: Piece, *, in_order: bool) -> None:
        self.text, self.in_order = text, in_order
        self.root = root
        self.lines = text.split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)
        # Lines whose ends are part of a value.
        self.kept: set[int] = set()
        for scalar in scalars(root):
            if scalar.end > scalar.start:
                first, last = self.line(scalar.start), self.line(self.content_end(scalar))
                self.kept |= set(range(first + scalar.is_text_block, last))
                if scalar.is_text_block:
                    self.kept.add(last)

    def whole(self) -> str:
        first = self.line(self.root.start)
        if self.root.kind != "mapping" or self.lines[first][: self.column(self.root.start)].strip():
            raise CantLayOutError("the keys of the file are not lines of their own")
        last = self.last_line(self.root)
        kinds = [v.name for k, v in self.root.items if k is not None and k.name == "kind"]
        shape = schema.of_kind(kinds[0] if kinds else None)
        below = [line.rstrip() for line in self.lines[last + 1 :]]
        while below and not below[-1]:
            del below[-1]
        body = self.collection(self.root, 0, shape, first, below)
        above = _calm([line.rstrip() for line in self.lines[:first]])
        while above and not above[0]:
            del above[0]
        return "\n".join((*above, *body)) + "\n"

    def collection(
        self, piece: Piece, indent: int, shape: Schema | None, top: int, below: list[str]
    ) -> list[str]:
        """The lines of a block collection. It starts at line `top`, with comments perhaps; `below`
        are the comments after it that are in it."""
        children, rest = self.children(piece, top, below)
        if piece.kind == "mapping":
            names = [child.key.name if child.key else "" for child in children]
            places = order.in_order(names, shape) if self.in_order else range(len(names))
            children = [children[i] for i in places]
        lines: list[str] = []
        for child in children:
            lead = _calm(child.lead)
            while not lines and lead and not lead[0]:
                del lead[0]
            lines += [" " * indent + line.lstrip() if line else "" for line in lead]
            lines += self.child(child, indent, shape)
        lines += [" " * indent + line.lstrip() if line else "" for line in _calm(rest)]
        return lines

    def children(self, piece: Piece, top: int, below: list[str]) -> tuple[list[_Child], list[str]]:
        """The parts of a block collection, and the comments after the last that are in none."""
        heads = [self.head(key, value) for key, value in piece.items]
        column = heads[0][1]
        lasts = [
            max(self.last_line(value), self.line(key.end - 1) if key else head)
            for (key, value), (head, _) in zip(piece.items, heads, strict=True)
        ]
        if any(head <= last for (head, _), last in zip(heads[1:], lasts, strict=False)):
            raise CantLayOutError("two keys in one line")
        found: list[_Child] = []
        lead = self.between(top, heads[0][0])
        for number, (key, value) in enumerate(piece.items):
            is_last = number + 1 == len(piece.items)
            head, last = heads[number][0], lasts[number]
            gap = below if is_last else self.between(last + 1, heads[number + 1][0])
            cut = 0
            if value.is_block or (value.is_empty and key is not None):
                cut = _cut(gap, column)
            found.append(_Child(key, value, column, head, last, lead, gap[:cut]))
            lead = gap[cut:]
        return found, lead

    def between(self, first: int, end: int) -> list[str]:
        found = [line.rstrip() for line in self.lines[first:end]]
        if any(line.strip() and not line.lstrip().startswith("#") for line in found):
            raise CantLayOutError("something between two keys that is no comment")
        return found

    def head(self, key: Piece | None, value: Piece) -> tuple[int, int]:
        """The line and column of a key, or of the dash of an item."""
        start = key.start if key else value.start
        line, column = self.line(start), self.column(start)
        if key is not None:
            if self.lines[line][:column].strip(" -"):
                raise CantLayOutError("a key that does not start its line")
            return line, column
        before = self.lines[line][:column].rstrip()
        while not before.endswith("-"):
            line -= 1
            before = re.sub(r"(^|\s)#.*", "", self.lines[line]).rstrip()
            if line < 0 or (before and not before.endswith("-")):
                raise CantLayOutError("an item of a list whose dash is far away")
        return line, len(before) - 1

    def child(self, child: _Child, indent: int, shape: Schema | None) -> list[str]:
        """The lines of an entry or item, without the comments above it."""
        key, value = child.key, child.value
        if key is not None:
            colon = _COLON.match(self.text, key.end)
            if colon is None or "\n" in self.text[key.start : key.end]:
                raise CantLayOutError("a key without its `:`")
            mark, start = self.text[key.start : key.end] + ":", colon.end()
            inner = order.value_shape(shape, key.name)
        else:
            mark, start = "-", self.starts[child.head] + child.column + 1
            inner = order.item_shape(shape)
        if value.is_block:
            return self.nested(child, mark, start, indent, inner)
        first = self.text[start : self.starts[child.head + 1] - 1]
        gap = first[: len(first) - len(first.lstrip())]
        first = first.lstrip() if child.head in self.kept else first.strip()
        if first.startswith("#"):
            first = gap[1:] + first
        lines = [" " * indent + (f"{mark} {first}" if first else mark)]
        if value.is_text_block:
            lines += self.text_block(child, indent)
        else:
            shift = indent - child.column
            for line in range(child.head + 1, child.last + 1):
                shown = _shifted(self.lines[line], shift)
                lines.append(shown if line in self.kept else shown.rstrip())
        deeper = " " * (indent + 2)
        return lines + [deeper + line.lstrip() if line else "" for line in _calm(child.tail)]

    def nested(
        self, child: _Child, mark: str, start: int, indent: int, shape: Schema | None
    ) -> list[str]:
        """An entry or item that is a block collection itself."""
        value = child.value
        head, column = self.head(*value.items[0])
        same_line = head == child.head
        rest = self.text[start : self.starts[child.head + 1] - 1].rstrip()
        if same_line:
            rest = self.lines[head][start - self.starts[head] : column]
        lines = self.collection(value, indent + 2, shape, child.head + 1, child.tail)
        bare = rest.strip()
        if same_line and bare:
            raise CantLayOutError("an anchor before a key")
        if child.key is None and not bare and not lines[0].lstrip().startswith("#"):
            return [f"{' ' * indent}- {lines[0].lstrip()}", *lines[1:]]
        if bare and not bare.startswith("#"):
            rest = f" {bare}"
        return [" " * indent + mark + rest.rstrip(), *lines]

    def text_block(self, child: _Child, indent: int) -> list[str]:
        """The body of a block of text, two deeper than what holds it."""
        first = self.line(child.value.start)
        if first != child.head:
            raise CantLayOutError("a block of text that starts below its key")
        found = _INDICATOR.search(self.lines[first], self.column(child.value.start))
        body = self.lines[first + 1 : child.last + 1]
        if found is None or re.search(r"[0-9]", found["rest"]):
            return [_shifted(line, indent - child.column) for line in body]
        inner = next((len(b) - len(b.lstrip(" ")) for b in body if b.strip(" ")), 0)
        return [" " * (indent + 2) + b[inner:] if len(b) > inner else "" for b in body]

    def last_line(self, piece: Piece) -> int:
        if piece.is_block:
            key, last = piece.items[-1]
            return max(self.last_line(last), self.line(max(key.end - 1, 0)) if key else 0)
        return self.line(self.content_end(piece))

    def content_end(self, piece: Piece) -> int:
        """The last character of a scalar or a flow collection."""
        return max(piece.start, piece.end - 1)

    def line(self, index: int) -> int:
        return bisect.bisect_right(self.starts, index) - 1

    def column(self, index: int) -> int:
        return index - self.starts[self.line(index)]


def _cut(gap: list[str], column: int) -> int:
    """How many of the lines between two entries belong to the first, by their indentation."""
    deeper = [
        number
        for number, line in enumerate(gap, 1)
        if line and len(line) - len(line.lstrip()) > column
    ]
    return deeper[-1] if deeper else 0


def _calm(lines: list[str]) -> list[str]:
    """At most one blank line in a row."""
    return [line for i, line in enumerate(lines) if line or i == 0 or lines[i - 1]]


def _shifted(line: str, shift: int) -> str:
    if shift >= 0:
        return " " * shift + line if line else line
    spaces = len(line) - len(line.lstrip(" "))
    return line[min(-shift, spaces) :]
