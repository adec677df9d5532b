"""The wheel works by itself: from any folder, with the data files in it, at its lower bounds."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from compiler.codes import CODES

ROOT = Path(__file__).resolve().parent.parent
SPEC = """\
apiVersion: mlc/v1
kind: Algorithm
name: demo
image: registry.example.com/demo:1
params: {word: hello}
steps:
  one:
    script: printf '%s' "$INPUT_WORD" > "$OUTPUT_SAID"
    inputs: {word: "${{ params.word }}"}
    outputs: {said: string}
  two:
    python: lib:shout
    inputs: {word: "${{ steps.one.outputs.said }}"}
    outputs: {loud: string}
"""


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", out, ROOT, cwd=out)
    (built,) = out.glob("*.whl")
    return built


def lower_bounds() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bounds = [d.replace(">=", "==") for d in project["dependencies"]]
    assert all("==" in bound for bound in bounds)
    return bounds


def test_the_wheel_holds_schemas_and_templates(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("schemas", "templates"):
        for path in (ROOT / folder).rglob("*.*"):
            assert f"compiler/_data/{path.relative_to(ROOT).as_posix()}" in names
    for text in ("runtime/wrapper.sh", "runtime/shim.py", "py.typed"):
        assert f"compiler/{text}" in names
    for code in CODES:
        assert f"compiler/_data/docs/codes/{code}.md" in names
    assert not [n for n in names if n.startswith(("tests/", "algorithms/", "docs/"))]


# The suite itself runs with the newest, if not as a wheel.
_ON_CI = pytest.mark.skipif(not os.environ.get("CI"), reason="only CI tries the newest, too")


@pytest.mark.parametrize("versions", ["lowest", pytest.param("newest", marks=_ON_CI)])
def test_the_wheel_works_in_a_fresh_environment(wheel: Path, versions: str, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "env", cwd=tmp_path)
    pip = [tmp_path / "env/bin/python", "-m", "pip", "install", "-q"]
    run(*pip, str(wheel), *(lower_bounds() if versions == "lowest" else []), cwd=tmp_path)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "demo.yaml").write_text(SPEC)
    (folder / "lib.py").write_text("def shout(word: str) -> str:\n    return word.upper()\n")
    mlc = tmp_path / "env/bin/mlc"
    assert run(mlc, "--version", cwd=folder).startswith("mlc ")
    run(mlc, "validate", "demo.yaml", cwd=folder)
    assert "did you mean" in run(mlc, "explain", "MLC301", cwd=folder)
    run(mlc, "compile", "demo.yaml", cwd=folder)
    assert len(list((folder / "build/demo").iterdir())) == 3
    run(mlc, "run", "demo.yaml", "-p", "word=hey", cwd=folder)
    assert "HEY" in run(mlc, "show", "last", "--format", "json", cwd=folder)
