"""What the engine adds to the bare processes: little, even on a busy machine."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from bench import Bench
from builders import command, each, looped, op, param, param_ref, step
from msgspec.structs import replace

COUNT = 100


def seconds(work: Callable[[], object]) -> float:
    """The best of three, as a busy machine only ever adds."""
    times = []
    for _ in range(3):
        before = time.perf_counter()
        work()
        times.append(time.perf_counter() - before)
    return min(times)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_step_costs_under_15_ms_over_its_process(bench: Bench, jobs: int) -> None:
    names = [f"s{number}" for number in range(COUNT)]
    chain = [
        step(name, command("true"), needs=[before] if before and jobs == 1 else [])
        for before, name in zip([None, *names], names, strict=False)
    ]

    def bare() -> None:
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(lambda _: subprocess.run(["true"], check=True), names))

    def ours() -> None:
        assert bench.run(*chain, jobs=jobs).status == "succeeded"

    def rounds() -> None:
        loop = looped(step("it", command("true")), {"n": list(range(COUNT))})
        assert bench.run(loop, jobs=jobs).status == "succeeded"

    plain = seconds(bare)
    assert (seconds(ours) - plain) / COUNT < 0.015
    assert (seconds(rounds) - plain) / COUNT < 0.015


def test_many_steps_and_rounds_that_start_nothing_take_little(bench: Bench) -> None:
    never = op(param_ref("go", "boolean"), "&&", True)
    wide = [step(f"s{number}", command("true"), needs=["top"]) for number in range(10_000)]
    it = replace(step("it", command("true")), when=op(each("it", "n"), "<", 0))
    before = time.perf_counter()
    done = bench.run(
        replace(step("top", command("true")), when=never),
        *wide,
        step("end", command("true"), needs=[each.name for each in wide]),
        looped(it, {"n": list(range(10_000))}),
        params=(param("go", False),),
    )
    assert time.perf_counter() - before < 10
    assert done.status == "succeeded"
    assert len(done.steps) == 20_003
    assert set(done.steps.values()) == {"succeeded", "skipped"}
