"""What a whole process takes, from the operating system's account of it.

A process is started by a bare interpreter and not by this one, since the system counts into the
peak of a process what its parent held when it started it.
"""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent

# Of the clock: what takes longer is not waited for.
PATIENCE = 90.0

Command = Sequence[str | Path]

# Starts one or two commands at once, each with a process group of its own, and ends the groups
# whatever comes. Peaks are summed: commands that run at once hold their memory at once. It imports
# little, since its own memory is the least that can be told.
_STARTER = """
import os, signal, sys, time
patience, said, cut, words = float(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:]
commands = [command for command in (words[:cut], words[cut:]) if command]
late = []
def end(*_):
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass
def give_up(*_):
    late.append(True)
    end()
signal.signal(signal.SIGALRM, give_up)
def stop(*_):
    end()
    try:
        while True:
            os.wait()
    except ChildProcessError:
        os._exit(1)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who waits for this says when to stop
files = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
         (os.POSIX_SPAWN_OPEN, 1, said, os.O_WRONLY | os.O_APPEND, 0),
         (os.POSIX_SPAWN_DUP2, 1, 2)]
groups, codes, cpu, peak = [], [], 0.0, 0.0
try:
    signal.setitimer(signal.ITIMER_REAL, patience)
    began = time.perf_counter()
    for command in commands:
        groups.append(os.posix_spawnp(command[0], command, os.environ, file_actions=files,
            setpgroup=0, setsigdef=[signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ]))
    for group in list(groups):
        _, status, used = os.wait4(group, 0)
        codes.append(os.waitstatus_to_exitcode(status))
        cpu += used.ru_utime + used.ru_stime
        peak += used.ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)
    wall = time.perf_counter() - began
finally:
    end()
ended = "given up" if late else "failed" if any(codes) else "done"
print(wall, cpu, peak, ended, sep=",")
"""


class Figure(NamedTuple):
    """Of each run that counts: seconds of the clock and of the processor, and the peak in MB.

    `ended` is `done`, or why there is no figure: `given up` after `PATIENCE`, `failed`,
    `not installed`. A run that was given up tells the least that it takes."""

    walls: tuple[float, ...] = ()
    cpus: tuple[float, ...] = ()
    peaks: tuple[float, ...] = ()
    ended: str = "done"
    bytes_a_step: int | None = None  # that were written

    @property
    def wall(self) -> float:
        return statistics.median(self.walls)

    @property
    def cpu(self) -> float:
        return statistics.median(self.cpus)

    @property
    def peak(self) -> float:
        return statistics.median(self.peaks)


class Row(NamedTuple):
    """A line of a table. `ratios` is how many times something it is, by what that is."""

    what: str
    figure: Figure
    ratios: Mapping[str, float] = MappingProxyType({})
    more: str = ""


def measure(
    command: Command,
    folder: Path = ROOT,
    *,
    beside: Command | None = None,
    runs: int = 1,
    warm: bool = False,
    env: Mapping[str, str] | None = None,
    output: Path | None = None,
    is_peer: bool = False,
) -> Figure:
    """Some runs of a command, and of another at the same time. `warm` runs it once more before,
    uncounted. The folder `output` is taken away before each run, since what is there already is not
    written again. A peer that fails or takes too long is a figure that says so; all else ends the
    program."""
    commands = [command] if beside is None else [command, beside]
    found: list[dict[str, float]] = []
    for _ in range(runs + warm):
        if output is not None:
            shutil.rmtree(output, ignore_errors=True)
        ended, used, said = _once(commands, folder, env)
        if ended != "done":
            line = f"{' '.join(map(str, command))[:300]}: {ended}\n{said[-2000:]}"
            if not is_peer:
                sys.exit(line)
            print(line, file=sys.stderr)
            least = [used] if ended == "given up" else []
            return _figure(least)._replace(ended=ended)
        found.append(used)
    return _figure(found[warm:])


def _figure(runs: Sequence[Mapping[str, float]]) -> Figure:
    walls, cpus, peaks = (tuple(run[what] for run in runs) for what in ("wall", "cpu", "peak"))
    return Figure(walls, cpus, peaks)


def _once(
    commands: list[Command], folder: Path, env: Mapping[str, str] | None
) -> tuple[str, dict[str, float], str]:
    """How a run of the commands ended, what it used, and what they said."""
    # An installed program has its bytecode on the disk, whatever is set for this process.
    around = {**os.environ, **(env or {})}
    around.pop("PYTHONDONTWRITEBYTECODE", None)
    words = [str(word) for command in commands for word in command]
    with tempfile.NamedTemporaryFile() as said:
        starter = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", "-c", _STARTER),
                *(str(PATIENCE), said.name, str(len(commands[0]))),
                *words,
            ],
            cwd=folder,
            env=around,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            answer, _ = starter.communicate()
        finally:
            if starter.poll() is None:
                starter.send_signal(signal.SIGTERM)
                starter.wait()
        text = said.read().decode(errors="replace")
    if starter.returncode:
        return "failed", {}, text
    *numbers, ended = answer.strip().split(",")
    return ended, dict(zip(("wall", "cpu", "peak"), map(float, numbers), strict=True)), text


def mlc(*arguments: str) -> list[str | Path]:
    return [Path(sys.executable).with_name("mlc"), *arguments]


def project(folder: Path, **specs: str) -> Path:
    """A project of its own in a new folder, with specs by name."""
    folder.mkdir(parents=True)
    (folder / "mlc.toml").write_text("")
    for name, text in specs.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder
