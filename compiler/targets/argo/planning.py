"""From the pipeline to what Argo is to run (`compiler.targets.argo.plan`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from compiler.expr import (
    ArtifactType,
    Operation,
    PipelineInputRef,
    StepOutputRef,
    walk,
)
from compiler.ir import Loop, Node, Pipeline
from compiler.launch import Launch
from compiler.settings import TargetSettings
from compiler.targets.argo import memo
from compiler.targets.argo.flow import dag_of, flow_of
from compiler.targets.argo.locations import location, store_of
from compiler.targets.argo.names import free, task_names, template_name
from compiler.targets.argo.plan import (
    Data,
    Flow,
    Gathered,
    Given,
    GivenArtifact,
    Level,
    Located,
    Plan,
    Round,
    Task,
)
from compiler.targets.argo.schedules import longest_run_name
from compiler.targets.argo.template import ROUNDS, Use, gathering, template

# The template of the steps; a run starts with it, or with that around it and the last steps.
MAIN = "main"
FINAL = "finally"
RUN = "run"


def plan(pipeline: Pipeline, launches: Iterable[Launch], settings: TargetSettings) -> Plan:
    """The plan of a pipeline in which the target refuses nothing; `launches` are its steps'.

    Steps whose templates would be equal share one, named after the first of them.
    """
    pairs = list(zip(pipeline.steps, launches, strict=True))
    main = flow_of(pipeline.nodes)
    last = flow_of(pipeline.finally_nodes) if pipeline.finally_nodes else None
    flows = (main, last) if last else (main,)
    home = {step: flow for flow in flows for step in flow.graph.home}
    names = task_names(_names((*pipeline.nodes, *pipeline.finally_nodes)))
    taken = {MAIN, FINAL, RUN}
    run_length = longest_run_name(pipeline)
    gathered = set(gathered_outputs(launch for _, launch in pairs))
    memoised = {
        step.name for step, _ in pairs if memo.is_memoised(step, settings.memoize, gathered)
    }
    asked = memo.asked_for_keys((s, launch) for s, launch in pairs if s.name in memoised)
    places = {given.name: Located(location(given, settings)) for given in pipeline.inputs}
    templates: dict[str, Data] = {}
    shared: dict[bytes, str] = {}
    tasks: dict[str, Task] = {}
    for step, launch in pairs:
        level = home[step.name].graph.home[step.name]
        use = Use(
            settings.memoize if step.name in memoised else None,
            step.name in asked,
            tuple(o.name for o in step.outputs if (step.name, o.name) in gathered),
            store_of(settings) or "",
            bool(level),
        )
        made = template(step, launch, use)
        content = msgspec.json.encode(made)
        if content not in shared:
            wanted = template_name(names[step.name], run_length)
            name = free(wanted, taken)
            taken.add(name)
            templates[name] = {"name": name, **made}
            shared[content] = name
        parameters: list[tuple[str, Given]] = [
            (c.name, c.ref) for c in launch.captures if not isinstance(c.type, ArtifactType)
        ]
        if use.takes_rounds:
            parameters.append((ROUNDS, Round(level)))
        if use.config_map is not None:
            parameters += memo.sources(launch)
        artifacts = tuple(_artifacts(launch, level, home[step.name], places, use.store))
        tasks[step.name] = Task(names[step.name], shared[content], tuple(parameters), artifacts)

    begun = {start for name in (*taken, *names.values()) for start in _beginnings(name)}

    def call(node: str, kind: str) -> str:
        """A name for the template of a DAG; parts are numbered after it."""
        name = template_name(f"{names[node]}-{kind}" if node else kind, run_length)
        while name in begun:
            name += "-x"
        begun.update(_beginnings(name))
        return name

    whole = dag_of(MAIN, pipeline.nodes, main, call)
    final = dag_of(FINAL, pipeline.finally_nodes, last, call) if last else None
    run = RUN if final or pipeline.outputs else None
    return Plan(tasks, templates, names, whole, final, run, flows)


def _beginnings(name: str) -> Iterator[str]:
    """A name, and what of it stands before each `-`."""
    yield name
    yield from (name[: dash.start()] for dash in re.finditer("-", name))


def gathered_outputs(launches: Iterable[Launch]) -> Iterator[tuple[str, str]]:
    """The outputs that a step takes as a list of what rounds of a loop wrote."""
    for launch in launches:
        for capture in launch.captures:
            if isinstance(capture.type, ArtifactType) and capture.type.is_list:
                for part in walk(capture.ref):
                    if isinstance(part, StepOutputRef):
                        yield part.step, part.output


def _names(nodes: Iterable[Node]) -> Iterator[str]:
    for node in nodes:
        yield node.name
        if isinstance(node, Loop):
            yield from _names(node.body)


def _artifacts(
    launch: Launch, level: Level, flow: Flow, places: dict[str, Located], store: str
) -> Iterator[tuple[str, GivenArtifact]]:
    """What fills the artifacts that a step's template takes."""
    for capture in launch.captures:
        match capture.ref:
            case PipelineInputRef(name=name):
                yield capture.name, places[name]
            case StepOutputRef(step=step, output=output, type=ArtifactType(is_list=True)):
                loops = flow.graph.home[step]
                around = loops[: len(loops) - len(flow.graph.collected(step, level))]
                yield capture.name, Gathered(store, gathering(step, output), around)
            case StepOutputRef(type=ArtifactType()) | Operation(type=ArtifactType()) as ref:
                yield capture.name, ref
            case _:
                pass
