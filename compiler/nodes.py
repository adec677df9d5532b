"""A spec as nodes: mappings, lists and scalars that know their places in their file.

Scalars keep the text that was written, since `1.10` means text or number depending on where it
stands.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, final

from msgspec import Struct

from compiler.diagnostics import Span
from compiler.values import JsonValue

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOLEAN = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(slots=True, eq=False)
class SourceFile:
    """A file as it was read. `path` is what messages show, `file` where it lies (None: stdin).

    Places of any character are counted here, as libyaml counts those of its marks in a text that
    has none of the breaks that are refused (U+0085, U+2028 and U+2029).
    """

    path: str
    text: str
    file: Path | None = None
    _starts: list[int] | None = field(init=False, default=None)
    _has_returns: bool = field(init=False)

    def __post_init__(self) -> None:
        self._has_returns = "\r" in self.text

    @property
    def starts(self) -> list[int]:
        """Where each line starts, as the index of a character."""
        if self._starts is None:
            if self._has_returns:
                ends: Iterable[int] = (found.end() for found in _LINE_END.finditer(self.text))
            else:
                lengths = [len(line) + 1 for line in self.text.split("\n")]
                ends = itertools.accumulate(lengths[:-1])
            self._starts = [0, *ends]
        return self._starts

    def lines(self) -> list[str]:
        return _LINE_END.split(self.text)

    def span(self, start: int, end: int) -> Span:
        """The place of a range of characters."""
        starts = self.starts
        if not self._has_returns and start <= end:
            line = bisect.bisect_right(starts, start)
            if line < len(starts) and end < starts[line]:
                # As nearly all do, it ends on the line that it starts on.
                column = start - starts[line - 1] + 1
                return Span(self.path, line, column, line, column + end - start)
        line, column = self.position(start)
        end_line, end_column = self.position(max(start, end))
        return Span(self.path, line, column, end_line, end_column)

    def position(self, index: int) -> tuple[int, int]:
        """Line and column, from 1, of a character."""
        index = min(index, len(self.text))
        if self._has_returns and self.text[index - 1 : index + 1] == "\r\n":  # one line end
            index -= 1
        line = bisect.bisect_right(self.starts, index)
        return line, index - self.starts[line - 1] + 1

    def index(self, line: int, column: int) -> int:
        """The character at a line and column."""
        return min(self.starts[line - 1] + column - 1, len(self.text))


@final
@dataclass(slots=True, eq=False)
class Scalar:
    """A scalar with its source text; `style` is "" for plain, else the indicator."""

    file: SourceFile
    start: Any
    end: Any
    text: str
    style: str

    @property
    def span(self) -> Span:
        # Of the marks, since most scalars are asked.
        start, end = self.start, self.end
        line, column = start.line + 1, start.column + 1
        if self.style in ("|", ">"):
            return Span(self.file.path, line, column, line, column + 1)
        return Span(self.file.path, line, column, end.line + 1, end.column + 1)

    def part(self, start: int, end: int) -> Span:
        """The place of a range of the text, where that is written as it is; else the whole."""
        first = self.start.index + (self.style in ("'", '"'))
        if self.file.text.startswith(self.text, first, self.end.index):
            return self.file.span(first + start, first + end)
        return self.span

    @property
    def plain(self) -> bool:
        return not self.style

    @property
    def value(self) -> bool | int | float | str | None:
        """The value by YAML 1.2's core schema."""
        return self.text if self.style else resolve_plain(self.text)


@final
@dataclass(slots=True, eq=False)
class Sequence:
    file: SourceFile
    start: Any
    end: Any
    items: list[Node]

    @property
    def span(self) -> Span:
        return _first_line(self)


@final
@dataclass(slots=True, eq=False)
class Mapping:
    """A mapping in file order. `broken` names the keys whose values were found wrong and removed:
    they exist, but nothing can be said of them."""

    file: SourceFile
    start: Any
    end: Any
    entries: dict[str, Entry]
    broken: frozenset[str] = frozenset()

    @property
    def span(self) -> Span:
        return _first_line(self)

    def get(self, key: str) -> Node | None:
        entry = self.entries.get(key)
        return entry.value if entry else None

    def __iter__(self) -> Iterator[tuple[str, Entry]]:
        return iter(self.entries.items())


class Entry(Struct, eq=False):
    key: Scalar
    value: Node


Node: TypeAlias = Scalar | Sequence | Mapping


# The same few words stand in all specs, and each is asked for several times.
@functools.lru_cache(maxsize=4096)
def resolve_plain(text: str) -> bool | int | float | str | None:
    """A plain scalar's value by YAML 1.2's core schema (section 10.3.2)."""
    first = text[:1]
    if first.isalpha() or first in ("", "~"):
        if text in _NULL:
            return None
        return _BOOLEAN.get(text, text)
    if not (first.isdigit() or first in "+-."):
        return text
    if _INTEGER.fullmatch(text):
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        # Python refuses to read very long integers; no engine carries them either.
        return int(text, base) if len(text) < 400 else text
    if _FLOAT.fullmatch(text):
        return float(text)
    special = _SPECIAL.fullmatch(text)
    if special:
        return math.nan if special[3] else float(f"{special[1]}inf")
    return text


def to_value(node: Node) -> JsonValue:
    """A node as plain data."""
    match node:
        case Scalar():
            return node.value
        case Sequence():
            return [to_value(item) for item in node.items]
        case Mapping():
            return {key: to_value(entry.value) for key, entry in node}


def mapping(node: Node | None) -> Mapping | None:
    """The node where it is a mapping."""
    return node if isinstance(node, Mapping) else None


def text(node: Node | None) -> str | None:
    """The source text of a node where it is a scalar."""
    return node.text if isinstance(node, Scalar) else None


def whole(node: Node | None) -> int | None:
    """The value of a scalar that the schema takes for a whole number: `2.0` is one."""
    value = node.value if isinstance(node, Scalar) else None
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def texts(node: Node | None) -> tuple[str, ...]:
    """The source texts of the scalars of a list."""
    items = node.items if isinstance(node, Sequence) else ()
    return tuple(item.text for item in items if isinstance(item, Scalar))


def _first_line(node: Sequence | Mapping) -> Span:
    start, end = node.start.index, node.end.index
    # A block collection ends where the next token starts, far below: show its first line.
    first_line = _LINE_END.split(node.file.text[start:end], maxsplit=1)[0].rstrip()
    return node.file.span(start, start + max(1, len(first_line)))
