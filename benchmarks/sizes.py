"""Pipelines of 10 to 10,000 steps in five shapes, to each target, beside the SDK and hera.

How many times as fast is told against the SDK's DSL with one component for all steps, written by
hand; the DSL source that mlc writes says more than that, and stands in a row of its own. It is told
by the processor, since what runs beside would count for one of the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

import others
from measuring import Figure, Row, measure, mlc, project
from peer_programs import HERA_SAYS, ONE_EACH, REUSED
from shapes import SHAPES, spec
from verdicts import Verdict, at_least, at_most, growth, not_known

TITLE = "Pipelines of many steps"
TARGETS = ("kfp", "kfp-dsl", "argo")
SIZES = (10, 100, 1000, 2000, 5000, 10000)
# The sizes of what is asked: how many times as fast, how it grows, how long the largest takes.
_RATIO, _GROWTH, _LARGEST = 2000, (1000, 2000, 5000, 10000), 10000
_RUNS = {10: 3, 100: 3, 1000: 3, 2000: 3, 5000: 1, 10000: 2}
# Of the SDK's ways for the shapes but the chain, what would only take time is left out.
_SDK = {REUSED: (10, 100, _RATIO), ONE_EACH: (10, 100, 1000)}
_OUR_SOURCE = 1000
_MOST_OF_A_CHAIN = 5000  # for hera
_MAIN_PEER, _OTHER_PEER = f"the SDK {REUSED}", f"the SDK {ONE_EACH}"
_SAME_FORMAT = {"kfp": _MAIN_PEER, "argo": "hera"}
_FILES = {"kfp": "kfp.yaml", "kfp-dsl": "kfp_dsl.py", "argo": "argo.yaml"}


def rows(scratch: Path, most: int) -> Iterator[Row]:
    for shape in SHAPES:
        for size in (size for size in SIZES if size <= most):
            folder = scratch / f"{shape.replace(' ', '-')}-{size}"
            project(folder, big=spec(shape, size))
            peers = list(_peers(folder, shape, size))
            yield from peers
            for target in _targets(shape):
                command = mlc("compile", "big.yaml", "--target", target, "-q")
                figure = measure(command, folder, runs=_RUNS[size], output=folder / "build")
                written = folder / "build" / "big" / _FILES[target]
                figure = figure._replace(bytes_a_step=others.bytes_a_step(written, size))
                beside = dict(_beside(figure, target, peers))
                yield Row(name(shape, size, target), figure, beside)
                if (shape, size, target) == ("chain", _OUR_SOURCE, "kfp-dsl"):
                    what = name(shape, size, "the SDK, of mlc's DSL source")
                    yield Row(what, others.sdk_compile(written, folder, size))


def _targets(shape: str) -> list[str]:
    """Those that can be given a shape of any size: Argo has 200 tasks in a DAG, and can't part what
    waits for one that may be skipped."""
    return [t for t in TARGETS if (shape, t) != ("one condition", "argo")]


def _shapes(target: str) -> list[str]:
    return [shape for shape in SHAPES if target in _targets(shape)]


def verdicts(found: Mapping[str, Figure], most: int) -> Iterator[Verdict]:
    largest_for_all = max(size for size in SIZES if size <= min(most, _RATIO))
    yield from _sizes(found, largest_for_all)
    for target in TARGETS:
        if most >= _RATIO:
            yield _ratio(found, target)
        if most >= _LARGEST:
            yield from _growths(found, target)
            largest = [found[name(shape, _LARGEST, target)] for shape in _shapes(target)]
            label = f"{target}, {_LARGEST:,} steps"
            slowest = max(largest, key=lambda figure: figure.wall)
            yield at_most(f"time of {target}", label, slowest.walls, 6, "# s")
            widest = max(largest, key=lambda figure: figure.peak)
            yield at_most(f"memory of {target}", label, widest.peaks, 400, "# MB")


def _sizes(found: Mapping[str, Figure], size: int) -> Iterator[Verdict]:
    """No target has a number for it, but more than the peer writes is told as missed."""
    for target, peer in _SAME_FORMAT.items():
        own, other = (found[name("chain", size, what)] for what in (target, peer))
        label = f"{target}, bytes a step of a chain, by those of {peer} (no target was set)"
        if own.bytes_a_step and other.bytes_a_step:
            times = own.bytes_a_step / other.bytes_a_step
            yield at_most(f"bytes of {target}", label, [times], 1, "# ×")
        else:
            yield not_known(f"bytes of {target}", label, other.ended)


def name(shape: str, size: int, what: str) -> str:
    return f"{shape}, {size:,} steps, {what}"


def _peers(folder: Path, shape: str, size: int) -> Iterator[Row]:
    for way, sizes in _SDK.items():
        if size in sizes or (shape == "chain" and size <= _RATIO):
            figure = others.sdk_by_hand(folder, shape, size, way)
            yield Row(name(shape, size, f"the SDK {way}"), figure)
    if shape in HERA_SAYS and size <= (_MOST_OF_A_CHAIN if shape == "chain" else _RATIO):
        yield Row(name(shape, size, "hera"), others.hera_by_hand(folder, shape, size))


def _beside(own: Figure, target: str, peers: list[Row]) -> Iterator[tuple[str, float]]:
    """How many times as fast as each peer, and as many bytes as the one with the same format."""
    for row in peers:
        peer, other = row.what.partition(" steps, ")[2], row.figure
        if other.ended == "done":
            yield f"as fast as {peer}", other.cpu / own.cpu
            if own.bytes_a_step and other.bytes_a_step and peer == _SAME_FORMAT.get(target):
                yield f"the bytes of {peer}", own.bytes_a_step / other.bytes_a_step


def _ratio(found: Mapping[str, Figure], target: str) -> Verdict:
    about, label = (
        f"ratio of {target}",
        f"{target}, {_RATIO:,} steps, times as fast as {_MAIN_PEER}",
    )
    times: dict[str, list[float]] = {}
    for shape in _shapes(target):
        sdk = found[name(shape, _RATIO, _MAIN_PEER)]
        if not sdk.cpus:
            return not_known(about, label, sdk.ended)
        own = found[name(shape, _RATIO, target)]
        times[shape] = [sdk.cpu / cpu for cpu in own.cpus]
    shape = min(times, key=lambda shape: median(times[shape]))
    is_bound = found[name(shape, _RATIO, _MAIN_PEER)].ended == "given up"
    more = f", {shape}, where it is least; {_by_one_each(found, target):.1f} × {_OTHER_PEER}, chain"
    more += "; the source is not compiled in that" if target == "kfp-dsl" else ""
    return at_least(about, label, times[shape], 30, "# ×", is_bound=is_bound, more=more)


def _by_one_each(found: Mapping[str, Figure], target: str) -> float:
    own, sdk = (found[name("chain", _RATIO, what)] for what in (target, _OTHER_PEER))
    return sdk.cpu / own.cpu if sdk.cpus else float("nan")


def _growths(found: Mapping[str, Figure], target: str) -> Iterator[Verdict]:
    for what, column in (("time", "cpus"), ("memory", "peaks")):
        exponents = [
            growth(
                column,
                found[name(shape, min(SIZES), target)],
                {size: found[name(shape, size, target)] for size in _GROWTH},
            )
            for shape in _shapes(target)
        ]
        steepest = max(exponents, key=median)
        yield at_most(f"growth of {target}", f"{target}, growth of {what}", steepest, 1.1, "n^#")
