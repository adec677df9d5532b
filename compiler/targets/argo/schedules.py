"""Schedules as CronWorkflows, which start runs of the WorkflowTemplate."""

from __future__ import annotations

import hashlib

from compiler.ir import Pipeline, Schedule
from compiler.targets.argo.plan import Data
from compiler.values import JsonValue, to_text

# Argo adds a dash and the time, ten digits, for the name of a run.
_LONGEST_NAME = 52
_TIME = 11
# What Argo adds to the name of a WorkflowTemplate.
_RANDOM = 6
_POLICIES = {"allow": "Allow", "forbid": "Forbid"}


def schedule_name(pipeline: Pipeline, schedule: Schedule) -> str:
    """The CronWorkflow of a schedule."""
    return cron_workflow_name(pipeline.kubernetes_name, schedule.name)


def cron_workflow_name(template: str, schedule: str) -> str:
    """The CronWorkflow of a schedule that starts a WorkflowTemplate."""
    name = f"{template}--{schedule.replace('_', '-')}"
    if len(name) <= _LONGEST_NAME:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{name[: _LONGEST_NAME - 7].rstrip('-')}-{mark}"


def longest_run_name(pipeline: Pipeline) -> int:
    """The characters of the longest name that a run of the pipeline can have."""
    by_hand = len(pipeline.kubernetes_name) + _RANDOM
    return max([by_hand, *(len(schedule_name(pipeline, s)) + _TIME for s in pipeline.schedules)])


def scheduled(pipeline: Pipeline, schedule: Schedule) -> Data:
    """The CronWorkflow of a schedule."""
    run: Data = {"workflowTemplateRef": {"name": pipeline.kubernetes_name}}
    if schedule.params:
        values: list[JsonValue] = [{"name": n, "value": to_text(v)} for n, v in schedule.params]
        run["arguments"] = {"parameters": values}
    spec: Data = {"schedules": [schedule.cron]}
    if schedule.timezone:
        spec["timezone"] = schedule.timezone
    spec["concurrencyPolicy"] = _POLICIES[schedule.overlap]
    if not schedule.enabled:
        spec["suspend"] = True
    metadata: Data = {"name": schedule_name(pipeline, schedule)}
    if pipeline.labels:
        metadata["labels"] = dict(pipeline.labels)
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "CronWorkflow",
        "metadata": metadata,
        "spec": {**spec, "workflowSpec": run},
    }
