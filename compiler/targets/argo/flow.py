"""The graph of the steps on each level of loops, and its DAGs, cut into parts where too large."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from compiler.graph import graph_of, uses
from compiler.ir import Loop, Node
from compiler.targets.argo.parts import Member as Piece
from compiler.targets.argo.parts import Part, divide
from compiler.targets.argo.plan import Dag, Flow, Level, Member


def flow_of(nodes: tuple[Node, ...]) -> Flow:
    graph = graph_of(nodes)
    waits = {
        (level, name): wait for level in graph.levels for name, wait in graph.waits(level).items()
    }
    skipped = {(level, name) for level in graph.levels for name in graph.skippable(level).nodes}
    found = {
        (level, node.name): node for level, members in graph.levels.items() for node in members
    }
    return Flow(graph, found, waits, frozenset(skipped))


def dag_of(name: str, nodes: tuple[Node, ...], flow: Flow, call: Callable[[str, str], str]) -> Dag:
    """The DAG of some nodes. `call` names a template after a node and what it is of that node:
    `loop`, `round`, or the `part` whose numbers follow."""
    return Dag(name, name, _members((), nodes, flow, call), ())


def _members(
    level: Level, nodes: tuple[Node, ...], flow: Flow, call: Callable[[str, str], str]
) -> tuple[Member, ...]:
    waits = {node.name: flow.waits[level, node.name].all for node in nodes}
    takes = {node.name: _takes(node, level, flow) for node in nodes}
    prefix = call(level[-1] if level else "", "part")
    loops = {node.name: _loop(level, node, flow, call) for node in nodes if isinstance(node, Loop)}
    return tuple(_member(p, level, loops) for p in divide(waits, takes, prefix))


def _member(piece: Piece, level: Level, loops: dict[str, Dag]) -> Member:
    if isinstance(piece, Part):
        members = tuple(_member(inner, level, loops) for inner in piece.members)
        return Dag(piece.name, piece.name, members, level)
    return loops.get(piece, piece)


def _loop(level: Level, loop: Loop, flow: Flow, call: Callable[[str, str], str]) -> Dag:
    inside = (*level, loop.name)
    name = call(loop.name, "round")
    each = Dag(name, name, _members(inside, loop.body, flow, call), inside)
    return Dag(call(loop.name, "loop"), loop.name, (each,), level, loop)


def _takes(node: Node, level: Level, flow: Flow) -> frozenset[tuple[str, str]]:
    """The outputs that a node takes from others of its level, by the node that has them."""
    found = ((flow.graph.node(ref.step, level), ref) for ref in uses(node))
    return frozenset(
        (name, f"{ref.step} {ref.output}") for name, ref in found if name not in (None, node.name)
    )


def cut_conditions(root: Dag, flow: Flow) -> Iterable[tuple[str, str]]:
    """Nodes in different parts of which the first waits for the second, which may be skipped."""
    place = {
        (dag.level, member if isinstance(member, str) else member.key): dag.name
        for *_, dag in root.walk()
        for member in dag.members
    }
    for (level, name), wait in flow.waits.items():
        for other in wait.all:
            if (level, other) in flow.skippable and place[level, name] != place[level, other]:
                yield name, other
