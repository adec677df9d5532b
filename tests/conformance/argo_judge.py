"""Argo's own validator, as `argo lint` asks it: a small Go program, built once and kept."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "golang/argo40"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "mlc-tests")
# A cold build takes about two minutes on two cores.
_PATIENCE = 900
Judge = Callable[[str], list[str]]


class CannotBuildError(Exception):
    """There is no Go here, or it can't build the judge."""


@contextmanager
def judging() -> Iterator[Judge]:
    """Says what is wrong with the text of a file of manifests; nothing, for a good one.

    Raises:
        CannotBuildError: says why.
    """
    with subprocess.Popen(
        [_program()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as running:
        assert running.stdin is not None and running.stdout is not None
        lines_in, lines_out = running.stdin, running.stdout

        def judge(text: str) -> list[str]:
            lines_in.write(json.dumps({"text": text}) + "\n")
            lines_in.flush()
            wrong: list[str] = json.loads(lines_out.readline())["wrong"]
            return wrong

        yield judge
        lines_in.close()


def _program() -> Path:
    go = shutil.which("go")
    if go is None:
        raise CannotBuildError("no Go toolchain here, so Argo's validator can't judge")
    sources = (SOURCE / name for name in ("main.go", "go.mod", "go.sum"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    program = _CACHE / f"argo40-{digest[:16]}"
    if program.is_file():
        return program
    _CACHE.mkdir(parents=True, exist_ok=True)
    unready = _CACHE / f"{program.name}.{os.getpid()}"
    try:
        built = subprocess.run(
            [go, "build", "-o", unready, "."],
            cwd=SOURCE,
            env={**os.environ, "GOTOOLCHAIN": "local"},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise CannotBuildError("Go did not build Argo's validator in time") from None
    if built.returncode:
        raise CannotBuildError(f"Go can't build Argo's validator: {built.stderr.strip()[-300:]}")
    unready.replace(program)
    return program
