"""Outputs of steps that may have been skipped."""

from __future__ import annotations

from collections.abc import Iterator

from compiler import graph
from compiler.diagnostics import Diagnostic, error
from compiler.expr import StepOutputRef, step_uses
from compiler.ir import Pipeline, PipelineOutput
from compiler.settings import Project


def skipped_outputs(pipeline: Pipeline, _: Project) -> Iterator[Diagnostic]:
    """Outputs taken from where a step may have been skipped, and nothing can stand in."""
    for nodes in (pipeline.nodes, pipeline.finally_nodes):
        found = graph.Graph(nodes)
        skips = {
            level: graph.may_be_skipped(members, found.waits(members, level))
            for level, members in graph.levels(nodes)
        }
        for level, members in graph.levels(nodes):
            for node in members:
                for ref, _lenient in graph.own_uses(node):
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
