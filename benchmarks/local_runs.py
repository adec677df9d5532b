"""Steps that do nothing on this machine's engine, beside bare processes and the SDK's runner."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import others
from measuring import Figure, Row, measure, mlc, project
from verdicts import Verdict, at_most

TITLE = "Runs on this machine"
_CHAIN, _WIDE, _JOBS, _RUNS = 200, 1000, 2, 5
# The SDK takes more than a minute for a thousand.
_WIDE_FOR_SDK = 500
_HEAD = "apiVersion: mlc/v1\nkind: Algorithm\nname: nothing\nimage: python:3.12\nsteps:\n"
_POOL = """
import subprocess, sys
from concurrent.futures import ThreadPoolExecutor
count, jobs = map(int, sys.argv[1:])
with ThreadPoolExecutor(jobs) as pool:
    list(pool.map(lambda _: subprocess.run(["true"], check=True), range(count)))
"""
_AT_ONCE = f"{_JOBS} at once" + (", on one core" if os.cpu_count() == 1 else "")
_BARE_ONE, _OWN_ONE = "1 bare process", "mlc run, 1 step"


def rows(scratch: Path, most: int) -> Iterator[Row]:
    long, wide = min(_CHAIN, most), min(_WIDE, most)
    one = _bare(1, 1)
    yield Row(_BARE_ONE, one)
    bare = _bare(long, 1)
    yield Row(_bares(long), bare, more=_a_step(one, bare, long))
    one = _run(scratch / "one", _chain(1), 1)
    yield Row(_OWN_ONE, one)
    chain = _run(scratch / "chain", _chain(long), 1)
    yield Row(_own(long), chain, more=_a_step(one, chain, long))
    one = others.kfp_local(scratch, 1, is_chain=True)
    yield Row("kfp.local, 1 function", one)
    chain = others.kfp_local(scratch, long, is_chain=True)
    yield Row(f"kfp.local, a chain of {long:,} functions", chain, more=_a_step(one, chain, long))
    pool = _bare(wide, _JOBS)
    yield Row(_pool(wide), pool)
    figure = _run(scratch / "wide", _fan_out(wide), _JOBS)
    ratios = {"the bare pool": figure.wall / pool.wall}
    yield Row(_at_once(wide), figure, ratios)
    wide = min(wide, _WIDE_FOR_SDK)
    sdk = others.kfp_local(scratch, wide, is_chain=False)
    yield Row(
        f"kfp.local, {wide:,} functions, none after another", sdk, more=_a_step(one, sdk, wide)
    )


def verdicts(found: Mapping[str, Figure], most: int) -> Iterator[Verdict]:
    long, wide = min(_CHAIN, most), min(_WIDE, most)
    bare = _each(found[_BARE_ONE], found[_bares(long)].wall, long)
    own = [1000 * (_each(found[_OWN_ONE], wall, long) - bare) for wall in found[_own(long)].walls]
    yield at_most("step", "a step, over the bare process", own, 15, "# ms")
    pool = found[_pool(wide)].wall
    times = [wall / pool for wall in found[_at_once(wide)].walls]
    label = f"{wide:,} parallel steps, {_AT_ONCE}, by a bare pool"
    yield at_most("wide", label, times, 2, "# ×")


def parts_of_a_wide_run(found: Mapping[str, Figure], most: int) -> str:
    """What the seconds of a run with many steps at once are of, in a sentence."""
    wide = min(_WIDE, most)
    whole, start, pool = (found[what].wall for what in (_at_once(wide), _OWN_ONE, _pool(wide)))
    rest = 1000 * (whole - start - pool) / wide
    return (
        f"Of {whole:.2f} s the start with one step takes {start:.2f} and the bare pool {pool:.2f}; "
        f"{rest:.2f} ms a step are left for the engine and its record of the run."
    )


def _at_once(count: int) -> str:
    return f"mlc run, {count:,} steps, {_AT_ONCE}"


def _bares(count: int) -> str:
    return f"{count:,} bare processes, one after the other"


def _pool(count: int) -> str:
    return f"a pool of {count:,} bare processes, {_AT_ONCE}"


def _own(count: int) -> str:
    return f"mlc run, a chain of {count:,} steps"


def _each(one: Figure, wall: float, count: int) -> float:
    """Seconds a step, without the start, which the run of one step has too."""
    return (wall - one.wall) / (count - 1)


def _a_step(one: Figure, many: Figure, count: int) -> str:
    if one.ended != "done" or many.ended != "done":
        return ""
    return f"{1000 * _each(one, many.wall, count):.1f} ms a step"


def _bare(count: int, jobs: int) -> Figure:
    command = [sys.executable, "-c", _POOL, str(count), str(jobs)]
    return measure(command, runs=_RUNS, warm=True)


def _run(folder: Path, steps: Iterator[str], jobs: int) -> Figure:
    project(folder, nothing=_HEAD + "\n".join(steps) + "\n")
    command = mlc("run", "nothing.yaml", "-q", "--no-cache", "-j", str(jobs))
    return measure(command, folder, runs=_RUNS, warm=True)


def _chain(count: int) -> Iterator[str]:
    yield "  s0: {command: ['true']}"
    for number in range(1, count):
        yield f"  s{number}: {{command: ['true'], needs: [s{number - 1}]}}"


def _fan_out(count: int) -> Iterator[str]:
    for number in range(count):
        yield f"  s{number}: {{command: ['true']}}"
