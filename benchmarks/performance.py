"""`make bench`: the time and memory that mlc takes, beside the KFP SDK and the bare interpreter.

Each figure is of a whole process, from the operating system's account of it; of several runs the
median. Writes docs/performance.md and benchmarks/performance.json. The peer is installed in
.bench/, an environment of its own. `python benchmarks/performance.py --most 1000` leaves out
larger pipelines, and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from shapes import SHAPES, spec
from validate_project import SPEC

ROOT = Path(__file__).resolve().parent.parent
PEER = ROOT / ".bench" / "kfp"
SIZES = (10, 100, 1000, 2000, 5000, 10000)
# The SDK takes minutes for more.
MOST_FOR_SDK = 2000
TARGETS = ("kfp", "kfp-dsl", "argo")
DOC_TYPE = "algorithms/doc_type.yaml"


class Figure(NamedTuple):
    """Seconds of the clock and of the processor, and the peak of memory in MB."""

    wall: float
    cpu: float
    peak: float


class Row(NamedTuple):
    what: str
    figure: Figure
    more: str = ""


def measure(command: Sequence[str | Path], folder: Path = ROOT, runs: int = 1) -> Figure:
    """The medians of some runs of a command, which has to succeed, after one that is not counted
    where there are several."""
    figures = [_once(command, folder) for _ in range(runs + (runs > 1))][runs > 1 :]
    return Figure(*(statistics.median(column) for column in zip(*figures, strict=True)))


def _once(command: Sequence[str | Path], folder: Path) -> Figure:
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        if status:
            said.seek(0)
            sys.exit(f"{' '.join(map(str, command))}: {said.read().decode()[-2000:]}")
    return Figure(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def mlc(*arguments: str) -> list[str | Path]:
    return [sys.executable, "-m", "compiler", *arguments]


def cold_starts(scratch: Path) -> Iterator[Row]:
    runs = 11
    floor = measure([sys.executable, "-c", "pass"], runs=runs)
    yield Row("bare interpreter", floor)
    for name, command in (
        ("mlc --help", mlc("--help")),
        ("mlc validate", mlc("validate", DOC_TYPE)),
        ("mlc compile, all targets", mlc("compile", DOC_TYPE, "-o", str(scratch), "-q")),
    ):
        figure = measure(command, runs=runs)
        yield Row(name, figure, f"{figure.wall / floor.wall:.1f} × the interpreter")
    source = scratch / "doc_type" / "kfp_dsl.py"
    figure = measure(_sdk(source, scratch), runs=5)
    yield Row("kfp dsl compile, the same pipeline", figure)


def sizes(scratch: Path, most: int) -> Iterator[Row]:
    for shape in SHAPES:
        for size in (size for size in SIZES if size <= most):
            folder = scratch / f"{shape.replace(' ', '-')}-{size}"
            folder.mkdir()
            (folder / "mlc.toml").write_text("")
            (folder / "big.yaml").write_text(spec(shape, size))
            for target in TARGETS:
                figure = measure(mlc("compile", "big.yaml", "--target", target, "-q"), folder)
                (written,) = (folder / "build" / "big").iterdir()
                bytes_ = written.stat().st_size // size
                yield Row(f"{shape}, {size:,} steps, {target}", figure, f"{bytes_} bytes a step")
                if target == "kfp-dsl" and size <= MOST_FOR_SDK:
                    sdk = measure(_sdk(written, folder), folder)
                    more = f"{sdk.wall / figure.wall:.0f} × as long as mlc for kfp-dsl"
                    yield Row(f"{shape}, {size:,} steps, KFP SDK", sdk, more)
                written.unlink()


def projects(scratch: Path) -> Iterator[Row]:
    count, folder = 1000, scratch / "project"
    (folder / "algorithms").mkdir(parents=True)
    (folder / "mlc.toml").write_text("")
    for number in range(count):
        path = folder / "algorithms" / f"algorithm_{number}.yaml"
        path.write_text(SPEC.format(number=number))
    for name, command in (
        ("validated", mlc("validate")),
        ("compiled to all targets", mlc("compile", "-q")),
    ):
        figure = measure(command, folder, runs=3)
        yield Row(f"{count:,} specs {name}", figure, f"{count / figure.cpu:.0f} specs a second")


def _sdk(source: Path, folder: Path) -> list[str | Path]:
    compiler = PEER / "bin" / "kfp"
    return [compiler, "dsl", "compile", "--py", source, "--output", folder / "sdk.yaml"]


def install() -> None:
    if not (PEER / "bin" / "kfp").exists():
        subprocess.run([sys.executable, "-m", "venv", PEER], check=True)
        pip = [PEER / "bin" / "python", "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "kfp", "kfp-kubernetes"], check=True)


def page(parts: dict[str, list[Row]]) -> str:
    lines = [
        "# Performance",
        "",
        f"Written by `make bench`, with Python {platform.python_version()} on {os.cpu_count()} "
        f"processors ({platform.machine()}). Whole processes: seconds of the clock, seconds of the "
        "processor, peak of memory. The rates are per second of the processor.",
    ]
    for title, rows in parts.items():
        lines += ["", f"## {title}", "", "| what | clock | processor | peak | |"]
        lines.append("|---|---|---|---|---|")
        for what, figure, more in rows:
            wall, cpu, peak = figure
            lines.append(f"| {what} | {wall:.2f} s | {cpu:.2f} s | {peak:.0f} MB | {more} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=max(SIZES), help="steps of the largest")
    most: int = parser.parse_args().most
    install()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        parts = {
            "From a cold start": list(cold_starts(scratch)),
            "Pipelines of many steps": list(sizes(scratch, most)),
            "A project of many specs": list(projects(scratch)),
        }
    text = page(parts)
    sys.stdout.write(text)
    if most == max(SIZES):
        (ROOT / "docs" / "performance.md").write_text(text, "utf-8")
        data = {
            t: [{"what": r.what, **r.figure._asdict()} for r in rows] for t, rows in parts.items()
        }
        written = json.dumps(data, indent=2) + "\n"
        (ROOT / "benchmarks" / "performance.json").write_text(written, "utf-8")


if __name__ == "__main__":
    main()
