"""Pipelines with conditions, `??`, loops in loops and last steps: by hand, and random ones."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

from builders import SPAN, command, expr, output_path, param, param_ref, pipeline, step
from msgspec.structs import replace

from compiler.expr import (
    ArtifactType,
    EachRef,
    Expr,
    Literal,
    Operation,
    RunRef,
    Sign,
    StepOutputRef,
    Type,
    ValueType,
)
from compiler.graph import Graph
from compiler.ir import Axis, Loop, Node, Pipeline, PipelineOutput, Schedule, Step

INTEGER, BOOLEAN = ValueType("integer"), ValueType("boolean")
OUTPUTS = {
    "n": "integer",
    "s": "string",
    "ok": "boolean",
    "l": "array",
    "o": "object",
    "d": "Dataset",
}
ITEMS = {"l": INTEGER}


def op(sign: Sign, *operands: Any, type_: Type = BOOLEAN) -> Operation:
    return Operation(sign, tuple(map(expr, operands)), type_, SPAN)


def join(left: Expr, right: Any) -> Operation:
    found = expr(right)
    return Operation("??", (left, found), found.type, SPAN)


def out(step_: str, output: str = "n", depth: int = 0) -> StepOutputRef:
    """`steps.STEP.outputs.OUTPUT` of a worker, collected from so many loops."""
    kind: Type = ArtifactType("Dataset")
    if output != "d":
        kind = ValueType(OUTPUTS[output], False, ITEMS.get(output))  # type: ignore[arg-type]
    for _ in range(depth):
        if isinstance(kind, ArtifactType):
            kind = replace(kind, is_list=True)
        else:
            kind = ValueType("array", False, kind)
    return StepOutputRef(step_, output, kind, SPAN)


def each(loop_: str, name: str, *path: str, kind: Any = "integer") -> EachRef:
    return EachRef(loop_, name, path, ValueType(kind), SPAN)


def worker(name: str, *taken: Any, when: Expr | None = None, needs: Iterable[str] = ()) -> Step:
    """A step that is given values as words, and writes one output of each kind."""
    paths = [output_path(output) for output in OUTPUTS]
    made = step(name, command("work", *paths, *taken), outputs=OUTPUTS, needs=needs)
    return replace(made, when=when)


def loop(
    name: str,
    axes: dict[str, Any],
    *body: Node,
    parallel: int | None = None,
    when: Expr | None = None,
    needs: Iterable[str] = (),
) -> Loop:
    found = []
    for key, items in axes.items():
        given = expr(items)
        assert isinstance(given.type, ValueType)
        if isinstance(given, Literal):
            first = given.value[0] if isinstance(given.value, list) and given.value else 0
            item = ValueType("object" if isinstance(first, dict) else expr(first).type.kind)  # type: ignore[union-attr]
            given = replace(given, type=ValueType("array", False, item))
        found.append(Axis(key, given, given.type.items or INTEGER, SPAN))
    return Loop(name, tuple(found), body, parallel, when, tuple(needs), "", SPAN)


def flow(*nodes: Node, last: Sequence[Node] = (), **outputs: Expr) -> Pipeline:
    params = [
        param("threshold", 3),
        param("many", [4, 5, 6]),
        param("none", []),
        param("maybe", None, "integer"),
        param("word", "lbfgs"),
    ]
    made = pipeline(*nodes, name="flow", params=params)  # type: ignore[arg-type]
    handed = (PipelineOutput(n, value, value.type, "", SPAN) for n, value in outputs.items())
    return replace(made, finally_nodes=tuple(last), outputs=tuple(handed))


PARAMS = {"threshold": 3, "many": [4, 5, 6], "none": [], "maybe": None, "word": "lbfgs"}
THRESHOLD = param_ref("threshold", "integer")
MANY = replace(param_ref("many", "array"), type=ValueType("array", False, INTEGER))
NONE = replace(param_ref("none", "array"), type=ValueType("array", False, INTEGER))
MAYBE = param_ref("maybe", "integer", nullable=True)
STATUS = RunRef("status", SPAN)
NEVER = op("<", THRESHOLD, 0)
ALWAYS = op(">", THRESHOLD, 0)


def schedule(name: str, **changes: Any) -> Schedule:
    plain = Schedule(name, "0 3 * * 1", None, None, (), True, "allow", False, False, SPAN)
    return replace(plain, **changes)


HAND_MADE: dict[str, Pipeline] = {
    "a condition": flow(
        worker("a"),
        worker("b", when=op(">=", out("a"), THRESHOLD)),
        worker("c", when=op("!", op(">=", out("a"), THRESHOLD))),
        worker("d", out("b", "s")),
        worker("e", out("c", "s")),
    ),
    "a choice": flow(
        worker("a"),
        worker("b", when=NEVER),
        worker("c", when=ALWAYS),
        worker("d", join(out("b"), out("c")), join(out("b", "s"), "none"), join(MAYBE, 5)),
        worker("e", join(out("b", "d"), out("c", "d")), join(out("c", "d"), out("a", "d"))),
        worker("f", join(join(out("b", "l"), out("d", "l")), [9])),
    ),
    "what follows from what was skipped": flow(
        worker("a", when=NEVER),
        worker("b", out("a")),
        worker("c", needs=["b"]),
        worker("d", join(out("c"), 1)),
        worker("e", join(out("c"), out("b"))),
        worker("f", join(out("e"), out("d"))),
    ),
    "a loop": flow(
        worker("a"),
        loop("fit", {"k": [1, 2, 3]}, worker("fit", each("fit", "k"), out("a", "s"))),
        worker("best", *(out("fit", name, 1) for name in ("n", "s", "ok", "l", "o"))),
    ),
    "empty loops": flow(
        worker("a"),
        loop("fit", {"k": NONE}, worker("b", each("fit", "k"), out("a", "s"))),
        loop("other", {"k": out("a", "l")}, loop("in", {"j": NONE}, worker("c"))),
        worker("best", out("b", "n", 1), out("c", "s", 2), needs=["fit"]),
    ),
    "a table": flow(
        loop(
            "grid",
            {"lr": [0.1, 1e-7], "depth": MANY, "kind": ["a'\\b", "é"]},
            worker("one", each("grid", "lr", kind="number"), each("grid", "depth")),
            worker("two", each("grid", "kind", kind="string"), out("one", "s")),
        ),
        loop(
            "objects",
            {"t": [{"a": 1, "b": {"c": "x y"}}, {"a": 2, "b": {"c": "[1]"}}]},
            worker(
                "three",
                each("objects", "t", "a"),
                each("objects", "t", "b", "c", kind="string"),
                each("objects", "t", kind="object"),
                each("objects", "t", "b", "c", kind=None),
            ),
        ),
        worker("end", out("one", "n", 1), out("two", "s", 1), out("three", "o", 1)),
    ),
    "loops in loops": flow(
        worker("a"),
        worker("off", when=NEVER),
        loop(
            "outer",
            {"i": MANY},
            worker("b", each("outer", "i"), join(out("off", "s"), "x"), out("a", "n")),
            worker("w", when=op("==", each("outer", "i"), 5)),
            loop(
                "inner",
                {"j": out("b", "l"), "k": [1, 2]},
                worker("c", each("outer", "i"), each("inner", "j"), join(out("w", "s"), "no")),
                worker(
                    "d",
                    out("c", "s"),
                    join(out("off"), out("a")),
                    when=op("||", op("<", each("inner", "k"), 2), op(">", out("c"), THRESHOLD)),
                ),
                worker("e", join(out("d", "s"), out("c", "s")), join(out("d"), 0)),
                when=op(">", each("outer", "i"), 0),
                parallel=2,
            ),
            worker("f", out("c", "s", 1)),
        ),
        worker("g", out("c", "s", 2), out("c", "l", 2), out("b", "l", 1), out("f", "s", 1)),
    ),
    "a skipped loop": flow(
        worker("a"),
        loop("l", {"k": [1]}, worker("b"), when=op("<", out("a"), 0)),
        worker("c", out("b", "n", 1)),
        worker("d", join(out("b", "n", 1), [7])),
        loop("m", {"k": join(out("b", "n", 1), out("a", "l"))}, worker("e", each("m", "k"))),
    ),
    "last steps": flow(
        worker("a"),
        loop("l", {"k": [1, 2]}, worker("b", each("l", "k"))),
        last=[
            worker("tell", STATUS),
            worker("alarm", when=op("==", STATUS, "failed")),
            worker("after", out("tell", "s"), needs=["tell"]),
            loop(
                "each_one",
                {"who": ["x", "y"]},
                worker("mail", STATUS, each("each_one", "who", kind="string"), out("tell", "n")),
            ),
            worker("sum", join(out("alarm", "s"), "fine"), out("mail", "s", 1)),
        ],
    ),
    "outputs": flow(
        worker("a"),
        worker("off", when=NEVER),
        loop("l", {"k": [1, 2]}, worker("b", each("l", "k"))),
        last=[worker("tell", STATUS)],
        plain=out("a", "s"),
        number=join(out("off"), THRESHOLD),
        text=join(out("off", "s"), "it's {{none}}".replace("{{", "{").replace("}}", "}")),
        all_of_them=out("b", "s", 1),
        model=join(out("off", "d"), out("a", "d")),
        model_of_a=out("a", "d"),
    ),
    "operators": flow(
        worker("a"),
        worker("b", when=op("&&", op("in", param_ref("word"), ["lbfgs", "sag'a"]), out("a", "ok"))),
        worker("c", when=op("||", out("a", "ok"), op("!=", out("a", "s"), "it's $ {{x}} \\"))),
        worker("d", when=op("in", out("a"), [1, 2.0, 3])),
        worker("e", when=op("<=", param_ref("word"), "m")),
        worker("f", op(">", out("a"), 2), op("==", join(MAYBE, 3), THRESHOLD)),
        worker("g", when=op("in", out("a"), out("a", "l"))),
    ),
    "dots": flow(
        worker("train.fit", when=ALWAYS),
        worker("train.score", out("train.fit", "s")),
        worker("train__fit"),
        loop("train.all", {"k": [1, 2]}, worker("train.all.in", each("train.all", "k"))),
        worker("end", out("train.all.in", "s", 1), join(out("train.fit", "s"), "x")),
    ),
}


def random_flow(seed: int) -> Pipeline:
    """A random pipeline of workers, nested up to two loops deep."""
    return _Random(random.Random(seed)).pipeline()


class _Random:
    """Makes nodes one after the other; each may take from all that stand before it.

    `seen` are the steps made so far, with the loops around them.
    """

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.count = 0
        self.seen: dict[str, tuple[str, ...]] = {}
        self.hidden: set[str] = set()
        self.maybe: set[str] = set()

    def pipeline(self) -> Pipeline:
        nodes = self.level((), self.chance.randint(2, 7))
        values = {}
        for number in range(self.chance.randint(0, 2)):
            found = self.output((), self.chance.choice("nsd"))
            if found is None or not isinstance(found.type, ValueType | ArtifactType):
                continue
            if isinstance(found.type, ArtifactType) and found.type.is_list:
                continue
            if self.home(found, ()) in self.maybe:
                if isinstance(found.type, ArtifactType) or found.type.kind == "array":
                    continue
                found = join(found, THRESHOLD if found.type.kind == "integer" else "x")  # type: ignore[assignment]
            values[f"out_{number}"] = found
        self.seen.clear()
        last = self.level((), self.chance.randint(0, 3), last=True)
        return flow(*nodes, last=last, **values)  # type: ignore[arg-type]

    def level(self, level: tuple[str, ...], count: int, *, last: bool = False) -> list[Node]:
        made: list[Node] = []
        for _ in range(count):
            self.count += 1
            name = f"x{self.count}"
            needs = [n.name for n in made if self.chance.random() < 0.1]
            when = self.condition(level, last) if self.chance.random() < 0.35 else None
            if self.chance.random() < 0.3 and len(level) < 2:
                axes = {"i": self.items(level)}
                if self.chance.random() < 0.3:
                    axes["j"] = [1, 2]
                parallel = self.chance.choice([None, 1, 2])
                body = self.level((*level, name), self.chance.randint(1, 3), last=last)
                made.append(loop(name, axes, *body, parallel=parallel, when=when, needs=needs))
            else:
                taken = [self.value(level, last) for _ in range(self.chance.randint(0, 3))]
                made.append(worker(name, *filter(None, taken), when=when, needs=needs))
                self.seen[name] = level
            self.note(level, made)
        # Outside of a loop nothing is taken from what may be skipped in it.
        if level:
            skipped = self.skipped(level, made)
            for name in self.below(level):
                if Graph(self.wrapped(level, made)).node(name, level) in skipped:
                    self.hidden.add(name)
        return made

    def below(self, level: tuple[str, ...]) -> list[str]:
        return [n for n, home in self.seen.items() if home[: len(level)] == level]

    def wrapped(self, level: tuple[str, ...], nodes: Sequence[Node]) -> list[Node]:
        found = list(nodes)
        for name in reversed(level):
            found = [loop(name, {"i": [1]}, *found)]
        return found

    def skipped(self, level: tuple[str, ...], nodes: Sequence[Node]) -> set[str]:
        graph = Graph(self.wrapped(level, nodes))
        return graph.skippable(level).nodes

    def note(self, level: tuple[str, ...], made: Sequence[Node]) -> None:
        self.maybe = {m for m in self.maybe if m not in {n.name for n in made}}
        self.maybe |= self.skipped(level, made)

    def home(self, ref: Expr, level: tuple[str, ...]) -> str:
        """The node that a step is, or is in, where its way and a user's part."""
        assert isinstance(ref, StepOutputRef)
        home, shared = self.seen[ref.step], self.shared(ref, level)
        return home[shared] if len(home) > shared else ref.step

    def shared(self, ref: StepOutputRef, level: tuple[str, ...]) -> int:
        """How many loops are around both a step and a user on a level."""
        home = self.seen[ref.step]
        shared = 0
        while shared < min(len(home), len(level)) and home[shared] == level[shared]:
            shared += 1
        return shared

    def output(self, level: tuple[str, ...], output: str) -> StepOutputRef | None:
        steps = [n for n in self.seen if n not in self.hidden or self.seen[n] == level]
        steps = [
            n for n in steps if n not in self.hidden or level[: len(self.seen[n])] == self.seen[n]
        ]
        if not steps:
            return None
        name = self.chance.choice(steps)
        home = self.seen[name]
        shared = 0
        while shared < min(len(home), len(level)) and home[shared] == level[shared]:
            shared += 1
        return out(name, output, len(home) - shared)

    def value(self, level: tuple[str, ...], last: bool) -> Expr | None:
        roll = self.chance.random()
        if roll < 0.1 and last:
            return STATUS
        if roll < 0.25 and level:
            return each(self.chance.choice(level), "i")
        if roll < 0.35:
            return join(MAYBE, THRESHOLD)
        output = self.chance.choice(["n", "s", "l", "o", "ok", "d"])
        found = self.output(level, output)
        if found is None:
            return None
        if isinstance(found.type, ArtifactType):
            return self.artifact(found, level)
        if self.chance.random() < 0.4:
            other = self.output(level, output)
            if other is not None and other.type == found.type and self.joins(found, other, level):
                return join(found, other)
            if output == "n" and found.type.kind == "integer":
                return join(found, self.chance.choice([THRESHOLD, 4]))
        return found

    def joins(self, one: StepOutputRef, other: StepOutputRef, level: tuple[str, ...]) -> bool:
        """Whether some level knows of both that they may be skipped."""
        if not self.maybe.issuperset((self.home(one, level), self.home(other, level))):
            return True
        return self.shared(one, level) == self.shared(other, level)

    def artifact(self, found: StepOutputRef, level: tuple[str, ...]) -> Expr | None:
        if found.type.is_list:  # type: ignore[union-attr]
            return None
        other = self.output(level, "d")
        near = self.seen[found.step] == level
        if near and other and self.seen[other.step] == level and self.chance.random() < 0.5:
            return join(found, other)
        return found

    def items(self, level: tuple[str, ...]) -> Any:
        roll = self.chance.random()
        if roll < 0.3:
            return self.chance.choice([[1], [3, 1], [], MANY, NONE])
        found = self.output(level, "l")
        if found is None or found.type != ValueType("array", False, INTEGER):
            return MANY
        return join(found, NONE) if roll > 0.8 else found

    def condition(self, level: tuple[str, ...], last: bool) -> Expr:
        if last and self.chance.random() < 0.3:
            return op("==", STATUS, self.chance.choice(["failed", "succeeded"]))
        found = self.output(level, "n")
        left: Expr = THRESHOLD
        if level and self.chance.random() < 0.4:
            left = each(level[-1] if len(level) > 1 else level[0], "i")
        elif found is not None and found.type == INTEGER:
            left = join(found, 2) if self.chance.random() < 0.4 else found
        first = op(self.chance.choice([">", "<=", "=="]), left, self.chance.randint(0, 5))
        if self.chance.random() < 0.3:
            return op(self.chance.choice(["&&", "||"]), first, self.condition(level, last))
        return op("!", first) if self.chance.random() < 0.2 else first
