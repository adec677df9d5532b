"""The steps of a spec before they are lowered: their names, signatures and lists to loop over.

Steps refer to each other in any order and across loops, so all of this is known before the first
of them is looked into.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from compiler import expr as ex
from compiler import ir
from compiler.binding import EVERYTHING, Item, Scope, Signature, bind_list
from compiler.compose import Library
from compiler.diagnostics import Diagnostic, Related, Span, error
from compiler.nodes import Mapping, Node, Scalar, mapping, text
from compiler.values import VALUE_KINDS, JsonValue, kind_of


class Lists(Struct, frozen=True):
    """The lists that a step or group loops over, and what `each.NAME` is in it."""

    axes: tuple[ir.Axis, ...]
    each: dict[str, Item]


def signatures(
    steps: Mapping | None, scope: Scope, others: dict[str, Signature], library: Library
) -> dict[str, Signature]:
    """What can be taken from each step and group at every depth, by its name in the file.

    `others` are steps of the same file that can't have the same names.
    """
    # A used algorithm has steps with signatures of their own.
    from compiler.lower.used import used_signature

    found: dict[str, Signature] = {}
    for name, node, home in _all(steps, scope.prefix, scope.level):
        first = found.get(name.text) or others.get(name.text)
        if first is not None:
            message = f"there are two steps `{name.text}`; names are unique in a file"
            related = (Related("the first one", first.span),)
            hint = "give one of them another name"
            found_twice = error("MLC314", message, name.span, hint=hint, related=related)
            scope.diagnostics.append(found_twice)
            continue
        loops = _loops(node)
        if "steps" in node.entries or "steps" in node.broken:
            made = Signature({}, name.span, home=home, is_group=True, loops=loops)
        elif "use" in node.entries or "use" in node.broken:
            made = replace(used_signature(name, node, scope, library), home=home, loops=loops)
        else:
            types, broken = output_types(node)
            places = output_places(node)
            made = Signature(types, name.span, broken, home, loops=loops, places=places)
        found[name.text] = made
    return found


def bind_lists(steps: Mapping | None, scope: Scope) -> dict[str, Lists]:
    """The lists of every loop by its name in the pipeline; signatures learn their items."""
    found: dict[str, Lists] = {}
    _bind_lists(steps, scope, found)
    return found


def output_type(node: Node) -> ex.Type | None:
    """The type that an output's long form names, None where it is broken."""
    definition = mapping(node)
    name = text(definition.get("type")) if definition else None
    if name in VALUE_KINDS:
        items = mapping(definition.get("items")) if definition else None
        item = text(items.get("type")) if items and name == "array" else None
        return ex.ValueType(name, items=ex.ValueType(item) if item in VALUE_KINDS else None)
    if name in ex.ARTIFACT_KINDS:
        return ex.ArtifactType(name)
    return None


def _all(
    steps: Mapping | None, prefix: str, level: tuple[str, ...]
) -> Iterator[tuple[Scalar, Mapping, tuple[str, ...]]]:
    """All steps and groups with the loops around them, their own included."""
    for name, entry in steps or ():
        node = entry.value
        if isinstance(node, Mapping):
            home = (*level, prefix + name) if _loops(node) else level
            yield entry.key, node, home
            yield from _all(mapping(node.get("steps")), prefix, home)


def _loops(node: Mapping) -> bool:
    return "foreach" in node.entries or "foreach" in node.broken


def output_types(node: Mapping) -> tuple[dict[str, ex.Type | None], frozenset[str]]:
    """The types of the outputs that a step declares, and the names of those that are wrong."""
    outputs = mapping(node.get("outputs"))
    if "outputs" in node.broken:
        return {}, EVERYTHING
    types = {name: output_type(entry.value) for name, entry in outputs} if outputs else {}
    return types, outputs.broken if outputs else frozenset()


def output_places(node: Mapping) -> dict[str, Span]:
    """Where a step declares its outputs."""
    return {name: entry.key.span for name, entry in mapping(node.get("outputs")) or ()}


# More rounds no engine takes, and nobody waits for.
_MOST_ROUNDS = 10_000
_MOST_ROUNDS_OF_ALL = 100_000


def _bind_lists(steps: Mapping | None, scope: Scope, found: dict[str, Lists]) -> None:
    level, each = scope.level, scope.each
    for name, entry in steps or ():
        node = entry.value
        if not isinstance(node, Mapping):
            continue
        lists = mapping(node.get("foreach"))
        if lists is not None:
            loop = scope.prefix + name
            made = _lists(loop, lists, scope)
            found[loop] = made
            rounds = _rounds(made.axes)
            scope.rounds += rounds if rounds <= _MOST_ROUNDS else 0
            if rounds > _MOST_ROUNDS or scope.rounds > _MOST_ROUNDS_OF_ALL:
                scope.flawed.add(loop)
                place = node.entries["foreach"].key.span
                scope.diagnostics.append(_too_many(name, rounds, place))
            elif name in scope.steps:  # not where it is the second one of this name
                scope.steps[name] = replace(scope.steps[name], items=_items(made.axes))
            scope.level, scope.each = (*level, loop), {**each, **made.each}
        inner = mapping(node.get("steps"))
        if inner is not None:
            outer = note_broken(node, scope)
            _bind_lists(inner, scope, found)
            scope.broken["each"] = outer
        scope.level, scope.each = level, each


def note_broken(node: Mapping, scope: Scope) -> frozenset[str]:
    """Enter a step or group, whose `foreach` may be wrong as a whole so that nothing is known of
    its lists; gives what was noted so of the loops around it."""
    outer = scope.broken.get("each", frozenset())
    scope.broken["each"] = EVERYTHING if "foreach" in node.broken else outer
    return outer


def _lists(loop: str, node: Mapping, scope: Scope) -> Lists:
    scope.inside(loop, {}, {}, frozenset())
    axes = []
    each: dict[str, Item] = {}
    first: ex.Expr | None = None
    for name, entry in node:
        if name in scope.each:
            message = f"`each.{name}` is the item of a loop around this one already"
            hint = "give this list another name"
            scope.diagnostics.append(error("MLC315", message, entry.key.span, hint=hint))
        items = bind_list(entry.value, scope)
        if items is None:
            scope.flawed.add(loop)
            each[name] = Item(loop, ex.ValueType(None), span=entry.key.span)
            continue
        from_step = any(isinstance(part, ex.StepOutputRef) for part in ex.walk(items))
        if from_step and first is not None:
            message = "only one list of a loop can come from the outputs of a step"
            related = (Related("the other one", first.span),)
            hint = "let one step write the combinations as a list of objects"
            scope.diagnostics.append(
                error("MLC318", message, items.span, hint=hint, related=related)
            )
        first = items if from_step else first
        kind = items.type.items if isinstance(items.type, ex.ValueType) else None
        item = kind or ex.ValueType(None)
        axes.append(ir.Axis(name, items, item, entry.key.span))
        each[name] = Item(loop, item, _fields(items), entry.key.span)
    for name in node.broken:
        each[name] = Item(loop, ex.ValueType(None))
    return Lists(tuple(axes), each)


def _fields(items: ex.Expr) -> dict[str, ex.ValueType] | None:
    """The fields that all objects of a literal list have, with their types; None for others."""
    if not isinstance(items, ex.Literal) or not isinstance(items.value, list):
        return None
    objects = [item for item in items.value if isinstance(item, dict)]
    if not objects or len(objects) < len(items.value):
        return None
    shared = [name for name in objects[0] if all(name in other for other in objects)]
    return {name: _type([found[name] for found in objects]) for name in shared}


def _type(values: list[JsonValue]) -> ex.ValueType:
    kinds = {kind_of(value) for value in values}
    if kinds == {"integer", "number"}:
        return ex.ValueType("number")
    return ex.ValueType(kinds.pop() if len(kinds) == 1 else None)


def _rounds(axes: tuple[ir.Axis, ...]) -> int:
    """How many combinations several literal lists have; one list alone is as long as its text."""
    values = [axis.items.value for axis in axes if isinstance(axis.items, ex.Literal)]
    if len(axes) < 2 or len(values) < len(axes):
        return 0
    return math.prod(len(one) for one in values if isinstance(one, list))


def _too_many(name: str, rounds: int, place: Span) -> Diagnostic:
    if rounds > _MOST_ROUNDS:
        times = f"{rounds:,}" if rounds < 10**9 else "more than a billion"
        message = f"`{name}` would run {times} times, once for each combination"
        hint = f"{_MOST_ROUNDS:,} are the most: take shorter lists, or one list of objects"
    else:
        message = f"the loops have more than {_MOST_ROUNDS_OF_ALL:,} combinations"
        hint = "make several algorithms of it"
    return error("MLC106", message, place, hint=hint)


def _items(axes: tuple[ir.Axis, ...]) -> ex.Expr | None:
    """What `steps.NAME.items` is: the list, or for several literal ones objects by their names."""
    if len(axes) == 1:
        return axes[0].items
    if not all(isinstance(axis.items, ex.Literal) for axis in axes):
        return None
    rows: list[JsonValue] = [{}]
    for axis in axes:
        values = cast("list[JsonValue]", cast(ex.Literal, axis.items).value)
        rows = [{**cast("dict[str, JsonValue]", row), axis.name: v} for row in rows for v in values]
    span = axes[0].span if axes else None
    if span is None:
        return None
    return ex.Literal(rows, ex.ValueType("array", items=ex.ValueType("object")), span)
