"""Random expressions of the language with the values that they come to.

Each is made together with its value, so that what reads, types, evaluates or prints it can be
held against that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from builders import SPAN, param
from hypothesis import strategies as st
from msgspec.structs import replace

from compiler import expr as ex
from compiler.binding import Scope, Signature
from compiler.evaluation import SKIPPED, Skipped
from compiler.nodes import Scalar, SourceFile
from compiler.values import JsonValue, ValueKind, to_json

SCALARS: tuple[ValueKind, ...] = ("integer", "number", "string", "boolean")
# Few of each, so that equal ones meet; with all that quoting could trip over.
INTEGERS = st.sampled_from([0, 1, -1, 2, 7, 2**53 - 1, 1 - 2**53])
NUMBERS = st.one_of(
    INTEGERS,
    st.sampled_from([0.5, -0.5, 1e-3, 1.5e300, 5e-324, -0.0, 1e21, 123456789.125]),
    st.floats(allow_nan=False, allow_infinity=False),
)
TEXTS = st.one_of(
    st.sampled_from(["a", "b", "aa", "A", "é", "z", "\uffff", "🎉", " a ", " ", "true", "1", "'"]),
    st.text(st.sampled_from("ab'\"\\${}#`\n\t\r\x01\x7f\u2028é🎉 ?:"), max_size=6),
)
VALUES: dict[ValueKind, st.SearchStrategy[Any]] = {
    "integer": INTEGERS,
    "number": NUMBERS,
    "string": TEXTS,
    "boolean": st.booleans(),
}


class Name(NamedTuple):
    """A name that expressions can use. `origin`: `param`, `maybe` (a param that may be null),
    `step`, or `skippable` for an output of the step that may be skipped."""

    text: str
    origin: str
    kind: ValueKind
    items: ValueKind | None = None


class World(NamedTuple):
    """The names there are, by their text, with what they stand for in a run."""

    names: tuple[Name, ...]
    values: Mapping[str, Any]


class Made(NamedTuple):
    """An expression: its text, with brackets around all operations, and its value."""

    text: str
    value: Any


def _names() -> tuple[Name, ...]:
    found = []
    for kind in SCALARS:
        found += [
            Name(f"params.{kind}", "param", kind),
            Name(f"params.maybe_{kind}", "maybe", kind),
            Name(f"params.or_{kind}", "maybe", kind),
            Name(f"params.many_{kind}", "param", "array", kind),
            Name(f"params.maybe_many_{kind}", "maybe", "array", kind),
            Name(f"steps.sure.outputs.{kind}", "step", kind),
            Name(f"steps.unsure.outputs.{kind}", "skippable", kind),
        ]
    return tuple(found)


NAMES = _names()


def value_of(name: Name) -> st.SearchStrategy[Any]:
    if name.items:
        return st.lists(VALUES[name.items], max_size=3)
    # On the clusters the empty text is null.
    found = VALUES[name.kind]
    return found.filter(bool) if name.origin == "maybe" and name.kind == "string" else found


@st.composite
def worlds(draw: st.DrawFn) -> World:
    values = {}
    is_skipped = draw(st.booleans())
    for name in NAMES:
        found = draw(value_of(name))
        if name.origin == "maybe" and draw(st.booleans()):
            found = None
        values[name.text] = SKIPPED if name.origin == "skippable" and is_skipped else found
    return World(NAMES, values)


def scope() -> Scope:
    """What the names stand for when a spec is read."""
    params = {}
    outputs: dict[str, ex.Type | None] = {}
    for name in NAMES:
        last = name.text.rpartition(".")[2]
        if name.origin in ("param", "maybe"):
            made = param(last, kind=name.kind, nullable=name.origin == "maybe")
            params[last] = replace(made, items=name.items)
        else:
            outputs[last] = ex.ValueType(name.kind)
    steps = {step: Signature(outputs, SPAN) for step in ("sure", "unsure")}
    return Scope("demo", params, {}, steps, None)


def scalar(text: str) -> Scalar:
    """A plain scalar that is all of a file, which is one line."""
    file = SourceFile("spec.yaml", text)

    class Mark(NamedTuple):
        index: int
        line: int
        column: int

    return Scalar(file, Mark(0, 0, 0), Mark(len(text), 0, len(text)), text, "")


def name_of(ref: ex.Expr) -> str:
    """What a bound reference is called in `World.values`."""
    match ref:
        case ex.ParamRef(name=name):
            return f"params.{name}"
        case ex.StepOutputRef(step=step, output=output):
            return f"steps.{step}.outputs.{output}"
    raise AssertionError(ref)


def written(value: JsonValue) -> str:
    """A literal of the language."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return repr(value)
    return to_json(value)


class _Maker:
    """Draws expressions; `origins` are the names that they may use."""

    def __init__(self, draw: st.DrawFn, world: World, origins: tuple[str, ...]) -> None:
        self.draw = draw
        self.world = world
        self.origins = origins

    def pick(self, *makers: Callable[[], Made]) -> Made:
        return self.draw(st.sampled_from(makers))()

    def literal(self, kind: ValueKind) -> Made:
        value = self.draw(VALUES[kind])
        return Made(written(value), value)

    def named(self, kind: ValueKind, origins: tuple[str, ...], items: ValueKind | None) -> Made:
        kinds = ("integer", "number") if kind == "number" else (kind,)
        held = ("integer", "number") if items == "number" else (items,)
        usable = [
            name
            for name in self.world.names
            if name.kind in kinds and name.items in held and name.origin in origins
        ]
        name = self.draw(st.sampled_from(usable))
        return Made(name.text, self.world.values[name.text])

    def sure(self, kind: ValueKind, items: ValueKind | None = None) -> Made:
        """A name that is never null. Its step is seldom one that may be skipped: a skipped step
        skips all that takes it without `??`."""
        origins = {"param", "step"}
        if not self.draw(st.integers(0, 9)):
            origins.add("skippable")
        usable = ("param",) if kind == "array" else tuple(o for o in self.origins if o in origins)
        return self.named(kind, usable, items)

    def missing(self, kind: ValueKind, items: ValueKind | None = None) -> Made:
        """What may be on the left of a `??`: a name, though it may be one that is always there, or
        a chain that may come to null."""
        if not self.draw(st.integers(0, 5)):
            return self.sure(kind, items)
        origins = tuple(o for o in self.origins if o in ("maybe", "skippable"))
        name = self.named(kind, ("maybe",) if kind == "array" else origins, items)
        if self.draw(st.integers(0, 3)):
            return name
        other = self.named(kind, ("maybe",), items)
        if not self.draw(st.integers(0, 3)):
            other = Made("null", None)
        return fallback(name, other)

    def fallen_back(self, kind: ValueKind, depth: int, items: ValueKind | None = None) -> Made:
        other = self.many(items, depth - 1) if items else self.value(kind, depth - 1)
        return fallback(self.missing(kind, items), other)

    def value(self, kind: ValueKind, depth: int) -> Made:
        if depth <= 0:
            return self.pick(lambda: self.literal(kind), lambda: self.sure(kind))
        choices: list[Callable[[], Made]] = [
            lambda: self.literal(kind),
            lambda: self.sure(kind),
            *[lambda: self.fallen_back(kind, depth)] * 2,
        ]
        if kind == "boolean":
            choices += [lambda: self.boolean(depth)] * 3
        return self.pick(*choices)

    def many(self, items: ValueKind, depth: int) -> Made:
        """A list with something in it, or a name of one."""
        if depth > 0 and self.draw(st.integers(0, 3)) == 0:
            return self.fallen_back("array", depth, items)
        if self.draw(st.booleans()):
            return self.sure("array", items)
        found = [self.value(items, depth - 1) for _ in range(self.draw(st.integers(1, 3)))]
        text = f"[{', '.join(item.text for item in found)}]"
        values = [item.value for item in found]
        return Made(text, SKIPPED if SKIPPED in values else values)

    def boolean(self, depth: int) -> Made:
        kind = self.draw(st.sampled_from(SCALARS))
        inner = depth - 1
        return self.pick(
            lambda: self.negation(inner),
            lambda: self.both(inner),
            lambda: self.compared(kind, inner),
            lambda: self.within(kind, inner),
            lambda: self.null_test(kind),
        )

    def negation(self, depth: int) -> Made:
        of = self.value("boolean", depth)
        return Made(f"!({of.text})", operated(lambda a: not a, of))

    def both(self, depth: int) -> Made:
        left, right = self.value("boolean", depth), self.value("boolean", depth)
        sign = self.draw(st.sampled_from(("&&", "||")))
        text = f"(({left.text}) {sign} ({right.text}))"
        if not isinstance(left.value, Skipped) and left.value is (sign == "||"):
            return Made(text, left.value)
        return Made(text, SKIPPED if isinstance(left.value, Skipped) else right.value)

    def compared(self, kind: ValueKind, depth: int) -> Made:
        left, right = self.value(kind, depth), self.value(kind, depth)
        signs: dict[str, Callable[[Any, Any], bool]] = {
            "==": lambda a, b: a == b,
            "!=": lambda a, b: a != b,
        }
        if kind != "boolean":
            signs["<"] = lambda a, b: a < b
            signs["<="] = lambda a, b: a <= b
            signs[">"] = lambda a, b: a > b
            signs[">="] = lambda a, b: a >= b
        sign = self.draw(st.sampled_from(list(signs)))
        return Made(f"({left.text} {sign} {right.text})", operated(signs[sign], left, right))

    def within(self, kind: ValueKind, depth: int) -> Made:
        item, items = self.value(kind, depth), self.many(kind, depth)
        return Made(f"({item.text} in {items.text})", operated(lambda a, b: a in b, item, items))

    def null_test(self, kind: ValueKind) -> Made:
        name = self.named(kind, ("maybe",), None)
        if not self.draw(st.integers(0, 3)):
            name = fallback(self.missing(kind), name)
        sign = self.draw(st.sampled_from(("==", "!=")))
        sides = [name.text, "null"] if self.draw(st.booleans()) else ["null", name.text]
        return Made(
            f"({f' {sign} '.join(sides)})", operated(lambda a: (a is None) is (sign == "=="), name)
        )


def operated(function: Callable[..., Any], *operands: Made) -> Any:
    values = [operand.value for operand in operands]
    return SKIPPED if SKIPPED in values else function(*values)


def fallback(left: Made, right: Made) -> Made:
    is_missing = left.value is None or isinstance(left.value, Skipped)
    return Made(f"({left.text} ?? {right.text})", right.value if is_missing else left.value)


EVERYWHERE = ("param", "maybe", "step", "skippable")


@st.composite
def conditions(draw: st.DrawFn, origins: tuple[str, ...] = EVERYWHERE) -> tuple[World, Made]:
    """A boolean operation, in a world."""
    world = draw(worlds())
    return world, _Maker(draw, world, origins).boolean(3)


@st.composite
def any_values(
    draw: st.DrawFn, origins: tuple[str, ...] = EVERYWHERE
) -> tuple[World, ValueKind, Made]:
    """An expression of any kind, or a list."""
    world = draw(worlds())
    maker = _Maker(draw, world, origins)
    kind = draw(st.sampled_from(SCALARS))
    if draw(st.integers(0, 3)) == 0:
        return world, "array", maker.many(kind, 2)
    return world, kind, maker.value(kind, 3)
