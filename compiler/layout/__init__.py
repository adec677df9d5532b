"""The canonical layout of a spec: the order of its keys, its indentation, its quotes.

Text to text, by splicing whole lines at the places of a parse, so that comments, values and flow
collections stay as their author has written them (docs/decisions/0007-layout-by-lines.md). What
comes out is read again and has to say the same, else nothing comes out.
"""

from __future__ import annotations

import re

from compiler.layout.lines import CantLayOutError, lay_out
from compiler.layout.pieces import comments, parse
from compiler.nodes import Mapping, Node, Scalar, Sequence, SourceFile
from compiler.source import parse as parse_nodes

__all__ = ["CantLayOutError", "formatted"]

_LINE_END = re.compile(r"\r\n|\r|\n")


def formatted(file: SourceFile) -> str:
    """The text of a spec that can be read, in the canonical layout; its line ends stay.

    Raises:
        CantLayOutError: the layout would change what the file says.
    """
    found = _LINE_END.search(file.text)
    text = _LINE_END.sub("\n", file.text)
    # An alias that would come before its anchor is why keys may have to stay where they are.
    for in_order in (True, False):
        new = lay_out(text, in_order=in_order)
        if _says_the_same(text, new):
            if lay_out(new, in_order=in_order) != new:
                raise CantLayOutError("the layout does not settle")
            return new.replace("\n", found[0]) if found else new
    raise CantLayOutError("the layout would change what the file says")


def _says_the_same(old: str, new: str) -> bool:
    before, _ = parse_nodes(SourceFile("", old))
    after, found = parse_nodes(SourceFile("", new))
    if before is None or after is None or found or not _same(before, after):
        return False
    return sorted(comments(old, parse(old))) == sorted(comments(new, parse(new)))


def _same(one: Node, other: Node) -> bool:
    """Whether nodes have the same values, written as the same kinds of scalar; the order of keys
    is free."""
    match one, other:
        case Scalar(), Scalar():
            return one.text == other.text and _writing(one) == _writing(other)
        case Sequence(), Sequence():
            return len(one.items) == len(other.items) and all(map(_same, one.items, other.items))
        case Mapping(), Mapping():
            return one.entries.keys() == other.entries.keys() and all(
                _same(entry.value, other.entries[key].value) for key, entry in one
            )
    return False


def _writing(node: Scalar) -> str:
    return "quoted" if node.style in ("'", '"') else node.style
