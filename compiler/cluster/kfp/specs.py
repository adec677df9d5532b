"""What a compiled spec (PipelineSpec) tells of the steps that its tasks are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from compiler.targets.kfp.containers import STEP_VARIABLE

_STEP = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")


class TaskOf(NamedTuple):
    """The step of a task, in how many loops it is, and its outputs of type metrics."""

    step: str
    loops: int
    metrics: tuple[str, ...]


def inner(spec: Any) -> Mapping[str, Any]:
    """The PipelineSpec, which stands beside a platform document where there is one."""
    found = spec.get("pipeline_spec", spec) if isinstance(spec, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def tasks_of(spec: Any) -> dict[str, TaskOf]:
    """The tasks of a spec that are steps, by the task's name."""
    whole = inner(spec)
    found: dict[str, TaskOf] = {}
    _walk(whole, _at(whole, "root"), 0, found, set())
    return found


def _walk(
    whole: Mapping[str, Any],
    component: Mapping[str, Any],
    loops: int,
    found: dict[str, TaskOf],
    inside: set[str],
) -> None:
    for name, task in _at(component, "dag", "tasks").items():
        called = str(_at(task, "componentRef").get("name", ""))
        own = _at(whole, "components").get(called)
        if not isinstance(own, Mapping) or called in inside:
            continue
        label = own.get("executorLabel")
        if label is None:
            deeper = loops + ("parameterIterator" in task or "artifactIterator" in task)
            _walk(whole, own, deeper, found, inside | {called})
            continue
        executor = _at(whole, "deploymentSpec", "executors").get(str(label))
        step = _step(executor) if isinstance(executor, Mapping) else None
        if step is not None:
            around = "parameterIterator" in task or "artifactIterator" in task
            found[str(name)] = TaskOf(step, loops + around, _metrics(own))


def _step(executor: Mapping[str, Any]) -> str | None:
    container = executor.get("container")
    if not isinstance(container, Mapping):
        return None
    for variable in container.get("env") or ():
        if isinstance(variable, Mapping) and variable.get("name") == STEP_VARIABLE:
            value = str(variable.get("value", ""))
            # The containers that mlc adds have names that no step can have.
            return value if _STEP.fullmatch(value) else None
    return None


def _metrics(component: Mapping[str, Any]) -> tuple[str, ...]:
    artifacts = _at(component, "outputDefinitions", "artifacts")
    return tuple(
        str(name)
        for name, definition in artifacts.items()
        if _at(definition, "artifactType").get("schemaTitle") == "system.Metrics"
    )


def _at(data: Any, *keys: str) -> Mapping[str, Any]:
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data if isinstance(data, Mapping) else {}
