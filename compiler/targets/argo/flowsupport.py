"""How conditions, loops, last steps, outputs and schedules fare on Argo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from compiler.diagnostics import listing
from compiler.expr import (
    ArtifactType,
    Expr,
    Literal,
    Operation,
    PipelineInputRef,
    RunRef,
    StepOutputRef,
    walk,
)
from compiler.ir import Loop, Node, Pipeline, Python, Schedule, Step
from compiler.settings import TargetSettings
from compiler.targets import Support
from compiler.targets.argo.flow import cut_conditions, flow_of
from compiler.targets.argo.locations import store_of
from compiler.targets.argo.parts import MOST_TASKS
from compiler.targets.argo.plan import Dag, Flow, Level
from compiler.targets.uses import emulated, exact, impossible, refused, weaker
from compiler.values import to_json, to_text

_ALL = "the algorithm"
_TAG = "Argo would act on the `{{` in it"


def of_flow(pipeline: Pipeline, settings: TargetSettings) -> Iterator[Support]:
    """Conditions, joins, loops, last steps and outputs."""
    for nodes in (pipeline.nodes, pipeline.finally_nodes):
        flow = flow_of(nodes)
        for (level, _), node in flow.nodes.items():
            yield from _of_node(node, level, flow, settings)
    if pipeline.finally_nodes:
        reason = "the exit hook of a task around all steps"
        yield emulated("finally", _ALL, pipeline.finally_nodes[0].span, reason)
        told = [part for part in _read(pipeline.finally_nodes) if _is_status(part)]
        if told:
            yield exact("run.status", _ALL, told[0].span)
    main = flow_of(pipeline.nodes)
    for output in pipeline.outputs:
        where = f"output {output.name}"
        found = _unjoined(output.value, (), main)
        if found:
            yield impossible("outputs", where, output.span, found)
        elif isinstance(output.type, ArtifactType) and output.type.is_list:
            reason = "a list of artifacts can't leave a run; hand on what a step makes of them"
            yield impossible("outputs", where, output.span, reason)
        elif any(_tagged(part) for part in walk(output.value)):
            yield impossible("outputs", where, output.span, _TAG)
        else:
            yield exact("outputs", where, output.span, "an output of the workflow")


def _of_node(node: Node, level: Level, flow: Flow, settings: TargetSettings) -> Iterator[Support]:
    where = f"{'loop' if isinstance(node, Loop) else 'step'} {node.name}"
    if node.when is not None:
        yield exact("when", where, node.when.span)
    if isinstance(node, Loop):
        yield from _of_loop(node, where)
        return
    for given in node.expressions():
        yield from _of_join(given, node, level, flow)
    yield from _of_lists(node, settings)


def _of_loop(loop: Loop, where: str) -> Iterator[Support]:
    tagged = False
    for axis in loop.axes:
        if any(_tagged(part) for part in walk(axis.items)):
            yield impossible(f"foreach.{axis.name}", where, axis.span, _TAG)
            tagged = True
    if not tagged:
        reason = "a DAG with one task for all rounds; items show in the names of its nodes"
        yield emulated("foreach", where, loop.span, reason)
    if loop.parallel is not None:
        yield exact("foreach.parallel", where, loop.span)


def _of_join(given: Expr, step: Step, level: Level, flow: Flow) -> Iterator[Support]:
    """Operators, and why a `??` between artifacts can't be done."""
    where = f"step {step.name}"
    for part in walk(given):
        if isinstance(part, Operation):
            field = "??" if part.sign == "??" else "expressions"
            reason = _unjoined(part, level, flow)
            if any(_tagged(inner) for inner in walk(part)):
                reason = _TAG
            if reason:
                yield impossible(field, where, part.span, reason)
                return
            yield exact(field, where, part.span)


def _unjoined(given: Expr, level: Level, flow: Flow) -> str:
    """Why a choice of artifacts can't be made where it is wanted."""
    if not (isinstance(given, Operation) and isinstance(given.type, ArtifactType)):
        return ""
    for part in walk(given):
        if isinstance(part, PipelineInputRef):
            return (
                f"Argo chooses between artifacts of steps, and `inputs.{part.name}` comes from "
                "outside; let a step hand it on"
            )
        if isinstance(part, StepOutputRef):
            if flow.graph.collected(part.step, level):
                return "a list of artifacts can't be chosen; choose in the step that takes both"
            if flow.graph.home[part.step] != level and flow.optional(part.step, level):
                return (
                    f"an artifact of `{part.step}`, which may be skipped, can't go into a loop; "
                    "choose in a step before the loop, and take its output"
                )
    return ""


def _of_lists(step: Step, settings: TargetSettings) -> Iterator[Support]:
    """Artifacts of all rounds of a loop."""
    where = f"step {step.name}"
    taken = [
        part
        for given in step.expressions()
        for part in walk(given)
        if isinstance(part, StepOutputRef)
        and isinstance(part.type, ArtifactType)
        and part.type.is_list
    ]
    for ref in taken[:1]:
        if not isinstance(step.program, Python):
            reason = "only `python:` steps can take a list of artifacts"
            yield impossible("inputs", where, ref.span, reason)
        elif store_of(settings) is None:
            reason = (
                "what rounds of a loop write is found by its key, and the kind of store is not "
                "known: configure [targets.argo.s3] or [targets.argo.gcs], one of them, for that "
                "in which Argo keeps artifacts"
            )
            yield impossible("inputs", where, ref.span, reason)
        else:
            reason = "the folder in the store of artifacts to which all rounds write"
            yield emulated("inputs", where, ref.span, reason)


def of_parts(root: Dag, flow: Flow, pipeline: Pipeline) -> Iterator[Support]:
    """What cutting a graph comes to, where it is larger than one DAG may be."""
    whole = [dag for *_, dag in root.walk()]
    count = len(flow.nodes)
    if any(len(dag.members) > MOST_TASKS for dag in whole):
        reason = f"steps pass on so many values that {count} of them can't be cut into DAGs"
        yield impossible("steps", _ALL, pipeline.span, reason)
        return
    parts = [
        member
        for dag in whole
        if dag.loop is None
        for member in dag.members
        if isinstance(member, Dag) and member.loop is None
    ]
    if not parts:
        return
    cut = sorted({other for _, other in cut_conditions(root, flow)})
    if cut:
        reason = (
            f"{count} steps have to be cut into DAGs of {MOST_TASKS}, and what waits for "
            f"{listing(cut[:3])}, which may be skipped, would be in another; use fewer steps, or "
            "a loop"
        )
        yield impossible("steps", _ALL, pipeline.span, reason)
        return
    place = {
        (dag.level, m if isinstance(m, str) else m.key): dag for dag in whole for m in dag.members
    }
    joined = any(
        place[level, name] is not place[level, other]
        for (level, name), wait in flow.waits.items()
        for other in wait.all
    )
    if joined:
        reason = (
            f"{count} steps, and a DAG has {MOST_TASKS} at most: they are cut into parts, and "
            "a part starts when all of the parts that it takes from have succeeded"
        )
        yield weaker("steps", _ALL, pipeline.span, reason)
    else:
        yield emulated("steps", _ALL, pipeline.span, "in parts that are independent")


def of_schedules(pipeline: Pipeline) -> Iterator[Support]:
    for schedule in pipeline.schedules:
        yield from _of_schedule(schedule)


def _of_schedule(schedule: Schedule) -> Iterator[Support]:
    where, span = f"schedule {schedule.name}", schedule.span
    if schedule.sets_steps:
        reason = (
            f"its profile `{schedule.profile}` sets more than params, and all schedules run the "
            "same WorkflowTemplate; leave the profile to params, or make an algorithm of it"
        )
        yield impossible("schedules.profile", where, span, reason)
    tagged = [name for name, value in schedule.params if "{{" in to_text(value)]
    if tagged:
        yield impossible("schedules.params", where, span, f"`{tagged[0]}`: {_TAG}")
    yield exact("schedules", where, span, "a CronWorkflow")
    if schedule.overlap == "forbid":
        yield exact("schedules.overlap", where, span, "a run that would overlap is left out")
    if schedule.catch_up:
        reason = "Argo makes up for the last missed run at most"
        yield refused("schedules.catch_up", where, span, reason)


def _read(nodes: Iterable[Node]) -> Iterator[Expr]:
    """All that stands in expressions of nodes and in what is in them."""
    for node in nodes:
        given: list[Expr] = [] if node.when is None else [node.when]
        if isinstance(node, Loop):
            given += [axis.items for axis in node.axes]
            yield from _read(node.body)
        else:
            given += node.expressions()
        for expression in given:
            yield from walk(expression)


def _is_status(part: Expr) -> bool:
    return isinstance(part, RunRef) and part.field == "status"


def _tagged(part: Expr) -> bool:
    return isinstance(part, Literal) and "{{" in to_json(part.value)
