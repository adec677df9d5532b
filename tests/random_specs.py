"""Random specs: valid ones, of up to 200 steps, with every feature that has a meaning in a run.

All steps run `interpreter.ECHO`, so that what a run must come to can be worked out. JSON is YAML,
so a spec is written as that. The same seed gives the same spec.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from interpreter import ECHO

Tree = dict[str, Any]
T = TypeVar("T")
SCALARS = ("integer", "number", "string", "boolean")
LITERALS: dict[str, list[Any]] = {
    "integer": [0, 1, 2, 3],
    "number": [0.5, 1.5, 2.0],
    "string": ["a", "b", "it's", "é x"],
    "boolean": [True, False],
}
HEAD = {"apiVersion": "mlc/v1", "image": "python:3.12-slim"}


def random_spec(seed: int, size: int) -> dict[str, str]:
    """The text of each file of a spec of about `size` steps; its own is `spec.yaml`."""
    return _Writer(Random(seed), size).files()


@dataclass
class _Output:
    """What a step hands on, as a level sees it. `kind` may be `array:KIND`; `maybe` it is absent,
    since its node on that level may be skipped."""

    text: str
    kind: str
    maybe: bool
    depth: int


@dataclass
class _Level:
    """Nodes beside each other, groups around them left aside.

    `nodes` tells of each name whether what needs it may be skipped. `may_skip` tells whether the
    loop around may be, since something in it takes from what may be.
    """

    outputs: list[_Output] = field(default_factory=list)
    nodes: dict[str, bool] = field(default_factory=dict)
    items: list[tuple[str, str]] = field(default_factory=list)
    may_skip: bool = False


class _Writer:
    def __init__(self, random: Random, size: int) -> None:
        self.random = random
        self.left = size
        self.count = 0
        self.levels = [_Level()]
        self.used: set[str] = set()
        self.in_finally = False
        # Without what the KFP DSL can't say, so that it gets its share.
        self.is_plain = random.random() < 0.3
        # Whether what is written now takes something strictly that may be skipped.
        self.is_maybe = False
        pick = random.choice
        self.params: Tree = {
            "n": pick(LITERALS["integer"]),
            "x": {"type": "number", "default": pick(LITERALS["number"])},
            "s": pick(LITERALS["string"]),
            "go": pick(LITERALS["boolean"]),
            "maybe": {"type": "integer", "default": pick([None, 2])},
            "ints": {"default": pick([[], [1], [2, 1]]), "items": {"type": "integer"}},
            "words": {"default": pick([["a"], ["b", "é"]]), "items": {"type": "string"}},
            "cpu": "100m",
        }

    def files(self) -> dict[str, str]:
        steps: Tree = {}
        while self.left > 0:
            self.node(steps)
        spec: Tree = {**HEAD, "kind": "Algorithm", "name": "random", "params": self.params}
        spec["steps"] = steps
        outputs = self.handed_on()
        if self.random.random() < 0.5:
            spec["finally"] = self.last_steps()
        if outputs:
            spec["outputs"] = outputs
        if self.random.random() < 0.3:
            spec["schedules"] = {
                "nightly": {"cron": "0 3 * * 1", "params": {"n": 2}, "overlap": "forbid"}
            }
        if self.random.random() < 0.2:
            spec["limits"] = {"timeout": "2h"}
        texts = {"spec.yaml": spec, **{name: _LIBRARY[name] for name in sorted(self.used)}}
        return {
            name: json.dumps(tree, indent=1, ensure_ascii=False) for name, tree in texts.items()
        }

    @property
    def level(self) -> _Level:
        return self.levels[-1]

    def chance(self, likely: float) -> bool:
        return self.random.random() < likely

    def name(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def node(self, into: Tree) -> None:
        """Add a step, a group or a loop to some steps."""
        form = self.random.random()
        if form < 0.12:
            self.group(into)
        elif form < 0.24 and len(self.levels) < 3 and self.left > 1:
            self.loop(into)
        elif form < 0.32 and not self.in_finally:
            self.call(into)
        else:
            self.step(into)

    def step(self, into: Tree) -> None:
        name = self.name("s")
        if self.chance(0.15) and len(self.levels) < 3:
            # The step's own loop: it is the loop, and nothing else is in it.
            (axes, items), maybe = self.marked(self.axes)
            with self.inside(items) as inner:
                step = {"foreach": axes, **self.body_of_step()}
            maybe |= inner.may_skip
            prefix = "array:"
        else:
            step, maybe = self.marked(self.body_of_step)
            prefix = ""
        maybe |= self.conditions(step)
        into[name] = step
        self.left -= 1
        self.level.nodes[name] = maybe
        for output, kind in step.get("outputs", {}).items():
            self.produce(f"steps.{name}.outputs.{output}", prefix + kind, maybe)

    def produce(self, text: str, kind: str, maybe: bool) -> None:
        """Note an output on this level. Only functions take lists of artifacts: none here do."""
        if not (kind.startswith("array") and "Dataset" in kind):
            self.level.outputs.append(_Output(text, kind, maybe, len(self.levels) - 1))

    def body_of_step(self) -> Tree:
        """A command with its arguments, outputs, and what else a step has."""
        step: Tree = {"command": ["sh", "-c", ECHO, "echo"]}
        guard = ["x", "x" if self.chance(0.04) else "y"]
        items = [item for level in self.levels for item in level.items if item[1] == "integer"]
        if items and self.chance(0.25):
            guard = [f"${{{{ {self.random.choice(items)[0]} }}}}", "1"]
        args = guard
        outputs = {}
        for number in range(self.random.choice([0, 1, 1, 2])):
            kind = self.random.choice([*SCALARS, "array", "Dataset"])
            outputs[f"o{number}"] = kind
            args += [self.word(kind), f"${{{{ outputs.o{number} }}}}"]
        if self.chance(0.2) and "o0" in outputs and outputs["o0"] in SCALARS:
            step["inputs"] = {"given": f"${{{{ {self.value(outputs['o0'])} }}}}"}
            args[2] = "${{ inputs.given }}"
        step["args"] = args
        if outputs:
            step["outputs"] = outputs
        if self.chance(0.2):
            step["env"] = {"T_A": f"<${{{{ {self.value(self.random.choice(SCALARS))} }}}}>"}
        if self.chance(0.1):
            step["retry"] = 1
        if self.chance(0.1):
            step["timeout"] = "5m"
        if self.chance(0.1) and not self.is_plain:
            step["resources"] = {"cpu": "${{ params.cpu }}"}
        if self.chance(0.1):
            step["cache"] = False
        return step

    def conditions(self, node: Tree) -> bool:
        """Add `when` and `needs` to a node; whether it may be skipped for them."""
        maybe = False
        if self.chance(0.25):
            node["when"], _ = self.marked(lambda: f"${{{{ {self.condition()} }}}}")
            maybe = True
        if self.chance(0.2) and self.level.nodes:
            needs = self.random.sample(sorted(self.level.nodes), 1)
            node["needs"] = needs
            maybe |= any(self.level.nodes[name] for name in needs)
        return maybe

    def group(self, into: Tree) -> None:
        """A group without a loop: its conditions are those of all its members."""
        name = self.name("g")
        group: Tree = {}
        before = dict(self.level.nodes)
        known = len(self.level.outputs)
        maybe = self.conditions(group)
        members: Tree = {}
        for _ in range(self.random.randint(1, 3)):
            self.node(members)
        group["steps"] = members
        into[name] = group
        if maybe:
            for output in self.level.outputs[known:]:
                output.maybe = True
        added = [other for other in self.level.nodes if other not in before]
        for other in added:
            self.level.nodes[other] |= maybe
        self.level.nodes[name] = any(self.level.nodes[other] for other in added)

    def loop(self, into: Tree) -> None:
        name = self.name("l")
        loop: Tree = {}
        maybe = self.conditions(loop)
        (loop["foreach"], items), maybe_axes = self.marked(self.axes)
        with self.inside(items) as inner:
            if self.chance(0.3):
                loop["parallel"] = self.random.choice([1, 2])
            members: Tree = {}
            for _ in range(self.random.randint(1, 3)):
                self.node(members)
            loop["steps"] = members
        into[name] = loop
        maybe |= maybe_axes or inner.may_skip
        for other in (name, *inner.nodes):
            self.level.nodes[other] = maybe
        for output in inner.outputs:
            if not output.maybe:
                self.produce(output.text, f"array:{output.kind}", maybe)

    def call(self, into: Tree) -> None:
        """A component or an algorithm as a step."""
        file = self.random.choice(sorted(_LIBRARY)) if not self.is_plain else "part.yaml"
        self.used |= {file, "part.yaml"}
        name = self.name("c")
        values, maybe = self.marked(lambda: f"${{{{ {self.value('integer')} }}}}")
        call: Tree = {"use": file, "inputs": {"n": values}}
        maybe |= self.conditions(call)
        into[name] = call
        self.left -= 1 if file == "part.yaml" else 4
        self.level.nodes[name] = maybe or file == "inner.yaml"
        for output, kind in _RESULTS[file].items():
            self.produce(f"steps.{name}.outputs.{output}", kind, maybe)

    def axes(self) -> tuple[Tree, list[tuple[str, str]]]:
        axes: Tree = {}
        items = []
        arrays = [
            output
            for output in self.outputs()
            if output.kind.startswith("array:") and output.kind.count(":") == 1 and not output.maybe
        ]
        for number in range(self.random.choice([1, 1, 2])):
            name = f"v{self.count}_{number}"
            source = self.random.random()
            if source < 0.5:
                kind = self.random.choice(["integer", "string"])
                axes[name] = self.random.sample(LITERALS[kind], self.random.choice([1, 2]))
            elif source < 0.8 or not arrays or number:
                param = self.random.choice(["ints", "words"])
                kind = "integer" if param == "ints" else "string"
                axes[name] = f"${{{{ params.{param} }}}}"
            else:
                output = self.random.choice(arrays)
                kind = output.kind.removeprefix("array:")
                axes[name] = f"${{{{ {self.taken(output)} }}}}"
            items.append((f"each.{name}", kind))
        return axes, items

    def word(self, kind: str) -> str:
        """An argument that is a value of some kind: alone, inside text, or literal."""
        if kind == "Dataset":
            return f"${{{{ {self.artifact() or self.value('string')} }}}}"
        if kind == "array":
            arrays = [o for o in self.outputs() if o.kind.startswith("array") and not o.maybe]
            if arrays and self.chance(0.7):
                return f"${{{{ {self.taken(self.random.choice(arrays))} }}}}"
            return self.random.choice(["${{ params.ints }}", "${{ params.words }}"])
        if kind == "string" and self.chance(0.3):
            other = self.random.choice(SCALARS)
            return f"{other}=${{{{ {self.value(other)} }}}};${{{{ {self.value('string')} }}}}"
        return f"${{{{ {self.value(kind)} }}}}"

    def artifact(self) -> str | None:
        there = [output for output in self.outputs() if output.kind == "Dataset"]
        maybe = [output for output in there if output.maybe]
        if maybe and self.chance(0.5) and not self.is_plain:
            return self.joined(self.random.choice(maybe), there)
        return self.taken(self.random.choice(there)) if there else None

    def value(self, kind: str) -> str:
        """An expression of a scalar kind."""
        there = [output for output in self.outputs() if output.kind == kind]
        maybe = [output for output in there if output.maybe]
        names = {"integer": "n", "number": "x", "string": "s", "boolean": "go"}
        choices: list[Callable[[], str]] = [
            lambda: self.literal(kind),
            lambda: f"params.{names[kind]}",
        ]
        if kind == "integer" and not self.is_plain:
            choices.append(lambda: f"params.maybe ?? {self.literal(kind)}")
        items = [name for level in self.levels for name, found in level.items if found == kind]
        if items:
            choices += [lambda: self.random.choice(items)] * 2
        if there:
            choices += [lambda: self.taken(self.random.choice(there))] * 3
        if maybe and not self.is_plain:
            left = self.random.choice(maybe)
            choices += [
                lambda: f"{left.text} ?? {self.literal(kind)}",
                lambda: f"{left.text} ?? params.{names[kind]}",
                lambda: self.joined(left, there),
            ]
        return self.random.choice(choices)()

    def joined(self, left: _Output, there: list[_Output]) -> str:
        """One of two outputs on a level: of two levels none would know that both were skipped."""
        others = [other for other in there if other.depth == left.depth]
        return f"{left.text} ?? {self.taken(self.random.choice(others))}"

    def condition(self, depth: int = 0) -> str:
        if self.is_plain:
            return self.comparison()
        if depth < 2 and self.chance(0.3):
            sign = self.random.choice(["&&", "||"])
            return f"({self.condition(depth + 1)}) {sign} ({self.condition(depth + 1)})"
        if self.chance(0.1):
            return f"!({self.condition(depth + 1)})"
        if self.in_finally and self.chance(0.4):
            return f"run.status == '{self.random.choice(['succeeded', 'failed'])}'"
        kind = self.random.choice(SCALARS)
        if kind == "boolean":
            return f"({self.value(kind)}) == {self.literal(kind)}"
        if self.chance(0.2):
            few = ", ".join(self.literal(kind) for _ in range(2))
            return f"({self.value(kind)}) in [{few}]"
        sign = self.random.choice(["==", "!=", "<", "<=", ">", ">="])
        return f"({self.value(kind)}) {sign} {self.literal(kind)}"

    def comparison(self) -> str:
        """One comparison of what is known in the run with a literal."""
        there = [output for output in self.outputs() if output.kind in SCALARS[:3]]
        if there and self.chance(0.7):
            output = self.random.choice(there)
            left, kind = self.taken(output), output.kind
        else:
            left, kind = self.random.choice([("params.n", "integer"), ("params.s", "string")])
        sign = self.random.choice(["==", "!=", "<", ">="])
        return f"{left} {sign} {self.literal(kind)}"

    def literal(self, kind: str) -> str:
        value = self.random.choice(LITERALS[kind])
        return json.dumps(value, ensure_ascii=False)

    def outputs(self) -> Iterator[_Output]:
        """What can be taken here. What comes from around a loop is there once the loop runs."""
        for level in self.levels:
            yield from level.outputs

    def taken(self, output: _Output) -> str:
        """The reference, noting what may be skipped for it."""
        if output.maybe:
            if output.depth == len(self.levels) - 1:
                self.is_maybe = True
            else:
                self.levels[output.depth + 1].may_skip = True
        return output.text

    def marked(self, write: Callable[[], T]) -> tuple[T, bool]:
        """What is written, and whether it takes from its own level what may be skipped."""
        before, self.is_maybe = self.is_maybe, False
        made = write()
        found, self.is_maybe = self.is_maybe, before
        return made, found

    @contextmanager
    def inside(self, items: list[tuple[str, str]]) -> Iterator[_Level]:
        """The body of a loop."""
        level = _Level(items=items)
        self.levels.append(level)
        try:
            yield level
        finally:
            self.levels.pop()

    def last_steps(self) -> Tree:
        self.levels = [_Level()]
        self.in_finally = True
        steps: Tree = {}
        for _ in range(self.random.randint(1, 3)):
            self.node(steps)
        return steps

    def handed_on(self) -> Tree:
        outputs: Tree = {}
        for output in self.random.sample(self.level.outputs, min(3, len(self.level.outputs))):
            name = f"r{len(outputs)}"
            if not output.maybe:
                outputs[name] = f"${{{{ {output.text} }}}}"
            elif output.kind in SCALARS:
                outputs[name] = f"${{{{ {output.text} ?? {self.literal(output.kind)} }}}}"
        return outputs


_RESULTS = {
    "part.yaml": {"n": "integer", "s": "string"},
    "inner.yaml": {"n": "integer", "all": "array:integer"},
}
_LIBRARY: dict[str, Tree] = {
    "part.yaml": {
        **HEAD,
        "kind": "Component",
        "name": "part",
        "params": {"n": {"type": "integer"}, "s": "word"},
        "outputs": _RESULTS["part.yaml"],
        "command": ["sh", "-c", ECHO, "echo"],
        "args": [
            *("x", "y", "${{ params.n }}", "${{ outputs.n }}"),
            *("${{ params.s }}=${{ params.n }}", "${{ outputs.s }}"),
        ],
    },
    "inner.yaml": {
        **HEAD,
        "kind": "Algorithm",
        "name": "inner",
        "params": {"n": 1, "limit": 2},
        "steps": {
            "first": {
                "command": ["sh", "-c", ECHO, "echo", "x", "y"],
                "args": ["${{ params.n }}", "${{ outputs.n }}"],
                "outputs": {"n": "integer"},
            },
            "each": {
                "foreach": {"k": [1, 2]},
                "command": ["sh", "-c", ECHO, "echo", "x", "y"],
                "args": ["${{ each.k }}", "${{ outputs.n }}"],
                "outputs": {"n": "integer"},
            },
            "extra": {
                "when": "${{ params.n >= params.limit }}",
                "use": "part.yaml",
                "inputs": {"n": "${{ steps.first.outputs.n }}"},
            },
            "last": {
                "command": ["sh", "-c", ECHO, "echo", "x", "y"],
                "args": ["${{ steps.extra.outputs.n ?? 0 }}", "${{ outputs.n }}"],
                "outputs": {"n": "integer"},
            },
        },
        "outputs": {"n": "${{ steps.last.outputs.n }}", "all": "${{ steps.each.outputs.n }}"},
    },
}
