"""Random pipelines with conditions, loops, `??` and `finally`, of steps that echo what they get."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random
from typing import NamedTuple

from builders import (
    SPAN,
    collected,
    command,
    concat,
    each,
    list_of,
    literal,
    loop,
    negation,
    op,
    output_of,
    output_path,
    param,
    param_ref,
    pipeline,
    pipeline_output,
    step,
    type_of,
)
from msgspec.structs import replace

from compiler import graph
from compiler.expr import Expr, RunRef
from compiler.ir import Cache, Loop, Node, Pipeline, Step

sys.path.append(str(Path(__file__).parents[1] / "conformance"))
from interpreter import ECHO, predict

__all__ = ["ECHO", "flow", "predict"]

_OUTPUTS = {"n": "integer", "s": "string", "l": "array", "m": "Dataset"}


class Seen(NamedTuple):
    """A step that can be taken from, with the number of loops that its outputs are collected in."""

    name: str
    loops: int


class Item(NamedTuple):
    """An item that can be used: a number, or the field `f` of an object that holds one."""

    loop: str
    axis: str
    is_object: bool


class _Maker:
    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.count = 0

    def nodes(
        self, seen: list[Seen], items: list[Item], depth: int, prefix: str = "s"
    ) -> tuple[tuple[Node, ...], list[Seen]]:
        """Some nodes, and the steps among them that those outside can take from."""
        seen = list(seen)
        made: list[Node] = []
        given: list[Seen] = []
        for _ in range(self.random.randint(1, 4 if depth == 0 else 3)):
            node: Node
            if depth < 2 and self.random.random() < 0.3:
                node, found = self.loop(seen, items, depth, prefix)
            else:
                node = self.step(seen, items, prefix, [n.name for n in made])
                found = [Seen(node.name, 0)]
            made.append(node)
            seen += found
            given += found
        self.random.shuffle(made)
        return tuple(made), given

    def loop(
        self, seen: list[Seen], items: list[Item], depth: int, prefix: str
    ) -> tuple[Loop, list[Seen]]:
        name = self.name(f"{prefix}l")
        axes: dict[str, tuple[Expr, bool]] = {}
        mine = list(items)
        for number in range(self.random.choice([1, 1, 2])):
            axis = f"{'xy'[number]}{name}"
            lists: list[tuple[Expr, bool]] = [
                (literal([1, 2]), False),
                (literal([{"f": 1}, {"f": 3}]), True),
                (param_ref("numbers", "array"), False),
                (param_ref("nothing", "array"), False),
            ]
            if number == 0:
                lists += [(self.ref(s, "l"), False) for s in seen if s.loops == 0]
                lists += [(self.ref(s, "n"), False) for s in seen if s.loops == 1]
            axes[axis] = self.random.choice(lists)
            mine.append(Item(name, axis, axes[axis][1]))
        body, inside = self.nodes(seen, mine, depth + 1, prefix)
        made = loop(
            name,
            {axis: items for axis, (items, _) in axes.items()},
            *body,
            parallel=self.random.choice([None, 1, 2]),
            when=self.test(seen, items) if self.random.random() < 0.2 else None,
        )
        kinds = {
            axis: "object" if is_object else "integer" for axis, (_, is_object) in axes.items()
        }
        typed = tuple(replace(axis, item=type_of(kinds[axis.name])) for axis in made.axes)
        made = replace(made, axes=typed)
        inner = graph.Graph(body)
        skipped = inner.skippable().nodes
        # What may be skipped in a round can't be collected.
        return made, [
            Seen(s.name, s.loops + 1) for s in inside if inner.node(s.name, ()) not in skipped
        ]

    def step(self, seen: list[Seen], items: list[Item], prefix: str, needs: list[str]) -> Step:
        name = self.name(prefix)
        fails: tuple[Expr | str, Expr | str] = ("a", "b")
        if self.random.random() < 0.1:
            fails = ("2", self.number(seen, items))
        values = {
            "n": self.number(seen, items),
            "s": concat(name, " ", self.value(seen, items)),
            "l": literal(self.random.choice([[], [1], [2, 3]])),
            "m": self.file(seen),
        }
        words = [word for o, value in values.items() for word in (value, output_path(o))]
        made = step(
            name,
            command("sh", "-c", ECHO, "mlc", *fails, *words),
            outputs=_OUTPUTS,
            needs=[self.random.choice(needs)] if needs and self.random.random() < 0.2 else (),
        )
        if self.random.random() < 0.4:
            made = replace(made, when=self.test(seen, items))
        return made

    def number(self, seen: list[Seen], items: list[Item]) -> Expr:
        found: list[Expr] = [literal(self.random.randint(0, 3)), param_ref("two", "integer")]
        found += [self.lenient(s, "n", seen) for s in seen if s.loops == 0]
        found += [self.item(item) for item in items]
        return self.random.choice(found)

    def value(self, seen: list[Seen], items: list[Item]) -> Expr:
        found = [self.number(seen, items)]
        if self.random.random() < 0.2:
            found = [self.test(seen, items)]
        for one in seen:
            if one.loops:
                ref = self.ref(one, "n" if self.coin() else "s")
                found.append(op(ref, "??", []) if self.coin() else ref)
            else:
                found.append(self.lenient(one, "s", seen))
        return self.random.choice(found)

    def file(self, seen: list[Seen]) -> Expr:
        found: list[Expr] = [literal("text")]
        plain = [s for s in seen if s.loops == 0]
        if len(plain) > 1 and self.coin():
            left, right = self.random.sample(plain, 2)
            found = [op(self.ref(left, "m"), "??", self.ref(right, "m"))]
        elif plain:
            found.append(self.ref(self.random.choice(plain), "m"))
        return self.random.choice(found)

    def test(self, seen: list[Seen], items: list[Item]) -> Expr:
        sign = self.random.choice(["<", ">=", "==", "!="])
        found: Expr = op(self.number(seen, items), sign, self.random.randint(0, 3))
        if self.random.random() < 0.2:
            found = op(self.number(seen, items), "in", list_of(1, param_ref("two", "integer")))
        if self.random.random() < 0.3:
            other = op(self.number(seen, items), "<=", self.number(seen, items))
            found = op(found, self.random.choice(["&&", "||"]), other)
        return negation(found) if self.random.random() < 0.2 else found

    def lenient(self, one: Seen, output: str, seen: list[Seen]) -> Expr:
        """An output of a step, sometimes with another value for when it is skipped."""
        ref = self.ref(one, output)
        others = [s for s in seen if s.loops == 0 and s != one]
        if self.coin():
            return ref
        if others and self.coin():
            return op(ref, "??", self.ref(self.random.choice(others), output))
        return op(ref, "??", 7 if output == "n" else "seven")

    def ref(self, one: Seen, output: str) -> Expr:
        kind = _OUTPUTS[output]
        if one.loops:
            return collected(one.name, output, kind, one.loops)
        return output_of(one.name, output, kind)

    def item(self, item: Item) -> Expr:
        path = ("f",) if item.is_object else ()
        return each(item.loop, item.axis, *path, kind="integer")

    def coin(self) -> bool:
        return self.random.random() < 0.5

    def name(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"


def flow(seed: int) -> Pipeline:
    """The pipeline of a number."""
    maker = _Maker(seed)
    nodes, seen = maker.nodes([], [], 0)
    outputs = [
        pipeline_output(f"o{number}", op(maker.ref(one, "n"), "??", 9), "integer")
        for number, one in enumerate(seen)
        if one.loops == 0
    ]
    last: tuple[Node, ...] = ()
    if maker.coin():
        last, _ = maker.nodes([], [], 1, "f")
        told = step(
            "told",
            command("sh", "-c", ECHO, "mlc", "a", "b", RunRef("status", SPAN), output_path("s")),
            outputs={"s": "string"},
            cache=Cache(False),
        )
        last = (*last, replace(told, when=op(RunRef("status", SPAN), "==", "failed")))
        last = last if maker.coin() else (*last, replace(told, name="told_too"))
    made = pipeline(
        *nodes,
        params=[
            param("two", 2),
            param("numbers", [2, 0]),
            param("nothing", maker.random.choice([[], [3]])),
        ],
    )
    return replace(made, finally_nodes=last, outputs=tuple(outputs))
