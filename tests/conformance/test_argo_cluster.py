"""Argo's own controller runs the conformance cases as they say, and specs at random as predicted.

No cluster is needed: the controller speaks to an API server in memory, and its pods are processes
of this machine. What a real cluster adds are images, volumes and a store of artifacts. Everything
runs at the same time, since the controller looks at a workflow once a second.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from argo_cluster import Run, answers, outcome_of
from consumers import compiled
from expectation import Case, differences, read_cases
from interpreter import predict
from local import copied, loaded, pipeline_of
from random_specs import random_spec

from compiler import targets

CASES = {
    case.name: case
    for case in read_cases()
    if case.is_for("argo") and "argo" not in case.expected.get("refused", {})
}
# The other two of three run on this machine's engine and on the model (test_random_specs).
SEEDS = range(2, int(os.environ.get("MLC_RANDOM_SPECS", "60")), 3)


class Mutation(NamedTuple):
    """A change to what is written for a case, which has to show in how it ends."""

    case: str
    old: str
    new: str


EXIT_HOOK = """\
        hooks:
          exit:
            template: finally
            arguments:
              parameters:
              - name: status
                value: "{{tasks.main.status}}"
"""
MUTATIONS = {
    "a dropped dependency": Mutation("needs_order", "        depends: ", "        #"),
    "a condition turned round": Mutation("when_param", "== 'true'", "!= 'true'"),
    "another bound": Mutation("when_param", ">= 3.0", "> 3.0"),
    "strict where it was lenient": Mutation(
        "when_on_skipped", "(first.Succeeded || first.Skipped || first.Omitted)", "first.Succeeded"
    ),
    "lenient where it was strict": Mutation(
        "failure_stops_what_depends", ".Succeeded", ".Succeeded || bad.Failed"
    ),
    "one item for all": Mutation("loop_literal", "[#,list0[#]]", "[#,list0[0]]"),
    "a try too few": Mutation("retry_in_vain", 'limit: "2"', 'limit: "1"'),
    "a status turned round": Mutation(
        "finally_when_status", "?'succeeded':'failed'", "?'failed':'succeeded'"
    ),
    "no exit hook": Mutation("finally_after_failure", EXIT_HOOK, ""),
    "another path": Mutation("diamond", "path: /mlc/n", "path: /mlc/m"),
    "no deadline": Mutation("timeout", "activeDeadlineSeconds: 1", ""),
    "a number for a text": Mutation("when_text_is_exact", " == '", " != '"),
}
Ended = tuple[Run, Mapping[str, Any]]

pytestmark = pytest.mark.xdist_group("argo cluster")


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Mapping[object, Ended]:
    """All runs by the names of cases and mutations, and by seeds."""
    folder = tmp_path_factory.mktemp("argo")
    runs: dict[object, Run] = {name: of_case(case, folder) for name, case in CASES.items()}
    runs |= {name: mutated(name, folder) for name in MUTATIONS}
    runs |= {seed: run for seed in SEEDS if (run := at_random(seed, folder))}
    return dict(zip(runs, zip(runs.values(), answers(runs.values()), strict=True), strict=True))


def of_case(case: Case, folder: Path) -> Run:
    spec = copied(case, folder)
    found = loaded(spec)
    pipeline = pipeline_of(found)
    text = targets.target("argo").emit(pipeline, found.project.target("argo"))
    return Run(pipeline, text, case.params, spec.parent, folder / f"{case.name}-run")


def mutated(name: str, folder: Path) -> Run:
    mutation = MUTATIONS[name]
    run = of_case(CASES[mutation.case], folder / name)
    assert mutation.old in run.text
    return run._replace(text=run.text.replace(mutation.old, mutation.new))


def at_random(seed: int, folder: Path) -> Run | None:
    """None where it is refused."""
    home = folder / f"random-{seed}"
    home.mkdir()
    (home / "mlc.toml").touch()
    for name, text in random_spec(seed, 4 + seed % 11).items():
        (home / name).write_text(text)
    found = loaded(home / "spec.yaml")
    pipeline = pipeline_of(found)
    made = compiled(pipeline, found.project, ["argo"])["argo"]
    return None if made.refused else Run(pipeline, made.text, {}, home, home / "run")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_case(case: Case, ended: Mapping[object, Ended]) -> None:
    told = differences(case, outcome_of(*ended[case.name]))
    assert not told, "\n" + "\n".join(told)


@pytest.mark.parametrize("name", MUTATIONS)
def test_what_is_wrong_shows(name: str, ended: Mapping[object, Ended]) -> None:
    """It runs to its end, so that what shows is the mutation and not a file that can't be read."""
    assert differences(CASES[MUTATIONS[name].case], outcome_of(*ended[name])) != []


def test_few_are_refused(ended: Mapping[object, Ended]) -> None:
    """So that there is something to look at below."""
    assert sum(seed in ended for seed in SEEDS) > 0.7 * len(SEEDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_spec(seed: int, ended: Mapping[object, Ended], tmp_path: Path) -> None:
    if seed not in ended:
        return
    run, answer = ended[seed]
    wanted = predict(run.pipeline)
    expected = {"run": wanted.status, "steps": wanted.states}
    expected |= {"outputs": wanted.outputs, "result": wanted.result}
    told = differences(Case(tmp_path, expected, {}), outcome_of(run, answer))
    assert not told, "\n" + "\n".join(told)
