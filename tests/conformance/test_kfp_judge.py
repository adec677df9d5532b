"""KFP's API server can read all that is written for it, and would refuse what is wrong on purpose.

The reader of `kfp_judge` sees the conformance cases, the algorithms, the examples and specs at
random, as many of these as MLC_RANDOM_SPECS says.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from consumers import compiled
from expectation import Case, read_cases
from kfp_judge import Judge, judging
from kfp_mutations import MUTATIONS, SPEC, mutated
from local import copied, loaded, pipeline_of
from random_specs import random_spec
from test_argo_judge import RANDOM, ROOT, SIZES, SPECS

CASES = [case for case in read_cases() if "kfp" not in case.expected.get("refused", {})]
ONE_STEP = """\
apiVersion: mlc/v1
kind: Algorithm
name: judged
image: python:3.12-slim
steps:
  only:
    command: [echo, "1e-4", "yes"]
    env: {TOKEN: "${{ secrets.hub.token }}"}
"""
# Of the lines of `ONE_STEP`'s document, one is written otherwise.
LINES = {
    "an unquoted number": ('- "1e-4"', "- 1e-4"),
    "an unquoted truth": ('- "yes"', "- true"),
    "an unquoted version": ('schemaVersion: "2.1.0"', "schemaVersion: 2.1"),
    "a field of no platform": ("secretName:", "secret_nane:"),
    "a text for a truth": ("optional: false", 'optional: "false"'),
    "a bad indentation": ("  name: judged", " name: judged"),
    "no pipeline": ("pipelineInfo:", "platforms: {}\n---\npipelineInfo:"),
}


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with judging() as judge:
        yield judge


def for_kfp(spec: Path) -> str:
    """What is written for KFP; empty where something is refused."""
    found = loaded(spec)
    return compiled(pipeline_of(found), found.project, ["kfp"])["kfp"].text


def written(text: str, folder: Path) -> str:
    (folder / "mlc.toml").touch()
    (folder / "spec.yaml").write_text(text)
    return for_kfp(folder / "spec.yaml")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, judge: Judge, tmp_path: Path) -> None:
    text = for_kfp(copied(case, tmp_path))
    assert text
    assert judge(text) == []


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.relative_to(ROOT).as_posix())
def test_algorithm_or_example(spec: Path, judge: Judge) -> None:
    text = for_kfp(spec)
    assert text
    assert judge(text) == []


def test_random_specs(judge: Judge, tmp_path: Path) -> None:
    (tmp_path / "mlc.toml").touch()
    judged = 0
    for seed in range(RANDOM):
        for name, text in random_spec(seed, SIZES[seed]).items():
            (tmp_path / name).write_text(text)
        text = for_kfp(tmp_path / "spec.yaml")
        if text:
            judged += 1
            assert judge(text) == [], f"seed {seed}"
    assert judged > RANDOM * 0.6


@pytest.mark.parametrize("name", LINES)
def test_what_is_wrong_is_found(name: str, judge: Judge, tmp_path: Path) -> None:
    text = written(ONE_STEP, tmp_path)
    assert judge(text) == []
    old, new = LINES[name]
    assert text.count(old) == 1
    assert judge(text.replace(old, new)) != []


def test_what_the_messages_do_not_know_is_found(judge: Judge, tmp_path: Path) -> None:
    """The mutations that upstream's reader refuses are those that are found by Python's too."""
    text = written(SPEC, tmp_path)
    assert judge(text) == []
    found = {mutation.name for mutation in MUTATIONS if judge(mutated(text, mutation))}
    assert found == {mutation.name for mutation in MUTATIONS if mutation.strict}
    assert len(found) > 2
