"""Each folder of tests/diagnostics is a bad spec and exactly what `mlc validate` says of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compiler.codes import CODES

CASES = sorted((Path(__file__).parent / "diagnostics").iterdir())
# Found by other commands than `mlc validate` on one spec; tested there.
ELSEWHERE = {"MLC001", "MLC008", "MLC011", "MLC012", "MLC013", "MLC309", "MLC310"}
ELSEWHERE |= {code for code in CODES if code.startswith(("MLC70", "MLC8"))}


def validate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "NO_COLOR")}
    return subprocess.run(
        [sys.executable, "-m", "compiler", "validate", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("folder", CASES, ids=lambda p: p.name)
def test_a_bad_spec_is_told_exactly(folder: Path, tmp_path: Path, update_golden: bool) -> None:
    # Away from this project, whose configuration the case would get otherwise.
    done = validate(shutil.copytree(folder, tmp_path / "case"), "spec.yaml")
    said = done.stderr.decode()
    expected = folder / "expected.txt"
    if update_golden:
        expected.write_text(said)
    assert said == expected.read_text()
    assert done.stdout == b""
    assert done.returncode == (1 if "error[" in said else 0)
    assert "Traceback" not in said


@pytest.mark.parametrize("folder", CASES, ids=lambda p: p.name)
def test_places_lie_in_their_files(folder: Path) -> None:
    said = (folder / "expected.txt").read_text()
    places = re.findall(r"(?:-->|:::) ([^:\n]+):(\d+):(\d+)", said)
    assert places
    for name, line, column in places:
        text = (folder / name).read_bytes().decode("utf-8", "replace")
        lines = re.split(r"\r\n|\r|\n", text)
        assert 1 <= int(line) <= len(lines)
        assert 1 <= int(column) <= len(lines[int(line) - 1]) + 1


def test_every_code_has_a_case() -> None:
    told = {
        code
        for folder in CASES
        for code in re.findall(r"\[(MLC\d+)\]", (folder / "expected.txt").read_text())
    }
    assert told | ELSEWHERE == set(CODES)
    assert not told & ELSEWHERE
