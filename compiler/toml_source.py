"""The project's configuration to nodes: what `tomllib` read, with the places it does not tell."""

from __future__ import annotations

import functools
import re
from typing import Any

from compiler.nodes import Entry, Mapping, Node, Scalar, Sequence, SourceFile
from compiler.values import to_text


def to_node(data: Any, file: SourceFile, table: tuple[str, ...] = ()) -> Node:
    """A node of the data of a TOML file's `table`; keys and values stand where their key does."""
    return _Places(file, table).node(data, table)


def lines_of(file: SourceFile, table: tuple[str, ...]) -> frozenset[int]:
    """The lines of a table and of those in it, as far as headers tell."""
    header = re.compile(
        r"[ \t]*\[+[ \t]*" + r"[ \t]*\.[ \t]*".join(map(_key, table)) + r"[ \t]*[].]"
    )
    inside, found = False, []
    for number, line in enumerate(file.lines(), 1):
        if line.lstrip().startswith("["):
            inside = header.match(line) is not None
        if inside:
            found.append(number)
    return frozenset(found)


class _Places:
    """Gives TOML data the places that tomllib does not tell: the line of its table or key."""

    def __init__(self, file: SourceFile, table: tuple[str, ...]) -> None:
        self.file = file
        self.table = table

    def node(self, data: Any, path: tuple[str, ...]) -> Node:
        start, end = self.marks(path)
        if isinstance(data, dict):
            entries = {}
            for key, value in data.items():
                inner = (*path, key)
                at, to = self.marks(inner)
                key_node = Scalar(self.file, at, to, key, '"')
                entries[key] = Entry(key_node, self.node(value, inner))
            return Mapping(self.file, start, end, entries)
        if isinstance(data, list):
            return Sequence(self.file, start, end, [self.node(item, path) for item in data])
        style = "" if isinstance(data, (bool, int, float)) else '"'
        plain = isinstance(data, (bool, int, float))
        written = to_text(data) if plain else str(data)
        return Scalar(self.file, start, end, written, style)

    def marks(self, path: tuple[str, ...]) -> tuple[_Mark, _Mark]:
        return _Mark(self, path, 0), _Mark(self, path, len(path[-1]) if path else 0)

    def find(self, path: tuple[str, ...]) -> int:
        """The offset of a key: in its own table, in the table above, or of the table's header."""
        source = self.file.text
        for cut in range(len(path), 0, -1):
            header = re.compile(
                r"^[ \t]*\[+[ \t]*" + r"[ \t]*\.[ \t]*".join(map(_key, path[:cut])), re.MULTILINE
            )
            found = header.search(source)
            if found is None:
                continue
            at = found.end() - len(path[cut - 1]) - (source[found.end() - 1] in "\"'")
            for name in path[cut:]:
                key = re.compile(r"(?:^[ \t]*|[.{,][ \t]*)(" + _key(name) + r")[ \t]*[.=]", re.M)
                inner = key.search(source, found.end())
                if inner is None:
                    break
                at = inner.start(1)
            return max(at, 0)
        for name in path[len(self.table) :]:
            key = re.compile(r"^[ \t]*(" + _key(name) + r")[ \t]*[.=]", re.MULTILINE)
            inner = key.search(source)
            if inner is not None:
                return inner.start(1)
        return 0


class _Mark:
    """A place that is looked for only when a diagnostic wants it."""

    def __init__(self, places: _Places, path: tuple[str, ...], offset: int) -> None:
        self.places, self.path, self.offset = places, path, offset

    @functools.cached_property
    def index(self) -> int:
        return self.places.find(self.path) + self.offset

    @property
    def line(self) -> int:
        return self.places.file.position(self.index)[0] - 1

    @property
    def column(self) -> int:
        return self.places.file.position(self.index)[1] - 1


def _key(name: str) -> str:
    return rf"[\"']?{re.escape(name)}[\"']?"
