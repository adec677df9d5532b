"""A plan as WorkflowTemplates: the one that runs start from, and more where it is too large.

A task refers to a template of another manifest by `templateRef`. Each manifest refers to earlier
ones alone, so that a server can check them as they come; the one to start runs from is the last
WorkflowTemplate, and only schedules come after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from compiler.expr import ArtifactType
from compiler.ir import Param, Pipeline, PipelineInput, Required
from compiler.settings import TargetSettings
from compiler.targets.argo.crossing import Places
from compiler.targets.argo.dag import Dags
from compiler.targets.argo.plan import Data, Plan
from compiler.targets.argo.planning import MAIN
from compiler.targets.argo.schedules import scheduled
from compiler.targets.argo.tags import expression, readable, simple, workflow_parameter
from compiler.values import JsonValue, to_text

# Cap of the CustomResourceDefinition.
_MOST_TEMPLATES = 200
# What Argo's UI shows of a WorkflowTemplate, and what nobody but people reads.
_DESCRIPTION = "workflows.argoproj.io/description"
_OWN = "mlc/"


def manifests(pipeline: Pipeline, settings: TargetSettings, plan: Plan) -> list[Data]:
    """The manifests of a plan, as plain data; schedules come last."""
    graphs = [
        Dags(
            Places(root, flow, plan.names),
            plan.tasks,
            pipeline.outputs if root is plan.main else (),
        )
        for root, flow in zip(plan.graphs, plan.flows, strict=True)
    ]
    dags = [name for graph in graphs for name in graph.names]
    around = [plan.run] if plan.run else []
    documents = _documents([*plan.templates, *dags, *around], pipeline.kubernetes_name)
    templates = {str(t["name"]): t for graph in graphs for t in graph.templates(documents)}
    if plan.run:
        around_all = _around(plan, plan.run, [graph.inputs for graph in graphs], documents)
        templates[plan.run] = {"name": plan.run, "dag": around_all}
        if pipeline.outputs:
            templates[plan.run]["outputs"] = _outputs(pipeline)
    # The DAG that a run starts with first, then those in it, and the steps in the spec's order.
    ordered = {name: templates[name] for name in reversed([*dags, *around])} | plan.templates
    found: list[Data] = []
    for document in dict.fromkeys(documents.values()):
        spec: Data = {"templates": [t for n, t in ordered.items() if documents[n] == document]}
        metadata: Data = {"name": document}
        if document == pipeline.kubernetes_name:
            spec = {**_run(pipeline, settings, plan.run or plan.main.name), **spec}
            metadata |= _metadata(pipeline)
        found.append(
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "WorkflowTemplate",
                "metadata": metadata,
                "spec": spec,
            }
        )
    return [*found, *map(partial(scheduled, pipeline), pipeline.schedules)]


def templates_of(documents: Iterable[Data]) -> Iterator[Data]:
    """The templates in manifests."""
    for document in documents:
        spec = document["spec"]
        assert isinstance(spec, dict)
        templates = spec.get("templates", [])
        assert isinstance(templates, list)
        for template in templates:
            assert isinstance(template, dict)
            yield template


def _around(plan: Plan, user: str, inputs: list[list[str]], documents: Mapping[str, str]) -> Data:
    """The DAG of a run with the steps as its one task, and what comes last as that task's hook.

    A hook leaves the result of the run as it is, unlike an exit handler of the whole workflow.
    `inputs` are what the two graphs take.
    """
    main, *last = inputs
    task: Data = {"name": MAIN, **_call(plan.main.name, user, documents)}
    if main:
        task["arguments"] = {
            "parameters": [{"name": n, "value": expression(workflow_parameter(n))} for n in main]
        }
    if plan.final is not None:
        hook = _call(plan.final.name, user, documents)
        if last[0]:
            status = simple(f"tasks.{MAIN}.status")
            hook["arguments"] = {"parameters": [{"name": n, "value": status} for n in last[0]]}
        task["hooks"] = {"exit": hook}
    return {"failFast": False, "tasks": [task]}


def _outputs(pipeline: Pipeline) -> Data:
    """The outputs of a run: those of the graph of its steps."""
    parameters: list[JsonValue] = []
    artifacts: list[JsonValue] = []
    for output in pipeline.outputs:
        if isinstance(output.type, ArtifactType):
            place = simple(f"tasks.{MAIN}.outputs.artifacts.{output.name}")
            artifacts.append({"name": output.name, "from": place})
        else:
            place = simple(f"tasks.{MAIN}.outputs.parameters.{output.name}")
            parameters.append({"name": output.name, "valueFrom": {"parameter": place}})
    fields: Data = {"parameters": parameters, "artifacts": artifacts}
    return {name: value for name, value in fields.items() if value}


def _call(template: str, user: str, documents: Mapping[str, str]) -> Data:
    document = documents[template]
    if document != documents[user]:
        return {"templateRef": {"name": document, "template": template}}
    return {"template": template}


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


def _run(pipeline: Pipeline, settings: TargetSettings, entrypoint: str) -> Data:
    """The fields about a run as a whole."""
    secrets = dict.fromkeys(s for step in pipeline.steps for s in step.pod.pull_secrets)
    parameters: list[JsonValue] = [_parameter(param) for param in pipeline.params]
    parameters += [_uri(given) for given in pipeline.inputs]
    limits = pipeline.limits
    fields: Data = {
        "entrypoint": entrypoint,
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
