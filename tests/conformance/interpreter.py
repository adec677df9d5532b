"""Predicts how a run of a pipeline ends, straight from the semantics and with no engine's code.

Knows one program, `ECHO`: it fails where its first two words are equal; then come pairs of a value
(or the path of a file, whose content counts) and the path of an output that it is written to.
Nothing runs: a node is settled when all that it waits for is, in whatever order that happens to be.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from compiler import expr as ex
from compiler.ir import Command, Loop, Node, Pipeline, Step, Word

ECHO = (
    'if [ "$1" = "$2" ]; then exit 1; fi; shift 2; while [ $# -gt 1 ]; do '
    'if [ -f "$1" ]; then cat "$1" > "$2"; else printf %s "$1" > "$2"; fi; shift 2; done'
)


class Prediction(NamedTuple):
    """As the conformance cases have it: a loop that does not begin has a state of its own."""

    status: str
    states: dict[str, str]
    outputs: dict[str, dict[str, Any]]
    result: dict[str, Any]


def predict(pipeline: Pipeline) -> Prediction:
    """How a run with the pipeline's defaults ends."""
    values = {param.name: param.default for param in pipeline.params}
    states: dict[str, str] = {}
    outputs: dict[str, dict[str, Any]] = {}
    main = _Frame(pipeline.nodes, values, {}, states, outputs)
    main.settle_all()
    status = "failed" if main.has_failed else "succeeded"
    _Frame(pipeline.finally_nodes, values, {"status": status}, states, outputs).settle_all()
    result = {}
    if status == "succeeded":
        result = {output.name: main.value(output.value) for output in pipeline.outputs}
    return Prediction(status, states, outputs, result)


class _Skipped:
    """Stands for an output of a step that was skipped."""


_SKIPPED = _Skipped()


@dataclass
class _End:
    """How a node ended: the outputs of a step, the rounds of a loop."""

    state: str
    values: dict[str, Any] = field(default_factory=dict)
    rounds: list[_Frame] = field(default_factory=list)


class _Path(str):
    """The name of an output, standing for the path to write it to."""


@dataclass
class _Frame:
    """The nodes of a level: all of them, or those of one round. `suffix` is the round's."""

    nodes: tuple[Node, ...]
    params: Mapping[str, Any]
    run: Mapping[str, str]
    states: dict[str, str]
    outputs: dict[str, dict[str, Any]]
    suffix: str = ""
    loop: str = ""
    items: Mapping[str, Any] = field(default_factory=dict)
    outer: _Frame | None = None
    ends: dict[str, _End] = field(default_factory=dict)

    @property
    def has_failed(self) -> bool:
        return any(end.state in ("failed", "omitted") for end in self.ends.values())

    def settle_all(self) -> None:
        for node in self.nodes:
            self.settle(node)

    def settle(self, node: Node) -> _End:
        if node.name not in self.ends:
            end = self._settled(node)
            self.ends[node.name] = end
            if isinstance(node, Step) or (not end.rounds and end.state != "succeeded"):
                self.states[node.name + self.suffix] = end.state
            if isinstance(node, Step) and end.state == "succeeded" and node.outputs:
                self.outputs[node.name + self.suffix] = end.values
        return self.ends[node.name]

    def _settled(self, node: Node) -> _End:
        refs = [ref for expression in _expressions(node) for ref in _refs(expression)]
        before = {
            other.name: self.settle(other).state
            for other in self.nodes
            if other is not node
            and (other.name in node.needs or any(_holds(other, ref.step) for ref in refs))
        }
        if not {"failed", "omitted"}.isdisjoint(before.values()):
            return _End("omitted")
        if any(before[name] == "skipped" for name in node.needs):
            return _End("skipped")
        if not all(self._is_there(expression, before) for expression in _expressions(node)):
            return _End("skipped")
        if node.when is not None and self.value(node.when) is not True:
            return _End("skipped")
        return self._looped(node) if isinstance(node, Loop) else self._echoed(node)

    def _is_there(
        self, expression: ex.Expr, before: Mapping[str, str], *, filled: bool = False
    ) -> bool:
        """Whether a value can be had from what is on this level: not skipped and, if it is to be
        `filled`, not null for sure. Of what is elsewhere another level judges."""
        match expression:
            case ex.StepOutputRef(step=step):
                near = (o.name for o in self.nodes if o.name in before and _holds(o, step))
                return all(before[name] != "skipped" for name in near)
            case ex.Operation(sign="??", operands=(left, right)):
                if self._is_there(left, before, filled=True):
                    return True
                return self._is_there(right, before, filled=filled)
        kind = expression.type
        if filled and isinstance(kind, ex.ValueType) and (kind.nullable or kind.kind is None):
            return False
        return all(self._is_there(part, before) for part in _parts(expression))

    def _looped(self, loop: Loop) -> _End:
        lists = [self.value(axis.items) for axis in loop.axes]
        if not all(isinstance(items, list) for items in lists):
            return _End("failed")
        names = [axis.name for axis in loop.axes]
        rounds = []
        for number, items in enumerate(itertools.product(*lists)):
            inside = _Frame(
                loop.body, self.params, self.run, self.states, self.outputs,
                f"{self.suffix}.{number}", loop.name, dict(zip(names, items, strict=True)), self,
            )  # fmt: skip
            inside.settle_all()
            rounds.append(inside)
        failed = any(inside.has_failed for inside in rounds)
        return _End("failed" if failed else "succeeded", {}, rounds)

    def _echoed(self, step: Step) -> _End:
        assert isinstance(step.program, Command)
        words = []
        for argument in step.program.arguments:
            assert isinstance(argument, Word)
            words.append(self.value(argument.value, step))
        assert words[:3] == ["sh", "-c", ECHO], words
        texts = [word if isinstance(word, _Path) else text_of(word) for word in words[4:]]
        if texts[0] == texts[1]:
            return _End("failed")
        written = dict(zip(texts[3::2], texts[2::2], strict=True))
        values = {}
        for output in step.outputs:
            text = written[output.name]
            if isinstance(output.type, ex.ArtifactType):
                values[output.name] = text
            elif output.type.kind == "string":
                values[output.name] = text.removesuffix("\n")
            else:
                values[output.name] = json.loads(text)
        return _End("succeeded", values)

    def value(self, expression: ex.Expr, step: Step | None = None) -> Any:
        match expression:
            case ex.Literal(value=value):
                return value
            case ex.ParamRef(name=name):
                return self.params[name]
            case ex.InputRef(name=name):
                assert step is not None
                return self.value(step.input(name).value, step)
            case ex.OutputPath(name=name):
                return _Path(name)
            case ex.RunRef(field=name):
                return self.run[name]
            case ex.StepOutputRef():
                return self._output(expression)
            case ex.EachRef(loop=loop, name=name, path=path):
                value = self._round_of(loop).items[name]
                for key in path:
                    value = value[key]
                return value
            case ex.Concat(parts=parts):
                return "".join(text_of(self.value(part, step)) for part in parts)
            case ex.ListOf(items=items):
                return [self.value(item, step) for item in items]
            case ex.Operation(sign=sign, operands=operands):
                return self._operation(sign, [partial(self.value, o, step) for o in operands])
        raise AssertionError(f"{expression} is nothing that echo steps use")

    def _operation(self, sign: str, operands: list[Callable[[], Any]]) -> Any:
        left = operands[0]()
        if sign == "??":
            return operands[1]() if left is None or left is _SKIPPED else left
        if sign == "!":
            return not left
        if sign in ("&&", "||"):
            return operands[1]() if left is (sign == "&&") else left
        right = operands[1]()
        match sign:
            case "==":
                return left == right
            case "!=":
                return left != right
            case "in":
                return left in right
            case "<":
                return left < right
            case "<=":
                return left <= right
            case ">":
                return left > right
            case _:
                assert sign == ">="
                return left >= right

    def _output(self, ref: ex.StepOutputRef) -> Any:
        frame: _Frame | None = self
        while frame is not None:
            for node in frame.nodes:
                if _holds(node, ref.step):
                    return frame._gathered(node, ref)
            frame = frame.outer
        raise AssertionError(f"no step {ref.step}")

    def _gathered(self, node: Node, ref: ex.StepOutputRef) -> Any:
        end = self.ends[node.name]
        if end.state == "skipped":
            return _SKIPPED
        if isinstance(node, Step):
            return end.values[ref.output]
        (inner,) = (other for other in node.body if _holds(other, ref.step))
        return [inside._gathered(inner, ref) for inside in end.rounds]

    def _round_of(self, loop: str) -> _Frame:
        frame = self
        while frame.loop != loop:
            assert frame.outer is not None
            frame = frame.outer
        return frame


def text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _holds(node: Node, step: str) -> bool:
    if isinstance(node, Loop):
        return any(_holds(inner, step) for inner in node.body)
    return node.name == step


def _expressions(node: Node) -> Iterator[ex.Expr]:
    if isinstance(node, Loop):
        yield from (axis.items for axis in node.axes)
        for inner in node.body:
            yield from _expressions(inner)
    else:
        yield from node.expressions()
    if node.when is not None:
        yield node.when


def _refs(expression: ex.Expr) -> Iterator[ex.StepOutputRef]:
    if isinstance(expression, ex.StepOutputRef):
        yield expression
    for part in _parts(expression):
        yield from _refs(part)


def _parts(expression: ex.Expr) -> tuple[ex.Expr, ...]:
    match expression:
        case ex.Operation(operands=parts) | ex.Concat(parts=parts) | ex.ListOf(items=parts):
            return parts
    return ()
