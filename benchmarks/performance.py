"""`make bench`: the time and memory that mlc takes, beside its peers and the bare interpreter.

Each figure is of a whole process, of several runs the median. Writes docs/performance.md and
benchmarks/performance.json. `python benchmarks/performance.py --most 1000` makes nothing larger,
and writes neither. What is measured so far is in .bench/performance.json, if it is broken off.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Protocol

import local_runs
import others
import profiles
import projects
import sizes
import starts
from measuring import PATIENCE, ROOT, Figure, Row
from verdicts import Verdict

_LARGEST = max(sizes.SIZES)


class Part(Protocol):
    """What each part of the benchmark offers. `most` bounds steps, specs and runs; `found` has the
    figures by what the rows call them."""

    TITLE: str

    def rows(self, scratch: Path, most: int) -> Iterator[Row]: ...

    def verdicts(self, found: Mapping[str, Figure], most: int) -> Iterator[Verdict]: ...


PARTS: tuple[Part, ...] = (starts, sizes, projects, local_runs)


@dataclass
class Results:
    """What has been measured so far."""

    most: int
    commit: str
    rows: dict[str, list[Row]] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def found(self) -> dict[str, Figure]:
        return {row.what: row.figure for rows in self.rows.values() for row in rows}


def measure_all(results: Results, save: Callable[[], None]) -> None:
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for part in PARTS:
            rows = results.rows[part.TITLE] = []
            for row in part.rows(scratch, results.most):
                print(_line(row), file=sys.stderr)
                rows.append(row)
                save()
            results.verdicts += part.verdicts(results.found, results.most)
        for about, _, _, state in results.verdicts:
            if state in ("missed", "on the line") and about not in results.reasons:
                results.reasons[about] = profiles.reason(
                    about, results.found, scratch, results.most
                )
        save()


def page(results: Results) -> Iterator[str]:
    yield from ("# Performance", "")
    machine = _machine()
    peers = ", ".join(f"{name} {number}" for name, number in others.versions().items())
    small = (starts.VALIDATE, *starts.COMPILING)
    check, own, sdk = (results.found[what].walls for what in small)
    if sdk:
        yield (
            f"To check a spec takes {median(check):.2f} s, to compile it to three targets "
            f"{median(own):.2f} s, where `kfp dsl compile` takes {median(sdk):.2f} s for one."
        )
    yield ""
    yield (
        f"Written by `make bench` at {results.commit}: mlc {version('mlc')} with Python "
        f"{machine['python']} on {machine['processors']} processors ({machine['processor']}); "
        f"beside it {peers}. Whole processes: seconds of the clock and of the processor, peak of "
        "memory, each the median of the runs; all of them are in benchmarks/performance.json. "
        "Rates, and how many times as fast with many steps, are by the processor, other ratios by "
        "the clock. Of several runs of mlc the least and the most stand in brackets; a target "
        "between them is on the line. The SDK (of KFP) and hera (which writes Argo's manifests) "
        "run once with many steps, on the same graphs written by hand; their steps have no wrapper "
        "and check no outputs. The SDK gets them with one component for all steps, which the "
        "targets are of, and with one a step, which is faster with many. `kfp` is the IR, "
        "`kfp-dsl` Python source that the SDK still has to compile, `argo` manifests."
    )
    yield from ("", "| target | measured | |", "|---|---|---|")
    for _, target, measured, state in results.verdicts:
        yield f"| {target} | {measured} | {state} |"
    reasons: dict[str, list[str]] = {}
    called = {about: target.partition(":")[0] for about, target, _, _ in results.verdicts}
    for about, text in results.reasons.items():
        reasons.setdefault(text, []).append(called[about])
    reasons.pop("", None)
    if reasons:
        yield from ("", "## Where the time goes in what is not met", "")
        for text, abouts in reasons.items():
            yield f"- **{'; '.join(abouts)}.** {text}"
    for title, rows in results.rows.items():
        yield from ("", f"## {title}", "")
        yield from (
            "| what | clock | processor | peak | bytes a step | |",
            "|---|---|---|---|---|---|",
        )
        yield from map(_line, rows)
    yield ""


def _line(row: Row) -> str:
    what, figure, ratios, said = row
    more = ", ".join(f"{times:.1f} × {of}" for of, times in ratios.items())
    more = "; ".join(filter(None, (more, said)))
    size = figure.bytes_a_step
    if figure.ended == "done":
        used = f"{figure.wall:.2f} s | {figure.cpu:.2f} s | {figure.peak:.0f} MB"
    else:
        used, more = " | | ", figure.ended
        if more == "given up":
            more += f" after {PATIENCE:.0f} s"
    return f"| {what} | {used} | {'' if size is None else f'{size:,}'} | {more} |"


def data(results: Results) -> dict[str, object]:
    """All of it as JSON."""
    return {
        "machine": _machine(),
        "versions": {"mlc": version("mlc"), **others.versions()},
        "commit": results.commit,
        "most": results.most,
        "verdicts": [verdict._asdict() for verdict in results.verdicts],
        "reasons": results.reasons,
        "parts": {title: [_row(row) for row in rows] for title, rows in results.rows.items()},
    }


def _row(row: Row) -> dict[str, object]:
    figure = {
        what: [round(value, 4) for value in values]
        for what, values in zip(("walls", "cpus", "peaks"), row.figure[:3], strict=True)
    }
    return {
        "what": row.what,
        "ended": row.figure.ended,
        **figure,
        "bytes_a_step": row.figure.bytes_a_step,
        "ratios": {of: round(times, 3) for of, times in row.ratios.items()},
        "more": row.more,
    }


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "no commit"
    return done.stdout.strip()


def _machine() -> dict[str, object]:
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "processor": next(names, platform.machine()),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--most", type=int, default=_LARGEST, help="steps, specs and runs at most (10 or more)"
    )
    # As at Ctrl-C, what is being measured is ended too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results = Results(parser.parse_args(arguments).most, _commit())
    if results.most < min(sizes.SIZES):
        parser.error(f"--most is {min(sizes.SIZES)} or more")
    others.install()
    so_far = ROOT / ".bench" / "performance.json"
    measure_all(results, lambda: _save(so_far, results))
    text = "\n".join(page(results))
    sys.stdout.write(text)
    if results.most >= _LARGEST:
        (ROOT / "docs" / "performance.md").write_text(text, "utf-8")
        _save(ROOT / "benchmarks" / "performance.json", results)


def _save(path: Path, results: Results) -> None:
    path.write_text(json.dumps(data(results), indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
