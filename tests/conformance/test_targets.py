"""Each conformance case compiles for the clusters, or is refused for exactly what is expected.

What is written for Argo is played on a model of its controller, with the steps' own programs. The
SDK's own runner (kfp.local) takes container components only with Docker, and looks at none of our
conditions, no ParallelFor and no ExitHandler, so it would get most cases wrong; test_kfp_flow has a
model of KFP's driver. `make e2e` asks clusters.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from consumers import CONTRACTS, compiled, problems
from expectation import Case, differences, read_cases
from local import copied, loaded, pipeline_of
from models import on_argo

from compiler import TARGET_NAMES, targets

CASES = read_cases()


@pytest.mark.skipif(
    not CONTRACTS, reason="MLC_ENGINE_CONTRACTS is unset: no Argo schemas to check against"
)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, tmp_path: Path, update_golden: bool) -> None:
    found = loaded(copied(case, tmp_path), case.params)
    made = compiled(pipeline_of(found), found.project)
    refused = {name: sorted(one.refused) for name, one in made.items() if one.refused}
    if update_golden:
        record(case, refused)
    else:
        assert refused == case.expected.get("refused", {})
    for name, one in made.items():
        if not one.refused:
            assert problems(name, one.text) == []


PLAYED = [case for case in CASES if case.is_for("argo")]


@pytest.mark.parametrize("case", PLAYED, ids=lambda case: case.name)
def test_argo_ends_as_expected(case: Case, tmp_path: Path) -> None:
    spec = copied(case, tmp_path)
    found = loaded(spec)
    text = targets.target("argo").emit(pipeline_of(found), found.project.target("argo"))
    outcome = on_argo(pipeline_of(found), text, case.params, spec.parent)
    told = differences(case, outcome)
    assert not told, "\n" + "\n".join(told)


def record(case: Case, refused: dict[str, list[str]]) -> None:
    """Write down what is refused, as the last line of what a case expects."""
    path = case.folder / "expected.yaml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("refused:")]
    if refused:
        lines.append(f"refused: {json.dumps(refused)}")
    path.write_text("\n".join(lines) + "\n")


def test_the_expectations_are_whole() -> None:
    """Every case says how it ends and names only targets and keys that there are."""
    keys = {
        "run",
        "steps",
        "traces",
        "outputs",
        "order",
        "sooner",
        "tries",
        "result",
        "refused",
        "only",
    }
    for case in CASES:
        assert case.expected.keys() <= keys, case.name
        assert case.expected["run"] in ("succeeded", "failed"), case.name
        assert case.expected.get("refused", {}).keys() <= set(TARGET_NAMES), case.name
        assert set(case.expected.get("only", ())) <= {"local", "argo", "kfp"}, case.name
        assert case.is_for("local"), case.name
        told = {*case.expected.get("traces", {}), *case.expected.get("tries", {})}
        assert told <= case.expected["steps"].keys(), case.name
        text = case.spec.read_text()
        assert text.startswith("# "), f"{case.name} does not say what it shows"
        assert f"\nname: {case.name}\n" in text, case.name
        states = set(case.expected["steps"].values())
        assert states <= {"succeeded", "failed", "skipped", "omitted"}, case.name
