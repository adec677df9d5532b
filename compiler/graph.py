"""The graph of a pipeline: what each node waits for, and what may be skipped."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct

from compiler.expr import Expr, Operation, StepOutputRef, same, step_outputs, wanted
from compiler.ir import Loop, Node
from compiler.ordering import in_order


class Waits(NamedTuple):
    """What a node waits for, by data and by `needs`, each once, in reading order.

    The node is skipped where one of `strict` was, and where all in one of `joins` were: these are
    in `lenient`, of which every use has a `??`.
    """

    strict: tuple[str, ...]
    lenient: tuple[str, ...]
    joins: tuple[tuple[str, ...], ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.strict, *self.lenient)


class Taking(NamedTuple):
    """An expression, and the outputs of steps that it takes."""

    expression: Expr
    refs: list[StepOutputRef]


class Graph:
    """Where each step of some nodes stands, and what waits for what on each level.

    A level is named by the loops around it, from the outermost; `()` are the nodes themselves.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.levels: dict[tuple[str, ...], tuple[Node, ...]] = dict(_levels(tuple(nodes), ()))
        self.home: dict[str, tuple[str, ...]] = {
            node.name: level
            for level, members in self.levels.items()
            for node in members
            if type(node) is not Loop
        }
        self._waits: dict[tuple[str, ...], dict[str, Waits]] = {}
        self._taking: dict[int, tuple[Taking, ...]] = {}

    def waits(self, level: tuple[str, ...] = ()) -> dict[str, Waits]:
        """What each of the nodes of a level waits for on that level."""
        if level not in self._waits:
            self._waits[level] = {node.name: self._of(node, level) for node in self.levels[level]}
        return self._waits[level]

    def skippable(self, level: tuple[str, ...] = ()) -> Skippable:
        """Which nodes of a level may be skipped; the level has no circles."""
        return _skippable(self.levels[level], self.waits(level))

    def taking(self, node: Node) -> tuple[Taking, ...]:
        """What stands in a node itself and takes outputs of steps."""
        found = self._taking.get(id(node))
        if found is None:
            every = own_expressions(node)
            found = tuple([Taking(e, refs) for e in every if (refs := step_outputs(e))])
            self._taking[id(node)] = found
        return found

    def node(self, step: str, level: tuple[str, ...]) -> str | None:
        """The node of a level that a step is, or is in; None for one that is not below it."""
        home = self.home.get(step)
        if home is None or home[: len(level)] != level:
            return None
        return home[len(level)] if len(home) > len(level) else step

    def collected(self, step: str, level: tuple[str, ...]) -> tuple[str, ...]:
        """The loops around a step that a user on a level is not in: its outputs are collected
        over these."""
        home = self.home[step]
        shared = 0
        for mine, theirs in zip(home, level, strict=False):
            if mine != theirs:
                break
            shared += 1
        return home[shared:]

    def _of(self, node: Node, level: tuple[str, ...]) -> Waits:
        found: dict[str, bool] = {}
        groups: dict[tuple[str, ...], None] = {}
        own = self.taking(node)
        inside_it = [taking for part in inner_nodes(node) for taking in self.taking(part)]
        for place, (expression, refs) in enumerate((*own, *inside_it)):
            # What the body of a loop takes of its own is no matter of the loop.
            inside = node.name if place >= len(own) else None
            for ref in refs:
                name = self.node(ref.step, level)
                if name is not None and name != inside:
                    found.setdefault(name, True)
            for group in wanted(expression):
                names = tuple(dict.fromkeys(self.node(ref.step, level) for ref in group))
                # What is joined with something on another level is for that level to judge.
                here = tuple(name for name in names if name is not None and name != inside)
                if here and len(here) == len(names):
                    groups[here] = None
        strict = {group[0] for group in groups if len(group) == 1}.union(node.needs)
        found.update(dict.fromkeys(node.needs, True))
        return Waits(
            tuple(name for name in found if name in strict),
            tuple(name for name in found if name not in strict),
            tuple(group for group in groups if strict.isdisjoint(group)),
        )


_latest: list[tuple[tuple[Node, ...], Graph]] = []


def graph_of(nodes: tuple[Node, ...]) -> Graph:
    """The graph of some nodes; the last two are kept, as the checks and all targets ask for those
    of a pipeline and of its `finally`."""
    for known, graph in _latest:
        if known is nodes:
            return graph
    made = Graph(nodes)
    _latest[:] = [(nodes, made), *_latest[:1]]
    return made


def _levels(
    nodes: tuple[Node, ...], level: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], tuple[Node, ...]]]:
    """Each level with its nodes, outer ones first."""
    yield level, nodes
    for node in nodes:
        if type(node) is Loop:
            yield from _levels(node.body, (*level, node.name))


def uses(node: Node) -> Iterator[StepOutputRef]:
    """The outputs of steps that a node takes, its body's own included."""
    for part in (node, *inner_nodes(node)):
        for expression in own_expressions(part):
            yield from step_outputs(expression)


def own_expressions(node: Node) -> list[Expr]:
    """What stands in a node itself, without a loop's body."""
    found = [axis.items for axis in node.axes] if type(node) is Loop else node.expressions()
    if node.when is not None:
        found.append(node.when)
    return found


def inner_nodes(node: Node) -> Iterator[Node]:
    """What is in the body of a loop, at every depth."""
    if type(node) is Loop:
        for inner in node.body:
            yield inner
            yield from inner_nodes(inner)


class Skippable(Struct, frozen=True):
    """The nodes of a level that a condition on that level can skip, be it that of another.

    `alone` has the conditions of those that nothing but their own condition can skip.
    """

    nodes: set[str]
    alone: dict[str, Expr]

    def all_of(self, names: Iterable[str]) -> bool:
        """Whether all of some nodes may be skipped in one run."""
        names = list(names)
        conditions = [self.alone[name] for name in names if name in self.alone]
        return self.nodes.issuperset(names) and not any(
            opposite(one, other) for one, other in itertools.combinations(conditions, 2)
        )


def _skippable(nodes: Iterable[Node], waits: Mapping[str, Waits]) -> Skippable:
    named = {node.name: node for node in nodes}
    found = Skippable(set(), {})
    for name in in_order({name: wait.all for name, wait in waits.items()}):
        strict, _, joins = waits[name]
        when = named[name].when
        if not found.nodes.isdisjoint(strict) or any(map(found.all_of, joins)):
            found.nodes.add(name)
        elif when is not None:
            found.nodes.add(name)
            found.alone[name] = when
    return found


def opposite(one: Expr, other: Expr) -> bool:
    """Whether of two conditions one always holds: `x` and `!x`, `a < b` and `a >= b`."""
    if _negates(one, other) or _negates(other, one):
        return True
    if not isinstance(one, Operation) or not isinstance(other, Operation):
        return False
    return _OPPOSITES.get(one.sign) == other.sign and all(map(same, one.operands, other.operands))


def _negates(one: Expr, other: Expr) -> bool:
    return isinstance(one, Operation) and one.sign == "!" and same(one.operands[0], other)


_OPPOSITES: Mapping[str, str] = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
