"""Amounts that are known only when a step starts: GPUs handed out by them, quantities checked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bench import Bench
from builders import (
    SPAN,
    command,
    each,
    gpu,
    input_ref,
    looped,
    op,
    output_of,
    output_path,
    param,
    param_ref,
    retry,
    step,
)
from msgspec.structs import replace

from compiler.expr import Expr
from compiler.ir import Amount, Gpu, Resources, Step
from compiler.values import JsonValue, to_text


def smi(folder: Path, count: int) -> dict[str, str]:
    """An environment with an nvidia-smi that finds `count` GPUs."""
    folder.mkdir(exist_ok=True)
    tool = folder / "nvidia-smi"
    tool.write_text("#!/bin/sh\n" + "".join(f"echo GPU {n}: T4\n" for n in range(count)))
    tool.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def asking(count: Expr, name: str = "fit", **keys: object) -> Step:
    some: Gpu = replace(gpu(1, "t4"), count=count)
    show = command("sh", "-c", 'echo "[$CUDA_VISIBLE_DEVICES]"')
    return step(name, show, resources=Resources(gpu=some), **keys)  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "seen"), [(0, "[]"), (1, "[0]"), (2, "[0,1]")])
def test_a_count_from_a_parameter(bench: Bench, count: int, seen: str) -> None:
    it = asking(param_ref("gpus", "integer"))
    done = bench.run(it, params=(param("gpus", count),), env=smi(bench.root / "bin", 2))
    assert done.traced == {"fit": seen}
    assert done.notes == []


def test_counts_from_other_steps_items_and_fallbacks(bench: Bench) -> None:
    count = command("sh", "-c", 'echo 2 >"$1"', "sh", output_path("n"))
    done = bench.run(
        step("count", count, outputs={"n": "integer"}),
        asking(output_of("count", "n", "integer")),
        looped(asking(each("by_item", "n", kind="integer"), "by_item"), {"n": [0, 1]}),
        asking(op(param_ref("none", "integer", nullable=True), "??", 1), "other"),
        asking(input_ref("n", "integer"), "own", inputs={"n": 1}),
        params=(param("none", None, "integer"),),
        env=smi(bench.root / "bin", 2),
        jobs=1,
    )
    assert done.status == "succeeded"
    assert done.traced["fit"].count(",") == 1
    assert done.traced["by_item.0"] == "[]"
    assert {len(done.traced[name]) for name in ("by_item.1", "other", "own")} == {3}


def test_more_than_there_are_is_noted_once(bench: Bench) -> None:
    it = asking(each("fit", "n", kind="integer"))
    done = bench.run(looped(it, {"n": [3, 3, 3]}), env=smi(bench.root / "bin", 2))
    assert done.status == "succeeded"
    assert done.notes == [
        "fit asks for 3 GPUs of type t4; this machine has 2, and it runs with these"
    ]


@pytest.mark.parametrize("count", [-1, 1.5, True, None, "two"])
def test_what_is_no_count_fails_the_step_alone(bench: Bench, count: JsonValue) -> None:
    it = asking(each("fit", "n"), retry=retry(3, 60))
    done = bench.run(looped(it, {"n": [count, 0]}))
    shown = "null" if count is None else f"`{to_text(count)}`"
    assert done.reason("fit.0") == f"resources.gpu: found {shown}, wanted a whole number from 0"
    assert done.result.steps["fit.0"].tries == 0
    assert done.steps["fit.1"] == "succeeded"


def needing(request: str | Expr | None, limit: str | Expr | None) -> Step:
    return step("fit", command("true"), resources=Resources(memory=Amount(request, limit, SPAN)))


@pytest.mark.parametrize("value", ["8Gi", "500m", 2, 1.5, "0"])
def test_quantities(bench: Bench, value: str | float) -> None:
    it = needing(each("fit", "m"), each("fit", "m"))
    assert bench.run(looped(it, {"m": [value]})).status == "succeeded"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("8GB", "found `8GB`, which is no quantity: write `8Gi`, or `8G`"),
        ("-1", "found `-1`, which is no quantity: write a number with a unit"),
        (-1, "found `-1`, which is no quantity: write a number with a unit"),
        (None, "found null, which is no quantity: write a number with a unit"),
        (True, "found `true`, which is no quantity: write a number with a unit"),
        ([1], "found `[1]`, which is no quantity: write a number with a unit"),
    ],
)
def test_what_is_no_quantity_fails_the_step(bench: Bench, value: JsonValue, reason: str) -> None:
    it = needing(None, each("fit", "m"))
    done = bench.run(looped(it, {"m": [value]}))
    assert done.reason("fit.0").startswith(f"resources.memory: {reason}")


def test_a_request_over_its_limit_fails_the_step(bench: Bench) -> None:
    it = needing(param_ref("memory"), "4Gi")
    done = bench.run(it, params=(param("memory", "5Gi"),))
    assert done.reason("fit") == "resources.memory: the request is more than the limit"
    assert bench.run(it, params=(param("memory", "4G"),)).status == "succeeded"
