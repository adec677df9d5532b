"""Argo Workflows through the REST interface of its server: submit, wait, read."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

import yaml
from expectation import Outcome, trace_of
from rest import Cluster, ServerError, json_of, text_of

from compiler.expr import ArtifactType, Type, ValueType
from compiler.ir import Loop, Node, Pipeline
from compiler.settings import TargetSettings
from compiler.targets import argo
from compiler.targets.argo.names import task_names
from compiler.values import JsonValue, ValueTextError, from_text, to_text

_ENDED = {"Succeeded": "succeeded", "Failed": "failed", "Error": "failed"}
# What needs a skipped step is omitted there.
_STATES = {**_ENDED, "Skipped": "not run", "Omitted": "not run"}
# `fit(2:[2,0.1])` is round 2, `fit(1)` a second try.
_DISPLAYED = re.compile(r"(.*?)(?:\((\d+):.*\)|\(\d+\))?", re.DOTALL)
Node_ = Mapping[str, Any]


def replay(
    cluster: Cluster,
    pipeline: Pipeline,
    settings: TargetSettings,
    params: Mapping[str, JsonValue],
    patience: float,
) -> Outcome:
    """Run a pipeline and wait at most `patience` seconds for its end; nothing of it is left.

    Raises:
        ServerError, OSError: the server refused it or is gone.
        TimeoutError: it has not ended.
    """
    text = argo.emit(pipeline, settings)
    documents = [
        d for d in yaml.load_all(text, yaml.CSafeLoader) if d["kind"] == "WorkflowTemplate"
    ]
    templates = f"/api/v1/workflow-templates/{cluster.namespace}"
    workflows = f"/api/v1/workflows/{cluster.namespace}"
    for document in documents:
        with contextlib.suppress(ServerError):
            json_of(cluster, "DELETE", f"{templates}/{document['metadata']['name']}")
        json_of(cluster, "POST", templates, {"template": document})
    given = [f"{name}={to_text(value)}" for name, value in params.items()]
    submitted = json_of(
        cluster,
        "POST",
        f"{workflows}/submit",
        {
            "resourceKind": "WorkflowTemplate",
            "resourceName": documents[-1]["metadata"]["name"],
            "submitOptions": {"parameters": given},
        },
    )
    name = submitted["metadata"]["name"]
    try:
        workflow = _ended(cluster, f"{workflows}/{name}", patience)
        return outcome_of(pipeline, workflow, _Told(cluster, name))
    finally:
        json_of(cluster, "DELETE", f"{workflows}/{name}")
        for document in documents:
            json_of(cluster, "DELETE", f"{templates}/{document['metadata']['name']}")


def _ended(cluster: Cluster, path: str, patience: float) -> Any:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        workflow = json_of(cluster, "GET", path)
        if workflow.get("status", {}).get("phase") in _ENDED:
            return workflow
        time.sleep(min(1.0, patience / 10))
    raise TimeoutError(f"not ended after {patience:.0f} s")


class Told(Protocol):
    """What is not in a workflow itself."""

    def log(self, pod: str) -> str:
        """What a pod printed; empty where that is not known."""

    def artifact(self, node: str, artifact: Mapping[str, Any]) -> str | None:
        """The content of an artifact that a node put out; None where that is not known."""


class _Told:
    def __init__(self, cluster: Cluster, workflow: str) -> None:
        self.cluster = cluster
        self.workflow = workflow

    def log(self, pod: str) -> str:
        path = f"/api/v1/workflows/{self.cluster.namespace}/{self.workflow}/log"
        query = {"podName": pod, "logOptions.container": "main"}
        try:
            lines = text_of(self.cluster, "GET", path, query=query).splitlines()
        except ServerError:
            return ""
        # Lines of JSON, one for each of the pod's own.
        return "\n".join(json.loads(line)["result"].get("content", "") for line in lines if line)

    def artifact(self, node: str, artifact: Mapping[str, Any]) -> str | None:
        where = f"/artifact-files/{self.cluster.namespace}/workflows/{self.workflow}/{node}/outputs"
        try:
            return text_of(self.cluster, "GET", f"{where}/{artifact['name']}")
        except ServerError:
            return None


def outcome_of(pipeline: Pipeline, workflow: Mapping[str, Any], told: Told) -> Outcome:
    """A run by the workflow as it ended."""
    return _Reader(pipeline, workflow, told).outcome()


class _Reader:
    """Reads step instances from the nodes of a workflow."""

    def __init__(self, pipeline: Pipeline, workflow: Mapping[str, Any], told: Told) -> None:
        self.told = told
        self.pipeline = pipeline
        self.workflow = workflow
        self.nodes: Mapping[str, Node_] = workflow["status"].get("nodes") or {}
        every = (*pipeline.nodes, *pipeline.finally_nodes)
        names = task_names(_names(every))
        self.known = {task: name for name, task in names.items()}
        self.loops = set(_loops(every))

    def outcome(self) -> Outcome:
        found = {self.instance(node): node for node in self.nodes.values() if self.counts(node)}
        pods = {name: self.pod(node) for name, node in found.items()}
        types = {s.name: {o.name: o.type for o in s.outputs} for s in self.pipeline.steps}
        status = self.workflow["status"]
        handed_on = {o.name: o.type for o in self.pipeline.outputs}
        # What is handed on is the entrypoint's; the outputs of a workflow are its global ones.
        root = self.nodes.get(self.workflow["metadata"]["name"], {"id": ""})
        return Outcome(
            status=_ENDED[status["phase"]],
            states={name: _STATES[node["phase"]] for name, node in found.items()},
            traces={n: trace_of(self.log(pod)) for n, pod in pods.items() if pod is not None},
            outputs={
                name: self.outputs(node["id"] if pod is None else pod["id"],
                                   node.get("outputs"), types.get(_step_of(name), {}))
                for (name, node), pod in zip(found.items(), pods.values(), strict=True)
            },
            times={
                name: (_seconds(node["startedAt"]), _seconds(node["finishedAt"]))
                for name, node in found.items()
                if pods[name] is not None
            },
            tries={
                name: len(node["children"]) if node["type"] == "Retry" else 1
                for name, node in found.items()
                if pods[name] is not None
            },
            result=self.outputs(root["id"], root.get("outputs"), handed_on),
            tells_unrun=False,
        )  # fmt: skip

    def counts(self, node: Node_) -> bool:
        """Whether a node is a step's end, or a loop that did not begin."""
        task = _task(node)
        if task not in self.known or node.get("nodeFlag", {}).get("retried"):
            return False
        if node["type"] in ("Pod", "Retry"):
            return True
        return node["type"] == "Skipped" and not self.is_round(node)

    def is_round(self, node: Node_) -> bool:
        """Whether a node stands for the rounds of a loop, which has none."""
        around = self.nodes.get(node.get("boundaryID", ""))
        return (
            around is not None
            and "(" not in around["displayName"]
            and self.known.get(_task(around)) in self.loops
        )

    def instance(self, node: Node_) -> str:
        rounds: list[str] = []
        around: Node_ | None = node
        while around is not None:
            number = _DISPLAYED.fullmatch(around["displayName"])
            if number is not None and number[2] is not None:
                rounds.insert(0, number[2])
            around = self.nodes.get(around.get("boundaryID", ""))
        return ".".join([self.known[_task(node)], *rounds])

    def pod(self, node: Node_) -> Node_ | None:
        """The node of the pod that ran last; None where none ran."""
        if node["type"] == "Retry":
            tries = [self.nodes[child] for child in node.get("children", ())]
            return tries[-1] if tries else None
        return node if node["type"] == "Pod" else None

    def log(self, pod: Node_) -> str:
        run, _, number = pod["id"].rpartition("-")
        return self.told.log(f"{run}-{pod['templateName']}-{number}")

    def outputs(self, node: str, told: Any, types: Mapping[str, Type]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for parameter in (told or {}).get("parameters", ()):
            kind = types.get(parameter["name"])
            if isinstance(kind, ValueType):
                values[parameter["name"]] = _value(parameter.get("value", ""), kind)
        for artifact in (told or {}).get("artifacts", ()):
            if isinstance(types.get(artifact["name"]), ArtifactType):
                content = self.told.artifact(node, artifact)
                if content is not None:
                    values[artifact["name"]] = content
        return values


def _value(text: str, kind: ValueType) -> JsonValue:
    try:
        return from_text(text.strip(), kind.kind) if kind.kind not in (None, "string") else text
    except ValueTextError:
        return text


def _task(node: Node_) -> str:
    found = _DISPLAYED.fullmatch(node["displayName"])
    assert found is not None
    return found[1]


def _step_of(instance: str) -> str:
    return re.sub(r"(\.\d+)+$", "", instance)


def _names(nodes: tuple[Node, ...]) -> Iterator[str]:
    for node in nodes:
        yield node.name
        if isinstance(node, Loop):
            yield from _names(node.body)


def _loops(nodes: tuple[Node, ...]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, Loop):
            yield node.name
            yield from _loops(node.body)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
