"""Loops as DAGs with an iterator."""

from __future__ import annotations

import itertools
from typing import Any

from msgspec import Struct

from compiler.expr import Literal, ValueType
from compiler.ir import Axis, Loop
from compiler.targets.kfp.carrying import altered
from compiler.targets.kfp.helpers import Helper, Taken
from compiler.targets.kfp.levels import Path, UnfitError
from compiler.targets.kfp.plan import FromScope, FromTask, Iterator, ParameterInput
from compiler.targets.kfp.scopes import Frame, Key, Kind
from compiler.targets.kfp.sources import Context, Given, item_name, kind_of
from compiler.values import JsonValue


def iterators(context: Context, outside: Frame, loop: Loop, items: dict[str, Given]) -> list[Frame]:
    """A DAG with an iterator for all lists together where all are known, else one for each."""
    if not items:
        return [_over_literals(context, outside, loop)]
    frames: list[Frame] = []
    for name, value in items.items():
        outside.own["items", loop.name, name] = value.source
    for axis in loop.axes:
        wanted = f"for-{loop.name}-{axis.name}" if len(loop.axes) > 1 else f"for-{loop.name}"
        frame = outside.within("loop", wanted, loop.name)
        given = items.get(axis.name)
        values: tuple[JsonValue, ...] | FromScope
        if given is None:
            values = tuple(_values(context, loop, axis))
        else:
            # A round does not see the input that its list comes in as (driver/resolve.go).
            source = outside.find(("items", loop.name, axis.name), given.wanted, given.kind)
            port = ParameterInput(given.wanted, "LIST", source)
            values = FromScope(frame.inputs.add_alone(port))
        # Rounds of an inner loop come one by one, so that no more run than may.
        parallel = loop.parallel if not frames or loop.parallel is None else 1
        _iterate(context, frame, ("each", loop.name, axis.name), values, axis.item, parallel)
        frames.append(frame)
        outside = frame
    return frames


def _over_literals(context: Context, outside: Frame, loop: Loop) -> Frame:
    frame = outside.within("loop", f"for-{loop.name}", loop.name)
    if len(loop.axes) == 1:
        (axis,) = loop.axes
        key = ("each", loop.name, axis.name)
        _iterate(context, frame, key, tuple(_values(context, loop, axis)), axis.item, loop.parallel)
        return frame
    context.tables.add(loop.name)
    names = [axis.name for axis in loop.axes]
    table = itertools.product(*(_values(context, loop, axis) for axis in loop.axes))
    rows: tuple[JsonValue, ...] = tuple(dict(zip(names, row, strict=True)) for row in table)
    _iterate(context, frame, ("each", loop.name), rows, ValueType("object"), loop.parallel)
    return frame


def _iterate(
    context: Context,
    frame: Frame,
    key: Key,
    items: tuple[JsonValue, ...] | FromScope,
    item: ValueType,
    parallel: int | None,
) -> None:
    kind = kind_of(item)
    assert kind.parameter is not None, "items are values"
    name = frame.inputs.reserve(item_name(key))
    context.items[key] = kind
    frame.own[key] = FromScope(name)
    frame.iterator = Iterator(items, name, kind.parameter, parallel)


def _values(context: Context, loop: Loop, axis: Axis) -> list[Any]:
    assert isinstance(axis.items, Literal), "the list is known"
    assert isinstance(axis.items.value, list), "what is looped over is a list"
    if None in axis.items.value:
        raise UnfitError(axis.items, "KFP can't hand a null to a round; leave it out", "foreach")
    if not axis.items.value and loop.name in context.part.collected:
        reason = "KFP can't collect from a loop that has no rounds; leave the loop out"
        raise UnfitError(axis.items, reason, "foreach")
    found = altered(axis.items.value)
    if found:
        reason = f"KFP would alter {found} in an item; put the text into the step"
        raise UnfitError(axis.items, reason, "foreach")
    return axis.items.value


def name_of(step: str, output: str) -> str:
    """What an output is called beside those of other steps."""
    return f"{step}_{output}".replace(".", "_")


class Rounds(Struct):
    """A loop. `frames` are its DAGs from the outermost, which may be a guard, to that of a round;
    `outside` is the scope that it stands in."""

    context: Context
    loop: Loop
    path: Path
    outside: Frame
    frames: list[Frame]
    collector: Helper | None = None

    @property
    def task(self) -> str:
        return self.frames[0].name

    def give(self, step: str, output: str, /) -> FromTask:
        source = self.gathered(step, output)
        kind = self.kind(step, output)
        further = self.path and self.path[-1] in self.context.part.collected
        return self._collect(name_of(step, output), kind, source) if further else source

    def kind(self, step: str, output: str) -> Kind:
        loops = len(self.context.part.graph.home[step]) - len(self.path)
        return self.context.kind(step, output, loops)

    def gathered(self, step: str, output: str) -> FromTask:
        """Where KFP finds the list of an output of all rounds."""
        body = self.frames[-1]
        node = self.context.part.graph.node(step, (*self.path, self.loop.name))
        assert node is not None, "the step is in the loop"
        source = body.members[node].give(step, output)
        kind = self.kind(step, output)
        for frame in reversed(self.frames):
            source = frame.hand_out(name_of(step, output), kind, source)
        return source

    def _collect(self, name: str, kind: Kind, source: FromTask) -> FromTask:
        """KFP would make one list of the lists that an outer loop collects; of what a container
        writes it does not."""
        if kind.parameter is None:
            reason = "KFP makes one list of nested loops' files; collect them in the inner one"
            raise UnfitError(self.loop.axes[0].items, reason, "foreach")
        if self.collector is None:
            task = self.context.names.task(f"collect-{self.loop.name}")
            component = self.context.names.component(task)
            self.collector = Helper(task, component, self.loop.name, self.context.image)
            self.outside.drafts.append(self.collector)
        taken = self.collector.inputs.add(f"rounds_{name}", Given(name, kind, source).port)
        self.collector.write(name, kind, Taken(taken))
        return FromTask(self.collector.name, name)
