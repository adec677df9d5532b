"""What a pipeline with conditions and loops means: which steps run, and what each is given.

Written after docs/language.md alone, to be compared with what an engine does. Values are those of
JSON; an artifact is the name of what made it.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Collection, Mapping
from typing import Any

from compiler.expr import (
    ArtifactType,
    EachRef,
    Expr,
    ListOf,
    Literal,
    Operation,
    ParamRef,
    RunRef,
    StepOutputRef,
)
from compiler.graph import Graph
from compiler.ir import Loop, Node, Output, Pipeline, Step
from compiler.ordering import in_order

SKIPPED = object()
Rounds = tuple[int, ...]


def instance(name: str, rounds: Rounds) -> str:
    return ".".join((name, *map(str, rounds)))


def made(output: Output, of: str) -> Any:
    """What an instance of a step writes to an output: always the same, and all kinds of values."""
    number = zlib.crc32(f"{of} {output.name}".encode())
    if isinstance(output.type, ArtifactType):
        return f"{of}/{output.name}"
    match output.type.kind:
        case "integer":
            return number % 7
        case "number":
            return (number % 7) / 2
        case "boolean":
            return number % 2 == 0
        case "array":
            return [n * 3 for n in range(number % 3)]
        case "object":
            return {"f": number % 5, "g": "<&> \u00e9"}
    # Text that Argo could take for JSON.
    return ["[1]", "", '{"a": 1}', f" {of} $(HOME) $$ 'x' \\ \x7f", "7", "true"][number % 6]


class Meaning:
    """A run: `states` of steps and loops and `taken`, the values of each step, by instance."""

    def __init__(
        self, pipeline: Pipeline, params: Mapping[str, Any], failing: Collection[str] = ()
    ) -> None:
        self.states: dict[str, str] = {}
        self.taken: dict[str, list[Any]] = {}
        self._params = params
        self._failing = failing
        self._items: dict[tuple[str, Rounds], list[dict[str, Any]]] = {}
        self.status = self._graph(pipeline.nodes)
        self.outputs = {}
        if self.status == "succeeded":
            self.outputs = {o.name: self._value(o.value, (), ()) for o in pipeline.outputs}
        self._graph(pipeline.finally_nodes)

    def _graph(self, nodes: tuple[Node, ...]) -> str:
        self._home = Graph(nodes)
        self._steps = {step.name: step for step in _steps(nodes)}
        return "failed" if self._level(nodes, (), ()) else "succeeded"

    def _level(self, nodes: tuple[Node, ...], level: tuple[str, ...], rounds: Rounds) -> bool:
        """Run the nodes of a level; whether any failed."""
        waits = self._home.waits(level)
        by_name = {node.name: node for node in nodes}
        states = {}
        for name in in_order({n: wait.all for n, wait in waits.items()}):
            node = by_name[name]
            before = {other: states[other] for other in waits[name].all}
            groups = [(other,) for other in waits[name].strict] + list(waits[name].joins)
            lacks = any(all(before[o] == "skipped" for o in group) for group in groups)
            if {"failed", "omitted"} & set(before.values()):
                state = "omitted"
            elif lacks or not self._wanted(node.when, level, rounds):
                state = "skipped"
            else:
                state = self._node(node, level, rounds)
            states[name] = self.states[self._key(node, rounds)] = state
        return bool({"failed", "omitted"} & set(states.values()))

    def _wanted(self, when: Expr | None, level: tuple[str, ...], rounds: Rounds) -> bool:
        return when is None or self._value(when, level, rounds) is True

    def _key(self, node: Node, rounds: Rounds) -> str:
        name = f"loop {node.name}" if isinstance(node, Loop) else node.name
        return instance(name, rounds)

    def _node(self, node: Node, level: tuple[str, ...], rounds: Rounds) -> str:
        if isinstance(node, Step):
            key = instance(node.name, rounds)
            self.taken[key] = [self._value(e, level, rounds) for e in node.expressions()]
            return "failed" if key in self._failing else "succeeded"
        axes = [self._value(axis.items, level, rounds) for axis in node.axes]
        names = [axis.name for axis in node.axes]
        items = [dict(zip(names, row, strict=True)) for row in itertools.product(*axes)]
        self._items[node.name, rounds] = items
        inside = (*level, node.name)
        failed = [self._level(node.body, inside, (*rounds, n)) for n in range(len(items))]
        return "failed" if any(failed) else "succeeded"

    def _value(self, given: Expr, level: tuple[str, ...], rounds: Rounds) -> Any:
        match given:
            case Literal(value=value):
                return value
            case ParamRef(name=name):
                return self._params[name]
            case RunRef(field="status"):
                return self.status
            case EachRef(loop=loop, name=name, path=path):
                at = level.index(loop)
                found: Any = self._items[loop, rounds[:at]][rounds[at]][name]
                for field in path:
                    found = found[field]
                return found
            case StepOutputRef(step=step):
                return self._output(given, rounds[: self._shared(step, level)], step)
            case ListOf(items=items):
                return [self._value(item, level, rounds) for item in items]
            case Operation(sign="??", operands=(left, right)):
                first = self._value(left, level, rounds)
                missing = first is None or first is SKIPPED
                return self._value(right, level, rounds) if missing else first
            case Operation(sign="!", operands=(operand,)):
                return not self._value(operand, level, rounds)
            case Operation(sign=sign, operands=(left, right)):
                a, b = self._value(left, level, rounds), self._value(right, level, rounds)
                return _OPERATORS[sign](a, b)
        return str(given)

    def _shared(self, step: str, level: tuple[str, ...]) -> int:
        return len(self._home.home[step]) - len(self._home.collected(step, level))

    def _output(self, ref: StepOutputRef, rounds: Rounds, step: str) -> Any:
        """An output in a round, or the list of those of all rounds below."""
        around = self._home.home[step][len(rounds) :]
        if not around:
            if self.states[instance(step, rounds)] == "skipped":
                return SKIPPED
            return made(self._steps[step].output(ref.output), instance(step, rounds))
        if self.states[instance(f"loop {around[0]}", rounds)] == "skipped":
            return SKIPPED
        count = len(self._items[around[0], rounds])
        return [self._output(ref, (*rounds, n), step) for n in range(count)]


_OPERATORS: dict[str, Any] = {
    "&&": lambda a, b: a and b,
    "||": lambda a, b: a or b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "in": lambda a, b: a in b,
}


def _steps(nodes: tuple[Node, ...]) -> list[Step]:
    found = []
    for node in nodes:
        found += _steps(node.body) if isinstance(node, Loop) else [node]
    return found
