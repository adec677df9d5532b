"""From the pipeline to what KFP is told of it (`compiler.targets.kfp.plan`)."""

from __future__ import annotations

import re

from compiler import graph
from compiler.expr import (
    ArtifactKind,
    ArtifactType,
    ParamRef,
    PipelineInputRef,
    RunField,
    RunRef,
    StepOutputRef,
    ValueType,
)
from compiler.ir import REQUIRED, Output, Param, Pipeline, PipelineInput, Required, Step
from compiler.launch import Capture, Launch
from compiler.targets.kfp import cachekey
from compiler.targets.kfp.carrying import plain, readable
from compiler.targets.kfp.containers import container, launched
from compiler.targets.kfp.names import input_names, task_names, unique
from compiler.targets.kfp.plan import (
    ArtifactInput,
    ArtifactOutput,
    Constant,
    FromScope,
    FromTask,
    Import,
    Parameter,
    ParameterInput,
    ParameterOutput,
    Plan,
    Scope,
    Task,
)
from compiler.targets.kfp.pods import platform
from compiler.targets.kfp.schemas import parameter_type, schema
from compiler.values import JsonValue, to_text

# Schemes that the importer knows (backend/src/v2/component/importer_launcher.go); oci holds models.
_IMPORTED = re.compile(r"(gs|s3|minio|oci)://.+", re.DOTALL)
# What the driver puts in for a field of the run, as a whole constant (driver/resolve.go).
_RUN_FIELDS: dict[RunField, str] = {
    "id": "{{$.pipeline_job_uuid}}",
    "name": "{{$.pipeline_job_name}}",
    "scheduled_at": "{{$.pipeline_job_schedule_time_utc}}",
}


def plan(pipeline: Pipeline) -> Plan:
    """The plan of a pipeline in which the target refuses nothing."""
    launches = {step.name: launched(step) for step in pipeline.nodes}
    imported = [i for i in pipeline.inputs if i.name in _imported(launches)]
    names = task_names([*(f"import-{i.name}" for i in imported), *launches])
    imports = tuple(
        Import(names[f"import-{i.name}"], schema(i.type.kind), i.name) for i in imported
    )
    steps = {step.name: step for step in pipeline.nodes}
    order = graph.in_order({name: graph.upstream(step) for name, step in steps.items()})
    return Plan(
        pipeline.kubernetes_name,
        _description(pipeline),
        (*map(_parameter, pipeline.params), *map(_uri, pipeline.inputs)),
        Scope(imports, tuple(_task(steps[name], launches[name], names) for name in order)),
        pipeline.limits.timeout,
        None if pipeline.limits.ttl is None else max(pipeline.limits.ttl, 1),
    )


def importable(uri: str, kind: ArtifactKind) -> bool:
    """Whether KFP can import an artifact of this type from a URI."""
    found = _IMPORTED.fullmatch(uri)
    return found is not None and (found[1] != "oci" or kind == "Model")


def _imported(launches: dict[str, Launch]) -> set[str]:
    """The inputs of the pipeline that some step takes."""
    return {
        capture.ref.name
        for launch in launches.values()
        for capture in launch.captures
        if isinstance(capture.ref, PipelineInputRef)
    }


def _description(pipeline: Pipeline) -> str:
    """The description, and what else is said of the algorithm that KFP's spec has no field for."""
    labels = ", ".join(f"{name}={value}" for name, value in pipeline.labels)
    more = [
        f"{title}: {text}"
        for title, text in (
            ("Owner", pipeline.owner),
            ("Tags", ", ".join(pipeline.tags)),
            ("Labels", labels),
        )
        if text
    ]
    text = readable("\n\n".join(filter(None, (pipeline.description, "\n".join(more)))))
    # Without one the SDK takes the first line of a docstring for it.
    return text or f"The algorithm {pipeline.name}."


def _parameter(param: Param) -> Parameter:
    value_type = ValueType(param.kind, param.nullable)
    literals = param.enum if not param.nullable else _with_null(param.enum)
    default = param.default
    if param.nullable and not isinstance(default, Required):
        default = to_text(default)
    return Parameter(
        param.name, parameter_type(value_type), default, literals, plain(param.description)
    )


def _with_null(enum: tuple[JsonValue, ...]) -> tuple[JsonValue, ...]:
    return tuple(dict.fromkeys(("", *map(to_text, enum)))) if enum else ()


def _uri(given: PipelineInput) -> Parameter:
    """The parameter for the URI; a path of the author's machine is no default for a cluster."""
    usable = given.default is not None and importable(given.default, given.type.kind)
    return Parameter(
        given.name, "STRING", given.default if usable else REQUIRED, (), plain(given.description)
    )


def _task(step: Step, launch: Launch, tasks: dict[str, str]) -> Task:
    outputs = tuple(map(_output, step.outputs))
    names = input_names((c.name for c in launch.captures), (o.name for o in outputs))
    taken = [_input(capture, names[capture.name], tasks) for capture in launch.captures]
    data = {i.source.task for i in taken if isinstance(i.source, FromTask)}
    digest = cachekey.digest(step, launch) if step.cache.enabled else None
    if digest is not None:
        name = unique("mlc_key", {*names.values(), *(o.name for o in outputs)}, "_")
        taken.append(ParameterInput(name, "STRING", Constant(digest)))
    needs = tuple(task for task in dict.fromkeys(tasks[n] for n in step.needs) if task not in data)
    return Task(
        name=tasks[step.name],
        step=step.name,
        description=step.description,
        inputs=tuple(taken),
        outputs=outputs,
        container=container(step, launch, names),
        platform=platform(step, launch),
        retry=step.retry if step.retry and step.retry.max else None,
        cached=step.cache.enabled,
        needs=needs,
        after=tuple(sorted(data.union(needs))),
    )


def _output(output: Output) -> ParameterOutput | ArtifactOutput:
    description = plain(output.description)
    if isinstance(output.type, ArtifactType):
        return ArtifactOutput(output.name, schema(output.type.kind), description)
    return ParameterOutput(output.name, parameter_type(output.type), description)


def _input(capture: Capture, name: str, tasks: dict[str, str]) -> ParameterInput | ArtifactInput:
    match capture.ref:
        case PipelineInputRef(name=uri):
            source: FromTask | FromScope | Constant = FromTask(tasks[f"import-{uri}"], "artifact")
        case StepOutputRef(step=step, output=output):
            source = FromTask(tasks[step], output)
        case ParamRef(name=param):
            source = FromScope(param)
        case RunRef(field=field):
            source = Constant(_RUN_FIELDS[field])
    if isinstance(capture.type, ArtifactType):
        assert isinstance(source, FromTask), "artifacts come from tasks"
        return ArtifactInput(name, schema(capture.type.kind), source)
    return ParameterInput(name, parameter_type(capture.type), source)
