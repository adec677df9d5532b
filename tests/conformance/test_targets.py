"""Each conformance case compiles for the clusters, or is refused for exactly what is expected.

Nothing of a case runs here but through the local engine: the SDK's own runner (kfp.local) takes
container components only with Docker, and looks at no condition of ours, no ParallelFor and no
ExitHandler, so it would have to be told right what it gets wrong. `make e2e` asks clusters.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from consumers import CONTRACTS, compiled, problems
from expectation import Case, read_cases
from local import copied, loaded, pipeline_of

from compiler.settings import TARGET_NAMES

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


def record(case: Case, refused: dict[str, list[str]]) -> None:
    """Write down what is refused, as the last line of what a case expects."""
    path = case.folder / "expected.yaml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("refused:")]
    if refused:
        lines.append(f"refused: {json.dumps(refused)}")
    path.write_text("\n".join(lines) + "\n")


def test_the_expectations_are_whole() -> None:
    """Every case says how it ends and names only targets and keys that there are."""
    keys = {"run", "steps", "traces", "outputs", "order", "tries", "result", "refused", "only"}
    for case in CASES:
        assert case.expected.keys() <= keys, case.name
        assert case.expected["run"] in ("succeeded", "failed"), case.name
        assert case.expected.get("refused", {}).keys() <= set(TARGET_NAMES), case.name
        told = {*case.expected.get("traces", {}), *case.expected.get("tries", {})}
        assert told <= case.expected["steps"].keys(), case.name
        states = set(case.expected["steps"].values())
        assert states <= {"succeeded", "failed", "skipped", "omitted"}, case.name
