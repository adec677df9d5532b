"""`needs` between levels: a need into a loop or out of one means the whole loop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from compiler.diagnostics import Span
from compiler.ir import Loop, Node


class Need(NamedTuple):
    """A name of what is needed, and where it stands."""

    name: str
    span: Span


class Needs:
    """Collects what nodes need while they are made, and gives it to them when all are there.

    `means` are the nodes that a name of the file stands for: a group stands for all its members.
    """

    def __init__(self, level: tuple[str, ...]) -> None:
        self.means: dict[str, tuple[str, ...]] = {}
        self._level = level
        self._asked: list[tuple[tuple[str, ...], str, tuple[Need, ...], tuple[Need, ...]]] = []

    def ask(
        self, level: tuple[str, ...], node: str, names: Iterable[Need], steps: Iterable[Need]
    ) -> None:
        """Note that a node of a level needs what names of the file mean, and steps."""
        self._asked.append((level, node, tuple(names), tuple(steps)))

    def settle(self, nodes: Iterable[Node]) -> tuple[Node, ...]:
        """The same nodes with their needs, all of them nodes of their own level."""
        nodes = tuple(nodes)
        levels: dict[str, tuple[str, ...]] = {}
        for name, level in _levels(nodes, self._level):
            levels.setdefault(name, level)
        found: dict[tuple[tuple[str, ...], str], dict[str, Span]] = {}
        for level, node, names, steps in self._asked:
            meant = [(other, n.span) for n in names for other in self.means.get(n.name, ())]
            for other, span in (*meant, *steps):
                # A step that is not among these nodes is one around them: its caller waits for it.
                where = levels.get(other)
                if where is not None:
                    shared, user, used = _meet(level, node, where, other)
                    found.setdefault((shared, user), {}).setdefault(used, span)
        return tuple(_with_needs(nodes, self._level, found))


def _meet(
    level: tuple[str, ...], node: str, where: tuple[str, ...], other: str
) -> tuple[tuple[str, ...], str, str]:
    """The level that two nodes share, and the nodes there that they are, or are in."""
    count = 0
    for mine, theirs in zip(level, where, strict=False):
        if mine != theirs:
            break
        count += 1
    user = level[count] if len(level) > count else node
    used = where[count] if len(where) > count else other
    return level[:count], user, used


def _levels(nodes: Iterable[Node], level: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for node in nodes:
        yield node.name, level
        if isinstance(node, Loop):
            yield from _levels(node.body, (*level, node.name))


def _with_needs(
    nodes: Iterable[Node],
    level: tuple[str, ...],
    found: dict[tuple[tuple[str, ...], str], dict[str, Span]],
) -> Iterator[Node]:
    for node in nodes:
        asked = dict(node.need_spans)
        for name, span in found.get((level, node.name), {}).items():
            asked.setdefault(name, span)
        needs, spans = tuple(asked), tuple(asked.items())
        if isinstance(node, Loop):
            body = tuple(_with_needs(node.body, (*level, node.name), found))
            yield replace(node, needs=needs, need_spans=spans, body=body)
        else:
            yield replace(node, needs=needs, need_spans=spans)
