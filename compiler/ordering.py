"""What waits for what, as an order, and the circles that leave none.

`edges` give what each of some names waits for. All is linear in names and edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def cycles(edges: Mapping[str, Iterable[str]]) -> list[tuple[str, ...]]:
    """One circle for each knot, as the way round it, starting at its first name (by Tarjan's
    components)."""
    if _is_in_order(edges):
        return []
    found = []
    for component in _components(edges):
        if len(component) > 1 or component[0] in edges[component[0]]:
            found.append(_way_round(component, edges))
    return found


def in_order(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """The nodes with what they wait for before them; the given order where there is a choice."""
    if _is_in_order(edges):
        return list(edges)
    return [component[0] for component in _components(edges)]


def _is_in_order(edges: Mapping[str, Iterable[str]]) -> bool:
    """Whether each node stands behind all that it waits for, as in most specs."""
    before: set[str] = set()
    for name, others in edges.items():
        if not before.issuperset(others):
            return False
        before.add(name)
    return True


def _components(edges: Mapping[str, Iterable[str]]) -> list[list[str]]:
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    components = []
    for root in edges:
        if root in number:
            continue
        work = [(root, iter(edges[root]))]
        number[root] = low[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, rest = work[-1]
            for other in rest:
                if other not in edges:
                    continue
                if other not in number:
                    number[other] = low[other] = len(number)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(edges[other])))
                    break
                if other in on_stack:
                    low[node] = min(low[node], number[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    component = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.append(member)
                        if member == node:
                            break
                    components.append(component)
    return components


def _way_round(component: list[str], edges: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    members = set(component)
    start = next(name for name in edges if name in members)
    came_from: dict[str, str] = {}
    queue = [start]
    for node in queue:
        for other in edges[node]:
            if other == start:
                way = [node]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return (*reversed(way), start)
            if other in members and other not in came_from:
                came_from[other] = node
                queue.append(other)
    return (start, start)
