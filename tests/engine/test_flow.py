"""Conditions, skipping and `??`, finally, and outputs of the algorithm: what runs and what not."""

from __future__ import annotations

import pytest
from bench import Bench
from builders import (
    SPAN,
    command,
    concat,
    flag,
    input_ref,
    list_of,
    literal,
    negation,
    op,
    output_of,
    param,
    param_ref,
    pipeline_input,
    pipeline_input_ref,
    pipeline_output,
    python,
    script,
    step,
)
from msgspec.structs import replace

from compiler.expr import Expr, RunRef
from compiler.ir import Cache, Limits, Step

FLAG = param("go", False)
NEVER = param_ref("go", "boolean")


def write(name: str, value: object = 1, kind: str = "integer", **keys: object) -> Step:
    source = f"printf '%s' '{value}' >\"$OUTPUT_N\""
    return step(name, script(source), outputs={"n": kind}, **keys)  # type: ignore[arg-type]


def echo(name: str, *words: object, **keys: object) -> Step:
    return step(name, command("echo", *words), **keys)  # type: ignore[arg-type]


def skipped(made: Step) -> Step:
    return replace(made, when=NEVER)


def test_a_condition_decides_when_what_it_takes_is_there(bench: Bench) -> None:
    accuracy = output_of("fit", "n", "number")
    done = bench.run(
        replace(echo("good", "good"), when=op(accuracy, ">=", param_ref("least", "number"))),
        replace(echo("bad", "bad"), when=op(accuracy, "<", param_ref("least", "number"))),
        write("fit", 0.9, "number"),
        params=(param("least", 0.8),),
    )
    assert done.status == "succeeded"
    assert done.steps == {"good": "succeeded", "bad": "skipped", "fit": "succeeded"}
    assert done.reason("bad") == "`when` is false"
    assert done.changes("bad") == ["skipped"]
    assert list(done.result.steps) == ["good", "bad", "fit"], "in the spec's order"


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        (op(param_ref("n", "integer"), "==", 3), True),
        (op(param_ref("n", "integer"), "==", 3.0), True),
        (op(param_ref("n", "integer"), ">", 3), False),
        (op(param_ref("s"), "<", "b"), True),
        (op(param_ref("s"), "in", ["a", "b"]), True),
        (op(param_ref("n", "integer"), "in", list_of(1, param_ref("n", "integer"))), True),
        (negation(op(param_ref("s"), "!=", "a")), True),
        (op(op(param_ref("none", "integer", nullable=True), "??", 0), ">", 0), False),
        (op(NEVER, "||", op(literal(1), "<=", 1)), True),
        (op(NEVER, "&&", literal(True)), False),
        (op(RunRef("id", SPAN), "!=", ""), True),
    ],
)
def test_what_conditions_may_say(bench: Bench, condition: Expr, outcome: bool) -> None:
    params = (FLAG, param("n", 3), param("s", "a"), param("none", None, "integer"))
    done = bench.run(replace(step("it", command("true")), when=condition), params=params)
    assert done.steps == {"it": "succeeded" if outcome else "skipped"}


def test_what_needs_a_skipped_step_is_skipped_and_the_run_succeeds(bench: Bench) -> None:
    done = bench.run(
        skipped(write("top")),
        echo("data", output_of("top", "n", "integer")),
        echo("order", needs=["top"]),
        echo("far", needs=["data", "other"]),
        echo("other"),
        params=(FLAG,),
    )
    assert done.status == "succeeded"
    assert done.steps == {
        "top": "skipped", "data": "skipped", "order": "skipped", "far": "skipped",
        "other": "succeeded",
    }  # fmt: skip
    assert done.reason("order") == "needs top, which was skipped"
    assert done.reason("far") == "needs data, which was skipped"


def test_a_failure_counts_for_more_than_a_skip(bench: Bench) -> None:
    done = bench.run(
        skipped(write("top")),
        step("bad", script("sleep 0.2; exit 1")),
        echo("both", needs=["top", "bad"]),
        echo("rather", op(output_of("top", "n", "integer"), "??", 5), needs=["bad"]),
        params=(FLAG,),
    )
    assert done.status == "failed"
    assert done.steps["both"] == done.steps["rather"] == "omitted"
    assert done.reason("both") == "needs bad, which failed"


def test_a_fallback_stands_in_for_null_and_for_what_was_skipped(bench: Bench) -> None:
    one, two = output_of("one", "n", "integer"), output_of("two", "n", "integer")
    bench.write("code.py", "def show(n):\n    print('got', repr(n))\n")
    done = bench.run(
        skipped(write("one", 1)),
        write("two", 2),
        echo("join", op(one, "??", two)),
        echo("first", op(two, "??", one)),
        echo("last", op(op(one, "??", param_ref("none", "integer", nullable=True)), "??", 7)),
        echo("text", concat("<", op(one, "??", 3), ">"), flag("--n", op(one, "??", None))),
        step("call", python("code:show"), inputs={"n": op(one, "??", 4)}),
        step("env", script('echo "$N $INPUT_M"'), env={"N": op(one, "??", 5)},
             inputs={"m": op(one, "??", 6)}),
        echo("own", input_ref("m", "integer"), inputs={"m": op(one, "??", 8)}),
        params=(FLAG, param("none", None, "integer")),
    )  # fmt: skip
    assert done.traced == {
        "two": "", "join": "2", "first": "2", "last": "7", "text": "<3>", "call": "got 4",
        "env": "5 6", "own": "8",
    }  # fmt: skip


def test_a_fallback_is_no_help_after_a_failure(bench: Bench) -> None:
    done = bench.run(
        step("bad", command("false"), outputs={"n": "integer"}),
        echo("user", op(output_of("bad", "n", "integer"), "??", 1)),
    )
    assert done.steps == {"bad": "failed", "user": "omitted"}


def test_artifacts_have_fallbacks_too(bench: Bench) -> None:
    bench.write("old.txt", "old")
    made = step("make", script('echo new >"$OUTPUT_D"'), outputs={"d": "Dataset"})
    data = op(output_of("make", "d"), "??", pipeline_input_ref("old"))
    show = step("show", script('cat "$INPUT_D"'), inputs={"d": data})
    inputs = (pipeline_input("old", "old.txt"),)
    assert bench.run(made, show, inputs=inputs).log("show") == "new\n"
    done = bench.run(skipped(made), show, inputs=inputs, params=(FLAG,))
    assert done.log("show") == "old"


def test_a_skipped_step_leaves_nothing_to_reuse(bench: Bench) -> None:
    it = replace(write("it"), when=NEVER)
    for given, state in ((False, "skipped"), (True, "succeeded"), (False, "skipped"),
                         (True, "cached")):  # fmt: skip
        assert bench.run(it, params=(FLAG,), values={"go": given}).steps == {"it": state}


STATUS = RunRef("status", SPAN)


@pytest.mark.parametrize(("source", "status"), [("true", "succeeded"), ("exit 1", "failed")])
def test_finally_runs_however_the_run_ended(bench: Bench, source: str, status: str) -> None:
    done = bench.run(
        step("main", script(source)),
        finally_nodes=(
            echo("tell", STATUS),
            echo("after", "after", needs=["tell"]),
            replace(echo("alarm", "alarm"), when=op(STATUS, "==", "failed")),
        ),
    )
    assert done.status == status
    assert done.traced["tell"] == status
    assert done.traced["after"] == "after"
    assert done.steps["alarm"] == ("succeeded" if status == "failed" else "skipped")
    assert [s.is_finally for s in done.result.steps.values()] == [False, True, True, True]
    ended, started = done.result.steps["main"].ended, done.result.steps["tell"].started
    assert ended is not None and started is not None and ended <= started


def test_a_failure_in_finally_is_shown_and_the_result_stays(bench: Bench) -> None:
    done = bench.run(
        write("main"),
        finally_nodes=(step("bad", command("false")), echo("next", needs=["bad"])),
        outputs=(pipeline_output("n", output_of("main", "n", "integer"), "integer"),),
    )
    assert done.status == "succeeded"
    assert done.result.reason == ""
    assert done.steps == {"main": "succeeded", "bad": "failed", "next": "omitted"}
    assert done.result.outputs == {"n": 1}


def test_the_time_limit_is_for_the_main_part(bench: Bench) -> None:
    done = bench.run(
        step("long", command("sleep", "60")),
        finally_nodes=(step("tell", command("sh", "-c", 'sleep 1.2; echo "$1"', "sh", STATUS)),),
        limits=Limits(timeout=1),
    )
    assert done.status == "failed"
    assert done.result.reason == "stopped at the run's limit of 1s"
    assert done.steps == {"long": "failed", "tell": "succeeded"}
    assert done.traced["tell"] == "failed"


def test_steps_of_finally_are_reused_only_where_that_is_said(bench: Bench) -> None:
    for state in ("succeeded", "cached"):
        done = bench.run(
            step("main", command("true")),
            finally_nodes=(write("no", cache=Cache(False)), write("yes")),
        )
        assert done.steps == {"main": "succeeded", "no": "succeeded", "yes": state}


def test_the_outputs_of_the_algorithm(bench: Bench) -> None:
    made = step("make", script('echo new >"$OUTPUT_D"'), outputs={"d": "Dataset"})
    outputs = (
        pipeline_output("n", op(output_of("one", "n", "integer"), "??", 5), "integer"),
        pipeline_output("data", output_of("make", "d"), "Dataset"),
    )
    done = bench.run(skipped(write("one")), made, outputs=outputs, params=(FLAG,))
    assert done.result.outputs["n"] == 5
    assert done.result.outputs["data"] == done.result.steps["make"].written.artifacts["d"]  # type: ignore[union-attr]
    failed = bench.run(write("one"), made, step("bad", command("false")), outputs=outputs)
    assert failed.result.outputs == {}
