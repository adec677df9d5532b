"""A project of a thousand specs of sixty lines: validated and compiled, by one process and two."""

from __future__ import annotations

import sys
from pathlib import Path

from measuring import Figure, Part, Row, Verdict, measure, mlc
from validate_project import write

_COUNT = 1000
_HALVES = """
import subprocess, sys
cut = sys.argv.index("--")
command, specs = sys.argv[1:cut], sys.argv[cut + 1:]
both = [subprocess.Popen(command + specs[first::2]) for first in (0, 1)]
sys.exit(max(process.wait() for process in both))
"""


def part(scratch: Path) -> Part:
    folder = scratch / "project"
    write(folder, _COUNT)
    rows, verdicts = [], []
    for verb, rate, arguments in (
        ("validated", 500, ["validate"]),
        ("compiled to three targets", 200, ["compile", "-q"]),
    ):
        one = measure(mlc(*arguments), folder, runs=3, output=folder / "build")
        specs = _COUNT / one.cpu
        rows.append(Row(f"{_COUNT:,} specs {verb}", one, f"{specs:.0f} specs a second"))
        two = _two_processes(arguments, folder)
        more = f"{one.wall / two.wall:.1f} × as fast"
        rows.append(Row(f"{_COUNT:,} specs {verb}, two processes", two, more))
        verdicts.append(Verdict(f"{verb}: {rate} specs a second", f"{specs:.0f}", specs > rate))
    return Part("A project of many specs", rows, verdicts)


def _two_processes(arguments: list[str], folder: Path) -> Figure:
    """Each takes half of the specs; the figure is of both."""
    specs = sorted(
        path.relative_to(folder).as_posix() for path in (folder / "algorithms").iterdir()
    )
    command = [sys.executable, "-c", _HALVES, *mlc(*arguments), "--", *specs]
    return measure(command, folder, runs=3, output=folder / "build")
