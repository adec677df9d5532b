"""Outputs of steps that may have been skipped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from compiler import graph
from compiler.diagnostics import Diagnostic, Related, error, listing
from compiler.expr import Expr, StepOutputRef, step_outputs, wanted
from compiler.ir import PipelineOutput

_Skips: TypeAlias = dict[tuple[str, ...], graph.Skippable]


def skipped_outputs(found: graph.Graph, outputs: Iterable[PipelineOutput]) -> Iterator[Diagnostic]:
    """Outputs taken from where a step may have been skipped, and nothing can stand in. `outputs`
    are those that the algorithm hands on from this graph, which has no circles."""
    skips = {level: found.skippable(level) for level in found.levels}
    for level, members in found.levels.items():
        for node in members:
            for expression, refs in found.taking(node):
                for ref in refs:
                    yield from _collected(ref, level, found, skips)
                if len(refs) > 1:
                    yield from _joined(expression, level, found, skips)
    for output in outputs:
        for ref in step_outputs(output.value):
            yield from _collected(ref, (), found, skips)
        yield from _handed_on(output, found, skips[()])


def _collected(
    ref: StepOutputRef, level: tuple[str, ...], found: graph.Graph, skips: _Skips
) -> Iterator[Diagnostic]:
    loops = found.collected(ref.step, level) if ref.step in found.home else ()
    home = found.home[ref.step] if loops else ()
    for depth in range(len(home) - len(loops), len(home)):
        inner = home[: depth + 1]
        if found.node(ref.step, inner) in skips[inner].nodes:
            message = f"`{ref.step}` may be skipped inside its loop, so it can't be collected"
            hint = (
                f"add a step to the loop that takes `steps.{ref.step}.outputs.{ref.output} ?? …`, "
                "and collect that one"
            )
            yield error("MLC316", message, ref.span, hint=hint)
            return


def _joined(
    expression: Expr, level: tuple[str, ...], found: graph.Graph, skips: _Skips
) -> Iterator[Diagnostic]:
    """Steps on different levels, of which none may be there: no level knows of all of them."""
    for group in wanted(expression):
        refs = [ref for ref in group if ref.step in found.home]
        met: dict[tuple[str, ...], list[str]] = {}
        for ref in refs:
            home = found.home[ref.step]
            shared = home[: len(home) - len(found.collected(ref.step, level))]
            met.setdefault(shared, []).append(found.node(ref.step, shared) or ref.step)
        if len(met) > 1 and all(skips[shared].all_of(names) for shared, names in met.items()):
            steps = listing(dict.fromkeys(ref.step for ref in refs))
            message = f"{steps} may all be skipped, and they stand in different loops"
            hint = "end the `??` with something that is always there"
            related = tuple(Related("and this", ref.span) for ref in refs[1:])
            yield error("MLC335", message, refs[0].span, hint=hint, related=related)


def _handed_on(
    output: PipelineOutput, found: graph.Graph, skips: graph.Skippable
) -> Iterator[Diagnostic]:
    for group in wanted(output.value):
        refs = [ref for ref in group if ref.step in found.home]
        if refs and skips.all_of(found.node(ref.step, ()) or ref.step for ref in refs):
            steps = listing(dict.fromkeys(ref.step for ref in refs))
            some = f"{steps} may all be skipped" if len(refs) > 1 else f"{steps} may be skipped"
            message = f"{some}, and then there is no output `{output.name}`"
            hint = "say what it is then: `${{ … ?? … }}`"
            yield error("MLC317", message, refs[-1].span, hint=hint)
