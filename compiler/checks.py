"""Checks of the whole pipeline, once every name has its meaning.

Each check of `STEP_CHECKS` takes a sound step and the project and yields what it found.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator

from compiler import graph
from compiler.check_python import python_signature
from compiler.diagnostics import Diagnostic, Related, Span, error, warning
from compiler.expr import StepOutputRef, walk
from compiler.ir import Pipeline, Step
from compiler.quantities import quantity
from compiler.settings import Project


def cycles(pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Steps that wait for each other."""
    steps = {step.name: step for step in pipeline.nodes}
    edges = {name: graph.upstream(step) for name, step in steps.items()}
    for way in graph.cycles(edges):
        first = steps[way[0]]
        shown = " → ".join(f"`{name}`" for name in way)
        if len(way) == 2:
            message = f"step {shown.partition(' ')[0]} waits for itself"
        else:
            message = f"steps wait for each other: {shown}"
        related = tuple(
            Related(f"`{name}` waits for `{other}`", reason)
            for name, other in itertools.pairwise(way)
            if (reason := _reason(steps[name], other)) != first.span
        )
        hint = "take one of these references or `needs` out"
        yield error("MLC320", message, first.span, hint=hint, related=related)


def mounts(step: Step, _: Project) -> Iterator[Diagnostic]:
    """Volumes of one step at the same path."""
    seen: dict[str, str] = {}
    for volume in step.volumes:
        path = volume.mount.rstrip("/") or "/"
        other = seen.setdefault(path, volume.name)
        if other != volume.name:
            message = f"volumes `{other}` and `{volume.name}` are both mounted at {path}"
            yield error("MLC602", message, volume.span)


def shared_memory(step: Step, _: Project) -> Iterator[Diagnostic]:
    """Shared memory counts against the memory limit, so it can't be larger."""
    shm, memory = step.resources.shm, step.resources.memory
    size = quantity(shm.limit or "") if shm else None
    limit = quantity(memory.limit or "") if memory else None
    if shm and memory and size is not None and limit is not None and size > limit:
        message = f"`shm` of {shm.limit} is more than the memory limit of {memory.limit}"
        related = (Related("the memory limit", memory.span),)
        hint = "shared memory counts as memory: raise the one or lower the other"
        yield warning("MLC603", message, shm.span, hint=hint, related=related)


def _reason(step: Step, other: str) -> Span:
    for expression in step.expressions():
        for part in walk(expression):
            if isinstance(part, StepOutputRef) and part.step == other:
                return part.span
    return step.span


STEP_CHECKS: tuple[Callable[[Step, Project], Iterator[Diagnostic]], ...] = (
    mounts,
    shared_memory,
    python_signature,
)


def check(pipeline: Pipeline, project: Project, flawed: Collection[str]) -> list[Diagnostic]:
    """Everything that the checks find. Steps named in `flawed` have errors and are passed over,
    but for the graph, where a missing edge does no harm."""
    found = list(cycles(pipeline))
    for step in pipeline.nodes:
        if step.name not in flawed:
            found += (finding for one in STEP_CHECKS for finding in one(step, project))
    return found


def same_names(pipelines: Iterable[Pipeline]) -> Iterator[Diagnostic]:
    """Algorithms of one project that Kubernetes could not tell apart."""
    first: dict[str, Pipeline] = {}
    for pipeline in pipelines:
        other = first.setdefault(pipeline.kubernetes_name, pipeline)
        if other is not pipeline and other.source != pipeline.source:
            message = f"another algorithm is called `{other.name}`"
            if other.name != pipeline.name:
                message += f", which Kubernetes can't tell from `{pipeline.name}`"
            related = (Related("named here", other.span),)
            yield error("MLC310", message, pipeline.span, related=related)
