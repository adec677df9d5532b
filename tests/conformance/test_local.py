"""Each conformance case on the local engine: real processes, in a project of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from expectation import Case, Outcome, differences, read_cases
from local import run_case


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: case.name)
def test_case(case: Case, tmp_path: Path) -> None:
    found = differences(case, run_case(case, tmp_path))
    assert not found, "\n" + "\n".join(found)


def test_a_difference_is_told() -> None:
    expected = {
        "run": "succeeded",
        "steps": {"a": "succeeded", "b": "skipped"},
        "traces": {"a": [1, True]},
        "outputs": {"a": {"n": 1}},
        "order": [["a", "c"], ["c", "a"]],
        "tries": {"a": 1},
        "result": {"n": 1},
    }
    case = Case(Path("x"), expected, {})
    times = {"a": (1.0, 3.0), "c": (2.0, 4.0)}
    states = {"a": "failed", "c": "succeeded"}
    outcome = Outcome("failed", states, {"a": [1, 1]}, {}, times, {"a": 2}, {})
    told = differences(case, outcome)
    assert [line.splitlines()[0] for line in told] == [
        "the run failed, and should have succeeded",
        "a: failed, should be succeeded",
        "b: not there, should be skipped",
        "c: succeeded, should be not there",
        "a tells: [1, 1]",
        "a.n: null",
        "c began before a had ended",
        "a began before c had ended",
        "tries of a: 2",
        "outputs of the algorithm: {}",
    ]
