"""`make bench`: the time and memory that mlc takes, beside its peers and the bare interpreter.

Each figure is of a whole process, of several runs the median. Writes docs/performance.md and
benchmarks/performance.json. `python benchmarks/performance.py --most 1000` leaves out larger
pipelines, and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import local_runs
import others
import projects
import sizes
import starts
from measuring import PATIENCE, ROOT, Part


def page(parts: Sequence[Part]) -> Iterator[str]:
    yield from ("# Performance", "")
    yield (
        f"Written by `make bench`: mlc {version('mlc')} with Python {platform.python_version()} on "
        f"{os.cpu_count()} processors ({_processor()}); beside it "
        + ", ".join(f"{name} {number}" for name, number in others.versions().items())
        + ". Whole processes: seconds of the clock, seconds of the processor, peak of memory. "
        "Rates are per second of the processor."
    )
    yield from ("", "| target | measured | |", "|---|---|---|")
    for verdict in (verdict for part in parts for verdict in part.verdicts):
        yield f"| {verdict.target} | {verdict.measured} | {'met' if verdict.is_met else 'missed'} |"
    for title, rows, _ in parts:
        yield from ("", f"## {title}", "")
        yield from ("| what | clock | processor | peak | |", "|---|---|---|---|---|")
        for what, (wall, cpu, peak), said in rows:
            more = f"given up after {PATIENCE:.0f} s" if wall >= PATIENCE else said
            yield f"| {what} | {wall:.2f} s | {cpu:.2f} s | {peak:.0f} MB | {more} |"


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=max(sizes.SIZES), help="steps of the largest")
    most: int = parser.parse_args().most
    others.install()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        parts = [
            starts.part(scratch),
            sizes.part(scratch, most),
            projects.part(scratch / "many"),
            local_runs.part(scratch),
        ]
    misses = (ROOT / "benchmarks" / "misses.md").read_text("utf-8")
    text = "\n".join((*page(parts), "", misses))
    sys.stdout.write(text)
    if most == max(sizes.SIZES):
        (ROOT / "docs" / "performance.md").write_text(text, "utf-8")
        data = {
            part.title: [{"what": row.what, **row.figure._asdict()} for row in part.rows]
            for part in parts
        }
        written = json.dumps(data, indent=2) + "\n"
        (ROOT / "benchmarks" / "performance.json").write_text(written, "utf-8")


if __name__ == "__main__":
    main()
