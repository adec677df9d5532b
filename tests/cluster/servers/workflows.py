"""How Argo's controller moves workflows: a step for each look, or as the test says."""

from __future__ import annotations

import base64
import copy
import gzip
import json
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from .nodes import node_hash, pod_name, read_nodes, task_names
from .objects import Json, KubeError, Objects

FINISHED = ("Succeeded", "Failed", "Error")
WORKFLOW_LABEL = "workflows.argoproj.io/workflow"
CRON_LABEL = "workflows.argoproj.io/cron-workflow"


@dataclass
class Script:
    """What becomes of workflows, by patterns on `WORKFLOW/TASK`; the last match counts."""

    pace: int = 1
    outcomes: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    # Output parameters of a task: name -> value, both strings.
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    # Values that a task writes as its metrics artifact.
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    # Keep the nodes packed, as the controller does with a status that grew too large.
    compress: bool = False
    # How many steps a stream of events shows before it ends.
    watched: int = 3

    def pick(self, table: dict[str, Any], workflow: str, task: str, default: Any) -> Any:
        found = [value for name, value in table.items() if fnmatchcase(f"{workflow}/{task}", name)]
        return found[-1] if found else default


class Cluster(Objects):
    """The objects, and the controller that moves the workflows among them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.script = Script()
        self.archive: dict[str, Json] = {}
        # The object store's, by key.
        self.files: dict[str, bytes] = {}
        # Workflows by name that were retried; a task of theirs that fails once succeeds now.
        self.retried: set[str] = set()

    def advance(self, namespace: str, name: str, steps: int = 1) -> Json:
        one = self.all[("workflows", namespace, name)]
        for _ in range(steps):
            self._step(one)
        return one

    def finish(self, namespace: str, name: str) -> Json:
        one = self.all[("workflows", namespace, name)]
        while one.get("status", {}).get("phase") not in FINISHED:
            self._step(one)
        return one

    def retry(self, namespace: str, name: str) -> Json:
        """What failed runs again; what succeeded stays."""
        one = self.get("workflows", namespace, name)
        status = one.get("status", {})
        if status.get("phase") not in ("Failed", "Error"):
            raise KubeError(500, "InternalError", "workflow must be Failed/Error to retry")
        self.retried.add(name)
        one["spec"].pop("shutdown", None)
        nodes = read_nodes(status)
        for key in [key for key, node in nodes.items() if node["phase"] != "Succeeded"]:
            if key == name:
                nodes[key].update(phase="Running")
            else:
                del nodes[key]
                nodes[name]["children"].remove(key)
        status.pop("finishedAt", None)
        status.pop("message", None)
        status["phase"] = "Running"
        self._set_nodes(status, nodes)
        return self.replace("workflows", namespace, name, one, "argo")

    def expire(self, namespace: str, name: str) -> None:
        """What a workflow's time to live does: it is gone, but for the archive."""
        self.delete("workflows", namespace, name)

    def find_archived(self, namespace: str, name: str) -> Json | None:
        place = (namespace, name)
        for one in reversed(self.archive.values()):
            if (one["metadata"]["namespace"], one["metadata"]["name"]) == place:
                return copy.deepcopy(one)
        return None

    def trigger(self, namespace: str, name: str) -> Json | None:
        """Let a schedule fire; None where it is suspended or its policy forbids another run."""
        cron = self.all[("cronworkflows", namespace, name)]
        spec = cron["spec"]
        active = [
            one
            for one in self.of("workflows", namespace)
            if one["metadata"].get("labels", {}).get(CRON_LABEL) == name
            and one.get("status", {}).get("phase") not in FINISHED
        ]
        policy = spec.get("concurrencyPolicy", "Allow")
        if spec.get("suspend") or (active and policy == "Forbid"):
            return None
        if policy == "Replace":
            for one in active:
                self.delete("workflows", namespace, one["metadata"]["name"])
        count = sum(1 for one in self.all if one[0] == "workflows")
        meta = spec.get("workflowMetadata", {})
        workflow = {
            "metadata": {
                "name": f"{name}-{int(self.clock())}{count:03d}",
                "labels": {**meta.get("labels", {}), CRON_LABEL: name},
                "annotations": dict(meta.get("annotations", {})),
                "ownerReferences": [_owner("CronWorkflow", cron)],
            },
            "spec": copy.deepcopy(spec["workflowSpec"]),
        }
        made = self.create("workflows", namespace, workflow)
        cron.setdefault("status", {}).update(lastScheduledTime=self.now(), phase="Active")
        self.touch(cron)
        return made

    def effective_spec(self, namespace: str, spec: Json) -> Json:
        """The spec that runs: the template's where one is referred to, with the arguments given."""
        reference = spec.get("workflowTemplateRef")
        if not reference:
            return spec
        wide = reference.get("clusterScope")
        plural = "clusterworkflowtemplates" if wide else "workflowtemplates"
        template = self.get(plural, "" if wide else namespace, reference["name"])
        merged: Json = copy.deepcopy(template["spec"])
        rest = {k: v for k, v in spec.items() if k not in ("workflowTemplateRef", "arguments")}
        merged |= rest
        have = {one["name"]: one for one in merged.get("arguments", {}).get("parameters", [])}
        for parameter in spec.get("arguments", {}).get("parameters", []):
            have[parameter["name"]] = {**have.get(parameter["name"], {}), **parameter}
        if have:
            merged.setdefault("arguments", {})["parameters"] = list(have.values())
        return merged

    def check_workflow(self, namespace: str, one: Json) -> None:
        """A little of what Argo's validation finds; raises with its words."""
        spec = self.effective_spec(namespace, one.get("spec", {}))
        templates = {template["name"]: template for template in spec.get("templates", [])}
        entrypoint = spec.get("entrypoint")
        if not entrypoint:
            raise KubeError(400, "BadRequest", "spec.entrypoint is required")
        if entrypoint not in templates:
            raise KubeError(400, "BadRequest", f"spec.entrypoint template '{entrypoint}' undefined")
        for parameter in spec.get("arguments", {}).get("parameters", []):
            name = parameter["name"]
            if "value" not in parameter and "valueFrom" not in parameter:
                raise KubeError(
                    400,
                    "BadRequest",
                    f"spec.arguments.{name}.value or spec.arguments.{name}.valueFrom is required",
                )
            if parameter.get("enum") and parameter.get("value") not in parameter["enum"]:
                raise KubeError(
                    400,
                    "BadRequest",
                    f"spec.arguments.{name}.value should be present in "
                    f"spec.arguments.{name}.enum list",
                )

    def _step(self, one: Json) -> None:
        meta, status = one["metadata"], one.setdefault("status", {})
        if status.get("phase") in FINISHED:
            return
        name, namespace = meta["name"], meta["namespace"]
        self.touch(one)
        if not status.get("phase"):
            try:
                self.check_workflow(namespace, one)
            except KubeError as error:
                now = self.now()
                message = f"invalid spec: {error.message}"
                status.update(phase="Error", message=message, startedAt=now, finishedAt=now)
                return
            spec = self.effective_spec(namespace, one["spec"])
            if "workflowTemplateRef" in one["spec"]:
                status["storedWorkflowTemplateSpec"] = spec
            status.update(phase="Running", startedAt=self.now(), progress="0/1")
            meta.setdefault("labels", {})["workflows.argoproj.io/phase"] = "Running"
            self._set_nodes(status, {name: self._node(name, name, "DAG", spec["entrypoint"])})
            return
        spec = status.get("storedWorkflowTemplateSpec", one["spec"])
        nodes = read_nodes(status)
        shutdown = one["spec"].get("shutdown")
        running = [n for n in nodes.values() if n["phase"] == "Running" and n["type"] == "Pod"]
        for node in running:
            self._end_node(node, name, "Failed" if shutdown else "")
            self._keep_artifacts(node, name, spec)
            pod = self.find("pods", namespace, pod_name(name, node))
            if pod is not None:
                pod["status"]["phase"] = node["phase"]
        if shutdown or any(node["phase"] in ("Failed", "Error") for node in running):
            word = "Stopped with strategy" if shutdown else "child failed"
            self._end(one, nodes, "Failed", f"{word} '{shutdown}'" if shutdown else word)
            return
        done = {node["displayName"] for node in nodes.values()}
        rest = [task for task in task_names(spec) if task[0] not in done]
        if not rest:
            self._end(one, nodes, "Succeeded", "")
            return
        task, template = rest[0]
        path = f"{name}.{task}"
        node = self._node(f"{name}-{node_hash(path)}", task, "Pod", template)
        node |= {"name": path, "boundaryID": name}
        nodes[node["id"]] = node
        pod = {"name": pod_name(name, node), "labels": {WORKFLOW_LABEL: name}}
        pod["ownerReferences"] = [_owner("Workflow", one)]
        if self.find("pods", namespace, str(pod["name"])) is None:
            self.create("pods", namespace, {"metadata": pod, "status": {"phase": "Running"}})
        nodes[name].setdefault("children", []).append(node["id"])
        self._set_nodes(status, nodes)

    def _node(self, identity: str, name: str, kind: str, template: str) -> Json:
        now, scope = self.now(), "local/"
        return {
            "id": identity,
            "name": name,
            "displayName": name,
            "type": kind,
            "templateName": template,
            "templateScope": scope,
            "phase": "Running",
            "startedAt": now,
            "progress": "0/1",
        }

    def _end_node(self, node: Json, workflow: str, forced: str) -> None:
        task = node["displayName"]
        phase = forced or self.script.pick(self.script.outcomes, workflow, task, "Succeeded")
        if phase == "FailOnce":
            phase = "Succeeded" if workflow in self.retried else "Failed"
        node.update(phase=phase, finishedAt=self.now(), progress="1/1")
        if phase in ("Failed", "Error"):
            node["message"] = "Error (exit code 1)"
        outputs = self.script.pick(self.script.outputs, workflow, task, {})
        node["outputs"] = {"exitCode": "0" if phase == "Succeeded" else "1"}
        if outputs and phase == "Succeeded":
            pairs = [{"name": key, "value": value} for key, value in outputs.items()]
            node["outputs"]["parameters"] = pairs

    def _keep_artifacts(self, node: Json, workflow: str, spec: Json) -> None:
        """What a step wrote goes to the object store, and its node tells where."""
        metrics = self.script.pick(self.script.metrics, workflow, node["displayName"], {})
        if node["phase"] != "Succeeded":
            return
        (template,) = (t for t in spec["templates"] if t["name"] == node["templateName"])
        kept = []
        for artifact in template.get("outputs", {}).get("artifacts", []):
            is_metrics = "metrics" in artifact["name"]
            if is_metrics and not metrics:
                continue
            key = f"{workflow}/{node['id']}/{artifact['name']}"
            self.files[key] = json.dumps(metrics).encode() if is_metrics else b"written\n"
            kept.append({**artifact, "s3": {"key": key}})
        if kept:
            node["outputs"]["artifacts"] = kept

    def _end(self, one: Json, nodes: dict[str, Json], phase: str, message: str) -> None:
        status, meta = one["status"], one["metadata"]
        for node in nodes.values():
            if node["phase"] == "Running":
                node.update(phase=phase, finishedAt=self.now())
        self._set_nodes(status, nodes)
        status.update(phase=phase, finishedAt=self.now(), progress="1/1")
        if message:
            status["message"] = message
        labels = meta.setdefault("labels", {})
        labels["workflows.argoproj.io/phase"] = phase
        labels["workflows.argoproj.io/completed"] = "true"
        self.archive[meta["uid"]] = copy.deepcopy(one)

    def _set_nodes(self, status: Json, nodes: dict[str, Json]) -> None:
        status.pop("nodes", None)
        status.pop("compressedNodes", None)
        if self.script.compress:
            packed = gzip.compress(json.dumps(nodes).encode(), mtime=0)
            status["compressedNodes"] = base64.b64encode(packed).decode()
        else:
            status["nodes"] = nodes


def _owner(kind: str, one: Json) -> Json:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": kind,
        "name": one["metadata"]["name"],
        "uid": one["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
