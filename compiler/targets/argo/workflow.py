"""A plan as WorkflowTemplates: the one that runs are started from, and more where it is too large.

A task refers to a template of another manifest by `templateRef`. Each manifest refers to earlier
ones alone, so that a server can check them as they come; the one to start runs from is the last.
"""

from __future__ import annotations

from collections.abc import Mapping

from compiler.ir import Param, Pipeline, PipelineInput, Required
from compiler.settings import TargetSettings
from compiler.targets.argo import dag
from compiler.targets.argo.parts import Part, divide
from compiler.targets.argo.plan import Data, Plan, Task
from compiler.targets.argo.planning import ENTRYPOINT
from compiler.targets.argo.tags import readable
from compiler.values import JsonValue, to_text

# Cap of the CustomResourceDefinition.
_MOST_TEMPLATES = 200
# What Argo's UI shows of a WorkflowTemplate, and what nobody but people reads.
_DESCRIPTION = "workflows.argoproj.io/description"
_OWN = "mlc/"


def manifests(pipeline: Pipeline, settings: TargetSettings, plan: Plan) -> list[Data]:
    """The manifests of a plan, as plain data."""
    root = graph(plan.tasks)
    dags = dag.names(root)
    documents = _documents([*plan.templates, *dags], pipeline.kubernetes_name)
    templates = {str(t["name"]): t for t in dag.templates(root, plan.tasks, documents)}
    # The DAG that a run starts with first, then its parts, and the steps in the spec's order.
    ordered = {name: templates[name] for name in reversed(dags)} | plan.templates
    found: list[Data] = []
    for document in dict.fromkeys(documents.values()):
        spec: Data = {"templates": [t for n, t in ordered.items() if documents[n] == document]}
        metadata: Data = {"name": document}
        if document == pipeline.kubernetes_name:
            spec = {**_run(pipeline, settings), **spec}
            metadata |= _metadata(pipeline)
        found.append(
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "WorkflowTemplate",
                "metadata": metadata,
                "spec": spec,
            }
        )
    return found


def graph(tasks: Mapping[str, Task]) -> Part:
    """The steps as the DAG that a run starts with, cut into parts where there are too many."""
    taken = {name for task in tasks.values() for name in (task.name, task.template)}
    prefix = "part"
    while any(name.startswith(f"{prefix}-") for name in taken):
        prefix += "-x"
    waits = {step: task.waits for step, task in tasks.items()}
    takes = {
        step: frozenset((source.step, source.output) for source in task.taken())
        for step, task in tasks.items()
    }
    return Part(ENTRYPOINT, divide(waits, takes, prefix))


def _documents(templates: list[str], name: str) -> dict[str, str]:
    """The manifest of each template, those it runs before it, the entrypoint last.

    A dot keeps the further names apart from those of other algorithms.
    """
    count = -(-len(templates) // _MOST_TEMPLATES)
    found = {}
    for position, template in enumerate(templates):
        number = position // _MOST_TEMPLATES + 1
        found[template] = name if number == count else f"{name}.{number}"
    return found


def _metadata(pipeline: Pipeline) -> Data:
    notes = {
        _DESCRIPTION: pipeline.description,
        f"{_OWN}owner": pipeline.owner,
        f"{_OWN}tags": ", ".join(pipeline.tags),
        f"{_OWN}profiles": ", ".join(pipeline.profiles),
    }
    fields: Data = {
        "labels": dict(pipeline.labels),
        "annotations": {name: text for name, text in notes.items() if text},
    }
    return {name: value for name, value in fields.items() if value}


def _run(pipeline: Pipeline, settings: TargetSettings) -> Data:
    """The fields about a run as a whole."""
    secrets = dict.fromkeys(s for step in pipeline.nodes for s in step.pod.pull_secrets)
    parameters: list[JsonValue] = [_parameter(param) for param in pipeline.params]
    parameters += [_uri(given) for given in pipeline.inputs]
    limits = pipeline.limits
    fields: Data = {
        "entrypoint": ENTRYPOINT,
        "arguments": {"parameters": parameters} if parameters else None,
        "serviceAccountName": settings.service_account,
        "imagePullSecrets": [{"name": name} for name in secrets] or None,
        "parallelism": limits.parallel,
        "activeDeadlineSeconds": limits.timeout,
        "ttlStrategy": None if limits.ttl is None else {"secondsAfterCompletion": limits.ttl},
        "workflowMetadata": {"labels": dict(pipeline.labels)} if pipeline.labels else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _parameter(param: Param) -> Data:
    """A parameter of the form that Argo's UI shows; all values are text there."""
    data: Data = {"name": param.name}
    default = param.default
    if not isinstance(default, Required):
        data["value"] = to_text(default)
    if param.enum:
        texts = [*map(to_text, param.enum), *([""] if param.nullable else [])]
        data["enum"] = list(dict.fromkeys(texts))
    return data | _description(param.description)


def _uri(given: PipelineInput) -> Data:
    data: Data = {"name": given.name}
    if given.default is not None and "://" in given.default:
        data["value"] = given.default
    return data | _description(given.description)


def _description(text: str) -> Data:
    return {"description": readable(text)} if text else {}
