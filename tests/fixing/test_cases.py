"""Each folder of tests/fixing/cases: files before and after `mlc validate --fix`, and what it said.

git judges the diff: applied to what was before it gives what is after.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CASES = sorted((Path(__file__).parent / "cases").iterdir())
BOM = b"\xef\xbb\xbf"


def mlc(folder: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "NO_COLOR")}
    done = subprocess.run(
        [sys.executable, "-m", "compiler", *arguments],
        cwd=folder,
        input=stdin,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    return done


def project(case: Path, tmp_path: Path) -> Path:
    folder = shutil.copytree(case / "before", tmp_path / "project")
    (folder / "mlc.toml").touch()
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "mlc.toml" and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.name)
def test_fix_mends_the_files_and_says_what_is_left(
    case: Path, tmp_path: Path, update_golden: bool
) -> None:
    folder = project(case, tmp_path)
    done = mlc(folder, "validate", "--fix", "spec.yaml")
    said = done.stderr.decode()
    if update_golden:
        shutil.rmtree(case / "after", ignore_errors=True)
        shutil.copytree(folder, case / "after", ignore=shutil.ignore_patterns("mlc.toml"))
        (case / "said.txt").write_text(said)
    assert files(folder) == files(case / "after")
    assert said == (case / "said.txt").read_text()
    assert done.stdout == b""
    assert done.returncode == (1 if "error[" in said else 0)


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.name)
def test_fixing_twice_changes_nothing(case: Path, tmp_path: Path) -> None:
    folder = project(case, tmp_path)
    mlc(folder, "validate", "--fix", "spec.yaml")
    before = files(folder)
    again = mlc(folder, "validate", "--fix", "spec.yaml")
    assert files(folder) == before
    assert b"fixed" not in again.stderr


@pytest.mark.parametrize("options", [["--diff"], ["--fix", "--diff"]], ids=" ".join)
@pytest.mark.parametrize("case", CASES, ids=lambda p: p.name)
def test_the_diff_is_what_fix_does(case: Path, options: list[str], tmp_path: Path) -> None:
    folder = project(case, tmp_path)
    done = mlc(folder, "validate", *options, "spec.yaml")
    assert files(folder) == files(case / "before")
    changes = files(case / "before") != files(case / "after")
    assert bool(done.stdout) == changes
    assert done.returncode == (1 if changes or b"error[" in done.stderr else 0)
    if changes:
        assert b"would fix" in done.stderr
        subprocess.run(["git", "apply"], cwd=folder, input=done.stdout, check=True)
    assert files(folder) == files(case / "after")


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "line ends of Windows": lambda data: data.replace(b"\n", b"\r\n"),
    "byte order mark": lambda data: BOM + data,
    "no final line end": lambda data: data.rstrip(b"\n"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES, ids=lambda p: p.name)
def test_the_form_of_a_file_is_kept(case: Path, form: str, tmp_path: Path) -> None:
    folder = project(case, tmp_path)
    for path in folder.rglob("*.yaml"):
        path.write_bytes(FORMS[form](path.read_bytes()))
    mlc(folder, "validate", "--fix", "spec.yaml")
    expected = {
        name: FORMS[form](data) if name.endswith(".yaml") else data
        for name, data in files(case / "after").items()
    }
    assert files(folder) == expected


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.name)
def test_standard_input_comes_out_fixed(case: Path, tmp_path: Path) -> None:
    folder = project(case, tmp_path)
    data = (folder / "spec.yaml").read_bytes()
    done = mlc(folder, "validate", "--fix", "-", stdin=data)
    assert done.stdout == (case / "after/spec.yaml").read_bytes()
    assert files(folder)["spec.yaml"] == data


def test_the_document_shows_what_happens(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs/fixing.md").read_text()
    (spec,) = re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.DOTALL)
    (shown,) = re.findall(
        r"^\$ mlc validate --diff [^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL
    )
    (tmp_path / "mlc.toml").touch()
    (tmp_path / "spec.yaml").write_text(spec)
    done = mlc(tmp_path, "validate", "--diff", "spec.yaml")
    assert (done.stdout + done.stderr).decode() == shown
