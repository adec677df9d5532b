"""Comparisons with a value that can't be there, and loops over nothing."""

from __future__ import annotations

from collections.abc import Iterator, Set

from compiler.binding.scope import Read
from compiler.diagnostics import Diagnostic, Related, listing, nearest, warning
from compiler.expr import Expr, Literal, Operation, ParamRef, RunRef, parts_of, walk
from compiler.ir import Loop, Node, Pipeline
from compiler.values import JsonValue, to_json

_STATUS: tuple[JsonValue, ...] = ("succeeded", "failed")


def impossible_values(pipeline: Pipeline, _: Set[Read]) -> Iterator[Diagnostic]:
    """Comparisons with what is not in a parameter's enum, or is no status of a run."""
    enums = {param.name: param for param in pipeline.params if param.enum}
    for expression in _expressions((*pipeline.nodes, *pipeline.finally_nodes)):
        for part in walk(expression) if parts_of(expression) else ():
            if not isinstance(part, Operation) or len(part.operands) != 2:
                continue
            for name, other in (part.operands, part.operands[::-1]):
                related: tuple[Related, ...] = ()
                if isinstance(name, ParamRef) and name.name in enums:
                    param = enums[name.name]
                    shown, allowed = f"`params.{name.name}`", param.enum
                    related = (Related("its values are given here", param.span),)
                elif isinstance(name, RunRef) and name.field == "status":
                    shown, allowed = "`run.status`", _STATUS
                else:
                    continue
                # In a file that is used, the caller's param stands for its own.
                if isinstance(other, Literal) and name.span.path == pipeline.source:
                    yield from _never(part, other, shown, allowed, related)


def empty_loops(pipeline: Pipeline, _: Set[Read]) -> Iterator[Diagnostic]:
    """Loops over a list that is written out and has nothing in it."""
    for loop in _loops((*pipeline.nodes, *pipeline.finally_nodes)):
        for axis in loop.axes:
            items = axis.items
            if not isinstance(items, Literal) or items.value != []:
                continue
            if items.span.path == pipeline.source:
                message = f"`{axis.name}` has no items, so `{loop.name}` never runs"
                hint = "give it items, or loop over a param whose default is empty"
                yield warning("MLC346", message, items.span, hint=hint)


def _never(
    comparison: Operation,
    other: Literal,
    shown: str,
    allowed: tuple[JsonValue, ...],
    related: tuple[Related, ...],
) -> Iterator[Diagnostic]:
    if comparison.sign not in ("==", "!=", "in"):
        return
    values = other.value if comparison.sign == "in" else [other.value]
    for value in values if isinstance(values, list) else ():
        # null is a value of its own where the parameter is optional.
        if value is None or any(_same(value, known) for known in allowed):
            continue
        near = None
        if isinstance(value, str):
            near = nearest(value, [known for known in allowed if isinstance(known, str)])
        known = listing(to_json(one).strip('"') for one in allowed)
        hint = f"did you mean `{near}`?" if near else f"it is one of {known}"
        verb = "always differs from" if comparison.sign == "!=" else "is never"
        message = f"{shown} {verb} `{to_json(value).strip(chr(34))}`"
        yield warning("MLC345", message, other.span, hint=hint, related=related)


def _same(one: JsonValue, other: JsonValue) -> bool:
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def _loops(nodes: tuple[Node, ...]) -> Iterator[Loop]:
    for node in nodes:
        if isinstance(node, Loop):
            yield node
            yield from _loops(node.body)


def _expressions(nodes: tuple[Node, ...]) -> Iterator[Expr]:
    """What operators may stand in."""
    for node in nodes:
        if node.when is not None:
            yield node.when
        if isinstance(node, Loop):
            yield from _expressions(node.body)
        else:
            yield from node.expressions()
