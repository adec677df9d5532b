"""What others make of files: hera reads manifests back exactly, the kfp SDK loads pipelines.

Both, and the strict schemas, see the conformance cases, the algorithms, the examples and specs at
random, as many of these as MLC_RANDOM_SPECS says.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from consumers import CONTRACTS, compiled, problems
from expectation import Case, read_cases
from hera.workflows import CronWorkflow, WorkflowTemplate
from kfp import components
from local import copied, loaded, pipeline_of
from random_specs import random_spec

ROOT = Path(__file__).resolve().parents[2]
RANDOM = int(os.environ.get("MLC_RANDOM_SPECS", "60"))
SPECS = [
    path
    for path in sorted([*ROOT.glob("algorithms/*.yaml"), *ROOT.glob("examples/*/*.yaml")])
    if not re.search(r"^kind: (Component|Base)$", path.read_text(), re.MULTILINE)
]
KINDS: dict[str, Any] = {"CronWorkflow": CronWorkflow, "WorkflowTemplate": WorkflowTemplate}

pytestmark = pytest.mark.skipif(
    not CONTRACTS, reason="MLC_ENGINE_CONTRACTS is unset: no Argo schemas to check against"
)


def read_by_others(spec: Path) -> None:
    found = loaded(spec)
    made = compiled(pipeline_of(found), found.project, ["argo", "kfp"])
    for name, one in made.items():
        assert one.refused or problems(name, one.text) == [], name
    for document in yaml.load_all(made["argo"].text, yaml.CSafeLoader):
        assert KINDS[document["kind"]].from_dict(document).to_dict() == document
    if not made["kfp"].refused:
        component = components.load_component_from_text(made["kfp"].text)
        inputs = component.component_spec.inputs or {}
        assert inputs.keys() >= {param.name for param in pipeline_of(found).params}


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: case.name)
def test_case(case: Case, tmp_path: Path) -> None:
    read_by_others(copied(case, tmp_path))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.relative_to(ROOT).as_posix())
def test_algorithm_or_example(spec: Path) -> None:
    read_by_others(spec)


@pytest.mark.parametrize("seed", range(RANDOM))
def test_random_spec(seed: int, tmp_path: Path) -> None:
    (tmp_path / "mlc.toml").touch()
    for name, text in random_spec(seed, 4 + seed % 23).items():
        (tmp_path / name).write_text(text)
    read_by_others(tmp_path / "spec.yaml")
