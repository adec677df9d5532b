"""The plan as a PipelineSpec 2.1.0: the first document of KFP's IR.

Field names are those of api/v2alpha1/pipeline_spec.proto in protobuf's JSON form; the API server
refuses unknown ones. Of fields that exist twice only the newer is written.
"""

from __future__ import annotations

from collections.abc import Iterable

from compiler.ir import Required, Retry
from compiler.targets.kfp.executorspec import JsonObject, container_spec, filled
from compiler.targets.kfp.plan import (
    ArtifactInput,
    ArtifactOutput,
    Constant,
    Dag,
    DagOutput,
    FromScope,
    FromTask,
    Import,
    Iterator,
    Parameter,
    ParameterInput,
    ParameterOutput,
    Plan,
    SchemaTitle,
    Scope,
    Task,
)
from compiler.targets.kfp.selections import quoted, selector
from compiler.values import JsonValue

IMPORTED_OUTPUT = "artifact"
IMPORTED_URI = "uri"
# Bounds the whole series of tries and their pods' lifetime; absent it reads as "no time left", and
# nothing is ever tried again (argocompiler/container.go).
LONGEST_RETRY = 365 * 24 * 3600


def pipeline_spec(plan: Plan) -> JsonObject:
    components: JsonObject = {}
    executors: JsonObject = {}
    for scope in plan.root.scopes():
        for imported in scope.imports:
            components[imported.component] = _import_component(imported)
            executors[label(imported)] = {"importer": _importer(imported)}
        for task in scope.tasks:
            components[task.component] = _component(task)
            if isinstance(task, Task):
                executors[label(task)] = {"container": container_spec(task.container)}
    return {
        "pipelineInfo": filled({"name": plan.name, "description": plan.description}),
        "schemaVersion": "2.1.0",
        "sdkVersion": "mlc",
        "root": filled(
            {
                "inputDefinitions": filled(
                    {"parameters": {p.name: _parameter(p) for p in plan.parameters}}
                ),
                "outputDefinitions": _outputs([output.port for output in plan.outputs]),
                "dag": _dag(plan.root, plan.outputs),
            }
        ),
        "components": components,
        "deploymentSpec": {"executors": executors},
    }


def label(task: Task | Import) -> str:
    """The executor of a task."""
    return f"exec-{task.component.removeprefix('comp-')}"


def input_source(source: Constant | FromScope | FromTask) -> JsonObject:
    """Where the value of a parameter comes from."""
    match source:
        case Constant(value=value):
            return {"runtimeValue": {"constant": value}}
        case FromScope(name=name):
            return {"componentInputParameter": name}
        case FromTask(task=task, output=output):
            return {"taskOutputParameter": {"producerTask": task, "outputParameterKey": output}}


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


def _dag(scope: Scope, outputs: tuple[DagOutput, ...]) -> JsonObject:
    return filled(
        {
            "tasks": {
                **{i.name: _import_task(i) for i in scope.imports},
                **{t.name: _task(t) for t in scope.tasks},
            },
            "outputs": filled(
                {
                    "parameters": {
                        o.port.name: _parameter_sources(o.sources)
                        for o in outputs
                        if isinstance(o.port, ParameterOutput)
                    },
                    "artifacts": {
                        o.port.name: {"artifactSelectors": _selectors(o.sources, "Artifact")}
                        for o in outputs
                        if isinstance(o.port, ArtifactOutput)
                    },
                }
            ),
        }
    )


def _parameter_sources(sources: tuple[FromTask, ...]) -> JsonObject:
    selectors = _selectors(sources, "Parameter")
    if len(selectors) == 1:
        return {"valueFromParameter": selectors[0]}
    return {"valueFromOneof": {"parameterSelectors": selectors}}


def _selectors(sources: tuple[FromTask, ...], kind: str) -> list[JsonValue]:
    return [
        {"producerSubtask": source.task, f"output{kind}Key": source.output} for source in sources
    ]


def _task(task: Task | Dag) -> JsonObject:
    iterator = task.iterator if isinstance(task, Dag) else None
    fields: JsonObject = {
        "taskInfo": {"name": task.name},
        "componentRef": {"name": task.component},
        "dependentTasks": list(task.after),
        "inputs": filled(
            {
                "parameters": {
                    i.name: _parameter_source(i)
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
        "triggerPolicy": _trigger(task),
        "parameterIterator": _iterator(iterator) if iterator else {},
        "iteratorPolicy": filled({"parallelismLimit": iterator.parallel}) if iterator else {},
        "retryPolicy": _retry(task.retry) if isinstance(task, Task) and task.retry else {},
    }
    caching: JsonObject = (
        {"cachingOptions": {"enableCache": task.cached}} if isinstance(task, Task) else {}
    )
    return {**filled(fields), **caching}


def _trigger(task: Task | Dag) -> JsonObject:
    if isinstance(task, Dag) and task.role == "exit":
        return {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    return {"condition": task.condition.text} if task.condition else {}


def _iterator(iterator: Iterator) -> JsonObject:
    if isinstance(iterator.items, FromScope):
        return {"itemInput": iterator.item, "items": {"inputParameter": iterator.items.name}}
    raw = quoted(list(iterator.items))
    return {"itemInput": iterator.item, "items": {"raw": raw}}


def _import_task(imported: Import) -> JsonObject:
    return {
        "taskInfo": {"name": imported.name},
        "componentRef": {"name": imported.component},
        "cachingOptions": {"enableCache": True},
        "inputs": {"parameters": {IMPORTED_URI: {"componentInputParameter": imported.uri}}},
    }


def _parameter_source(given: ParameterInput) -> JsonObject:
    source = input_source(given.source)
    if given.selection is not None:
        source["parameterExpressionSelector"] = selector(given.selection, given.type)
    return source


def _artifact_source(source: FromScope | FromTask) -> JsonObject:
    if isinstance(source, FromScope):
        return {"componentInputArtifact": source.name}
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


def _component(task: Task | Dag) -> JsonObject:
    inputs = task.inputs
    if isinstance(task, Task):
        made: JsonObject = {"executorLabel": label(task)}
        outputs = task.outputs
    else:
        made = {"dag": _dag(task.scope, task.outputs)}
        outputs = tuple(output.port for output in task.outputs)
        if task.iterator:
            name, kind = task.iterator.item, task.iterator.item_type
            inputs = (*inputs, ParameterInput(name, kind, FromScope(name)))
    return filled(
        {
            **made,
            "inputDefinitions": filled(
                {
                    "parameters": {
                        i.name: {"parameterType": i.type}
                        for i in inputs
                        if isinstance(i, ParameterInput)
                    },
                    "artifacts": {
                        i.name: _artifact(i.schema, "", is_list=i.is_list)
                        for i in inputs
                        if isinstance(i, ArtifactInput)
                    },
                }
            ),
            "outputDefinitions": _outputs(outputs),
        }
    )


def _outputs(ports: Iterable[ParameterOutput | ArtifactOutput]) -> JsonObject:
    ports = tuple(ports)
    return filled(
        {
            "parameters": {
                o.name: filled({"parameterType": o.type, "description": o.description})
                for o in ports
                if isinstance(o, ParameterOutput)
            },
            "artifacts": {
                o.name: _artifact(o.schema, o.description, is_list=o.is_list)
                for o in ports
                if isinstance(o, ArtifactOutput)
            },
        }
    )


def _import_component(imported: Import) -> JsonObject:
    return {
        "executorLabel": label(imported),
        "inputDefinitions": {"parameters": {IMPORTED_URI: {"parameterType": "STRING"}}},
        "outputDefinitions": {"artifacts": {IMPORTED_OUTPUT: _artifact(imported.schema, "")}},
    }


def _artifact(schema: SchemaTitle, description: str, *, is_list: bool = False) -> JsonObject:
    return filled(
        {
            "artifactType": _type(schema),
            "isArtifactList": is_list or None,
            "description": description,
        }
    )


def _type(schema: SchemaTitle) -> JsonObject:
    return {"schemaTitle": schema, "schemaVersion": "0.0.1"}


def _importer(imported: Import) -> JsonObject:
    return {
        "artifactUri": {"runtimeParameter": IMPORTED_URI},
        "typeSchema": _type(imported.schema),
        "metadata": import_metadata(imported),
    }


def import_metadata(imported: Import) -> JsonObject:
    """Keeps inputs apart that are given the same URI: the importer takes an artifact that is like
    the wanted one for it, and no task can take one artifact twice."""
    return {"input": imported.uri}
