"""A pipeline compiled for an engine on a cluster: the documents of its target, and what they lose.

The names of steps are not always those of tasks: what can't be told from a task's name is kept.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import yaml
from msgspec.structs import replace

from compiler.cluster.records import ScheduleSpec
from compiler.expr import ArtifactType
from compiler.ir import Loop, Node, Pipeline
from compiler.slugs import slug

# Room for the end of a run's name and for what engines add to it.
_LONGEST = 44


def named(pipeline: Pipeline, branch: str | None) -> Pipeline:
    """The pipeline by the name that a branch gives it, so that no engine takes it for another."""
    if branch is None:
        return pipeline
    own = pipeline.kubernetes_name
    end = slug(branch, max(_LONGEST - len(own) - 2, 16))
    # Two dashes are in no algorithm's name of its own.
    return replace(pipeline, name=f"{own}--{end}")


def documents(text: str) -> Iterator[Mapping[str, Any]]:
    """What a target emitted, as plain data."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for document in yaml.load_all(text, loader):
        if isinstance(document, Mapping):
            yield document


def tasks(
    pipeline: Pipeline, task_names: Callable[[Iterable[str]], Mapping[str, str]]
) -> dict[str, str]:
    """The step or loop of each task, in the spec's order."""
    every = _names((*pipeline.nodes, *pipeline.finally_nodes))
    return {task: name for name, task in task_names(every).items()}


def loops(nodes: Iterable[Node]) -> frozenset[str]:
    """The names of loops, those in loops too."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, Loop):
            found |= {node.name, *loops(node.body)}
    return frozenset(found)


def numbers(content: bytes | None) -> dict[str, float]:
    """The finite metrics in a file that a step wrote, as they are on this machine; none where it is
    no object of numbers."""
    try:
        data = json.loads(content or b"{}")
    except ValueError:
        return {}
    given = data.items() if isinstance(data, dict) else ()
    found = {}
    for name, value in given:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            with contextlib.suppress(OverflowError):  # an integer beyond what a float holds
                found[str(name)] = float(value)
    return {name: value for name, value in found.items() if math.isfinite(value)}


def plain(task: str) -> str:
    """The step that a task's name tells, where nothing else is known."""
    return task.replace("-", "_")


def metrics(pipeline: Pipeline) -> tuple[tuple[str, str], ...]:
    return tuple(
        (step.name, output.name)
        for step in pipeline.steps
        for output in step.outputs
        if isinstance(output.type, ArtifactType) and output.type.kind == "Metrics"
    )


def schedules(pipeline: Pipeline) -> tuple[ScheduleSpec, ...]:
    return tuple(
        ScheduleSpec(s.name, s.cron, s.timezone, dict(s.params), s.enabled, s.overlap, s.catch_up)
        for s in pipeline.schedules
    )


def nullable(pipeline: Pipeline) -> frozenset[str]:
    return frozenset(param.name for param in pipeline.params if param.nullable)


def _names(nodes: Iterable[Node]) -> Iterator[str]:
    for node in nodes:
        yield node.name
        if isinstance(node, Loop):
            yield from _names(node.body)
