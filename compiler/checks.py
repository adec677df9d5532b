"""Checks of the whole pipeline, once every name has its meaning.

Each check of `STEP_CHECKS` takes a sound step and the project and yields what it found.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator

from compiler import graph
from compiler.check_python import python_signature
from compiler.diagnostics import Diagnostic, Related, Span, error, warning
from compiler.expr import StepOutputRef, step_uses
from compiler.ir import Node, Pipeline, PipelineOutput, Step
from compiler.quantities import quantity
from compiler.settings import Project


def cycles(pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Steps that wait for each other."""
    for nodes in (pipeline.nodes, pipeline.finally_nodes):
        for level, names in graph.levels(nodes):
            yield from _cycles(graph.Graph(nodes), level, names)


def _cycles(
    found: graph.Graph, level: tuple[str, ...], nodes: tuple[Node, ...]
) -> Iterator[Diagnostic]:
    steps = {node.name: node for node in nodes}
    edges = {name: waits.all for name, waits in found.waits(nodes, level).items()}
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
            if (reason := _reason(steps[name], other, found, level)) != first.span
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
    size = quantity(shm.limit) if shm and isinstance(shm.limit, str) else None
    limit = quantity(memory.limit) if memory and isinstance(memory.limit, str) else None
    if shm and memory and size is not None and limit is not None and size > limit:
        message = f"`shm` of {shm.limit} is more than the memory limit of {memory.limit}"
        related = (Related("the memory limit", memory.span),)
        hint = "shared memory counts as memory: raise the one or lower the other"
        yield warning("MLC603", message, shm.span, hint=hint, related=related)


def _reason(node: Node, other: str, found: graph.Graph, level: tuple[str, ...]) -> Span:
    for ref, _ in graph.uses(node):
        if found.node(ref.step, level) == other:
            return ref.span
    return node.span


def skipped_outputs(pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Outputs taken from where a step may have been skipped, and nothing can stand in."""
    for nodes in (pipeline.nodes, pipeline.finally_nodes):
        found = graph.Graph(nodes)
        skips = {
            level: graph.may_be_skipped(members, found.waits(members, level))
            for level, members in graph.levels(nodes)
        }
        for level, members in graph.levels(nodes):
            for node in members:
                for ref, _ in graph.own_uses(node):
                    yield from _collected(ref, level, found, skips)
        if nodes is pipeline.nodes:
            for output in pipeline.outputs:
                yield from _handed_on(output, found, skips)


def _collected(
    ref: StepOutputRef,
    level: tuple[str, ...],
    found: graph.Graph,
    skips: dict[tuple[str, ...], set[str]],
) -> Iterator[Diagnostic]:
    loops = found.collected(ref.step, level) if ref.step in found.home else ()
    home = found.home[ref.step] if loops else ()
    for depth in range(len(home) - len(loops), len(home)):
        inner = home[: depth + 1]
        if found.node(ref.step, inner) in skips[inner]:
            message = f"`{ref.step}` may be skipped inside its loop, so it can't be collected"
            hint = (
                f"add a step to the loop that takes `steps.{ref.step}.outputs.{ref.output} ?? …`, "
                "and collect that one"
            )
            yield error("MLC316", message, ref.span, hint=hint)
            return


def _handed_on(
    output: PipelineOutput, found: graph.Graph, skips: dict[tuple[str, ...], set[str]]
) -> Iterator[Diagnostic]:
    for ref, lenient in step_uses(output.value):
        yield from _collected(ref, (), found, skips)
        if not lenient and found.node(ref.step, ()) in skips[()]:
            message = f"`{ref.step}` may be skipped, and then there is no output `{output.name}`"
            hint = "say what it is then: `${{ … ?? … }}`"
            yield error("MLC317", message, ref.span, hint=hint)


STEP_CHECKS: tuple[Callable[[Step, Project], Iterator[Diagnostic]], ...] = (
    mounts,
    shared_memory,
    python_signature,
)


def check(pipeline: Pipeline, project: Project, flawed: Collection[str]) -> list[Diagnostic]:
    """Everything that the checks find. Steps named in `flawed` have errors and are passed over,
    but for the graph, where a missing edge does no harm."""
    found = list(cycles(pipeline))
    if not found:
        found += skipped_outputs(pipeline)
    for step in pipeline.steps:
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
