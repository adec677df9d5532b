"""Loops as the SDK's `ParallelFor`, and what it takes the items of one to be."""

from __future__ import annotations

import itertools
import keyword
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from compiler.targets.kfp.plan import Dag, FromScope, ParameterType
from compiler.targets.kfp_dsl.origins import Item, Origin, Place
from compiler.targets.kfp_dsl.source import Call, Expression, Source
from compiler.values import JsonValue, to_json

_TYPES: dict[str, ParameterType] = {
    "bool": "BOOLEAN",
    "int": "NUMBER_INTEGER",
    "float": "NUMBER_DOUBLE",
    "str": "STRING",
    "list": "LIST",
    "dict": "STRUCT",
}
_NAMES = {kind: name for name, kind in _TYPES.items()}
# Attributes of an item in the SDK, where a field of the same name would be out of reach.
_ATTRIBUTES = frozenset(
    [
        "channel_type",
        "from_pipeline_channel",
        "from_raw_items",
        "full_name",
        "is_with_items_loop_argument",
        "items_or_pipeline_channel",
        "name",
        "pattern",
        "pipeline",
        "task",
        "task_name",
        "value",
    ]
)


class List(NamedTuple):
    """A list to loop over: values, or where they come from. `item` is what one of them is."""

    item: Item
    items: tuple[JsonValue, ...] | Origin
    parallel: int | None


def lists(dag: Dag, place: Place, types: Mapping[Item, ParameterType]) -> tuple[List, ...]:
    """What the DSL loops over for a loop of this scope, from the outermost.

    Of all combinations of several lists it makes a loop in a loop, which the SDK is better at
    than at fields of items. Not so where a number of rounds is given, which is that of both.
    """
    iterator = dag.iterator
    assert iterator is not None, "only loops have items"
    whole = Item(dag.component, ())
    if isinstance(iterator.items, FromScope):
        name = iterator.items.name
        origin = next(place.origin(taken) for taken in dag.inputs if taken.name == name)
        return (List(whole, origin, iterator.parallel),)
    if whole not in types and iterator.parallel is None:
        columns = _columns(iterator.items)
        if len(columns) > 1:
            return tuple(
                List(Item(dag.component, (name,)), values, None) for name, values in columns.items()
            )
    return (List(whole, iterator.items, iterator.parallel),)


def parallel_for(given: Expression, parallel: int | None) -> Call:
    arguments: tuple[tuple[str, Expression], ...] = (("items", given),)
    if parallel is not None:
        arguments = (*arguments, ("parallelism", parallel))
    return Call(Source("dsl.ParallelFor"), arguments)


def is_field(name: str) -> bool:
    """Whether the DSL can name a field so."""
    plain = name.isidentifier() and not name.startswith("_") and not keyword.iskeyword(name)
    return plain and name.isascii() and name not in _ATTRIBUTES


def told_types(given: List, types: Mapping[Item, ParameterType]) -> Iterator[tuple[Item, str]]:
    """The item and fields of it whose type the SDK gets wrong, with what to tell it.

    It takes the first value of the first item for all (kfp/dsl/for_loop.py), and what is known
    only at run time for text.
    """
    depth = len(given.item.path)
    wanted = dict(types)
    if isinstance(given.items, tuple) and not isinstance(given.items[0], dict):
        wanted.setdefault(given.item, _common(given.items))
    for item, kind in wanted.items():
        mine = item.component == given.item.component and item.path[:depth] == given.item.path
        if mine and _assumed(given.items, item.path[depth:]) != kind:
            yield item, _NAMES[kind]


def _common(values: tuple[JsonValue, ...]) -> ParameterType:
    """The type of all values; integers are numbers too."""
    found = {type(value).__name__ for value in values}
    return _TYPES["float" if "float" in found else found.pop()]


def _columns(rows: tuple[JsonValue, ...]) -> dict[str, tuple[JsonValue, ...]]:
    """The lists that rows are all combinations of, by field; empty where they are not."""
    columns: dict[str, list[JsonValue]] = {}
    for row in rows:
        if not isinstance(row, dict):
            return {}
        for name, value in row.items():
            known = columns.setdefault(name, [])
            if not any(_same(value, other) for other in known):
                known.append(value)
    table = itertools.product(*columns.values())
    combined = [dict(zip(columns, row, strict=True)) for row in table]
    same = len(combined) == len(rows) and all(map(_same, combined, rows))
    return {name: tuple(values) for name, values in columns.items()} if same else {}


def _same(one: JsonValue, other: JsonValue) -> bool:
    """Equal, and of one type: 1, 1.0 and true are three."""
    return to_json(one) == to_json(other)


def _assumed(given: tuple[JsonValue, ...] | Origin, path: tuple[str, ...]) -> ParameterType | None:
    if not isinstance(given, tuple):
        return "STRING"
    first = given[0]
    if path:
        assert isinstance(first, dict), "only objects have fields"
        first = next(iter(first.values()))
    return _TYPES.get(type(first).__name__)
