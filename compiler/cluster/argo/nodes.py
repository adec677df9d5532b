"""The steps of a run among the nodes of its workflow, by their names in the spec."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from compiler.cluster.answers import at, seconds, unpacked
from compiler.cluster.argo.objects import LOOPS
from compiler.cluster.argo.reading import STATES, known_steps, noted
from compiler.cluster.argo.road import Json
from compiler.cluster.argo.shapes import NODES
from compiler.cluster.compiled import plain
from compiler.cluster.errors import short
from compiler.cluster.records import StepState

# `fit(2:[2,0.1])` is round 2, `fit(1)` a second try.
_DISPLAYED = re.compile(r"(.*?)(?:\((\d+):.*\)|\(\d+\))?", re.DOTALL)
_POD_NAMES = "workflows.argoproj.io/pod-name-format"


class Place(Struct, frozen=True):
    """A step instance, its node, and the node of its pod that ran last."""

    name: str
    node: Json
    pod: Json | None

    def has_artifact(self, name: str) -> bool:
        """Whether its pod has left an artifact. For one that is not there the Argo Server has no
        answer but an error of its own."""
        return any(one.get("name") == name for one in at(self.pod, "outputs").get("artifacts", ()))


class Nodes:
    """The step instances among the nodes of a workflow."""

    def __init__(self, data: Json, steps: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.run = at(data, "metadata").get("name", "")
        self.nodes = _nodes(at(data, "status"))
        self.steps = dict(steps) if steps else known_steps(data)
        loops = noted(data, LOOPS)
        self.loops = {str(name) for name in loops} if isinstance(loops, list) else set()

    def places(self) -> Iterator[Place]:
        """In the order of the spec, rounds of a loop in theirs."""
        order = {name: number for number, name in enumerate(self.steps.values())}
        found = [self._place(node) for node in self.nodes.values() if self._counts(node)]

        def rank(place: Place) -> tuple[int, tuple[int, ...], str]:
            name, rounds = _split(place.name)
            return order.get(name, len(order)), rounds, place.name

        yield from sorted(found, key=rank)

    def states(self) -> Iterator[StepState]:
        for place in self.places():
            yield self._state(place)

    def pods(self, place: Place) -> list[tuple[str, ...]]:
        """The pods of a step's tries in their order, each by the names that it may have.

        A controller can be told to name pods as before Argo 3.4, by the node alone.
        """
        tries = [node for node in self._tries(place.node) if node.get("type") == "Pod"]
        old = at(self.data, "metadata", "annotations").get(_POD_NAMES) == "v1"
        return [(n["id"],) if old else (self._pod_name(n), n["id"]) for n in tries]

    def _pod_name(self, node: Json) -> str:
        """`RUN-TEMPLATE-NUMBER`, cut as Argo cuts it."""
        run, _, number = node["id"].rpartition("-")
        template = node.get("templateName") or at(node, "templateRef").get("template", "")
        if run and number.isdigit():
            name = f"{run}-{template}" if template else run
            return f"{name[: 253 - 11]}-{number}"
        return str(node["id"])

    def _place(self, node: Json) -> Place:
        tries = self._tries(node)
        rounds: list[str] = []
        around: Json | None = node
        seen: set[str] = set()
        while around is not None and around["id"] not in seen:
            seen.add(around["id"])
            number = _DISPLAYED.fullmatch(around.get("displayName", ""))
            if number is not None and number[2] is not None:
                rounds.insert(0, number[2])
            around = self.nodes.get(around.get("boundaryID", ""))
        task = _task(node)
        name = self.steps.get(task, plain(task))
        return Place(".".join([name, *rounds]), node, tries[-1] if tries else None)

    def _state(self, place: Place) -> StepState:
        node = place.node
        found = STATES.get(node.get("phase", ""), "unknown")
        if found == "succeeded" and at(node, "memoizationStatus").get("hit"):
            found = "cached"
        tries = self._tries(node)
        if node.get("type") == "Retry" and found == "running" and len(tries) > 1:
            found = "retrying"
        return StepState(
            name=place.name,
            state=found,
            started=seconds(node.get("startedAt")),
            ended=seconds(node.get("finishedAt")),
            message=short(node.get("message", "")),
            tries=max(len(tries), 1),
            node=node.get("id", ""),
        )

    def _tries(self, node: Json) -> list[Json]:
        if node.get("type") != "Retry":
            return [node] if node.get("type") == "Pod" else []
        children = (self.nodes.get(child) for child in node.get("children", ()))
        return [child for child in children if child is not None]

    def _counts(self, node: Json) -> bool:
        """Whether a node is a step's end, or a loop that did not begin."""
        task = _task(node)
        if self.steps and task not in self.steps:
            return False
        if at(node, "nodeFlag").get("retried"):
            return False
        if node.get("type") in ("Pod", "Retry"):
            return True
        return node.get("type") == "Skipped" and not self._is_round(node)

    def _is_round(self, node: Json) -> bool:
        """Whether a node stands for the rounds of a loop, which has none."""
        around = self.nodes.get(node.get("boundaryID", ""))
        return (
            around is not None
            and "(" not in around.get("displayName", "")
            and _task(around) in self.loops
        )


def _nodes(status: Any) -> dict[str, Json]:
    """The nodes of a status, packed where they were many."""
    nodes = status.get("nodes") or unpacked(NODES, status.get("compressedNodes"))
    return {key: {"id": key, **node} for key, node in nodes.items()}


def _task(node: Json) -> str:
    found = _DISPLAYED.fullmatch(node.get("displayName", ""))
    return found[1] if found else ""


def _split(instance: str) -> tuple[str, tuple[int, ...]]:
    found = re.fullmatch(r"(.*?)((?:\.\d+)*)", instance)
    assert found is not None
    return found[1], tuple(int(n) for n in found[2].split(".") if n)
