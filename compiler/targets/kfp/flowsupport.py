"""How conditions, loops, `finally` and outputs fare on KFP (server 2.17).

What of them KFP has no way for is found on the way to the plan (`compiler.targets.kfp.planning`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from compiler.expr import Expr, Literal, Operation, ParamRef, StepOutputRef, walk
from compiler.ir import Loop, Node, Pipeline, Step
from compiler.launch import Launch
from compiler.targets import Support
from compiler.targets.kfp.levels import Part, chain
from compiler.targets.kfp.planning import Draft, uses_status
from compiler.targets.uses import emulated, exact, weaker


def of_flow(pipeline: Pipeline, draft: Draft) -> Iterator[Support]:
    for part in (draft.main, draft.last):
        for path, level in part.levels.items():
            for node in level.nodes:
                yield from _of_node(part, node, draft.launches, nested=bool(path))
    if pipeline.finally_nodes:
        span = pipeline.finally_nodes[0].span
        yield exact("finally", "the algorithm", span, "an exit task")
        if uses_status(draft.last):
            reason = "by two small containers, one at the beginning and one at the end"
            yield emulated("run.status", "the algorithm", span, reason)
    for output in pipeline.outputs:
        yield exact("outputs", f"output {output.name}", output.span)


def _of_node(
    part: Part, node: Node, launches: dict[str, Launch], *, nested: bool
) -> Iterator[Support]:
    where = f"{'loop' if isinstance(node, Loop) else 'step'} {node.name}"
    if node.when is not None:
        yield exact("when", where, node.when.span)
    if isinstance(node, Loop):
        yield from _of_loop(part, node, where, nested=nested)
        expressions: Iterable[Expr] = (axis.items for axis in node.axes)
    else:
        expressions = node.expressions()
        yield from _of_amounts(node, where)
    tests = [node.when] if node.when is not None else []
    for expression in (*expressions, *tests):
        yield from _of_choices(expression, where)
    if isinstance(node, Step):
        if node.name in part.listed and node.cache.enabled and node.cache.span:
            reason = "its files are collected, and KFP can't take one twice: every round runs"
            yield weaker("cache", where, node.cache.span, reason)
        for capture in launches[node.name].captures:
            if isinstance(capture.ref, Operation) and capture.ref.sign != "??":
                reason = "two small containers, of which the one runs that is right"
                yield emulated("expressions", where, capture.ref.span, reason)


def _of_loop(part: Part, loop: Loop, where: str, *, nested: bool) -> Iterator[Support]:
    known = [isinstance(axis.items, Literal) for axis in loop.axes]
    if len(known) > 1 and not all(known):
        yield emulated("foreach", where, loop.span, "loops in each other, one for each list")
        if loop.parallel is not None:
            reason = "rounds of the first list run at once, those of the others one by one"
            yield weaker("foreach.parallel", where, loop.span, reason)
    else:
        yield exact("foreach", where, loop.span)
        if loop.parallel is not None:
            yield exact("foreach.parallel", where, loop.span)
    collected = loop.name in part.collected
    if collected and not all(known):
        reason = "small containers hand on the values, or the empty list"
        yield emulated("foreach", where, loop.span, reason)
    elif collected and nested:
        reason = "a small container in each round of the outer loop hands on the values"
        yield emulated("foreach", where, loop.span, reason)


def _of_choices(expression: Expr, where: str) -> Iterator[Support]:
    for part in walk(expression):
        if not isinstance(part, Operation) or part.sign != "??":
            continue
        left, *others = chain(part)
        if isinstance(left, ParamRef):
            yield exact("??", where, part.span)
        elif isinstance(left, StepOutputRef):
            reason = "a small container gives the other value where the step was skipped"
            yield emulated("??", where, part.span, reason)
            if any(isinstance(other, StepOutputRef) for other in others):
                reason = f"{left.step} waits for the steps on the right of it"
                yield weaker("??", where, part.span, reason)


def _of_amounts(step: Step, where: str) -> Iterator[Support]:
    for expression in step.resources.expressions():
        yield exact("resources", where, expression.span, "known only in the run")
