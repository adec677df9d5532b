"""What a compiled spec (PipelineSpec) tells of the steps that its tasks are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from compiler.cluster.answers import at
from compiler.targets.kfp.containers import STEP_VARIABLE

_STEP = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")


class TaskOf(Struct, frozen=True):
    """The step of a task, in how many loops it is, and its outputs of type metrics."""

    step: str
    loops: int
    metrics: tuple[str, ...]


def inner(spec: Any) -> Mapping[str, Any]:
    """The PipelineSpec, which stands beside a platform document where there is one."""
    return at(spec, "pipeline_spec") or at(spec)


def tasks_of(spec: Any) -> dict[str, TaskOf]:
    """The tasks of a spec that are steps, by the task's name."""
    whole = inner(spec)
    found: dict[str, TaskOf] = {}
    _walk(whole, at(whole, "root"), 0, found, set())
    return found


def _walk(
    whole: Mapping[str, Any],
    component: Mapping[str, Any],
    loops: int,
    found: dict[str, TaskOf],
    inside: set[str],
) -> None:
    for name, task in at(component, "dag", "tasks").items():
        called = at(task, "componentRef").get("name", "")
        own = at(whole, "components").get(called)
        if own is None or called in inside:
            continue
        label = own.get("executorLabel")
        if label is None:
            deeper = loops + ("parameterIterator" in task or "artifactIterator" in task)
            _walk(whole, own, deeper, found, inside | {called})
            continue
        step = _step(at(whole, "deploymentSpec", "executors", label))
        if step is not None:
            around = "parameterIterator" in task or "artifactIterator" in task
            found[name] = TaskOf(step, loops + around, _metrics(own))


def _step(executor: Mapping[str, Any]) -> str | None:
    for variable in at(executor, "container").get("env", ()):
        if variable.get("name") == STEP_VARIABLE:
            value: str = variable.get("value", "")
            # The containers that mlc adds have names that no step can have.
            return value if _STEP.fullmatch(value) else None
    return None


def _metrics(component: Mapping[str, Any]) -> tuple[str, ...]:
    artifacts = at(component, "outputDefinitions", "artifacts")
    return tuple(
        name
        for name, definition in artifacts.items()
        if at(definition, "artifactType").get("schemaTitle") == "system.Metrics"
    )
