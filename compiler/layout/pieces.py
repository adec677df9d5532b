"""The pieces of a text that the layout moves: block collections, and whatever stays as it is.

Unlike the nodes of a spec they know aliases, flow collections and the end of blocks of text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

import yaml
from msgspec import Struct, field
from yaml.cyaml import CParser  # type: ignore[attr-defined]

_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$", re.MULTILINE)


class Piece(Struct):
    """A range of characters. `items` are the keys and values of a block mapping, or the items of a
    block sequence with None for keys; `inner` all of a flow collection's, at every depth.

    `style` is that of a scalar, `*` for an alias. `name` is the text of a scalar.
    """

    kind: Literal["scalar", "flow", "mapping", "sequence"]
    start: int
    end: int
    style: str = ""
    name: str = ""
    items: list[tuple[Piece | None, Piece]] = field(default_factory=list)
    inner: list[Piece] = field(default_factory=list)

    @property
    def is_block(self) -> bool:
        return self.kind in ("mapping", "sequence")

    @property
    def is_text_block(self) -> bool:
        return self.style in ("|", ">")

    @property
    def is_empty(self) -> bool:
        return self.kind == "scalar" and self.start == self.end


def parse(text: str) -> Piece:
    """The root of a text that `compiler.source` reads without a finding."""
    parser: Any = CParser(text)
    for _ in range(2):  # the starts of the stream and the document
        parser.get_event()
    return _piece(parser, parser.get_event(), text)


def scalars(piece: Piece) -> Iterator[Piece]:
    """All scalars of a piece, keys too, as they come."""
    if piece.kind == "scalar":
        yield piece
    yield from piece.inner
    for key, value in piece.items:
        if key is not None:
            yield key
        yield from scalars(value)


def comments(text: str, root: Piece) -> list[str]:
    """The comments of a text."""
    parts: list[str] = []
    at = 0
    for scalar in scalars(root):
        start = scalar.start
        if scalar.is_text_block:
            start = text.find("\n", start)  # what follows the indicator may be a comment
            start = scalar.end if start < 0 else start
        if start >= at:
            parts += (text[at:start], "\n" if scalar.is_text_block else "x")
            at = max(at, scalar.end)
    return [found.rstrip() for found in _COMMENT.findall("".join((*parts, text[at:])))]


def _piece(parser: Any, event: Any, text: str) -> Piece:
    start, end = event.start_mark.index, event.end_mark.index
    if isinstance(event, yaml.AliasEvent):
        return Piece("scalar", start, end, "*")
    if isinstance(event, yaml.ScalarEvent):
        style = event.style or ""
        if style in ("|", ">") and event.anchor is None:
            end = _end_of_text_block(text, start, end)
        return Piece("scalar", start, end, style, event.value)
    if event.flow_style:
        return _flow(parser, start)
    if isinstance(event, yaml.SequenceStartEvent):
        piece = Piece("sequence", start, end)
        while not isinstance(event := parser.get_event(), yaml.SequenceEndEvent):
            piece.items.append((None, _piece(parser, event, text)))
    else:
        piece = Piece("mapping", start, end)
        while not isinstance(event := parser.get_event(), yaml.MappingEndEvent):
            key = _piece(parser, event, text)
            piece.items.append((key, _piece(parser, parser.get_event(), text)))
    # libyaml ends a block collection where the next token starts, which may be far below.
    last_key, last = piece.items[-1]
    piece.end = max(last.end, last_key.end if last_key else 0)
    return piece


def _flow(parser: Any, start: int) -> Piece:
    piece = Piece("flow", start, start)
    depth = 1
    while depth:
        event = parser.get_event()
        at, piece.end = event.start_mark.index, event.end_mark.index
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.ScalarEvent):
            style = event.style or ""
            piece.inner.append(Piece("scalar", at, piece.end, style, event.value))
    return piece


def _end_of_text_block(text: str, start: int, end: int) -> int:
    """Without the blank lines after a block of text, unless its `+` makes them part of it."""
    header = text[start:end].partition("\n")[0].partition("#")[0]
    body = text[start:end]
    return end if "+" in header else start + len(body.rstrip())
