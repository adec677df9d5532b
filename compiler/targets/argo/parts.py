"""Cuts a graph of steps into parts, where it is larger than one DAG may be.

Steps that have nothing to do with each other share a part without knowing it. A connected graph
that is too large is cut along its layers: what waits for a part then waits for all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from msgspec import Struct

# Caps of the CustomResourceDefinition: tasks of a DAG, input parameters of a template.
MOST_TASKS = 200
MOST_PARAMETERS = 500


class Part(Struct, frozen=True):
    """A DAG within a DAG; steps stand in it by name."""

    name: str
    members: tuple[Member, ...]


Member: TypeAlias = "str | Part"
# A value that one step hands to others: the step's name and that of its output.
Value: TypeAlias = tuple[str, str]


class Graph(Struct, frozen=True):
    """What each node waits for and which values it takes, nodes in the order of the spec.

    `home` gives the node that each step belongs to.
    """

    waits: Mapping[str, Iterable[str]]
    takes: Mapping[str, frozenset[Value]]
    home: Mapping[str, str]


def divide(
    waits: Mapping[str, Iterable[str]], takes: Mapping[str, frozenset[Value]], prefix: str
) -> tuple[Member, ...]:
    """The steps as at most `MOST_TASKS` members, each a step or a part of parts or steps.

    `waits` gives the steps that each step waits for, `takes` the values that it takes from them;
    parts are called `prefix` and a number. No part has more members than a DAG may have tasks,
    or takes more values than a template may have input parameters. Where steps take so many
    values that this is not possible, more members than `MOST_TASKS` come back. Linear in steps
    and edges.
    """
    members: dict[str, Member] = {name: name for name in waits}
    graph = Graph(waits, takes, {name: name for name in waits})
    number = 0
    while len(members) > MOST_TASKS:
        groups = _groups(graph)
        if len(groups) == len(members):
            break
        grouped: dict[str, Member] = {}
        node_of: dict[str, str] = {}
        for group in groups:
            name = group[0]
            if len(group) > 1:
                number += 1
                name = f"{prefix}-{number}"
            node_of |= dict.fromkeys(group, name)
            inside = tuple(members[node] for node in group)
            grouped[name] = inside[0] if len(inside) == 1 else Part(name, inside)
        members, graph = grouped, _merged(graph, groups, node_of)
    return tuple(members.values())


def _merged(graph: Graph, groups: list[list[str]], node_of: dict[str, str]) -> Graph:
    """The graph with one node for each group."""
    home = {step: node_of[node] for step, node in graph.home.items()}
    waits: dict[str, dict[str, None]] = {}
    takes: dict[str, frozenset[Value]] = {}
    for group in groups:
        name = node_of[group[0]]
        outside = (node_of[other] for node in group for other in graph.waits[node])
        waits[name] = dict.fromkeys(other for other in outside if other != name)
        values = frozenset().union(*(graph.takes[node] for node in group))
        takes[name] = frozenset(value for value in values if home[value[0]] != name)
    return Graph(waits, takes, home)


def _groups(graph: Graph) -> list[list[str]]:
    """Nodes that may become one: whole components together, and slices of those too large."""
    groups: list[list[str]] = []
    shared: list[str] = []
    for component in _components(graph.waits):
        if len(component) > MOST_TASKS:
            groups += _slices(component, graph)
        elif len(shared) + len(component) > MOST_TASKS:
            groups.append(shared)
            shared = component
        else:
            shared = shared + component
    return [*groups, shared] if shared else groups


def _components(waits: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The nodes that are connected, in whatever direction."""
    beside: dict[str, list[str]] = {node: [] for node in waits}
    for node, others in waits.items():
        for other in others:
            beside[node].append(other)
            beside[other].append(node)
    position = {node: number for number, node in enumerate(waits)}
    seen: set[str] = set()
    components = []
    for start in waits:
        if start in seen:
            continue
        seen.add(start)
        component = [start]
        for node in component:
            component += (other for other in dict.fromkeys(beside[node]) if other not in seen)
            seen.update(beside[node])
        components.append(sorted(component, key=position.__getitem__))
    return components


def _slices(component: list[str], graph: Graph) -> list[list[str]]:
    """Neighbouring layers together as long as they fit; a layer that is too large in pieces.

    What follows such a layer starts anew, so that its pieces don't wait for each other.
    """
    slices = [_Slice(graph)]
    for layer in _layers(component, graph.waits):
        if not slices[-1].fits(layer):
            slices.append(_Slice(graph))
        if slices[-1].fits(layer):
            slices[-1].add(layer)
            continue
        for node in layer:
            if not slices[-1].fits([node]):
                slices.append(_Slice(graph))
            slices[-1].add([node])
        slices.append(_Slice(graph))
    return [found.nodes for found in slices if found.nodes]


class _Slice:
    """Nodes that are becoming a part, and the values that they take from outside.

    Nodes come in the order of layers, so that what is outside when it is taken stays so.
    """

    __slots__ = ("_graph", "_inside", "nodes", "values")

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._inside: set[str] = set()
        self.nodes: list[str] = []
        self.values: set[Value] = set()

    def fits(self, nodes: list[str]) -> bool:
        if len(self.nodes) + len(nodes) > MOST_TASKS:
            return False
        return len(self.values | self._outside(nodes)) <= MOST_PARAMETERS

    def add(self, nodes: list[str]) -> None:
        self.values |= self._outside(nodes)
        self.nodes += nodes
        self._inside.update(nodes)

    def _outside(self, nodes: list[str]) -> set[Value]:
        taken = (value for node in nodes for value in self._graph.takes[node])
        return {value for value in taken if self._graph.home[value[0]] not in self._inside}


def _layers(component: list[str], waits: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The nodes by the length of the longest way to them."""
    followers: dict[str, list[str]] = {node: [] for node in component}
    missing: dict[str, int] = {}
    for node in component:
        others = set(waits[node])
        missing[node] = len(others)
        for other in sorted(others):
            followers[other].append(node)
    position = {node: number for number, node in enumerate(component)}
    layers = []
    layer = [node for node in component if missing[node] == 0]
    while layer:
        layers.append(layer)
        freed = []
        for node in layer:
            for follower in followers[node]:
                missing[follower] -= 1
                if missing[follower] == 0:
                    freed.append(follower)
        layer = sorted(freed, key=position.__getitem__)
    return layers
