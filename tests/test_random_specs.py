"""Random specs go all the way: they load, compile the same twice, and run as predicted.

MLC_RANDOM_SPECS says how many there are; `make random` takes 2,000 of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from consumers import CONTRACTS, compiled, problems
from expectation import Case, differences, same
from interpreter import Prediction, predict
from local import loaded, pipeline_of, run_spec
from models import on_argo, on_kfp, ran_of
from random_specs import random_spec

from compiler.frontend import Loaded

COUNT = int(os.environ.get("MLC_RANDOM_SPECS", "60"))
# Every twentieth is large. What is run, here or on models, is small.
SIZES = [200 if seed % 20 == 19 else 4 + seed % 23 for seed in range(COUNT)]


def load(seed: int, folder: Path, size: int | None = None) -> Loaded:
    for name, text in random_spec(seed, size or SIZES[seed]).items():
        (folder / name).write_text(text)
    (folder / "mlc.toml").write_text("")
    return loaded(folder / "spec.yaml")


@pytest.mark.skipif(
    not CONTRACTS, reason="MLC_ENGINE_CONTRACTS is unset: no Argo schemas to check against"
)
@pytest.mark.parametrize("seed", range(COUNT))
def test_compiles(seed: int, tmp_path: Path) -> None:
    found = load(seed, tmp_path)
    pipeline = pipeline_of(found)
    made = compiled(pipeline, found.project)
    assert compiled(pipeline, found.project) == made
    for name, one in made.items():
        assert one.refused or problems(name, one.text) == [], name


def test_the_same_in_every_process(tmp_path: Path) -> None:
    program = (
        "import hashlib, sys, tempfile\n"
        "from pathlib import Path\n"
        "from consumers import compiled\n"
        "from local import pipeline_of\n"
        "from test_random_specs import load\n"
        "for seed in range(12):\n"
        "    found = load(seed, Path(sys.argv[1]), 20)\n"
        "    made = compiled(pipeline_of(found), found.project)\n"
        "    print(seed, hashlib.sha256(repr(made).encode()).hexdigest())\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("0", "1", "4711")
    ]
    assert said[0].count(b"\n") == 12
    assert len(set(said)) == 1


def case_of(wanted: Prediction, folder: Path) -> Case:
    expected = {"run": wanted.status, "steps": wanted.states}
    expected |= {"outputs": wanted.outputs, "result": wanted.result}
    return Case(folder, expected, {})


@pytest.mark.parametrize("seed", range(0, COUNT, 3))
def test_runs_as_predicted(seed: int, tmp_path: Path) -> None:
    found = load(seed, tmp_path, 4 + seed % 11)
    wanted = predict(pipeline_of(found))
    outcome = run_spec(found)
    told = differences(case_of(wanted, tmp_path), outcome)
    assert not told, "\n" + "\n".join(told)


@pytest.mark.parametrize("seed", range(1, COUNT, 3))
def test_argo_ends_as_predicted(seed: int, tmp_path: Path) -> None:
    found = load(seed, tmp_path, 4 + seed % 11)
    pipeline = pipeline_of(found)
    made = compiled(pipeline, found.project)["argo"]
    if not made.refused:
        outcome = on_argo(pipeline, made.text, {}, tmp_path)
        told = differences(case_of(predict(pipeline), tmp_path), outcome)
        assert not told, "\n" + "\n".join(told)


@pytest.mark.parametrize("seed", range(COUNT))
def test_kfp_ends_as_predicted(seed: int, tmp_path: Path) -> None:
    found = load(seed, tmp_path, 4 + seed % 23)
    pipeline = pipeline_of(found)
    made = compiled(pipeline, found.project)["kfp"]
    if made.refused:
        return
    wanted = predict(pipeline)
    status, ran, result = on_kfp(made.text, pipeline)
    assert status == wanted.status
    # A step waits for what stands for another's output there, and does not run if that has failed.
    assert ran == ran_of(wanted) or (status == "failed" and ran <= ran_of(wanted))
    assert same(result, wanted.result)


def test_few_are_refused(tmp_path: Path) -> None:
    """So that the tests above have something to look at."""
    refused: Counter[str] = Counter()
    for seed in range(40):
        found = load(seed, tmp_path, 4 + seed % 11)
        made = compiled(pipeline_of(found), found.project)
        refused.update(name for name, one in made.items() if one.refused)
    assert refused["argo"] <= 4
    assert refused["kfp"] <= 12
    assert refused["kfp-dsl"] <= 38
