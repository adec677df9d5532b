"""Loops: their rounds, what is collected of them, how they fail, nest and are reused."""

from __future__ import annotations

import random
import time
from itertools import pairwise, product

import pytest
from bench import Bench, Outcome
from builders import (
    SPAN,
    collected,
    command,
    concat,
    each,
    loop,
    looped,
    op,
    output_of,
    output_path,
    param,
    param_ref,
    pipeline_output,
    python,
    retry,
    script,
    step,
)
from msgspec.structs import replace

from compiler.expr import RunRef
from compiler.ir import Cache, Limits, Loop, Node, Step


def echo(name: str, *words: object, **keys: object) -> Step:
    return step(name, command("echo", *words), **keys)  # type: ignore[arg-type]


def copy(name: str, value: object, kind: str = "string", **keys: object) -> Step:
    """A step that writes a value as its output `n`, and prints it."""
    program = command("sh", "-c", 'printf %s "$1" | tee "$2"', "sh", value, output_path("n"))
    return step(name, program, outputs={"n": kind}, **keys)  # type: ignore[arg-type]


def states(done: Outcome, name: str) -> list[str]:
    return [s for key, s in done.steps.items() if key.startswith(f"{name}.")]


def test_the_rounds_of_a_step(bench: Bench) -> None:
    done = bench.run(
        looped(copy("fit", concat("<", each("fit", "a"), ">")), {"a": ["x", "y", "z"]}),
        echo("after", collected("fit", "n")),
    )
    assert done.status == "succeeded"
    assert list(done.steps) == ["fit", "fit.0", "fit.1", "fit.2", "after"]
    assert done.traced == {
        "fit.0": "<x>", "fit.1": "<y>", "fit.2": "<z>", "after": '["<x>","<y>","<z>"]',
    }  # fmt: skip
    assert done.result.steps["fit"].rounds == 3
    assert done.result.steps["fit.1"].rounds is None
    assert done.result.steps["fit.1"].loop == "fit"
    assert done.changes("fit") == ["running", "succeeded"]


def test_results_come_in_the_order_of_the_items(bench: Bench) -> None:
    source = 'sleep "$1"; printf %s "$1" >"$2"'
    late = step("late", command("sh", "-c", source, "sh", each("late", "s"), output_path("n")),
                outputs={"n": "number"})  # fmt: skip
    done = bench.run(
        looped(late, {"s": [0.6, 0.3, 0.0]}),
        echo("after", collected("late", "n", "number")),
        jobs=3,
    )
    ends = [done.result.steps[f"late.{n}"].ended or 0 for n in range(3)]
    assert ends == sorted(ends, reverse=True)
    assert done.traced["after"] == "[0.6,0.3,0]"


def test_several_lists_are_crossed_the_first_slowest(bench: Bench) -> None:
    axes = {"a": ["x", "y"], "b": param_ref("numbers", "array"), "c": [True, False]}
    words = [each("it", axis) for axis in axes]
    done = bench.run(looped(echo("it", *words), axes), params=(param("numbers", [1, 2.5]),))
    wanted = product(["x", "y"], ["1", "2.5"], ["true", "false"])
    assert list(done.traced.values()) == [" ".join(words) for words in wanted]


def test_items_may_be_objects_and_null(bench: Bench) -> None:
    items = [{"lr": 0.1, "deep": {"n": [1]}}, {"lr": None, "deep": {"n": "é"}}]
    words = [each("it", "t", "lr"), each("it", "t", "deep", "n"), each("it", "t")]
    done = bench.run(looped(echo("it", *words), {"t": items}))
    assert done.traced == {
        "it.0": '0.1 [1] {"lr":0.1,"deep":{"n":[1]}}',
        "it.1": ' é {"lr":null,"deep":{"n":"é"}}',
    }


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (("lr",), '`each.t` has no field `lr`: {"a":{"b":1}}'),
        (("a", "b", "c"), "`each.t.a.b` has no field `c`: 1"),
    ],
)
def test_an_item_without_the_field(bench: Bench, path: tuple[str, ...], reason: str) -> None:
    ref = each("it", "t", *path)
    done = bench.run(
        looped(echo("it", ref, retry=retry(5, 60)), {"t": [{"a": {"b": 1}}]}),
        loop("in", {"t": [{"a": {"b": 1}}]}, replace(echo("one"),
            when=op(each("in", "t", *path), "==", 1))),
    )  # fmt: skip
    assert done.reason("it.0") == done.reason("one.0") == reason
    assert done.result.reason == "it.0, one.0 failed"


def test_a_list_that_a_step_has_written(bench: Bench) -> None:
    listed = copy("list", '["b", "a", {"n": [1]}]', "array")
    done = bench.run(
        listed, looped(echo("it", each("it", "x")), {"x": output_of("list", "n", "array")})
    )
    assert done.traced == {
        "list": '["b", "a", {"n": [1]}]', "it.0": "b", "it.1": "a", "it.2": '{"n":[1]}',
    }  # fmt: skip


def test_a_loop_over_nothing_succeeds(bench: Bench) -> None:
    nothing = {"a": param_ref("none", "array")}
    bench.write("code.py", "def show(models):\n    print(models)\n")
    made = step("make", script('touch "$OUTPUT_M"'), outputs={"m": "Model", "n": "integer"})
    inner = loop("inner", {"b": param_ref("none", "array")}, copy("deep", each("inner", "b")))
    done = bench.run(
        looped(made, nothing),
        echo("values", collected("make", "n", "integer")),
        step("models", python("code:show"), inputs={"models": collected("make", "m", "Model")}),
        loop("outer", {"a": [1, 2]}, inner),
        echo("nested", collected("deep", "n", depth=2)),
        params=(param("none", []),),
    )
    assert done.status == "succeeded"
    assert done.steps["make"] == "succeeded"
    assert done.traced == {"values": "[]", "models": "[]", "nested": "[[],[]]"}
    assert done.result.steps["inner.1"].rounds == 0


def test_a_function_gets_all_artifacts(bench: Bench) -> None:
    bench.write("code.py", "def show(models):\n    print([m.read_text() for m in models])\n")
    make = step("make", script('printf %s "$INPUT_A" >"$OUTPUT_M"'),
                inputs={"a": each("make", "a")}, outputs={"m": "Model"})  # fmt: skip
    show = step("show", python("code:show"), inputs={"models": collected("make", "m", "Model")},
                outputs={}, cache=Cache(True))  # fmt: skip
    outputs = (pipeline_output("models", collected("make", "m", "Model"), "Model"),)
    done = bench.run(looped(make, {"a": ["x", "y"]}), show, outputs=outputs)
    assert done.traced["show"] == "['x', 'y']"
    assert isinstance(done.result.outputs["models"], tuple)
    assert len(done.result.outputs["models"]) == 2
    again = bench.run(looped(make, {"a": ["x", "y"]}), show)
    assert again.steps["show"] == "cached"
    turned = bench.run(looped(make, {"a": ["y", "x"]}), show)
    assert turned.steps["make.0"] == turned.steps["make.1"] == "cached"
    assert turned.traced["show"] == "['y', 'x']"


def test_a_body_of_several_steps(bench: Bench) -> None:
    """Each round has its own; what stands outside is seen by all."""
    first = copy("first", concat(each("grid", "a"), output_of("top", "n")))
    second = copy("second", concat(output_of("first", "n"), "!"))
    done = bench.run(
        copy("top", "+"),
        loop("grid", {"a": ["x", "y"]}, second, first),
        echo("all", collected("second", "n")),
    )
    assert done.traced["all"] == '["x+!","y+!"]'
    assert list(done.steps) == [
        "top", "grid", "second.0", "first.0", "second.1", "first.1", "all",
    ]  # fmt: skip


def test_loops_nest(bench: Bench) -> None:
    deep = copy("deep", concat(each("outer", "a"), each("inner", "b"), output_of("mid", "n")))
    mid = copy("mid", concat("-", each("outer", "a")))
    inner = loop("inner", {"b": each("outer", "a")}, deep)
    lists = op(collected("deep", "n", depth=1), "??", [])
    done = bench.run(
        loop("outer", {"a": [[1], [2, 3]]}, mid, inner, echo("in_round", lists)),
        echo("all", collected("deep", "n", depth=2)),
    )
    assert done.status == "succeeded"
    assert done.steps.keys() == {
        "outer", "mid.0", "inner.0", "deep.0.0", "in_round.0", "mid.1", "inner.1", "deep.1.0",
        "deep.1.1", "in_round.1", "all",
    }  # fmt: skip
    assert done.traced["in_round.1"] == '["[2,3]2-[2,3]","[2,3]3-[2,3]"]'
    assert done.traced["all"] == '[["[1]1-[1]"],["[2,3]2-[2,3]","[2,3]3-[2,3]"]]'


def test_no_more_rounds_at_once_than_the_loop_allows(bench: Bench) -> None:
    def overlaps(parallel: int | None) -> bool:
        nap = replace(echo("nap"), needs=("before",))
        before = step("before", command("sleep", "0.1"))
        done = bench.run(loop("it", {"a": [1, 2, 3]}, before, nap, parallel=parallel), jobs=4)
        spans = []
        for number in range(3):
            first, last = (done.result.steps[f"{n}.{number}"] for n in ("before", "nap"))
            spans.append((first.started or 0, last.ended or 0))
        return any(b[0] < a[1] for a, b in pairwise(sorted(spans)))

    assert not overlaps(1)
    assert overlaps(None)


def failing(name: str, *bad: object) -> Step:
    source = f'case " {" ".join(map(str, bad))} " in *" $1 "*) exit 1;; esac; echo "$1" | tee "$2"'
    words = ("sh", "-c", source, "sh", each(name, "a"), output_path("n"))
    return step(name, command(*words), outputs={"n": "integer"})


def test_a_failed_round_fails_the_loop_when_all_have_run(bench: Bench) -> None:
    done = bench.run(
        looped(failing("fit", 1, 3), {"a": [1, 2, 3, 4]}, parallel=1),
        echo("user", collected("fit", "n", "integer")),
        echo("rather", op(collected("fit", "n", "integer"), "??", 1)),
        echo("other"),
    )
    assert done.status == "failed"
    assert done.result.reason == "fit.0, fit.2 failed"
    assert states(done, "fit") == ["failed", "succeeded", "failed", "succeeded"]
    assert done.steps["fit"] == "failed"
    assert done.reason("fit") == "2 of 4 rounds failed"
    assert done.steps["user"] == done.steps["rather"] == "omitted"
    assert done.reason("user") == "needs fit, which failed"
    assert done.steps["other"] == "succeeded"


def test_in_a_round_what_depends_on_a_failed_step_stops(bench: Bench) -> None:
    body = (replace(failing("grid", 1), name="first"), echo("then", needs=["first"]), echo("free"))
    done = bench.run(loop("grid", {"a": [1, 2]}, *body))
    assert {k: v for k, v in done.steps.items() if k != "grid"} == {
        "first.0": "failed", "then.0": "omitted", "free.0": "succeeded",
        "first.1": "succeeded", "then.1": "succeeded", "free.1": "succeeded",
    }  # fmt: skip
    assert done.reason("then.0") == "needs first.0, which failed"


def test_conditions_in_rounds(bench: Bench) -> None:
    some = replace(
        copy("some", each("grid", "a"), "integer"),
        when=op(each("grid", "a"), ">", param_ref("least", "integer")),
    )
    user = echo("user", output_of("some", "n", "integer"))
    rather = echo("rather", op(output_of("some", "n", "integer"), "??", -1))
    done = bench.run(
        loop("grid", {"a": [1, 2]}, user, rather, some),
        echo("after", needs=["grid"]),
        params=(param("least", 1),),
    )
    assert done.status == "succeeded"
    assert done.steps["some.0"] == done.steps["user.0"] == "skipped"
    assert done.reason("user.0") == "needs some.0, which was skipped"
    assert done.traced == {
        "rather.0": "-1", "some.1": "2", "user.1": "2", "rather.1": "2", "after": "",
    }  # fmt: skip


def test_a_loop_is_skipped_as_one(bench: Bench) -> None:
    never = op(param_ref("n", "integer"), "==", 0)
    grid = loop("grid", {"a": [1, 2]}, copy("fit", each("grid", "a"), "integer"), when=never)
    done = bench.run(
        grid,
        looped(echo("own"), {"a": [1]}, needs=("grid",)),
        loop("takes", {"a": [1]}, echo("in", collected("fit", "n", "integer"))),
        echo("user", collected("fit", "n", "integer")),
        echo("rather", op(collected("fit", "n", "integer"), "??", [0])),
        params=(param("n", 1),),
    )
    assert done.status == "succeeded"
    assert done.steps == {
        "grid": "skipped", "own": "skipped", "takes": "skipped", "user": "skipped",
        "rather": "succeeded",
    }  # fmt: skip
    assert done.result.steps["grid"].rounds == 0
    assert done.reason("grid") == "`when` is false"
    assert done.reason("takes") == "needs grid, which was skipped"
    assert done.traced["rather"] == "[0]"


def test_each_round_has_its_own_tries(bench: Bench) -> None:
    marks = bench.root / "marks"
    marks.mkdir()
    source = 'echo x >>"$1/$2"; [ "$(wc -l <"$1/$2")" -ge "$2" ]'
    flaky = step("it", command("sh", "-c", source, "sh", str(marks), each("it", "a")),
                 retry=retry(2))  # fmt: skip
    done = bench.run(looped(flaky, {"a": [1, 3, 4]}))
    assert [done.result.steps[f"it.{n}"].tries for n in range(3)] == [1, 3, 3]
    assert states(done, "it") == ["succeeded", "succeeded", "failed"]


def drawn(name: str = "draw") -> Step:
    return step(name, script('od -An -N8 -tx8 /dev/urandom >"$OUTPUT_N"'), outputs={"n": "string"})


def test_what_a_round_sees_counts_for_reuse(bench: Bench) -> None:
    def run(*items: object) -> tuple[list[str], list[object]]:
        done = bench.run(looped(drawn(), {"seed": list(items)}))
        return states(done, "draw"), [done.value(f"draw.{n}", "n") for n in range(len(items))]

    old_states, (one, two, again) = run(1, 2, 1)
    assert old_states == ["succeeded"] * 3
    assert len({one, two, again}) == 3, "a draw for each item, though none is used"
    assert run(1, 2, 1) == (["cached"] * 3, [one, two, again])
    new_states, found = run(2, 3, 1, 1)
    assert new_states == ["cached", "succeeded", "cached", "cached"]
    assert [found[0], *found[2:]] == [two, one, again], "by item, not by place"


def test_finally_may_loop(bench: Bench) -> None:
    done = bench.run(
        step("main", command("false")),
        finally_nodes=(
            looped(copy("tell", each("tell", "who")), {"who": ["a", "b"]}),
            echo("all", collected("tell", "n")),
        ),
    )
    assert done.traced["all"] == '["a","b"]'
    assert done.result.reason == "main failed"


def test_a_long_list_is_taken_up_as_it_goes(bench: Bench) -> None:
    waiting = most = 0

    def listen(event: object) -> None:
        nonlocal waiting, most
        status = getattr(event, "status", "")
        waiting += status == "running"
        waiting -= status == "succeeded"
        most = max(most, waiting)

    numbers = param_ref("numbers", "array")
    done = bench.run(
        looped(step("it", command("true")), {"a": numbers}),
        params=(param("numbers", list(range(300))),),
        jobs=2,
        listener=listen,
    )
    assert done.status == "succeeded"
    assert done.result.steps["it"].rounds == 300
    assert most <= 5, "the loop, and what runs or is about to"


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_ends_gives_the_same(bench: Bench, seed: int) -> None:
    chance = random.Random(seed)

    def nap() -> str:
        return f"{chance.random() / 5:.2f}"

    def slow(name: str, value: object, *needs: str) -> Node:
        source = f'sleep {nap()}; printf %s "$1" >"$2"'
        words = ("sh", "-c", source, "sh", value, output_path("n"))
        return step(name, command(*words), outputs={"n": "string"}, needs=needs)

    inner = loop("in", {"y": ["p", "q"]}, slow("c", concat(output_of("b", "n"), each("in", "y"))))
    body = (slow("b", concat(each("grid", "x"), output_of("a", "n"))), inner)
    done = bench.run(
        slow("a", "a"),
        loop("grid", {"x": [1, 2, 3]}, *body),
        echo("d", collected("c", "n", depth=2)),
        jobs=5,
        use_cache=False,
    )
    assert done.traced["d"] == '[["1ap","1aq"],["2ap","2aq"],["3ap","3aq"]]'


def test_a_run_that_is_stopped_ends_its_loops(bench: Bench) -> None:
    """In each state: waiting, between rounds, with rounds of rounds, done."""

    def grid(name: str, seconds: int, **keys: object) -> Loop:
        nap = step(f"{name}_nap", command("sleep", str(seconds)), retry=retry(1, 60))
        inner = loop(f"{name}_in", {"b": [1, 2]}, nap, parallel=1)
        after = echo(f"{name}_after", needs=[inner.name])
        return loop(name, {"a": [1, 2, 3]}, after, inner, **keys)  # type: ignore[arg-type]

    before = time.monotonic()
    done = bench.run(
        grid("quick", 0),
        grid("slow", 60, parallel=2),
        grid("late", 0, needs=["slow"]),
        looped(step("bad", command("false"), retry=retry(1, 60)), {"a": [1]}),
        limits=Limits(timeout=2),
        finally_nodes=(echo("tell", RunRef("status", SPAN)),),
        jobs=2,
    )
    assert time.monotonic() - before < 20
    assert done.result.reason == "stopped at the run's limit of 2s"
    assert done.traced["tell"] == "failed"
    assert done.steps["late"] == "omitted"
    assert done.steps["slow"] == done.steps["slow_in.0"] == "failed"
    assert done.reason("slow") == done.reason("slow_nap.0.0") == done.result.reason
    assert done.steps["slow_nap.0.0"] == done.steps["slow_nap.1.0"] == "failed"
    assert done.steps["slow_after.0"] == "omitted"
    assert "slow_nap.0.1" not in done.steps, "a round that has not begun"
    assert "slow_in.2" not in done.steps
    assert not {"waiting", "running", "retrying"} & set(done.steps.values())
