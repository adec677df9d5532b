"""Each example is valid, compiles for its targets, and runs as its second line says."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compiler import project

ROOT = Path(__file__).resolve().parent.parent / "examples"
# The step whose log shows the point, and that log.
SHOWN = {
    "algorithms_as_steps": ("compare", "small: 20, large: 80\n"),
    "components": ("report", "4 of 6 words are distinct\n"),
    "conditions": ("publish", "publishing a model\n"),
    "extends": ("report", "Nightly: trained on 100 documents\n"),
    "fallback": ("train", "training --rate 0.001 --seed 42\n"),
    "finally": ("notify", "#ml, the run has succeeded\n"),
    "groups": ("quick", "standard tests of a model\n"),
    "loops": ("best", "trial 1 of 4 is the best: 0.3\n"),
    "resources": ("train", "trained within 512Mi\n"),
    "schedules": ("train", "training on 5000 documents\n"),
}
FILES = {"kfp": "kfp.yaml", "kfp-dsl": "kfp_dsl.py", "argo": "argo.yaml"}
EXAMPLES = sorted(path for path in ROOT.iterdir() if path.is_dir())


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "compiler", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def mlc(folder: Path, *words: str) -> str:
    done = run(folder, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example(example: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(example, tmp_path / "example"))
    commands = {
        path.name: found[1]
        for path in sorted(folder.glob("*.yaml"))
        if (found := re.match(r"# .*\n# mlc (run .*)\n", path.read_text()))
    }
    ((spec, command),) = commands.items()
    mlc(folder, "validate", spec)
    named, _, _ = project.find(folder)
    written = mlc(folder, "compile", spec)
    assert re.findall(r"[^/\n]+(?=  )", written) == [FILES[t] for t in named.default_targets]
    # What an example leaves out, a target can't do; else the list is too short.
    for left_out in FILES.keys() - set(named.default_targets):
        assert run(folder, "compile", spec, "--target", left_out).returncode == 1
    mlc(folder, *shlex.split(command))
    step, log = SHOWN[example.name]
    assert mlc(folder, "logs", "last", step) == log


def test_all_examples_are_listed() -> None:
    listed = re.findall(r"^\| \[(\w+)\]", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == [path.name for path in EXAMPLES] == sorted(SHOWN)
