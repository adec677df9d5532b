"""What a pipeline's conditions come to on KFP: which tasks may be skipped, when, and what stands
for the outputs of those.

KFP leaves out what depends on a skipped task, as the language does. But a task that may take
another value with `??` has to run all the same, so a step on the left of one is put into a DAG
beside a container that gives the other value (`compiler.targets.kfp.choices`). Such a *choice*
always succeeds; what depends on its step strictly has to bear the step's conditions itself. For
these to be known, so have to be the outputs that they test: those that the step waits for and
that may be skipped become choices too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import replace

from compiler import graph
from compiler.diagnostics import Span
from compiler.expr import (
    ArtifactList,
    ArtifactType,
    Concat,
    EachRef,
    Expr,
    ListOf,
    Literal,
    Operation,
    ParamRef,
    StepOutputRef,
    Type,
    same,
    step_outputs,
    walk,
)
from compiler.ir import Node, Step
from compiler.ordering import in_order
from compiler.targets.kfp.carrying import altered
from compiler.targets.kfp.level import Level

Path = tuple[str, ...]


class Alternative(Struct, frozen=True):
    """What stands for an output of a skipped step; `value` is None where nobody looks at it."""

    output: str
    value: Expr | None
    type: Type
    number: int


class UnfitError(Exception):
    """KFP has no way for what stands in this place."""

    def __init__(self, place: Expr | Span, reason: str, field: str = "??") -> None:
        super().__init__(reason)
        self.span = place if isinstance(place, Span) else place.span
        self.reason = reason
        self.field = field


@dataclass(slots=True)
class Part:
    """The main part of a pipeline, or its `finally`.

    `collected` are the loops that something is collected from, `listed` the steps whose files are.
    `placed` is every expression of it, with the level that it stands on.
    `alternatives` are by step and the name that `plain` gives the output in the expression that
    it makes.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[Expr, ...] = ()
    graph: graph.Graph = field(init=False)
    placed: tuple[tuple[Expr, Path], ...] = field(init=False)
    levels: dict[Path, Level] = field(init=False)
    collected: set[str] = field(init=False)
    listed: set[str] = field(init=False)
    alternatives: dict[tuple[str, str], Alternative] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.graph = graph.graph_of(self.nodes)
        self.levels = {path: self._level(path) for path in self.graph.levels}
        self.collected = set()
        self.listed = set()
        self.placed = tuple(self._placed())
        for expression, path in self.placed:
            self._note(expression, path)
        for level in self.levels.values():
            self._close(level)
        # First those that somebody wants: where nobody looks, one of these may do.
        for expression, path in self.placed:
            with contextlib.suppress(UnfitError):
                self.plain(expression, path)

    def expressions(self) -> Iterator[Expr]:
        return (expression for expression, _ in self.placed)

    def place(self, ref: StepOutputRef, path: Path) -> tuple[Path, str]:
        """The level on which a user on a level meets an output, and the node that gives it."""
        gone = len(self.graph.collected(ref.step, path))
        home = self.graph.home[ref.step]
        shared = home[: len(home) - gone]
        node = self.graph.node(ref.step, shared)
        assert node is not None, "the shared level holds the step"
        return shared, node

    def plain(self, expression: Expr, path: Path) -> Expr:
        """The expression without `??` on outputs: a reference to an alternative stands for it.

        Raises UnfitError.
        """
        match expression:
            case Operation(sign="??"):
                return self._choice(expression, path)
            case Operation(operands=operands):
                found = tuple(self.plain(operand, path) for operand in operands)
                return replace(expression, operands=found)
            case Concat(parts=parts):
                return replace(expression, parts=tuple(self.plain(part, path) for part in parts))
            case ArtifactList(items=items) | ListOf(items=items):
                return replace(expression, items=tuple(self.plain(item, path) for item in items))
        return expression

    def may_be_skipped(self, ref: StepOutputRef, path: Path) -> bool:
        shared, node = self.place(ref, path)
        return node in self.levels[shared].skippable.nodes

    def alternative(self, step: str, name: str, type_: Type) -> Alternative:
        """The alternative that a reference means; for a strict use one that nobody looks at."""
        found = self.alternatives.get((step, name))
        return found or self._alternative(step, name, None, type_)[1]

    def _choice(self, operation: Operation, path: Path) -> Expr:
        left, *others = chain(operation)
        if isinstance(left, ParamRef):
            if len(others) == 1 and isinstance(others[0], Literal):
                self._check_carried(others[0])
                return operation
            reason = (
                "KFP can put nothing but a literal in the place of a param that is null; give the "
                "param a default, or let the step decide"
            )
            raise UnfitError(operation, reason)
        if not isinstance(left, StepOutputRef):
            reason = "KFP can't tell whether the item has that; give it in each item"
            raise UnfitError(operation, reason)
        if not self.may_be_skipped(left, path):
            return left
        value = others[0]
        for other in others[1:]:
            value = Operation("??", (value, other), operation.type, operation.span)
        value = self.plain(value, path)
        self._check_place(operation, left, value, path)
        name, _ = self._alternative(left.step, left.output, value, operation.type)
        return StepOutputRef(left.step, name, operation.type, operation.span)

    def _check_carried(self, literal: Literal) -> None:
        found = altered(literal.value)
        if found:
            raise UnfitError(literal, f"KFP would alter {found}; put the text into the step")

    def _check_place(
        self, operation: Operation, left: StepOutputRef, value: Expr, path: Path
    ) -> None:
        shared, _ = self.place(left, path)
        for part in walk(value):
            outside = isinstance(part, EachRef) and part.loop not in shared
            if isinstance(part, StepOutputRef):
                outside = self.place(part, path) != self.place(part, shared)
            if outside:
                reason = (
                    "its left side comes from outside of the loop and its right side from inside, "
                    "which KFP can't choose between; use it in a step before the loop"
                )
                raise UnfitError(operation, reason)

    def _alternative(
        self, step: str, output: str, value: Expr | None, type_: Type
    ) -> tuple[str, Alternative]:
        known = [
            (name, found)
            for (of, name), found in self.alternatives.items()
            if of == step and found.output == output
        ]
        for name, found in known:
            if found.type == type_ and _serves(found.value, value):
                return name, found
        name = f"{output} {len(known) + 1}"
        made = Alternative(output, value, type_, len(known))
        self.alternatives[step, name] = made
        return name, made

    def _level(self, path: Path) -> Level:
        waits = self.graph.waits(path)
        named = {node.name: node for node in self.graph.levels[path]}
        order = in_order({name: wait.all for name, wait in waits.items()})
        return Level(tuple(named[name] for name in order), waits, self.graph.skippable(path))

    def _placed(self) -> Iterator[tuple[Expr, Path]]:
        yield from ((output, ()) for output in self.outputs)
        for path, level in self.levels.items():
            for node in level.nodes:
                if node.when is not None:
                    yield node.when, path
                if isinstance(node, Step):
                    yield from ((expression, path) for expression in node.expressions())
                else:
                    yield from ((axis.items, path) for axis in node.axes)

    def _note(self, expression: Expr, path: Path) -> None:
        """Mark the loops whose outputs are collected and the steps that need an alternative."""
        for operation in _choices(expression):
            for ref in step_outputs(operation):
                shared, node = self.place(ref, path)
                # What is skipped outside of a loop skips the loop as a whole.
                if node in self.levels[shared].skippable.nodes:
                    self.levels[shared].choices.add(node)
        for part in walk(expression):
            if isinstance(part, StepOutputRef):
                loops = self.graph.collected(part.step, path)
                self.collected.update(loops)
                if loops and isinstance(part.type, ArtifactType):
                    self.listed.add(part.step)

    def _close(self, level: Level) -> None:
        todo = list(level.choices)
        while todo:
            for waited in level.waits[todo.pop()].strict:
                if waited in level.skippable.nodes and waited not in level.choices:
                    level.choices.add(waited)
                    todo.append(waited)


def _serves(known: Expr | None, wanted: Expr | None) -> bool:
    """Whether an alternative is good for another use, in which nobody looks at it for None."""
    if wanted is None:
        return known is None or not any(isinstance(p, StepOutputRef) for p in walk(known))
    return known is not None and same(known, wanted)


def chain(operation: Operation) -> list[Expr]:
    """`a ?? b ?? c` as a list, however it is grouped."""
    found: list[Expr] = []
    for operand in operation.operands:
        if isinstance(operand, Operation) and operand.sign == "??":
            found += chain(operand)
        else:
            found.append(operand)
    return found


def _choices(expression: Expr) -> Iterable[Operation]:
    return (part for part in walk(expression) if isinstance(part, Operation) and part.sign == "??")
