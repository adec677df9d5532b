"""Argo's own validators on all that is written for Argo, and on what is wrong on purpose.

Those of two versions judge the conformance cases, the algorithms, the examples and specs at random,
1,000 of these on CI, 100 elsewhere, or as many as MLC_RANDOM_SPECS says. One worker asks them,
since they are built when they are wanted first.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from argo_judge import VERSIONS, Judges, judging
from consumers import compiled
from expectation import Case, read_cases
from local import copied, loaded, pipeline_of
from random_specs import random_spec

ROOT = Path(__file__).resolve().parents[2]
CASES = [case for case in read_cases() if "argo" not in case.expected.get("refused", {})]
NOTHING: dict[str, list[str]] = {version: [] for version in VERSIONS}
# A machine for CI has the time; a person who waits for the suite sees a hundred of them.
RANDOM = int(os.environ.get("MLC_RANDOM_SPECS") or ("1000" if os.environ.get("CI") else "100"))
# Every twentieth is larger.
SIZES = [40 if seed % 20 == 19 else 4 + seed % 11 for seed in range(RANDOM)]
SPECS = [
    path
    for path in sorted([*ROOT.glob("algorithms/*.yaml"), *ROOT.glob("examples/*/*.yaml")])
    if not re.search(r"^kind: (Component|Base)$", path.read_text(), re.MULTILINE)
]

pytestmark = pytest.mark.xdist_group("argo judge")


@pytest.fixture(scope="module")
def judge() -> Iterator[Judges]:
    with judging() as judge:
        yield judge


def for_argo(spec: Path) -> str:
    """What is written for Argo; empty where something is refused."""
    found = loaded(spec)
    return compiled(pipeline_of(found), found.project, ["argo"])["argo"].text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cases(case: Case, judge: Judges, tmp_path: Path) -> None:
    text = for_argo(copied(case, tmp_path))
    assert text
    assert judge(text) == NOTHING


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.relative_to(ROOT).as_posix())
def test_algorithms_and_examples(spec: Path, judge: Judges) -> None:
    text = for_argo(spec)
    assert text
    assert judge(text) == NOTHING


def test_random_specs(judge: Judges, tmp_path: Path) -> None:
    (tmp_path / "mlc.toml").touch()
    judged = 0
    for seed in range(RANDOM):
        for name, text in random_spec(seed, SIZES[seed]).items():
            (tmp_path / name).write_text(text)
        text = for_argo(tmp_path / "spec.yaml")
        if text:
            judged += 1
            assert judge(text) == NOTHING, f"seed {seed}"
    assert judged > RANDOM * 0.7


SPEC = """\
apiVersion: mlc/v1
kind: Algorithm
name: judged
image: python:3.12-slim
params: {rate: 1e-4, go: true}
steps:
  first:
    script: echo 3 > "$OUTPUT_N"
    outputs: {n: integer, model: Model}
  maybe:
    when: ${{ params.go }}
    script: echo 4 > "$OUTPUT_N"
    outputs: {n: integer}
    inputs: {n: "${{ steps.first.outputs.n }}"}
  each:
    foreach: {k: [1, 2]}
    command: [echo, "${{ each.k }}", "${{ steps.first.outputs.n }}"]
  last:
    command: [echo, "1e-4", "${{ steps.maybe.outputs.n ?? 0 }}", "${{ params.rate }}"]
    args: ["${{ steps.first.outputs.model }}"]
    needs: [each]
schedules: {weekly: {cron: "0 3 * * 1"}}
"""
Manifest = dict[str, Any]


def template(manifests: list[Manifest], name: str) -> Manifest:
    (found,) = (t for t in manifests[0]["spec"]["templates"] if t["name"] == name)
    return found  # type: ignore[no-any-return]


def task(manifests: list[Manifest], name: str) -> Manifest:
    (found,) = (t for t in template(manifests, "main")["dag"]["tasks"] if t["name"] == name)
    return found  # type: ignore[no-any-return]


def drop_a_dependency(manifests: list[Manifest]) -> None:
    del task(manifests, "last")["depends"]


def depend_on_nothing_known(manifests: list[Manifest]) -> None:
    task(manifests, "last")["depends"] = "frist.Succeeded"


def name_no_template(manifests: list[Manifest]) -> None:
    task(manifests, "last")["template"] = "lost"


def give_a_bad_name(manifests: list[Manifest]) -> None:
    task(manifests, "last")["name"] = "la_st."


def repeat_a_task(manifests: list[Manifest]) -> None:
    tasks = template(manifests, "main")["dag"]["tasks"]
    tasks.append(dict(tasks[0]))


def read_nothing_known(manifests: list[Manifest]) -> None:
    given = task(manifests, "maybe")["arguments"]["parameters"][0]
    given["value"] = "{{tasks.first.outputs.parameters.m}}"


def forget_an_argument(manifests: list[Manifest]) -> None:
    del task(manifests, "maybe")["arguments"]


def forget_a_surfaced_input(manifests: list[Manifest]) -> None:
    loop = task(manifests, "each")["arguments"]["parameters"]
    loop[:] = [given for given in loop if "first" not in given["name"]]


def misspell_a_field(manifests: list[Manifest]) -> None:
    task(manifests, "last")["dependz"] = "first"


def write_nowhere(manifests: list[Manifest]) -> None:
    outputs = template(manifests, "first")["outputs"]
    outputs["artifacts"][0]["path"] = ""


def schedule_no_time(manifests: list[Manifest]) -> None:
    (cron,) = (m for m in manifests if m["kind"] == "CronWorkflow")
    cron["spec"]["schedules"] = ["0 25 * * 1"]


def lengthen_the_name(manifests: list[Manifest]) -> None:
    manifests[0]["metadata"]["name"] = "x" * 64


MUTATIONS: tuple[Callable[[list[Manifest]], None], ...] = (
    drop_a_dependency,
    depend_on_nothing_known,
    name_no_template,
    give_a_bad_name,
    repeat_a_task,
    read_nothing_known,
    forget_an_argument,
    forget_a_surfaced_input,
    misspell_a_field,
    write_nowhere,
    schedule_no_time,
    lengthen_the_name,
)


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_what_is_wrong_is_found(
    mutate: Callable[[list[Manifest]], None], judge: Judges, tmp_path: Path
) -> None:
    (tmp_path / "mlc.toml").touch()
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    manifests = list(yaml.load_all(for_argo(spec), yaml.CSafeLoader))
    assert judge(documents(manifests)) == NOTHING
    mutate(manifests)
    assert all(judge(documents(manifests)).values())


def test_an_unquoted_number_is_found(judge: Judges, tmp_path: Path) -> None:
    (tmp_path / "mlc.toml").touch()
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    text = for_argo(spec)
    assert text.count('- "1e-4"') == 1
    assert all(judge(text.replace('- "1e-4"', "- 1e-4")).values())


def documents(manifests: list[Manifest]) -> str:
    return "\n---\n".join(map(json.dumps, manifests))
