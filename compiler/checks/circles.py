"""Steps that wait for each other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from compiler import graph, ordering
from compiler.diagnostics import Diagnostic, Related, Span, error
from compiler.ir import Node


def cycles(found: graph.Graph) -> Iterator[Diagnostic]:
    """Steps that wait for each other."""
    for level in found.levels:
        yield from _cycles(found, level)


def _cycles(found: graph.Graph, level: tuple[str, ...]) -> Iterator[Diagnostic]:
    steps = {node.name: node for node in found.levels[level]}
    edges = {name: waits.all for name, waits in found.waits(level).items()}
    for way in ordering.cycles(edges):
        first = steps[way[0]]
        if len(way) == 2:
            message = f"step `{way[0]}` waits for itself"
            place = _reason(first, way[0], found, level)
            related: tuple[Related, ...] = (Related("here", place),)
        else:
            message = f"steps wait for each other: {' → '.join(f'`{name}`' for name in way)}"
            related = tuple(
                Related(f"`{name}` waits for `{other}`", _reason(steps[name], other, found, level))
                for name, other in itertools.pairwise(way)
            )
        hint = "take one of these references or `needs` out"
        yield error("MLC320", message, first.span, hint=hint, related=related)


def _reason(node: Node, other: str, found: graph.Graph, level: tuple[str, ...]) -> Span:
    """Where a node takes something of another, or else says that it needs it."""
    for ref in graph.uses(node):
        if found.node(ref.step, level) == other:
            return ref.span
    return dict(node.need_spans).get(other, node.span)
