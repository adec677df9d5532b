"""The small Go programs of tests/golang, by which the engines judge: built once and kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

_SOURCES = Path(__file__).resolve().parent / "golang"
_KEPT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "mlc-tests")
# Of the largest, Argo's controller, a cold build takes some five minutes on two cores.
_PATIENCE = 900


@cache
def go_program(name: str) -> Path:
    """The program of a folder of tests/golang; the test is skipped where Go can't build it."""
    go = shutil.which("go")
    if go is None:
        pytest.skip(f"no Go toolchain here to build {name} with")
    source = _SOURCES / name
    digest = hashlib.sha256()
    for path in sorted(source.iterdir()):
        digest.update(path.read_bytes())
    program = _KEPT / f"{name}-{digest.hexdigest()[:16]}"
    if program.is_file():
        return program
    _KEPT.mkdir(parents=True, exist_ok=True)
    # Other workers may be building it too.
    unready = program.with_name(f"{program.name}.{os.getpid()}")
    try:
        built = subprocess.run(
            [go, "build", "-o", unready, "."],
            cwd=source,
            env={**os.environ, "GOTOOLCHAIN": "local"},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"Go did not build {name} in time")
    if built.returncode:
        pytest.skip(f"Go can't build {name}: {built.stderr.strip()[-300:]}")
    unready.replace(program)
    return program
