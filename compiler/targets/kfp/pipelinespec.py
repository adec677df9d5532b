"""The plan as a PipelineSpec 2.1.0: the first document of KFP's IR.

Field names are those of api/v2alpha1/pipeline_spec.proto in protobuf's JSON form; the API server
refuses unknown ones. Of fields that exist twice only the newer is written.
"""

from __future__ import annotations

from typing import TypeAlias

from compiler.ir import Required, Retry
from compiler.targets.kfp.plan import (
    ArtifactInput,
    ArtifactOutput,
    Constant,
    Container,
    FromScope,
    FromTask,
    Import,
    InputPath,
    InputValue,
    OutputFile,
    OutputPath,
    Parameter,
    ParameterInput,
    ParameterOutput,
    Part,
    Plan,
    Resources,
    SchemaTitle,
    Scope,
    Task,
    Text,
    Word,
)
from compiler.values import JsonValue

JsonObject: TypeAlias = dict[str, JsonValue]

IMPORTED_OUTPUT = "artifact"
IMPORTED_URI = "uri"
# Bounds the whole series of tries and their pods' lifetime; absent it reads as "no time left", and
# nothing is ever tried again (argocompiler/container.go).
LONGEST_RETRY = 365 * 24 * 3600


def pipeline_spec(plan: Plan) -> JsonObject:
    scope = plan.root
    return {
        "pipelineInfo": _filled({"name": plan.name, "description": plan.description}),
        "schemaVersion": "2.1.0",
        "sdkVersion": "mlc",
        "root": _filled(
            {
                "inputDefinitions": _filled(
                    {"parameters": {p.name: _parameter(p) for p in plan.parameters}}
                ),
                "dag": {"tasks": _tasks(scope)},
            }
        ),
        "components": {
            **{f"comp-{i.name}": _import_component(i) for i in scope.imports},
            **{f"comp-{t.name}": _component(t) for t in scope.tasks},
        },
        "deploymentSpec": {
            "executors": {
                **{f"exec-{i.name}": {"importer": _importer(i)} for i in scope.imports},
                **{
                    f"exec-{t.name}": {"container": container_spec(t.container)}
                    for t in scope.tasks
                },
            }
        },
    }


def text(word: Word) -> str:
    """A word with its placeholders, as the driver and the launcher read them."""
    return "".join(map(_part, word))


def container_spec(container: Container) -> JsonObject:
    """A container with its placeholders."""
    return _filled(
        {
            "image": container.image,
            "command": [text(word) for word in container.command],
            "args": [text(word) for word in container.args],
            "env": [{"name": name, "value": value} for name, value in container.env],
            "resources": _resources(container.resources),
        }
    )


def input_source(source: Constant | FromScope | FromTask) -> JsonObject:
    """Where the value of a parameter comes from."""
    match source:
        case Constant(value=value):
            return {"runtimeValue": {"constant": value}}
        case FromScope(name=name):
            return {"componentInputParameter": name}
        case FromTask(task=task, output=output):
            return {"taskOutputParameter": {"producerTask": task, "outputParameterKey": output}}


def _part(part: Part) -> str:
    match part:
        case Text(text=literal):
            return literal
        case InputValue(name=name):
            return f"{{{{$.inputs.parameters['{name}']}}}}"
        case InputPath(name=name):
            return f"{{{{$.inputs.artifacts['{name}'].path}}}}"
        case OutputFile(name=name):
            return f"{{{{$.outputs.parameters['{name}'].output_file}}}}"
        case OutputPath(name=name):
            return f"{{{{$.outputs.artifacts['{name}'].path}}}}"


def _parameter(parameter: Parameter) -> JsonObject:
    definition: JsonObject = {"parameterType": parameter.type}
    if not isinstance(parameter.default, Required):
        definition["defaultValue"] = parameter.default
        definition["isOptional"] = True
    if parameter.literals:
        definition["literals"] = list(parameter.literals)
    if parameter.description:
        definition["description"] = parameter.description
    return definition


def _tasks(scope: Scope) -> JsonObject:
    return {
        **{i.name: _import_task(i) for i in scope.imports},
        **{t.name: _task(t) for t in scope.tasks},
    }


def _task(task: Task) -> JsonObject:
    return _filled(
        {
            "taskInfo": {"name": task.name},
            "componentRef": {"name": f"comp-{task.name}"},
            "cachingOptions": {"enableCache": task.cached},
            "dependentTasks": list(task.after),
            "inputs": _filled(
                {
                    "parameters": {
                        i.name: input_source(i.source)
                        for i in task.inputs
                        if isinstance(i, ParameterInput)
                    },
                    "artifacts": {
                        i.name: _artifact_source(i.source)
                        for i in task.inputs
                        if isinstance(i, ArtifactInput)
                    },
                }
            ),
            "retryPolicy": _retry(task.retry) if task.retry else {},
        }
    )


def _import_task(imported: Import) -> JsonObject:
    return {
        "taskInfo": {"name": imported.name},
        "componentRef": {"name": f"comp-{imported.name}"},
        "cachingOptions": {"enableCache": True},
        "inputs": {"parameters": {IMPORTED_URI: {"componentInputParameter": imported.uri}}},
    }


def _artifact_source(source: FromTask) -> JsonObject:
    return {
        "taskOutputArtifact": {
            "producerTask": source.task,
            "outputArtifactKey": source.output,
        }
    }


def _retry(retry: Retry) -> JsonObject:
    return {
        "maxRetryCount": retry.max,
        "backoffDuration": f"{retry.backoff}s",
        "backoffFactor": retry.factor,
        "backoffMaxDuration": f"{LONGEST_RETRY}s",
    }


def _component(task: Task) -> JsonObject:
    outputs = task.outputs
    return _filled(
        {
            "executorLabel": f"exec-{task.name}",
            "inputDefinitions": _filled(
                {
                    "parameters": {
                        i.name: {"parameterType": i.type}
                        for i in task.inputs
                        if isinstance(i, ParameterInput)
                    },
                    "artifacts": {
                        i.name: _artifact(i.schema, "")
                        for i in task.inputs
                        if isinstance(i, ArtifactInput)
                    },
                }
            ),
            "outputDefinitions": _filled(
                {
                    "parameters": {
                        o.name: _filled({"parameterType": o.type, "description": o.description})
                        for o in outputs
                        if isinstance(o, ParameterOutput)
                    },
                    "artifacts": {
                        o.name: _artifact(o.schema, o.description)
                        for o in outputs
                        if isinstance(o, ArtifactOutput)
                    },
                }
            ),
        }
    )


def _import_component(imported: Import) -> JsonObject:
    return {
        "executorLabel": f"exec-{imported.name}",
        "inputDefinitions": {"parameters": {IMPORTED_URI: {"parameterType": "STRING"}}},
        "outputDefinitions": {"artifacts": {IMPORTED_OUTPUT: _artifact(imported.schema, "")}},
    }


def _artifact(schema: SchemaTitle, description: str) -> JsonObject:
    return _filled({"artifactType": _type(schema), "description": description})


def _type(schema: SchemaTitle) -> JsonObject:
    return {"schemaTitle": schema, "schemaVersion": "0.0.1"}


def _importer(imported: Import) -> JsonObject:
    return {
        "artifactUri": {"runtimeParameter": IMPORTED_URI},
        "typeSchema": _type(imported.schema),
    }


def _resources(resources: Resources) -> JsonObject:
    accelerator: JsonObject = {}
    if resources.accelerator:
        kind, count = resources.accelerator
        accelerator = {"resourceType": kind, "resourceCount": str(count)}
    return _filled(
        {
            "resourceCpuRequest": resources.cpu_request,
            "resourceCpuLimit": resources.cpu_limit,
            "resourceMemoryRequest": resources.memory_request,
            "resourceMemoryLimit": resources.memory_limit,
            "accelerator": accelerator,
        }
    )


def _filled(fields: JsonObject) -> JsonObject:
    """The fields that say something: protobuf reads absent and empty alike."""
    return {name: value for name, value in fields.items() if value not in (None, "", {}, [])}
