"""Control flow in the DSL source: what the real SDK makes of it, and what it can't say."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from builders import (
    SPAN,
    collected,
    command,
    concat,
    each,
    gpu,
    list_of,
    literal,
    loop,
    looped,
    negation,
    op,
    output_of,
    param,
    param_ref,
    pipeline,
    pipeline_output,
    python,
    step,
)
from hypothesis import given
from kfp.dsl import for_loop
from kfp_dsl_cases import PARAMS, flows, grid, nested
from kfp_dsl_flow import differences, flow
from kfp_spec import Written, dangling, read
from msgspec.structs import replace
from test_kfp_dsl import NONE, SLOW, assert_formatted, compiled, leaves

from compiler.expr import EachRef, Expr, RunRef, ValueType
from compiler.ir import Amount, Loop, Node, Pipeline, Resources, Step
from compiler.targets import Level, Support, kfp, kfp_dsl
from compiler.targets.kfp_dsl import loops
from compiler.targets.kfp_dsl.conditions import UnsayableError, comparisons

RATE = param_ref("rate", "number")
LIMIT = param_ref("limit", "integer")
WARM = param_ref("warm", "boolean")
MODE = param_ref("mode")
SIZES = param_ref("sizes", "array")
TRIALS = param_ref("trials", "array")
OBJECTS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def refused(given: Pipeline) -> list[Support]:
    return [use for use in kfp_dsl.explain(given, NONE) if use.level is Level.REFUSED]


def compared(given: Pipeline) -> list[str]:
    """How what the SDK makes of it differs from what the target kfp writes."""
    by_sdk = compiled(kfp_dsl.emit(given, NONE))
    late = any(
        use.field == "when" and use.level is Level.WEAKER for use in kfp_dsl.explain(given, NONE)
    )
    return [
        *dangling(by_sdk),
        *differences(flow(read(kfp.emit(given, NONE))), flow(by_sdk), later=late),
    ]


def run(name: str, *words: Any, when: Expr | None = None, **more: Any) -> Step:
    """A step with an output of each kind."""
    outputs = {"i": "integer", "x": "number", "s": "string", "l": "array", "m": "Model"}
    made = step(name, command("run", *words), outputs=outputs, **more)
    return replace(made, when=when)


def made(*nodes: Node, **more: Any) -> Pipeline:
    return pipeline(*nodes, params=PARAMS, **more)  # type: ignore[arg-type]


def accuracy(name: str = "a") -> Expr:
    return output_of(name, "x", "number")


def numbers(given: Loop) -> Loop:
    """Of a list with integers among the numbers."""
    return replace(given, axes=(replace(given.axes[0], item=ValueType("number")),))


IF_A = op(accuracy(), ">", 1)
CASES: dict[str, Pipeline] = {
    "grid": grid(),
    "nested": nested(),
    "if": made(run("a"), run("b", when=IF_A), run("c", output_of("b", "m", "Model"))),
    "if in if": made(
        run("a"), run("b", when=IF_A), run("c", needs=("b",), when=op(MODE, "!=", "x"))
    ),
    "group": made(
        run("a"),
        run("b", when=op(IF_A, "&&", WARM)),
        run("c", when=op(IF_A, "&&", op(accuracy("b"), "<=", LIMIT))),
        run("d", needs=("b", "c")),
    ),
    "negated": made(
        run("a", when=negation(op(WARM, "||", op(MODE, "in", literal(["it's", "${x}", "a\\b"]))))),
        run("b", when=negation(op(3, "<", LIMIT))),
        run("c", when=op(MODE, "in", list_of("quick"))),
    ),
    "null": replace(
        made(
            run("a", when=op(param_ref("top", "integer", nullable=True), "==", None)),
            run("b", when=op(None, "!=", param_ref("top", "integer", nullable=True))),
        ),
        params=(param("top", None, "integer"),),
    ),
    "list of a step": made(
        run("a"), looped(run("b", each("b", "n")), {"n": output_of("a", "l", "array")}, parallel=3)
    ),
    "mixed numbers": made(
        numbers(looped(run("b", each("b", "n", kind="number")), {"n": [1, 2.5]}))
    ),
    "objects": made(
        looped(
            run("b", each("b", "t", "a", kind="integer"), each("b", "t", "b", kind="string")),
            {"t": OBJECTS},
        )
    ),
    "fields at run time": made(
        loop(
            "l",
            {"t": TRIALS},
            run("b", each("l", "t", "lr", kind="number")),
            run("c", when=op(each("l", "t", "depth", kind="integer"), ">", 2)),
        )
    ),
    "whole object": made(looped(run("b", each("b", "t", kind="object")), {"t": [{"a": 1}]})),
    "several lists at run time": made(
        run("a"),
        looped(
            run("b", each("b", "n"), each("b", "k", kind="string")),
            {"n": output_of("a", "l", "array"), "k": ["u", "v"]},
        ),
    ),
    "parallel over several lists": made(
        looped(
            run("b", each("b", "n", kind="integer"), each("b", "k", kind="string")),
            {"n": [1, 2], "k": ["u", "v"]},
            parallel=2,
        )
    ),
    "lists of lists": made(
        loop(
            "out",
            {"n": [1, 2]},
            looped(run("b", each("b", "k", kind="string")), {"k": ["u", "v"]}),
            run("c", collected("b", "i", "integer")),
        ),
        run("d", collected("b", "i", "integer", depth=2), collected("c", "s")),
    ),
    "dots": made(run("train.fit"), run("train_fit"), run("c", accuracy("train.fit"))),
    "order of loops": made(
        looped(run("a"), {"n": [1]}),
        looped(run("b", needs=("a",)), {"n": [1]}),
        run("c", needs=("b",), when=WARM),
    ),
    "loop under an if": made(
        run("a"),
        looped(run("b", accuracy()), {"n": [1, 2]}, when=IF_A),
        run("c", collected("b", "s")),
    ),
    "finally": replace(
        made(run("a", when=WARM)),
        finally_nodes=(run("b", MODE), run("c", accuracy("b"), when=op(accuracy("b"), ">", 0))),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_sdk_makes_of_it_what_the_target_kfp_writes(name: str) -> None:
    assert not refused(CASES[name])
    assert not compared(CASES[name])
    assert_formatted(kfp_dsl.emit(CASES[name], NONE))


@SLOW
@given(flows())
def test_any_control_flow(drawn: Pipeline) -> None:
    """What is not refused comes out right."""
    if not refused(drawn):
        assert not compared(drawn)
        # A long comparison is put on two lines, which a longer line may hold as one.
        assert_formatted(kfp_dsl.emit(drawn, NONE), "88")


def test_a_difference_would_be_seen() -> None:
    for name in ("grid", "nested", "lists of lists"):
        direct = read(kfp.emit(CASES[name], NONE))
        right = flow(direct)
        tested = 0
        for path in leaves(direct.spec, ()):
            if path[-1] == "description" or path[0] not in ("root", "components"):
                continue
            if {"taskInfo", "outputDefinitions", "artifactType"} & set(path):
                continue
            if path[-2:] == ("cachingOptions", "enableCache") and path[-3].startswith("import-"):
                continue
            # What a DAG is given is told by what it comes from.
            if "dag" in direct.spec["components"].get(path[1], {}) and path[2] != "dag":
                continue
            other = Written(copy.deepcopy(direct.spec), direct.platform)
            tree: Any = other.spec
            for key in path[:-1]:
                tree = tree[key]
            tree[path[-1]] = "0 == 1" if path[-1] == "condition" else "other"
            assert is_unlike(right, other), path
            tested += 1
        assert tested > 20


def is_unlike(right: Any, other: Written) -> bool:
    try:
        return bool(differences(right, flow(other)))
    except (AssertionError, KeyError, StopIteration, ValueError):
        return True


READS = """\
class Outputs(NamedTuple):
    model: dsl.Model
    scores: list


@dsl.pipeline(name="an-algorithm", description="The algorithm an_algorithm.")
def an_algorithm(
    limit: int = 5,
    rate: float = 0.5,
    mode: str = "quick",
    warm: bool = False,
    sizes: list = [1, 2],
    trials: list = [{"lr": 0.1, "depth": 3}],
    lo: int = 1,
) -> Outputs:
    fetch_task = fetch()
    fetch_task.set_env_variable(name="MLC_STEP", value="fetch")

    with dsl.ParallelFor(items=[0.1, 1]) as lr:
        with dsl.ParallelFor(items=[3, 4]) as depth:
            fit_task = fit(
                each_lr=lr,
                each_depth=depth,
                fetch_data=fetch_task.outputs["data"],
            )
            fit_task.set_env_variable(name="MLC_STEP", value="fit")

    best_task = best(fit_score=dsl.Collected(fit_task.outputs["score"]))
    best_task.set_env_variable(name="MLC_STEP", value="best")

    with dsl.If(best_task.outputs["score"] >= rate):
        with dsl.If(mode != "it\\\\u0027s a \\\\u0024test"):
            publish_task = publish(best_model=best_task.outputs["model"])
            publish_task.set_env_variable(name="MLC_STEP", value="publish")
            publish_task.set_caching_options(enable_caching=False)

            announce_task = announce()
            announce_task.after(publish_task)
            announce_task.set_env_variable(name="MLC_STEP", value="announce")
            announce_task.set_caching_options(enable_caching=False)

    with dsl.If(best_task.outputs["score"] < rate):
        warn_task = warn(mode=mode)
        warn_task.set_env_variable(name="MLC_STEP", value="warn")
        warn_task.set_caching_options(enable_caching=False)

    return Outputs(
        model=best_task.outputs["model"],
        scores=dsl.Collected(fit_task.outputs["score"]),
    )


if __name__ == "__main__":
    compiler.Compiler().compile(an_algorithm, "an-algorithm.yaml")
"""


def test_how_it_reads() -> None:
    text = kfp_dsl.emit(grid(), NONE)
    assert text[text.index("class Outputs") :] == READS
    assert "\nfrom typing import NamedTuple\n\nfrom kfp import compiler, dsl\n" in text


EXIT = '''\
def finally_steps(
    mode: str,
    reports: str,
) -> None:
    """What runs when all other tasks have ended."""
    import_reports_task = dsl.importer(artifact_uri=reports, artifact_class=dsl.Dataset)
'''
GUARDED = """\
    finally_steps_task = finally_steps(mode=mode, reports=reports)
    with dsl.ExitHandler(finally_steps_task):
"""


def test_how_a_finally_reads() -> None:
    text = kfp_dsl.emit(nested(), NONE)
    assert text.count("dsl.ExitHandler") == 1
    assert GUARDED in text
    assert "dsl.importer(" in text.split("def finally_steps(")[1].split("@dsl.pipeline")[0]


def test_a_long_condition() -> None:
    name = "a" * 30
    given = made(run(name), run("b", when=op(output_of(name, "s", "string"), "==", "b" * 60)))
    assert_formatted(kfp_dsl.emit(given, NONE), "88")
    assert not compared(given)


def test_steps_share_an_if_where_they_wait_for_the_same() -> None:
    text = kfp_dsl.emit(made(run("a"), run("b", when=IF_A), run("c", when=IF_A)), NONE)
    assert text.count("dsl.If") == 1
    text = kfp_dsl.emit(
        made(run("a"), run("d"), run("b", when=IF_A), run("c", when=IF_A, needs=("d",))), NONE
    )
    assert text.count("dsl.If") == 2


def test_what_an_if_makes_wait_is_told() -> None:
    given = made(run("a"), run("d"), run("b", when=IF_A), run("c", accuracy("b"), accuracy("d")))
    (use,) = [use for use in kfp_dsl.explain(given, NONE) if use.level is Level.WEAKER]
    assert (use.field, use.where) == ("when", "step b")
    assert "`d`" in use.reason
    assert not compared(given)


def test_amounts() -> None:
    """The SDK gives a task what its component does not declare, which the driver lets pass."""
    given = replace(
        made(
            run("a", resources=Resources(memory=Amount(param_ref("mem"), param_ref("mem"), SPAN))),
        ),
        params=(param("mem", "1Gi"),),
    )
    assert not refused(given)
    by_sdk = flow(compiled(kfp_dsl.emit(given, NONE)))
    assert not differences(flow(read(kfp.emit(given, NONE))), by_sdk)


def finals(*nodes: Node) -> Pipeline:
    return replace(made(run("z")), finally_nodes=nodes)


UNSAID: list[tuple[str, str, Pipeline]] = [
    ("when", "more than comparisons", made(run("a", when=op(WARM, "||", WARM)))),
    ("when", "more than comparisons", made(run("a", when=negation(op(WARM, "&&", WARM))))),
    ("when", "is a choice", made(run("a", when=op(MODE, "in", literal(["a", "b"]))))),
    ("when", "always false", made(run("a", when=literal(False)))),
    ("when", "a comparison is compared", made(run("a", when=op(op(LIMIT, ">", 1), "==", WARM)))),
    ("when", "`run.name`", made(run("a", when=op(RunRef("name", SPAN), "==", "x")))),
    ("when", "may be null", replace(
        made(run("a", when=op(param_ref("top", "integer", nullable=True), ">", 1))),
        params=(param("top", None, "integer"),))),
    ("when", "`??`", replace(
        made(run("a", when=op(op(param_ref("top", "integer", nullable=True), "??", 1), ">", 1))),
        params=(param("top", None, "integer"),))),
    ("??", "no way", made(
        run("a", when=WARM), run("b", op(accuracy(), "??", literal(1.5))))),
    ("needs", "different Ifs", made(
        run("a", when=WARM), run("b", when=op(MODE, "==", "x")), run("c", needs=("a", "b")))),
    ("foreach", "may be empty", made(
        looped(run("a", each("a", "n")), {"n": SIZES}), run("b", collected("a", "s")))),
    ("foreach", "empty list", made(looped(run("a"), {"n": []}))),
    ("foreach", "no collected outputs", made(
        looped(run("a"), {"n": [1]}), looped(run("b"), {"n": collected("a", "s")}))),
    ("foreach", "can't be the name of a field", made(
        looped(run("a", each("a", "n", "name", kind="string")), {"n": [{"name": "x"}]}))),
    ("foreach", "can't be the name of a field", made(
        looped(run("a", each("a", "n", "class", kind="string")), {"n": TRIALS}))),
    ("foreach", "no field of a field", made(
        looped(run("a", each("a", "n", "p", "q", kind="string")), {"n": TRIALS}))),
    ("inputs", "files of a list", made(
        looped(run("a"), {"n": [1]}),
        step("b", python("m:f"), inputs={"all": collected("a", "m", "Model")}))),
    ("run.status", "PipelineTaskFinalStatus", finals(run("a", RunRef("status", SPAN)))),
    ("outputs", "exit handler", replace(
        finals(run("a")), outputs=(pipeline_output("o", accuracy("z"), "number"),))),
    ("resources", "driver can't read", made(
        run("a", resources=Resources(gpu=replace(gpu(1), count=LIMIT))))),
    ("resources", "forgets to wait", made(
        run("a"),
        run("b", resources=Resources(cpu=Amount(None, output_of("a", "s", "string"), SPAN))))),
    ("resources", "nothing but text", made(
        run("a", resources=Resources(memory=Amount(LIMIT, LIMIT, SPAN))))),
    ("resources", "forgets", made(
        run("a", when=WARM, resources=Resources(memory=Amount(MODE, MODE, SPAN))))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "reason", "unsaid"), UNSAID, ids=[f"{u[0]} {u[1]}" for u in UNSAID]
)
def test_what_the_sdk_can_not_say(field: str, reason: str, unsaid: Pipeline) -> None:
    found = refused(unsaid)
    assert any(use.field == field and reason in use.reason for use in found), found
    assert all(use.acceptable == (use.field == "outputs") for use in found)


def test_outputs_are_left_out_where_that_is_accepted() -> None:
    given = replace(finals(run("a")), outputs=(pipeline_output("o", accuracy("z"), "number"),))
    by_sdk = compiled(kfp_dsl.emit(given, NONE))
    assert "outputDefinitions" not in by_sdk.spec["root"]


def field_of(name: str) -> EachRef:
    return each("l", "t", name, kind="integer")


LOST: dict[str, Pipeline] = {
    "a name in the SDK's own": made(
        loop("l", {"n": [1, 2]}, run("a", param_ref("lo", "integer"), when=WARM))
    ),
    "the list in its loop": made(loop("l", {"n": SIZES}, run("a", SIZES, when=WARM))),
    "a list in itself": made(
        loop("l", {"n": SIZES}, looped(run("a", each("l", "n"), each("a", "k")), {"k": SIZES}))
    ),
    "a list that nobody takes items of": made(
        loop("l", {"n": [1]}, looped(run("a"), {"k": SIZES}))
    ),
    "a list made by a step that nobody takes items of": made(
        run("a"), looped(run("b"), {"k": output_of("a", "l", "array")})
    ),
    "a field under an If": made(loop("l", {"t": OBJECTS}, run("a", field_of("a"), when=WARM))),
    "a field that an If around another compares": made(
        loop(
            "l",
            {"t": OBJECTS},
            looped(
                run("a", each("a", "n", kind="integer"), when=WARM),
                {"n": [1, 2]},
                when=op(field_of("a"), ">", 1),
            ),
        )
    ),
    "a field in an exit handler": replace(
        finals(run("z2")),
        nodes=(loop("l", {"t": OBJECTS}, run("a", field_of("a"))),),
    ),
    "an item of an item": made(
        loop("l", {"n": TRIALS}, loop("k", {"m": each("l", "n", "own", kind="array")},
             run("a", each("k", "m"), when=WARM)))
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOST)
def test_what_the_sdk_loses(name: str) -> None:
    """It fails, or writes a spec that would. Once it doesn't, the refusal can go."""
    given = LOST[name]
    found = refused(given)
    assert found, "is refused"
    assert all("the SDK" in use.reason for use in found)
    try:
        broken = bool(compared(given))
    except (AssertionError, KeyError):
        broken = True
    assert broken


def test_attributes_that_no_field_can_have() -> None:
    item = for_loop.LoopParameterArgument.from_raw_items([1], "1")
    public = {name for name in {*dir(item), *vars(item)} if not name.startswith("_")}
    assert not [name for name in public if loops.is_field(name)]
    assert loops.is_field("lr")


@pytest.mark.parametrize(
    ("test", "keys"),
    [
        (None, []),
        (literal(True), []),
        (WARM, ["params.warm == true"]),
        (negation(WARM), ["params.warm == false"]),
        (negation(negation(op(LIMIT, "<", 3))), ["params.limit < 3"]),
        (op(3, "<", LIMIT), ["params.limit > 3"]),
        (negation(op(op(LIMIT, "<=", 3), "||", op(MODE, "==", "a"))),
         ["params.limit > 3", 'params.mode != "a"']),
        (op(WARM, "&&", op(WARM, "&&", WARM)), ["params.warm == true"]),
    ],
)  # fmt: skip
def test_comparisons(test: Expr | None, keys: list[str]) -> None:
    assert [comparison.key for comparison in comparisons(test)] == keys


def test_a_word_is_no_comparison() -> None:
    with pytest.raises(UnsayableError):
        comparisons(concat("a", MODE))
