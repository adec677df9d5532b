"""Pipelines of 10 to 10,000 steps in four shapes, to each target, beside the SDK and hera.

How time and memory grow is told by an exponent: of what 10,000 steps take and what 1,000 do, each
less what 10 steps take, which is the start of the program.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log10
from pathlib import Path

import others
from measuring import Figure, Part, Row, Verdict, measure, mlc, project
from shapes import SHAPES, spec

SIZES = (10, 100, 1000, 2000, 5000, 10000)
# The SDK takes minutes for more.
_MOST_FOR_SDK = 2000
_TARGETS = ("kfp", "kfp-dsl", "argo")

_Figures = dict[tuple[str, int, str], Figure]


def part(scratch: Path, most: int) -> Part:
    found: _Figures = {}
    rows = list(_rows(scratch, most, found))
    verdicts = list(_verdicts(found)) if most == max(SIZES) else []
    return Part("Pipelines of many steps", rows, verdicts)


def _rows(scratch: Path, most: int, found: _Figures) -> Iterator[Row]:
    for shape in SHAPES:
        for size in (size for size in SIZES if size <= most):
            folder = scratch / f"{shape.replace(' ', '-')}-{size}"
            project(folder, big=spec(shape, size))
            for target in _TARGETS:
                figure = measure(mlc("compile", "big.yaml", "--target", target, "-q"), folder)
                found[shape, size, target] = figure
                (written,) = (p for p in (folder / "build" / "big").iterdir() if p.is_file())
                yield Row(_name(shape, size, target), figure, _per_step(written, size))
                if target == "kfp-dsl" and size <= _MOST_FOR_SDK:
                    sdk = measure(others.sdk_compile(written, folder), folder)
                    found[shape, size, "sdk"] = sdk
                    yield Row(
                        _name(shape, size, "KFP SDK"), sdk, _per_step(folder / "sdk.yaml", size)
                    )
                written.unlink()
            if shape == "chain":
                hera = measure(others.hera_to_yaml(folder, size), folder)
                found[shape, size, "hera"] = hera
                yield Row(_name(shape, size, "hera, to_yaml"), hera)


def _verdicts(found: _Figures) -> Iterator[Verdict]:
    sdk = {shape: found[shape, _MOST_FOR_SDK, "sdk"].wall for shape in SHAPES}
    for target in _TARGETS:
        of = {(shape, size): found[shape, size, target] for shape in SHAPES for size in SIZES}
        times = min(sdk[shape] / of[shape, _MOST_FOR_SDK].wall for shape in SHAPES)
        yield Verdict(
            f"{target}, {_MOST_FOR_SDK:,} steps: 30 times faster than the SDK",
            # A peer that was given up would have taken longer.
            f"at least {times:.0f} ×, by the shape with the least",
            times >= 30,
        )
        for what in ("cpu", "peak"):
            growth = max(
                _exponent(*(getattr(of[shape, n], what) for n in (10, 1000, 10000)))
                for shape in SHAPES
            )
            name = {"cpu": "time", "peak": "memory"}[what]
            yield Verdict(
                f"{target}: {name} grows by n^1.1 at most", f"n^{growth:.2f}", growth <= 1.1
            )
        wall = max(of[shape, max(SIZES)].wall for shape in SHAPES)
        peak = max(of[shape, max(SIZES)].peak for shape in SHAPES)
        yield Verdict(
            f"{target}, {max(SIZES):,} steps: under 6 s and 400 MB",
            f"{wall:.1f} s, {peak:.0f} MB",
            wall < 6 and peak < 400,
        )


def _exponent(start: float, thousand: float, ten_thousand: float) -> float:
    return log10((ten_thousand - start) / (thousand - start))


def _name(shape: str, size: int, what: str) -> str:
    return f"{shape}, {size:,} steps, {what}"


def _per_step(written: Path, size: int) -> str:
    if not written.exists():
        return "given up"
    return f"{written.stat().st_size // size:,} bytes a step"
