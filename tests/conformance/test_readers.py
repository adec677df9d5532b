"""What others make of files: hera reads manifests back exactly, the kfp SDK loads pipelines.

Both, and the strict schemas, see the conformance cases, the algorithms, the examples and specs at
random, as many of these as MLC_RANDOM_SPECS says. What the SDK makes of the DSL is what the target
`kfp` writes, wherever the DSL can say all of a spec.
"""

from __future__ import annotations

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
from test_argo_judge import RANDOM, ROOT, SIZES, SPECS
from test_kfp_dsl_flow import compared

from compiler import targets
from compiler.frontend import Loaded
from compiler.targets import Level

# So many at once, that workers can share the random specs.
BLOCK = 50
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
    if said_in_full(found):
        assert compared(pipeline_of(found)) == []
    if not made["kfp"].refused:
        component = components.load_component_from_text(made["kfp"].text)
        inputs = component.component_spec.inputs or {}
        assert inputs.keys() >= {param.name for param in pipeline_of(found).params}


def said_in_full(found: Loaded) -> bool:
    """Whether the DSL loses nothing, and the SDK adds nothing as it does for amounts of a run."""
    return not any(
        use.level is Level.REFUSED or use.reason == "known only in the run"
        for use in targets.target("kfp-dsl").explain(
            pipeline_of(found), found.project.target("kfp-dsl")
        )
    )


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: case.name)
def test_case(case: Case, tmp_path: Path) -> None:
    read_by_others(copied(case, tmp_path))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.relative_to(ROOT).as_posix())
def test_algorithm_or_example(spec: Path) -> None:
    read_by_others(spec)


@pytest.mark.parametrize("first", range(0, RANDOM, BLOCK))
def test_random_specs(first: int, tmp_path: Path) -> None:
    for seed in range(first, min(first + BLOCK, RANDOM)):
        read_by_others(at_random(seed, SIZES[seed], tmp_path / str(seed)))


def test_random_specs_as_dsl(tmp_path: Path) -> None:
    """Small ones, since few of the large can be said."""
    compared_with = 0
    for seed in range(RANDOM):
        found = loaded(at_random(seed, 1 + seed % 4, tmp_path / str(seed)))
        if said_in_full(found):
            compared_with += 1
            assert compared(pipeline_of(found)) == [], f"seed {seed}"
    assert compared_with > RANDOM * 0.1


def at_random(seed: int, size: int, folder: Path) -> Path:
    folder.mkdir()
    (folder / "mlc.toml").touch()
    for name, text in random_spec(seed, size).items():
        (folder / name).write_text(text)
    return folder / "spec.yaml"
