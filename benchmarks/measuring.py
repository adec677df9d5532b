"""What a whole process takes, from the operating system's account of it."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent

# Of the clock: a peer that takes longer is not waited for.
PATIENCE = 45.0

Command = Sequence[str | Path]


class Figure(NamedTuple):
    """Seconds of the clock and of the processor, and the peak of memory in MB."""

    wall: float
    cpu: float
    peak: float


class Row(NamedTuple):
    what: str
    figure: Figure
    more: str = ""


class Verdict(NamedTuple):
    """A target, what was measured for it, and whether that is within."""

    target: str
    measured: str
    is_met: bool


class Part(NamedTuple):
    title: str
    rows: list[Row]
    verdicts: list[Verdict]


def measure(
    command: Command,
    folder: Path = ROOT,
    runs: int = 1,
    env: Mapping[str, str] | None = None,
    output: Path | None = None,
) -> Figure:
    """The medians of some runs of a command, which has to succeed, after one that is not counted
    where there are several. It is ended after `PATIENCE` seconds. The folder `output` is taken away
    before each run, since what is there already is not written again."""
    figures = []
    for _ in range(runs + (runs > 1)):
        if output is not None:
            shutil.rmtree(output, ignore_errors=True)
        figures.append(_once(command, folder, env))
    counted = figures[runs > 1 :]
    return Figure(*(statistics.median(column) for column in zip(*counted, strict=True)))


def _once(command: Command, folder: Path, env: Mapping[str, str] | None) -> Figure:
    # An installed program has its bytecode on the disk, whatever is set for this process.
    around = {**os.environ, **(env or {})}
    around.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said, env=around)
        timer = threading.Timer(PATIENCE, process.kill)
        timer.start()
        _, status, used = os.wait4(process.pid, 0)
        timer.cancel()
        wall = time.perf_counter() - began
        if status and wall < PATIENCE:
            said.seek(0)
            sys.exit(f"{' '.join(map(str, command))}: {said.read().decode()[-2000:]}")
    return Figure(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def mlc(*arguments: str) -> list[str | Path]:
    return [Path(sys.executable).with_name("mlc"), *arguments]


def project(folder: Path, **specs: str) -> Path:
    """A project of its own in a new folder, with specs by name."""
    folder.mkdir(parents=True)
    (folder / "mlc.toml").write_text("")
    for name, text in specs.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder
