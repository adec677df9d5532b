"""From the pipeline to what Argo is to run (`compiler.targets.argo.plan`)."""

from __future__ import annotations

from collections.abc import Iterable

from compiler import graph
from compiler.expr import ArtifactType, ParamRef, PipelineInputRef, RunRef, StepOutputRef
from compiler.ir import Pipeline
from compiler.launch import Launch
from compiler.settings import TargetSettings
from compiler.targets.argo import memo
from compiler.targets.argo.locations import location
from compiler.targets.argo.names import free, task_names, template_name
from compiler.targets.argo.plan import Anywhere, Data, FromStep, Located, Plan, Task
from compiler.targets.argo.tags import run_field, workflow_parameter
from compiler.targets.argo.template import template
from compiler.values import to_json

# The template that a run starts with.
ENTRYPOINT = "main"


def plan(pipeline: Pipeline, launches: Iterable[Launch], settings: TargetSettings) -> Plan:
    """The plan of a pipeline in which the target refuses nothing; `launches` are its steps'.

    Steps whose templates would be equal share one, named after the first of them.
    """
    pairs = list(zip(pipeline.nodes, launches, strict=True))
    asked = memo.asked_for_keys(pairs, settings.memoize)
    places = {given.name: Located(location(given, settings)) for given in pipeline.inputs}
    names = task_names(step.name for step in pipeline.nodes)
    templates: dict[str, Data] = {}
    taken = {ENTRYPOINT}
    shared: dict[str, str] = {}
    tasks: dict[str, Task] = {}
    for step, launch in pairs:
        made = template(step, launch, config_map=settings.memoize, hands_key_on=step.name in asked)
        content = to_json(made)
        if content not in shared:
            wanted = template_name(names[step.name], pipeline.kubernetes_name)
            name = free(wanted, taken)
            taken.add(name)
            templates[name] = {"name": name, **made}
            shared[content] = name
        parameters, artifacts = _sources(launch, places)
        if memo.is_memoised(step, settings.memoize):
            parameters += memo.sources(launch)
        tasks[step.name] = Task(
            names[step.name],
            shared[content],
            tuple(parameters),
            tuple(artifacts),
            graph.upstream(step),
        )
    return Plan(tasks, templates)


def _sources(
    launch: Launch, places: dict[str, Located]
) -> tuple[list[tuple[str, Anywhere | FromStep]], list[tuple[str, Located | FromStep]]]:
    """What fills the inputs of a step's template: parameters and artifacts."""
    parameters: list[tuple[str, Anywhere | FromStep]] = []
    artifacts: list[tuple[str, Located | FromStep]] = []
    for capture in launch.captures:
        match capture.ref:
            case ParamRef(name=name):
                parameters.append((capture.name, Anywhere(workflow_parameter(name))))
            case RunRef(field=field):
                parameters.append((capture.name, Anywhere(run_field(field))))
            case PipelineInputRef(name=name):
                artifacts.append((capture.name, places[name]))
            case StepOutputRef(step=step, output=output):
                source = FromStep(step, output)
                if isinstance(capture.type, ArtifactType):
                    artifacts.append((capture.name, source))
                else:
                    parameters.append((capture.name, source))
    return parameters, artifacts
