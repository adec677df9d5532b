"""How control flow fares in the SDK's DSL: what of it the SDK (2.17) can't say, or gets wrong."""

from __future__ import annotations

import keyword
from collections.abc import Iterator

from compiler import graph
from compiler.diagnostics import Span
from compiler.expr import (
    STRING,
    ArtifactType,
    Expr,
    Operation,
    ParamRef,
    RunRef,
    StepOutputRef,
    walk,
)
from compiler.ir import Loop, Node, Pipeline, Step
from compiler.targets import Support
from compiler.targets.kfp.plan import Around, Constant, Dag, Otherwise, ParameterInput, Plan, Task
from compiler.targets.kfp_dsl import nesting
from compiler.targets.kfp_dsl.branches import JoinError, late
from compiler.targets.kfp_dsl.conditions import UnsayableError, comparisons
from compiler.targets.kfp_dsl.loops import is_field, lists
from compiler.targets.kfp_dsl.origins import Given, Item, Made, Origin, Place
from compiler.targets.kfp_dsl.surfacing import lost
from compiler.targets.uses import impossible, refused, weaker
from compiler.values import JsonValue

_INSTEAD = "the target kfp does it"


def of_expressions(pipeline: Pipeline) -> list[Support]:
    """What the DSL has no words for, wherever it stands."""
    return [
        *(use for node in _nodes(pipeline) for use in _of_node(node)),
        *_of_amounts(pipeline),
        *_of_outputs(pipeline),
    ]


def of_plan(pipeline: Pipeline, plan: Plan) -> list[Support]:
    """What the DSL can't say of a plan of which `of_expressions` refuses nothing."""
    spans = {node.name: node.span for node in _nodes(pipeline)}
    found = [use for task in _tasks(plan) for use in _of_task(task, spans)]
    parts = nesting.parts(plan) if not found else None
    if parts is None:
        return found
    roots = [parts.main, *([parts.exit.own] if parts.exit else [])]
    for root in roots:
        for place in nesting.places(root):
            found += _of_ifs(place, spans)
            found += _of_items(place, spans)
    if any(use.field == "needs" for use in found):
        return found
    for root in roots:
        for loss in lost(root, exits=parts.exit is not None and root is parts.main):
            where, span = _where(loss.node), spans[loss.node]
            if loss.unused:
                reason = f"the SDK loses a list whose items no step takes; {_INSTEAD}"
                found.append(impossible("foreach", where, span, reason))
            else:
                found.append(impossible("steps", where, span, _loss(loss.origin)))
    return found


def _loss(origin: Origin) -> str:
    """Why a value does not get where it is wanted (see `surfacing`)."""
    match origin:
        case Item(path=(name, *_)):
            return (
                f"the SDK hands the field `{name}` of an item that is written out to steps right "
                "in the loop only, and to none if the loop is in an If, another loop or an exit "
                f"handler; loop over lists of plain values, or {_INSTEAD}"
            )
        case Item():
            value = "the item"
        case Given(name=name) | Made(output=name):
            value = f"`{name}`"
        case Constant():
            raise AssertionError("constants are not handed in")
    return (
        f"the SDK loses {value} on its way into an If or a loop in a loop: it goes by parts of "
        f"names; another name may do, and {_INSTEAD}"
    )


def _nodes(pipeline: Pipeline) -> Iterator[Node]:
    todo = [*pipeline.finally_nodes[::-1], *pipeline.nodes[::-1]]
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, Loop):
            todo += node.body[::-1]


def _of_node(node: Node) -> Iterator[Support]:
    where = _where(node.name) if isinstance(node, Step) else f"loop {node.name}"
    try:
        comparisons(node.when)
    except UnsayableError as unsayable:
        reason = f"`dsl.If` takes one comparison, and {unsayable}; {_INSTEAD}"
        assert node.when is not None, "nothing is always sayable"
        yield impossible("when", where, node.when.span, reason)
    expressions = (
        [axis.items for axis in node.axes] if isinstance(node, Loop) else [*node.expressions()]
    )
    yield from (use for part in _parts(expressions) for use in _of_part(part, where))


def _of_part(part: Expr, where: str) -> Iterator[Support]:
    match part:
        case Operation(sign="??"):
            yield impossible("??", where, part.span, f"the DSL has no way for it; {_INSTEAD}")
        case RunRef(field="status"):
            reason = (
                "the SDK's PipelineTaskFinalStatus can't be handed to several steps, and says that "
                "a run goes on whose last event was a skipped step, one from the cache or a loop "
                f"without items; {_INSTEAD}"
            )
            yield impossible("run.status", where, part.span, reason)
        case StepOutputRef(type=ArtifactType(is_list=True)):
            reason = f"a container component can't tell the files of a list; {_INSTEAD}"
            yield impossible("inputs", where, part.span, reason)


def _of_amounts(pipeline: Pipeline) -> Iterator[Support]:
    """Amounts that are known only at run time, which the SDK forgets to hand into groups."""
    found = graph.graph_of(pipeline.nodes)
    skippable = found.skippable().nodes
    free = {node.name for node in pipeline.nodes if node.name not in skippable}
    for step in pipeline.steps:
        gpu = step.resources.gpu
        for amount in step.resources.expressions():
            where = _where(step.name)
            if gpu is not None and amount is gpu.count:
                reason = "the SDK hands a count over as a number, which KFP's driver can't read"
            elif not isinstance(amount, ParamRef):
                reason = "the SDK forgets to wait for what it comes from"
            elif amount.type != STRING:
                reason = "the SDK hands it over as it is, and KFP's driver reads nothing but text"
            elif step.name not in free or pipeline.finally_nodes:
                reason = "the SDK forgets to hand it into Ifs, loops and exit handlers"
            else:
                continue
            yield impossible("resources", where, amount.span, f"{reason}; {_INSTEAD}")


def _of_outputs(pipeline: Pipeline) -> Iterator[Support]:
    for output in pipeline.outputs:
        where = "the algorithm"
        for part in walk(output.value):
            if isinstance(part, Operation):
                yield from _of_part(part, where)
        if pipeline.finally_nodes:
            reason = f"the SDK takes no output from inside of an exit handler; {_INSTEAD}"
            yield refused("outputs", where, output.span, reason)
        if keyword.iskeyword(output.name) or output.name.startswith("_"):
            reason = f"`{output.name}` can't be the name of a field in the DSL; rename it"
            yield impossible("outputs", where, output.span, reason)


def _parts(expressions: list[Expr]) -> Iterator[Expr]:
    for expression in expressions:
        yield from walk(expression)


def _tasks(plan: Plan) -> Iterator[Task | Dag]:
    for scope in plan.root.scopes():
        yield from scope.tasks


def _of_task(task: Task | Dag, spans: dict[str, Span]) -> Iterator[Support]:
    if isinstance(task, Task):
        for port in task.inputs:
            if isinstance(port, ParameterInput) and isinstance(port.selection, (Otherwise, Around)):
                reason = f"the DSL makes no text of a value; {_INSTEAD}"
                yield impossible("resources", _where(task.step), spans[task.step], reason)
    elif task.role == "choice":
        reason = (
            "the list may be empty, and then nothing is there to collect, which on KFP fails the "
            f"step that takes it; the DSL can't guard that; {_INSTEAD}"
        )
        yield impossible("foreach", f"loop {task.node}", spans[task.node], reason)
    elif task.iterator is not None and isinstance(task.iterator.items, tuple):
        found = _unfit(task.iterator.items)
        if found:
            yield impossible("foreach", f"loop {task.node}", spans[task.node], found)


def _unfit(values: tuple[JsonValue, ...]) -> str:
    """Why the SDK would not take a list that is written out, or nothing."""
    if not values:
        return "the SDK takes no empty list; leave the loop out"
    first = values[0]
    if not isinstance(first, dict):
        return ""
    if not first or next(iter(first.values())) is None:
        return "the SDK can't read the type of a field from the first item; put another first"
    wrong = [name for name in first if not is_field(name)]
    return f"`{wrong[0]}` can't be the name of a field in the SDK; rename it" if wrong else ""


def _of_ifs(place: Place, spans: dict[str, Span]) -> Iterator[Support]:
    names = {t.name: t.node if isinstance(t, Dag) else t.step for t in place.scope.tasks}
    try:
        found = nesting.level(place)
    except JoinError as join:
        one, other = names[join.one], names[join.other]
        reason = (
            f"it waits for `{one}` and `{other}`, which are in different Ifs, and can't stand in "
            f"both; {_INSTEAD}"
        )
        node = names[join.name]
        yield impossible("needs", _where(node), spans[node], reason)
        return
    for name, waits_for in late(found.blocks):
        others = ", ".join(f"`{names.get(other, other)}`" for other in waits_for)
        reason = f"starts only when {others} has ended too, which others in its If take from"
        yield weaker("when", _where(names[name]), spans[names[name]], reason)


def _of_items(place: Place, spans: dict[str, Span]) -> Iterator[Support]:
    for task in place.scope.tasks:
        node = task.node if isinstance(task, Dag) else task.step
        if isinstance(task, Dag) and task.iterator is not None:
            (*_, (_, given, _)) = lists(task, place, {})
            if isinstance(given, Made) and given.collected:
                reason = f"the SDK loops over no collected outputs; {_INSTEAD}"
                yield impossible("foreach", f"loop {node}", spans[node], reason)
        for path in {
            origin.path: None
            for origin in map(place.origin, task.inputs)
            if isinstance(origin, Item) and origin.path
        }:
            name = ".".join(path)
            if len(path) > 1:
                reason = f"`{name}`: the DSL reaches no field of a field; {_INSTEAD}"
                yield impossible("foreach", _where(node), spans[node], reason)
            elif not is_field(name):
                reason = f"`{name}` can't be the name of a field in the SDK; rename it"
                yield impossible("foreach", _where(node), spans[node], reason)


def _where(step: str) -> str:
    return f"step {step}"
