"""The Argo workflow behind a run, as GET /apis/v1beta1/runs/{id} shows it (toApiRunDetailV1).

The drivers' nodes hold where each artifact goes: `pod-spec-patch` has the launcher's command, and
that the executor's input (v2/driver/driver.go, argocompiler/container.go).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .kfp_records import Json, Run, Task, stamp
from .kfp_specs import inner

if TYPE_CHECKING:
    from .kfp import Kfp

_PHASES = {"PENDING": "Pending", "RUNNING": "Running", "SUCCEEDED": "Succeeded"}


def show_detail(kfp: Kfp, run: Run) -> Json:
    """RunDetail of v1beta1. The manifest is empty until the workflow was reported once."""
    shown: Json = {
        "id": run.id,
        "name": run.display_name,
        "status": _PHASES.get(run.state, "Failed"),
        "created_at": stamp(run.created),
        "finished_at": stamp(run.finished),
    }
    if not run.tasks:
        return {"run": shown, "pipeline_runtime": {}}
    manifest = json.dumps(workflow_of(kfp, run))
    return {"run": shown, "pipeline_runtime": {"workflow_manifest": manifest}}


def workflow_of(kfp: Kfp, run: Run) -> Json:
    nodes = {task.pod: _node(kfp, run, task) for task in run.tasks}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "name": run.workflow,
            "namespace": run.namespace or "kubeflow",
            "labels": {"pipeline/runid": run.id},
        },
        "spec": {},
        "status": {"phase": _PHASES.get(run.state, "Failed"), "nodes": nodes},
    }


def output_uris(kfp: Kfp, run: Run, name: str) -> dict[str, str]:
    """The URI of each artifact of a task. Upstream's part before the name is random as well."""
    spec = inner(run.spec)
    root = run.pipeline_root or kfp.pipeline_root
    task = next((one for one in run.tasks if one.name == name), None)
    salt = task.id if task is not None else "none"
    pipeline = spec["pipelineInfo"]["name"]
    return {
        artifact: f"{root}/{pipeline}/{run.id}/{name}/{salt}/{artifact}"
        for artifact in _component(spec, name).get("outputDefinitions", {}).get("artifacts", {})
    }


def _component(spec: Json, name: str) -> Json:
    components: Json = spec.get("components", {})
    dags = [spec["root"].get("dag", {}), *(one.get("dag", {}) for one in components.values())]
    for dag in dags:
        if name in dag.get("tasks", {}):
            reference = dag["tasks"][name].get("componentRef", {}).get("name", "")
            found: Json = components.get(reference, {})
            return found
    return {}


def _node(kfp: Kfp, run: Run, task: Task) -> Json:
    node: Json = {
        "id": task.pod,
        "name": f"{run.workflow}.{task.name}",
        "displayName": task.name,
        "type": "Pod" if task.name.endswith(("-driver", "executor")) else "DAG",
        "phase": _PHASES.get(task.state, "Failed"),
        "startedAt": stamp(task.started),
        "finishedAt": stamp(task.finished),
        "children": task.children,
    }
    owner = task.name.removesuffix("-driver")
    component = _component(inner(run.spec), owner)
    if task.name == owner or "executorLabel" not in component:
        return node
    node["templateName"] = "system-container-driver"
    artifacts = {
        name: {
            "artifacts": [{"name": name, "uri": uri, "type": {"schemaTitle": "system.Artifact"}}]
        }
        for name, uri in output_uris(kfp, run, owner).items()
    }
    executor_input = {"inputs": {}, "outputs": {"artifacts": artifacts}}
    command = ["/kfp-launcher/launch", "--run_id", run.id]
    command += ["--executor_input", json.dumps(executor_input), "--"]
    patch = json.dumps({"containers": [{"name": "main", "command": command}]})
    node["outputs"] = {
        "parameters": [
            {"name": "pod-spec-patch", "value": patch},
            {"name": "cached-decision", "value": "false"},
            {"name": "condition", "value": "nil"},
        ]
    }
    return node
