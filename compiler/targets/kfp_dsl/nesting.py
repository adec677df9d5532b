"""A plan's scopes as the DSL nests them: blocks of tasks, Ifs and loops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct

from compiler.targets.kfp.plan import Dag, FromScope, ParameterInput, ParameterType, Plan, Task
from compiler.targets.kfp_dsl.branches import Block, Unit, blocks
from compiler.targets.kfp_dsl.conditions import Comparison, comparisons, key
from compiler.targets.kfp_dsl.origins import Given, Item, Origin, Place

# What stands in a block: a container, or a DAG that a loop is in.
Content: TypeAlias = Task | Dag


class Level(Struct, frozen=True):
    """The blocks of one DAG; `refs` tells where what its Ifs compare comes from, by `key`."""

    place: Place
    blocks: tuple[Block[Content], ...]
    refs: Mapping[str, Origin]


class Exit(Struct, frozen=True):
    """The DAG of `finally`, the place around it, and its own, which is a function of its own."""

    dag: Dag
    around: Place
    own: Place


class Parts(Struct, frozen=True):
    """The pipeline's own tasks, and those of its `finally`."""

    main: Place
    exit: Exit | None


def parts(plan: Plan) -> Parts:
    root = Place(plan.root, {p.name: Given(p.name) for p in plan.parameters})
    dags = {task.role: task for task in plan.root.tasks if isinstance(task, Dag)}
    if "exit" not in dags:
        return Parts(root, None)
    last = dags["exit"]
    own = Place(last.scope, {taken.name: Given(taken.name) for taken in last.inputs})
    return Parts(root.inside(dags["main"]), Exit(last, root, own))


def level(place: Place) -> Level:
    """Raises `JoinError` and `UnsayableError`."""
    imports = {imported.name: f"inputs.{imported.uri}" for imported in place.scope.imports}
    refs: dict[str, Origin] = {}
    units: list[Unit[Content]] = []
    for task in place.scope.tasks:
        tests: tuple[Comparison, ...] = ()
        if task.condition is not None:
            tests = comparisons(task.condition.test)
            taken = {taken.name: taken for taken in task.inputs}
            for ref, name in task.condition.inputs:
                refs[key(ref)] = place.origin(taken[name])
        after = tuple(imports.get(name, name) for name in task.after)
        units.append(Unit(task.name, after, tests, task))
    return Level(place, blocks(units), refs)


def places(place: Place) -> Iterator[Place]:
    """A scope and those in it."""
    yield place
    for task in place.scope.tasks:
        if isinstance(task, Dag):
            yield from places(place.inside(task))


def item_types(place: Place) -> dict[Item, ParameterType]:
    """The items of loops, and fields of them, that something takes, and what they are."""
    found: dict[Item, ParameterType] = {}
    for inner in places(place):
        for task in inner.scope.tasks:
            wanted = {name for _, name in task.condition.inputs} if task.condition else set()
            if isinstance(task, Dag) and task.iterator is not None:
                items = task.iterator.items
                wanted |= {items.name} if isinstance(items, FromScope) else set()
            for taken in task.inputs:
                origin = inner.origin(taken)
                used = isinstance(task, Task) or taken.name in wanted
                if used and isinstance(origin, Item) and isinstance(taken, ParameterInput):
                    found[origin] = taken.type
            if isinstance(task, Dag) and task.iterator is not None and wanted:
                found[Item(task.component, ())] = task.iterator.item_type
    return found
