"""Random specs go all the way: they load, compile the same twice, and run as predicted.

MLC_RANDOM_SPECS says how many there are; `make random` takes 2,000 of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from consumers import CONTRACTS, compiled, problems
from expectation import same
from interpreter import predict
from local import loaded, pipeline_of, run_spec
from random_specs import random_spec

from compiler.frontend import Loaded

COUNT = int(os.environ.get("MLC_RANDOM_SPECS", "60"))
# Every tenth is large; every third of the others, small ones, is run.
SIZES = [200 if seed % 10 == 9 else 4 + seed % 23 for seed in range(COUNT)]


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


@pytest.mark.parametrize("seed", [seed for seed in range(COUNT) if seed % 3 == 0])
def test_runs_as_predicted(seed: int, tmp_path: Path) -> None:
    found = load(seed, tmp_path, 4 + seed % 11)
    wanted = predict(pipeline_of(found))
    outcome = run_spec(found)
    assert outcome.states == wanted.states
    assert outcome.status == wanted.status
    outputs = {step: values for step, values in (outcome.outputs or {}).items() if values}
    assert outputs.keys() == wanted.outputs.keys()
    for step, values in outputs.items():
        assert same(values, wanted.outputs[step]), step
    assert same(dict(outcome.result or {}), wanted.result)
