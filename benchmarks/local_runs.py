"""Steps that do nothing on this machine's engine, beside bare processes and the SDK's runner."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import others
from measuring import Figure, Part, Row, Verdict, measure, mlc, project

_CHAIN, _WIDE, _JOBS = 200, 1000, 2
# The SDK takes about a second a step.
_CHAIN_FOR_SDK = 20
_HEAD = "apiVersion: mlc/v1\nkind: Algorithm\nname: nothing\nimage: python:3.12\nsteps:\n"
_POOL = """
import subprocess, sys
from concurrent.futures import ThreadPoolExecutor
count, jobs = map(int, sys.argv[1:])
with ThreadPoolExecutor(jobs) as pool:
    list(pool.map(lambda _: subprocess.run(["true"], check=True), range(count)))
"""


def part(scratch: Path) -> Part:
    bare = _bare(_CHAIN, 1)
    one, chain = (_run(scratch / f"chain-{n}", _chain(n), 1) for n in (1, _CHAIN))
    pool = _bare(_WIDE, _JOBS)
    wide = _run(scratch / "wide", _fan_out(_WIDE), _JOBS)
    own = 1000 * ((chain.wall - one.wall) / (_CHAIN - 1) - bare.wall / _CHAIN)
    sdk_one, sdk = (measure(others.kfp_local(scratch, n), scratch) for n in (1, _CHAIN_FOR_SDK))
    sdk_own = (sdk.wall - sdk_one.wall) / (_CHAIN_FOR_SDK - 1)
    ratio = wide.wall / pool.wall
    return Part(
        "Runs on this machine",
        [
            Row(f"{_CHAIN} bare processes, one after the other", bare),
            Row("mlc run, 1 step", one),
            Row(f"mlc run, a chain of {_CHAIN} steps", chain, f"{own:.1f} ms a step over the bare"),
            Row("kfp.local, 1 function", sdk_one),
            Row(
                f"kfp.local, a chain of {_CHAIN_FOR_SDK} functions",
                sdk,
                f"{1000 * sdk_own:.0f} ms a step",
            ),
            Row(f"a pool of {_WIDE:,} bare processes, {_JOBS} at once", pool),
            Row(f"mlc run, {_WIDE:,} steps, {_JOBS} at once", wide, f"{ratio:.1f} × the bare pool"),
        ],
        [
            Verdict("a step: 15 ms over the bare process", f"{own:.1f} ms", own < 15),
            Verdict(
                f"{_WIDE:,} parallel steps: twice a bare pool at most", f"{ratio:.1f} ×", ratio <= 2
            ),
        ],
    )


def _bare(count: int, jobs: int) -> Figure:
    return measure([sys.executable, "-c", _POOL, str(count), str(jobs)], runs=5)


def _run(folder: Path, steps: Iterator[str], jobs: int) -> Figure:
    project(folder, nothing=_HEAD + "\n".join(steps) + "\n")
    return measure(mlc("run", "nothing.yaml", "-q", "--no-cache", "-j", str(jobs)), folder, runs=5)


def _chain(count: int) -> Iterator[str]:
    yield "  s0: {command: ['true']}"
    for number in range(1, count):
        yield f"  s{number}: {{command: ['true'], needs: [s{number - 1}]}}"


def _fan_out(count: int) -> Iterator[str]:
    for number in range(count):
        yield f"  s{number}: {{command: ['true']}}"
