"""Steps that never run, whatever the run: their conditions, and those of what they wait for,
exclude each other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from compiler import graph
from compiler.diagnostics import Diagnostic, Related, warning
from compiler.expr import Expr, Literal, Operation, same
from compiler.ir import Node
from compiler.ordering import in_order

# More conditions than these on the way to one step are not looked at.
_MOST = 20


class _Condition(Struct, frozen=True):
    """A part of a condition that has to hold, the step that has it, and by which one of what a
    node waits for it is asked of that; empty for the node's own."""

    part: Expr
    owner: str
    through: str


def never_runs(found: graph.Graph) -> Iterator[Diagnostic]:
    """Steps that wait for both sides of a branch, or for the side that is not theirs; the graph
    has no circles. What waits for such a step is not told again."""
    for level, members in found.levels.items():
        if sum(node.when is not None for node in members) < 1:
            continue
        waits = found.waits(level)
        nodes = {node.name: node for node in members}
        asked: dict[str, list[_Condition] | None] = {}
        for name in in_order({name: wait.all for name, wait in waits.items()}):
            # Each once, by its place: many ways may lead to one condition.
            own = [_Condition(part, name, "") for part in _parts(nodes[name].when)]
            by_place = {(one.owner, one.part.span): one for one in own}
            strict = [other for other in waits[name].strict if other in asked]
            for other in strict:
                for one in asked[other] or ():
                    if len(by_place) < _MOST:
                        place = (one.owner, one.part.span)
                        by_place.setdefault(place, replace(one, through=other))
            conditions = list(by_place.values())
            if any(asked[other] is None for other in strict):
                asked[name] = None
                continue
            clash = next(_clashes(conditions[:_MOST]), None) if len(conditions) > 1 else None
            asked[name] = None if clash else conditions
            if clash:
                yield _told(nodes[name], *clash)


def _told(node: Node, one: _Condition, other: _Condition) -> Diagnostic:
    if one.through and other.through and one.through != other.through:
        why = f"it waits for `{one.through}` and `{other.through}`, of which one is always skipped"
        hint = "to take what either branch gives, join them: `${{ … ?? … }}`"
    elif other.through:
        why = f"it waits for `{other.through}`, whose condition excludes its own"
        hint = "take its `when` out, or what it waits for"
    else:
        why = "its condition asks for two things that exclude each other"
        hint = "is an `||` meant, or a condition for each of two steps?"
    places = dict.fromkeys((c.part.span, f"the condition of `{c.owner}`") for c in (one, other))
    related = tuple(Related(label, span) for span, label in places)
    message = f"`{node.name}` never runs: {why}"
    return warning("MLC362", message, node.span, hint=hint, related=related)


def _clashes(conditions: list[_Condition]) -> Iterator[tuple[_Condition, _Condition]]:
    for one, other in itertools.combinations(conditions, 2):
        if one.through and one.through == other.through:
            continue  # compared where they came together
        if graph.opposite(one.part, other.part) or _differ(one.part, other.part):
            yield one, other


def _differ(one: Expr, other: Expr) -> bool:
    """Whether two conditions want one name to be equal to two values."""
    if not (isinstance(one, Operation) and isinstance(other, Operation)):
        return False
    if one.sign != "==" or other.sign != "==" or not same(one.operands[0], other.operands[0]):
        return False
    values = (one.operands[1], other.operands[1])
    return all(isinstance(value, Literal) for value in values) and not same(*values)


def _parts(condition: Expr | None) -> Iterator[Expr]:
    """What has to hold for a condition to hold."""
    if isinstance(condition, Operation) and condition.sign == "&&":
        for operand in condition.operands:
            yield from _parts(operand)
    elif condition is not None:
        yield condition
