"""Python source of values and calls, laid out as ruff format and black would.

What is laid out here stays as it is under any line length from 88 on: a call or a list goes on one
line where it fits in 88 columns, else its items get a line each and a comma after the last.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

from msgspec import Struct

from compiler.values import JsonValue

WIDTH = 88
_QUOTE = '\\"'
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class Source(str):
    """Text that is Python source already; any other text is a value, to be quoted."""

    __slots__ = ()


class Call(Struct, frozen=True):
    """A call: what is called, then arguments by position (no name) or by name."""

    function: Source
    arguments: tuple[tuple[str | None, Expression], ...]


class Items(Struct, frozen=True):
    """A list of expressions."""

    items: tuple[Expression, ...]


Expression: TypeAlias = "Source | Call | Items | JsonValue"


def render(value: Expression, indent: int = 0, before: int = 0, after: int = 0) -> Source:
    """The source of an expression that begins on a line of its own or behind a name.

    `indent` is the column at which that line begins; `before` and `after` are how many columns the
    line holds on either side of the expression.
    """
    if isinstance(value, str):
        return _text(value)
    parts = _parts(value)
    if not parts:
        return _plain(value)
    flat = _flat(value, WIDTH - indent - before - after)
    if flat is not None:
        return flat
    opened, entries, closed = parts
    margin = " " * (indent + 4)
    lines = []
    for name, item in entries:
        # Most are words, which are the same wherever they stand.
        written = (
            _text(item) if isinstance(item, str) else render(item, indent + 4, _width(name), 1)
        )
        lines.append(f"{margin}{name}{written},\n")
    return Source(f"{opened}\n{''.join(lines)}{' ' * indent}{closed}")


def identifier(name: str) -> Source:
    """A name as source; whoever makes names makes valid ones."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"`{name}` is no Python name")
    return Source(name)


def f_string(parts: Iterable[str]) -> Source:
    """An f-string of literal texts and expressions (`Source`)."""
    pieces = list(parts)
    quote = _quote("".join(p for p in pieces if not isinstance(p, Source)))
    body = "".join(
        f"{{{piece}}}"
        if isinstance(piece, Source)
        else escaped(piece, quote).replace("{", "{{").replace("}", "}}")
        for piece in pieces
    )
    return Source(f"f{quote}{body}{quote}")


# What mlc itself brings into containers stands in nearly every module.
@lru_cache(maxsize=256)
def block(text: str) -> Source:
    """A text of several lines between triple quotes, its lines as they are."""
    head = text.rstrip('"')
    body = "\n".join(escaped(line, "") for line in head.split("\n")).replace('"""', '""\\"')
    return Source(f'"""\\\n{body}{(len(text) - len(head)) * _QUOTE}"""')


def escaped(text: str, quote: str) -> str:
    """The text of a literal between such quotes."""
    if text.isprintable() and "\\" not in text and (not quote or quote not in text):
        return text
    return "".join(
        f"\\{c}" if c == quote else _ESCAPES.get(c) or (c if c.isprintable() else _unprintable(c))
        for c in text
    )


def _parts(value: Expression) -> tuple[str, list[tuple[str, Expression]], str] | None:
    """Opening, entries with what stands before each, and closing; None for what has no entries."""
    match value:
        case Call(function=function, arguments=arguments) if arguments:
            entries = [(f"{name}=" if name else "", item) for name, item in arguments]
            return f"{function}(", entries, ")"
        case Items(items=items) if items:
            return "[", [("", item) for item in items], "]"
        case list() if value:
            return "[", [("", item) for item in value], "]"
        case dict() if value:
            return "{", [(f"{_string(key)}: ", item) for key, item in value.items()], "}"
    return None


def _flat(value: Expression, room: int) -> Source | None:
    """An expression on one line; None where that takes more columns than there is room for."""
    parts = _parts(value)
    if not parts:
        return _plain(value)
    opened, entries, closed = parts
    # Behind the last there is no comma.
    left = room - _width(opened) - len(closed) + len(", ")
    written = []
    for name, item in entries:
        if isinstance(item, str):
            flat = _text(item) if len(item) <= left else None
        else:
            flat = _flat(item, left)
        if flat is None:
            return None
        written.append(f"{name}{flat}")
        left -= _width(written[-1]) + len(", ")
        if left < 0:
            return None
    return Source(f"{opened}{', '.join(written)}{closed}")


def _plain(value: Expression) -> Source:
    """An expression that has no entries."""
    match value:
        case Call(function=function):
            return Source(f"{function}()")
        case Items():
            return Source("[]")
        case _:
            return Source(repr(value).replace("e+", "e"))


def _width(source: str) -> int:
    """Columns that source takes at most: some characters are two wide."""
    if source.isascii():
        return len(source)
    return len(source) + sum(not character.isascii() for character in source)


def _text(text: str) -> Source:
    return text if isinstance(text, Source) else _string(text)


# Words of command lines come again and again.
@lru_cache(maxsize=4096)
def _string(text: str) -> Source:
    quote = _quote(text)
    return Source(f"{quote}{escaped(text, quote)}{quote}")


def _quote(text: str) -> str:
    """The quotes that need fewer escapes, double ones where it makes no difference."""
    return "'" if text.count('"') > text.count("'") else '"'


def _unprintable(character: str) -> str:
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
