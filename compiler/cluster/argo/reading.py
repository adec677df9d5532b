"""Objects of Argo as records. What a cluster leaves out or says in a new way does no harm."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from compiler.cluster import marks
from compiler.cluster.answers import at, seconds
from compiler.cluster.argo.objects import ARCHIVED, METRICS, STEPS, TITLE
from compiler.cluster.argo.road import Json
from compiler.cluster.errors import short
from compiler.cluster.records import Run, Schedule, ScheduleSpec, State, Version
from compiler.values import JsonValue

STATES: dict[str, State] = {
    "": "waiting",
    "Pending": "waiting",
    "Running": "running",
    "Daemoned": "running",
    "Succeeded": "succeeded",
    "Failed": "failed",
    "Error": "failed",
    "Skipped": "skipped",
    "Omitted": "omitted",
}
_STOPPED = re.compile(r"Stopped with strategy", re.IGNORECASE)
_CRON_LABEL = "workflows.argoproj.io/cron-workflow"


def _parameters(data: Any) -> dict[str, JsonValue]:
    """Arguments by name; values are text there."""
    given = at(data, "arguments").get("parameters", ())
    return {p["name"]: str(p.get("value", "")) for p in given if "name" in p}


def link(ui: str, path: str) -> str:
    """An address in Argo's pages; empty where it is not known where they are."""
    return f"{ui}/{path}" if ui else ""


def version(data: Json, ui: str, namespace: str) -> Version:
    metadata = at(data, "metadata")
    own = marks.of_metadata(metadata)
    name = metadata.get("name", "")
    return Version(
        id=name,
        pipeline=name,
        name=own.version if own else "",
        marks=own,
        created=seconds(metadata.get("creationTimestamp")),
        steps=known_steps(data),
        metrics=known_metrics(data),
        url=link(ui, f"workflow-templates/{namespace}/{name}"),
    )


def run(data: Json, ui: str, namespace: str) -> Run:
    metadata, status = at(data, "metadata"), at(data, "status")
    own = marks.of_metadata(metadata)
    name = metadata.get("name", "")
    return Run(
        id=name,
        name=at(metadata, "annotations").get(TITLE) or name,
        state=state_of(data),
        raw_state=status.get("phase", ""),
        message=short(status.get("message", "")),
        experiment=own.experiment if own else "",
        marks=own,
        version=at(data, "spec", "workflowTemplateRef").get("name", ""),
        params=_parameters(at(data, "spec")),
        created=seconds(metadata.get("creationTimestamp")),
        started=seconds(status.get("startedAt")),
        ended=seconds(status.get("finishedAt")),
        schedule=at(metadata, "labels").get(_CRON_LABEL, ""),
        archived=at(metadata, "labels").get(ARCHIVED) == "true",
        url=link(ui, f"workflows/{namespace}/{name}"),
    )


def state_of(data: Json) -> State:
    spec, status = at(data, "spec"), at(data, "status")
    phase = status.get("phase", "")
    found = STATES.get(phase, "unknown")
    if found == "failed" and _STOPPED.search(status.get("message", "")):
        return "interrupted"
    if found in ("waiting", "running"):
        if spec.get("shutdown"):
            return "stopping"
        if spec.get("suspend") is True:
            return "paused"
    return found


def schedule(data: Json, ui: str, namespace: str) -> Schedule:
    metadata, spec = at(data, "metadata"), at(data, "spec")
    own = marks.of_metadata(metadata)
    name = metadata.get("name", "")
    crons = spec.get("schedules") or [spec.get("schedule", "")]
    inner = at(spec, "workflowSpec")
    template = at(inner, "workflowTemplateRef").get("name", "")
    enabled = spec.get("suspend") is not True
    return Schedule(
        id=name,
        name=name,
        spec=ScheduleSpec(
            name=own.schedule if own and own.schedule else name,
            cron=crons[0],
            timezone=spec.get("timezone") or None,
            params=_parameters(inner),
            enabled=enabled,
            overlap="forbid" if spec.get("concurrencyPolicy") == "Forbid" else "allow",
            service_account=inner.get("serviceAccountName") or None,
        ),
        enabled=enabled,
        cron=", ".join(crons),
        version=own.version if own else template,
        pipeline=template,
        experiment=own.experiment if own else "",
        marks=own,
        created=seconds(metadata.get("creationTimestamp")),
        url=link(ui, f"cron-workflows/{namespace}/{name}"),
    )


def known_steps(data: Json) -> dict[str, str]:
    """Steps and loops by task, as mlc noted them."""
    found = noted(data, STEPS)
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, Mapping) else {}


def known_metrics(data: Json) -> tuple[tuple[str, str], ...]:
    found = noted(data, METRICS)
    pairs = found if isinstance(found, list) else []
    return tuple((str(p[0]), str(p[1])) for p in pairs if isinstance(p, list) and len(p) == 2)


def noted(data: Json, name: str) -> Any:
    text = at(data, "metadata", "annotations").get(name)
    try:
        return json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
