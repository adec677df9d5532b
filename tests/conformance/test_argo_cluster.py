"""Argo's own controller runs the conformance cases as they say.

No cluster is needed: the controller speaks to an API server in memory, and its pods are processes
of this machine. What a real cluster adds are images, volumes and a store of artifacts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from argo_cluster import Run, outcomes
from expectation import Case, Outcome, differences, read_cases
from local import copied, loaded, pipeline_of

from compiler import targets

CASES = [
    case
    for case in read_cases()
    if case.is_for("argo") and "argo" not in case.expected.get("refused", {})
]

pytestmark = pytest.mark.xdist_group("argo cluster")


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Outcome | str]:
    """All cases, run at the same time."""
    runs = [prepared(case, tmp_path_factory.mktemp(case.name)) for case in CASES]
    return dict(zip((case.name for case in CASES), outcomes(runs), strict=True))


def prepared(case: Case, folder: Any) -> Run:
    spec = copied(case, folder / "project")
    found = loaded(spec)
    pipeline = pipeline_of(found)
    text = targets.target("argo").emit(pipeline, found.project.target("argo"))
    return Run(pipeline, text, case.params, spec.parent, folder / "run")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, ended: Mapping[str, Outcome | str]) -> None:
    outcome = ended[case.name]
    assert not isinstance(outcome, str), outcome
    told = differences(case, outcome)
    assert not told, "\n" + "\n".join(told)
