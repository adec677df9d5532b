"""Pipelines with control flow, for the DSL: some by hand, and a strategy for many."""

from __future__ import annotations

from dataclasses import dataclass, field

from builders import (
    collected,
    command,
    each,
    loop,
    looped,
    negation,
    op,
    output_of,
    output_path,
    param,
    param_ref,
    pipeline,
    pipeline_input,
    pipeline_input_ref,
    pipeline_output,
    step,
)
from hypothesis import strategies as st
from msgspec.structs import replace

from compiler.expr import EachRef, Expr, ParamRef, StepOutputRef, ValueType
from compiler.ir import Loop, Node, Pipeline, Step

KINDS = {"i": "integer", "x": "number", "s": "string", "b": "boolean"}
PARAMS = (
    param("limit", 5),
    param("rate", 0.5),
    param("mode", "quick"),
    param("warm", False),
    param("sizes", [1, 2]),
    param("trials", [{"lr": 0.1, "depth": 3}]),
    param("lo", 1),
)


def grid() -> Pipeline:
    """A search over two lists, a choice by its result, and steps that follow it."""
    fetch = step("fetch", command("fetch", output_path("data")), outputs={"data": "Dataset"})
    fit = step(
        "fit",
        command(
            "fit",
            each("fit", "lr", kind="number"),
            each("fit", "depth", kind="integer"),
            output_of("fetch", "data"),
        ),
        outputs={"score": "number"},
    )
    scores = collected("fit", "score", "number")
    best = step("best", command("best", scores), outputs={"score": "number", "model": "Model"})
    good = op(output_of("best", "score", "number"), ">=", param_ref("rate", "number"))
    publish = step("publish", command("publish", output_of("best", "model", "Model")))
    announce = step("announce", command("announce"), needs=("publish",))
    warn = step("warn", command("warn", param_ref("mode")))
    return replace(
        pipeline(
            fetch,
            looped(fit, {"lr": [0.1, 1], "depth": [3, 4]}),
            best,
            replace(publish, when=op(good, "&&", op(param_ref("mode"), "!=", "it's a $test"))),
            announce,
            replace(warn, when=negation(good)),
            params=PARAMS,
        ),
        outputs=(
            pipeline_output("model", output_of("best", "model", "Model"), "Model"),
            pipeline_output("scores", scores, "array"),
        ),
    )


def nested() -> Pipeline:
    """Loops in loops, over items of items, with conditions in them, and a `finally`."""
    sizes = param_ref("sizes", "array")
    one = step("one", command("one", each("outer", "size", kind="integer")), outputs={"o": "Model"})
    two = step(
        "two",
        command("two", output_of("one", "o", "Model"), each("inner", "text", kind="string")),
        outputs={"t": "string"},
    )
    inner = loop("inner", {"text": ["a", "b"]}, two)
    three = step("three", command("three", collected("two", "t"), pipeline_input_ref("reports")))
    outer = loop(
        "outer",
        {"size": sizes},
        one,
        inner,
        replace(three, when=op(each("outer", "size", kind="integer"), ">", 1)),
        parallel=2,
        when=param_ref("warm", "boolean"),
    )
    typed = (replace(outer.axes[0], item=ValueType("integer")),)
    after = step("after", command("after"), needs=("outer",))
    clean = step("clean", command("clean", param_ref("mode"), pipeline_input_ref("reports")))
    tell = step("tell", command("tell"), needs=("clean",))
    return replace(
        pipeline(
            replace(outer, axes=typed),
            after,
            params=PARAMS,
            inputs=[pipeline_input("reports", "s3://ia/reports")],
        ),
        finally_nodes=(clean, replace(tell, when=op(param_ref("mode"), "==", "loud"))),
    )


@dataclass
class Level:
    """What a step of a level can use."""

    values: list[ParamRef | EachRef | StepOutputRef]
    lists: list[Expr]
    files: list[StepOutputRef]
    loops: tuple[str, ...] = ()
    fragile: set[str] = field(default_factory=set)


@st.composite
def flows(draw: st.DrawFn) -> Pipeline:
    """Pipelines of steps, conditions and loops, some of which the DSL can't say."""
    names = iter(f"{letter}{number}" for number in ("", "2", "3") for letter in "abcdefgh")
    main = draw(_nodes(names, _outermost(), draw(st.integers(1, 5)), 0))
    last = draw(st.one_of(st.just(()), _nodes(names, _outermost(), draw(st.integers(1, 2)), 1)))
    return replace(
        pipeline(*main, params=PARAMS, inputs=[pipeline_input("reports", "s3://ia/reports")]),
        finally_nodes=last,
    )


def _outermost() -> Level:
    return Level(
        [
            param_ref("limit", "integer"),
            param_ref("rate", "number"),
            param_ref("mode"),
            param_ref("warm", "boolean"),
        ],
        [param_ref("sizes", "array"), param_ref("trials", "array")],
        [],
    )


@st.composite
def _nodes(draw: st.DrawFn, names, level: Level, count: int, depth: int) -> tuple[Node, ...]:
    found: list[Node] = []
    for _ in range(count):
        name = next(names, None)
        if name is None:
            break
        if depth < 2 and draw(st.integers(0, 2)) == 0:
            found.append(draw(_loop(names, name, level, depth, [n.name for n in found])))
        else:
            found.append(draw(_step(name, level, [n.name for n in found])))
    return tuple(found)


@st.composite
def _step(draw: st.DrawFn, name: str, level: Level, earlier: list[str]) -> Step:
    values = draw(st.lists(st.sampled_from([*level.values, *level.files]), max_size=3))
    if draw(st.integers(0, 9)) == 0:
        # Part of what the SDK calls the item of a loop.
        values.append(param_ref("lo", "integer"))
    reports = [pipeline_input_ref("reports")] if draw(st.integers(0, 5)) == 0 else []
    made = step(
        name,
        command("run", *values, *reports),
        outputs={"i": "integer", "x": "number", "s": "string", "m": "Model", "l": "array"},
        needs=draw(st.lists(st.sampled_from(earlier), max_size=1)) if earlier else (),
    )
    conditional = draw(st.integers(0, 2)) == 0
    when = draw(_condition(level)) if conditional else None
    level.values += [output_of(name, out, KINDS[out]) for out in ("i", "x", "s")]
    level.files.append(output_of(name, "m", "Model"))
    level.lists.append(output_of(name, "l", "array"))
    return replace(made, when=when)


@st.composite
def _condition(draw: st.DrawFn, level: Level) -> Expr:
    value = draw(st.sampled_from(level.values))
    kind = value.type.kind
    if kind == "boolean":
        test: Expr = value
    elif kind in ("integer", "number"):
        others = [v for v in level.values if v.type.kind in ("integer", "number")]
        right = draw(st.one_of(st.sampled_from([0, 1, 2.5]), st.sampled_from(others)))
        test = op(value, draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="])), right)
    else:
        texts = st.sampled_from(["quick", "it's", "a\\b{{$", "é\n"])
        test = op(value, draw(st.sampled_from(["==", "!="])), draw(texts))
    if draw(st.integers(0, 3)) == 0:
        test = negation(test)
    return op(test, "&&", draw(_condition(level))) if draw(st.integers(0, 3)) == 0 else test


_LITERALS = [
    {"each_i": [1, 2]},
    {"each_x": [1, 2.5]},
    {"each_s": ["a", "it's"]},
    {"each_b": [True, False]},
    {"each_x": [0.1, 1], "each_i": [3, 4]},
    {"each_d": [{"i": 1, "s": "a"}, {"i": 2, "s": "b"}]},
]


@st.composite
def _loop(draw: st.DrawFn, names, name: str, level: Level, depth: int, earlier: list[str]) -> Loop:
    if draw(st.booleans()):
        axes: dict[str, object] = dict(draw(st.sampled_from(_LITERALS)))
    else:
        axes = {"each_l": draw(st.sampled_from(level.lists))}
    items: list[EachRef] = []
    for axis in axes:
        kind = KINDS.get(axis[-1])
        if axis == "each_d":
            items += [each(name, axis, "i", kind="integer"), each(name, axis, "s", kind="string")]
        elif axes[axis] == param_ref("trials", "array"):
            items.append(each(name, axis, "lr", kind=None))
        else:
            items.append(each(name, axis, kind=kind))
    inside = Level(
        [*level.values, *items, *items], [*level.lists], [*level.files], (*level.loops, name)
    )
    body = draw(_nodes(names, inside, draw(st.integers(1, 3)), depth + 1))
    made = loop(
        name,
        axes,
        *(body or (step(f"{name}_only", command("run")),)),
        parallel=draw(st.sampled_from([None, None, 2])),
        when=draw(_condition(level)) if draw(st.integers(0, 3)) == 0 else None,
        needs=draw(st.lists(st.sampled_from(earlier), max_size=1)) if earlier else (),
    )
    kinds = {"each_x": "number"}
    typed = tuple(
        replace(axis, item=ValueType(kinds[axis.name])) if axis.name in kinds else axis
        for axis in made.axes
    )
    first = made.body[0]
    whole = isinstance(first, Step) and first.when is None and not first.needs
    if whole and first.outputs and not _takes(first, [n.name for n in made.body]):
        level.lists.append(collected(first.name, "i", "integer"))
        # A list is a value of a command too.
        level.files.append(collected(first.name, "s"))
    return replace(made, axes=typed)


def _takes(taker: Step, names: list[str]) -> bool:
    return any(isinstance(e, StepOutputRef) and e.step in names for e in taker.expressions())
