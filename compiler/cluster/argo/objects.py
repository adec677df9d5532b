"""What is created on Argo: compiled templates with marks, workflows and cron workflows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from compiler.cluster import marks
from compiler.cluster.answers import at
from compiler.cluster.argo.road import Json
from compiler.cluster.records import Experiment, Manifest, Marks, ScheduleSpec, Version
from compiler.targets.argo.schedules import cron_workflow_name
from compiler.values import JsonValue, to_text

API = "argoproj.io/v1alpha1"
STEPS, LOOPS, METRICS = "mlc/steps", "mlc/loops", "mlc/metrics"
PART = "mlc/part-of"
ARCHIVED = "mlc/archived"
TITLE = "workflows.argoproj.io/title"
# What an object has at its top; nothing else of an answer is sent back.
PARTS = ("apiVersion", "kind", "metadata", "spec", "status")
_DESCRIPTION = "workflows.argoproj.io/description"
# A pod's name starts with the run's, and its hostname is cut after 63 characters.
_LONGEST_RUN = 50
_POLICIES = {"allow": "Allow", "forbid": "Forbid"}


def templates(manifest: Manifest, marks_: Marks) -> Iterator[dict[str, Any]]:
    """The manifest's WorkflowTemplates in their order, marked; the one to start comes last."""
    for document in manifest.documents:
        body = json.loads(json.dumps(document))
        metadata = body["metadata"]
        own = marks.labels(marks_)
        if metadata["name"] != manifest.name:
            own[PART] = manifest.name
        metadata["labels"] = {**(metadata.get("labels") or {}), **own}
        metadata["annotations"] = {
            **(metadata.get("annotations") or {}),
            **marks.notes(marks_),
            **_kept(manifest),
        }
        yield body


def run_name(manifest: Manifest, key: str) -> str:
    """The same for the same key, so that the server knows a second one."""
    end = hashlib.sha256(key.encode()).hexdigest()[:10]
    return f"{manifest.name[: _LONGEST_RUN - 11].rstrip('-.')}-{end}"


def workflow(
    name: str,
    title: str,
    version: Version,
    manifest: Manifest,
    params: Mapping[str, JsonValue],
    experiment: Experiment,
    marks_: Marks,
    service_account: str | None,
) -> dict[str, Any]:
    """A run of a published template."""
    spec: dict[str, Any] = {"workflowTemplateRef": {"name": version.id}}
    if params:
        spec["arguments"] = {"parameters": _parameters(params)}
    if service_account:
        spec["serviceAccountName"] = service_account
    notes = {**marks.notes(marks_), **_kept(manifest), TITLE: title}
    if experiment.description:
        notes[_DESCRIPTION] = experiment.description
    return {
        "apiVersion": API,
        "kind": "Workflow",
        "metadata": {"name": name, "labels": marks.labels(marks_), "annotations": notes},
        "spec": spec,
    }


def cron_workflow(
    schedule: ScheduleSpec,
    version: Version,
    manifest: Manifest,
    marks_: Marks,
    service_account: str | None,
) -> dict[str, Any]:
    """A schedule that starts a published template; its runs carry its marks."""
    run: dict[str, Any] = {"workflowTemplateRef": {"name": version.id}}
    if schedule.params:
        run["arguments"] = {"parameters": _parameters(schedule.params)}
    if service_account:
        run["serviceAccountName"] = service_account
    own = {"labels": marks.labels(marks_), "annotations": marks.notes(marks_)}
    kept = {**own["annotations"], **_kept(manifest)}
    spec: dict[str, Any] = {
        "schedules": [schedule.cron],
        "concurrencyPolicy": _POLICIES[schedule.overlap],
        "suspend": not schedule.enabled,
        "workflowMetadata": {"labels": own["labels"], "annotations": kept},
        "workflowSpec": run,
    }
    if schedule.timezone:
        spec["timezone"] = schedule.timezone
    return {
        "apiVersion": API,
        "kind": "CronWorkflow",
        "metadata": {"name": cron_workflow_name(manifest.name, schedule.name), **own},
        "spec": spec,
    }


def replacement(old: Json, new: Json) -> dict[str, Any]:
    """`new` in the place of `old`: what others wrote on it, its status and its version stay."""
    before = at(old, "metadata")
    metadata = {**before, **new["metadata"]}
    for key in ("labels", "annotations"):
        # What mlc wrote once and does not now is gone.
        others = {n: v for n, v in at(before, key).items() if not n.startswith("mlc/")}
        metadata[key] = {**others, **(new["metadata"].get(key) or {})}
    return {**old, **new, "metadata": metadata}


def says_the_same(old: Json, new: Json) -> bool:
    """Whether an object has all that `new` says, and its spec nothing else."""
    if old.get("spec") != new.get("spec"):
        return False
    have, want = at(old, "metadata"), new["metadata"]
    return all(
        (want.get(key) or {}).items() <= at(have, key).items() for key in ("labels", "annotations")
    )


def _kept(manifest: Manifest) -> dict[str, str]:
    """What is needed to read the steps of a run, and can't be seen in it."""
    found = {STEPS: _compact(dict(manifest.steps))} if manifest.steps else {}
    if manifest.loops:
        found[LOOPS] = _compact(sorted(manifest.loops))
    if manifest.metrics:
        found[METRICS] = _compact([list(pair) for pair in manifest.metrics])
    return found


def _compact(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"))


def _parameters(params: Mapping[str, JsonValue]) -> list[dict[str, str]]:
    return [{"name": name, "value": to_text(value)} for name, value in params.items()]


def part_of(template: Json) -> str:
    """The template that runs start from and this one is a part of; empty for such a one itself."""
    return str(at(template, "metadata", "labels").get(PART, ""))
