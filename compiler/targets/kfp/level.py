"""The nodes of one level on KFP, and the conditions that each of them runs on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial, reduce

from compiler import graph
from compiler.expr import Expr, Operation, Sign, ValueType
from compiler.ir import Node


@dataclass(frozen=True, slots=True)
class Level:
    """The nodes of a level in an order in which they can run, and how they hang together."""

    nodes: tuple[Node, ...]
    waits: dict[str, graph.Waits]
    skippable: graph.Skippable
    choices: set[str] = field(default_factory=set)
    _joined: dict[str, tuple[Expr, ...]] = field(default_factory=dict)
    _places: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        places = {node.name: place for place, node in enumerate(self.nodes)}
        object.__setattr__(self, "_places", places)

    def tests(self, name: str) -> tuple[Expr, ...]:
        """All conditions that a node runs on, its own and those of what it strictly waits for."""
        found: dict[str, tuple[Expr, ...]] = {}
        todo = [name]
        while todo:
            at = todo.pop()
            if at not in found:
                todo += self.waits[at].strict
                when = self._when(at)
                found[at] = (*self.joined(at), *([when] if when is not None else []))
        tests = (test for at in sorted(found, key=self._places.__getitem__) for test in found[at])
        return tuple({id(test): test for test in tests}.values())

    def own_tests(self, name: str) -> tuple[Expr, ...]:
        """The conditions that the node's task has to bear where it is no choice itself: its own,
        and those of choices that it waits for, since these never are skipped."""
        tests = {
            id(test): test
            for waited in self.waits[name].strict
            if waited in self.choices
            for test in self.tests(waited)
        }
        own = self._when(name)
        return (*tests.values(), *self.joined(name), *([own] if own is not None else []))

    def _when(self, name: str) -> Expr | None:
        return self.nodes[self._places[name]].when

    def joined(self, name: str) -> tuple[Expr, ...]:
        """For what a node takes from steps of which one has to run: the conditions on which one
        does. Those that the steps share stand alone, so that they don't multiply along a chain."""
        if name not in self._joined:
            found: list[Expr] = []
            for join in self.waits[name].joins:
                if self.skippable.all_of(join):
                    found += _either([self.tests(other) for other in join])
            self._joined[name] = tuple(found)
        return self._joined[name]


def _either(tests: list[tuple[Expr, ...]]) -> Iterator[Expr]:
    """That all of some of the tests hold: first what is in all of them."""
    shared = set.intersection(*({id(test) for test in some} for some in tests))
    yield from (test for test in tests[0] if id(test) in shared)
    rest = [[test for test in some if id(test) not in shared] for some in tests]
    if all(rest):
        yield reduce(partial(_joined, "||"), (reduce(partial(_joined, "&&"), r) for r in rest))


def _joined(sign: Sign, one: Expr, other: Expr) -> Expr:
    return Operation(sign, (one, other), ValueType("boolean"), other.span)
