"""What the engine adds to the bare processes: little, even on a busy machine."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from bench import Bench
from builders import command, step

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

    assert (seconds(ours) - seconds(bare)) / COUNT < 0.015
