"""What the SDK makes of the DSL is what the target `kfp` writes, on each case that the DSL says."""

from __future__ import annotations

from pathlib import Path

import pytest
from expectation import Case, read_cases
from local import copied, loaded, pipeline_of
from test_kfp_dsl_flow import compared

# The SDK hands amounts to a task that its component does not take; test_kfp_dsl_flow looks at them.
_OTHERWISE = {"amounts_from_params"}
SAID = [
    case
    for case in read_cases()
    if "kfp-dsl" not in case.expected.get("refused", {}) and case.name not in _OTHERWISE
]


@pytest.mark.parametrize("case", SAID, ids=lambda case: case.name)
def test_the_sdk_makes_the_same_of_it(case: Case, tmp_path: Path) -> None:
    assert compared(pipeline_of(loaded(copied(case, tmp_path)))) == []


def test_the_dsl_can_say_many() -> None:
    assert len(SAID) > 70
