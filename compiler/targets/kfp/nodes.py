"""The nodes of a pipeline as tasks: a container for a step, DAGs around it where KFP wants them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from compiler.expr import Expr, Literal
from compiler.ir import Loop, Node
from compiler.targets.kfp.choices import Choice
from compiler.targets.kfp.conditions import condition
from compiler.targets.kfp.level import Level
from compiler.targets.kfp.levels import Path, UnfitError
from compiler.targets.kfp.loops import Rounds, iterators
from compiler.targets.kfp.plan import FromScope, FromTask
from compiler.targets.kfp.scopes import Frame, Kind, Member, Ready
from compiler.targets.kfp.sources import Context, Given, given
from compiler.targets.kfp.steps import step_task


def build(context: Context, frame: Frame, path: Path) -> None:
    """Put the nodes of a level into the DAG that holds them."""
    level = context.part.levels[path]
    frame.level = "/".join(path)
    for node in level.nodes:
        try:
            needs = tuple(frame.members[name].task for name in level.waits[node.name].all)
            frame.members[node.name] = _node(context, frame, level, node, path, needs)
        except UnfitError as found:
            context.refuse(_where(node), found)
            # In its place, so that others can still be looked at.
            frame.members[node.name] = Container("nothing")


class Container(Struct, frozen=True):
    """A step as it is."""

    task: str

    def give(self, _step: str, output: str, /) -> FromTask:
        return FromTask(self.task, output)


def _node(
    context: Context, frame: Frame, level: Level, node: Node, path: Path, needs: tuple[str, ...]
) -> Member:
    """A node in its scope, with the DAG around it that makes a choice of it where one is needed."""
    is_choice = node.name in level.choices
    lists = _lists_that_may_be_empty(context, frame, node, path)
    tests = level.tests(node.name) if is_choice else level.own_tests(node.name)
    if not is_choice and not lists:
        return _plain_node(context, frame, node, path, tests, (), needs)
    outer = frame.within("choice", f"choose-{node.name}", node.name)
    outer.needs = needs
    if not is_choice:
        outer.condition = condition(context, frame, outer.inputs, tests, path)
    within = tests if is_choice else ()
    # Inside, the lists are inputs of the DAG.
    inner_lists = _lists_that_may_be_empty(context, outer, node, path)
    core = _plain_node(context, outer, node, path, within, inner_lists, ())
    return Choice(context, outer, node, path, core, within, inner_lists)


def _plain_node(
    context: Context,
    frame: Frame,
    node: Node,
    path: Path,
    tests: Sequence[Expr],
    lists: Sequence[Given],
    needs: tuple[str, ...],
) -> Member:
    if isinstance(node, Loop):
        return _loop(context, frame, node, path, tests, lists, needs)
    task = step_task(context, frame, node, path, tests, needs)
    frame.drafts.append(Ready(task.name, task))
    return Container(task.name)


def _loop(
    context: Context,
    frame: Frame,
    loop: Loop,
    path: Path,
    tests: Sequence[Expr],
    lists: Sequence[Given],
    needs: tuple[str, ...],
) -> Rounds:
    """The DAGs of a loop: a guard where it has a condition, which KFP does not heed on a loop, or
    where its list is picked out of a value, which the driver of a loop would do twice."""
    items = _run_time_lists(context, frame, loop, path)
    frames = []
    at = frame
    if tests or lists or any(value.selection for value in items.values()):
        at = at.within("guard", f"if-{loop.name}", loop.name)
        at.condition = condition(context, frame, at.inputs, tests, path, lists=lists)
        frames.append(at)
        for name, value in items.items():
            taken = at.inputs.add(value.wanted, value.port)
            items[name] = Given(value.wanted, Kind(parameter="LIST"), FromScope(taken))
    frames += iterators(context, at, loop, items)
    frames[0].needs = needs
    build(context, frames[-1], (*path, loop.name))
    return Rounds(context, loop, path, frame, frames)


def _run_time_lists(context: Context, frame: Frame, loop: Loop, path: Path) -> dict[str, Given]:
    """The lists of a loop that are not known at compile time, by axis."""
    return {
        axis.name: given(context, frame, context.part.plain(axis.items, path), path).of_type("LIST")
        for axis in loop.axes
        if not isinstance(axis.items, Literal)
    }


def _lists_that_may_be_empty(
    context: Context, frame: Frame, node: Node, path: Path
) -> tuple[Given, ...]:
    """Those of a loop whose outputs others collect: KFP fails on what collects from no rounds."""
    if not isinstance(node, Loop) or node.name not in context.part.collected:
        return ()
    return tuple(_run_time_lists(context, frame, node, path).values())


def _where(node: Node) -> str:
    return f"{'loop' if isinstance(node, Loop) else 'step'} {node.name}"
