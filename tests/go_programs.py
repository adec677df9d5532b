"""The small Go programs of tests/golang, by which the engines judge: built once and kept.

Where Go is missing or can't build one, its tests are skipped and say so; with MLC_JUDGES=required,
as .ci/run has it, they fail.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, NoReturn

import pytest

_SOURCES = Path(__file__).resolve().parent / "golang"
_KEPT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "mlc-tests")
# Of the largest, Argo's controller, a cold build takes some five minutes on two idle cores.
_PATIENCE = 1800


@cache
def go_program(name: str) -> Path:
    """The program of a folder of tests/golang."""
    go = shutil.which("go")
    if go is None:
        _lacking(f"no Go toolchain here to build {name} with")
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    program = _KEPT / f"{name}-{_made_of(go, _SOURCES / name, environment)}"
    if program.is_file():
        return program
    _KEPT.mkdir(parents=True, exist_ok=True)
    # Other workers may be building it too.
    unready = program.with_name(f"{program.name}.{os.getpid()}")
    try:
        built = subprocess.run(
            [go, "build", "-o", unready, "."],
            cwd=_SOURCES / name,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired:
        _lacking(f"Go did not build {name} in time")
    if built.returncode:
        _lacking(f"Go can't build {name}: {built.stderr.strip()[-300:]}")
    unready.replace(program)
    return program


@contextmanager
def running(program: str) -> Iterator[tuple[IO[str], IO[str]]]:
    """Where lines go in to a program and come out of it."""
    with subprocess.Popen(
        [go_program(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        yield process.stdin, process.stdout
        process.stdin.close()


def _made_of(go: str, source: Path, environment: dict[str, str]) -> str:
    """A digest of the sources, the versions that they name, and the toolchain."""
    asked = [go, "env", "GOVERSION", "GOOS", "GOARCH"]
    told = subprocess.run(asked, env=environment, capture_output=True, check=True)
    digest = hashlib.sha256(told.stdout)
    for path in sorted(source.iterdir()):
        text = path.read_bytes()
        digest.update(f"{path.name} {len(text)}\n".encode() + text)
    return digest.hexdigest()[:16]


def _lacking(why: str) -> NoReturn:
    if os.environ.get("MLC_JUDGES") == "required":
        pytest.fail(why)
    pytest.skip(why)
