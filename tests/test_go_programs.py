"""What becomes of tests whose judge can't be had: skipped with the reason, or failed on CI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import go_programs
import pytest

NO_PROGRAM = {"go.mod": "module broken\n\ngo 1.22\n", "main.go": "package main\n\nfunc main() {\n"}


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that Go can't build."""
    (tmp_path / "broken").mkdir()
    for name, text in NO_PROGRAM.items():
        (tmp_path / "broken" / name).write_text(text)
    monkeypatch.setattr(go_programs, "_SOURCES", tmp_path)
    monkeypatch.setattr(go_programs, "_KEPT", tmp_path / "kept")


def asked() -> str:
    # Past `cache`, which would keep what another test has seen.
    with pytest.raises((pytest.skip.Exception, pytest.fail.Exception)) as told:
        go_programs.go_program.__wrapped__("broken")
    return f"{told.typename}: {told.value}"


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(("judges", "outcome"), [("", "Skipped"), ("required", "Failed")])
def test_no_toolchain(judges: str, outcome: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLC_JUDGES", judges)
    monkeypatch.setenv("PATH", "/nowhere")
    assert asked() == f"{outcome}: no Go toolchain here to build broken with"


@pytest.mark.skipif(shutil.which("go") is None, reason="no Go toolchain here")
@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(("judges", "outcome"), [("", "Skipped"), ("required", "Failed")])
def test_no_build(judges: str, outcome: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLC_JUDGES", judges)
    told = asked()
    assert told.startswith(f"{outcome}: Go can't build broken: ") and "main.go" in told


def test_no_contracts(tmp_path: Path) -> None:
    environment = {**os.environ, "MLC_JUDGES": "required", "MLC_ENGINE_CONTRACTS": str(tmp_path)}
    words = ["-m", "pytest", "-n", "0", "--collect-only", __file__]
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"MLC_ENGINE_CONTRACTS={tmp_path} holds no contracts" in done.stderr
