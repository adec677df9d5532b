"""Whether a target is met: by all runs, by none, or by some, which is on the line."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from measuring import Figure


class Verdict(NamedTuple):
    """`state` is `met`, `missed`, `on the line` or `not known`; `about` names what it is of."""

    about: str
    target: str
    measured: str
    state: str


def at_most(about: str, label: str, values: Sequence[float], limit: float, unit: str) -> Verdict:
    """The values are of several runs, each to be no larger than the limit."""
    state = _state(max(values) <= limit, min(values) > limit)
    return Verdict(about, f"{label}: {_shown(limit, unit)} at most", _spread(values, unit), state)


def at_least(
    about: str,
    label: str,
    values: Sequence[float],
    limit: float,
    unit: str,
    *,
    is_bound: bool = False,
    more: str = "",
) -> Verdict:
    """As `at_most`, the other way round. `is_bound` says that all values could be larger still, as
    those are that come from a peer that was given up."""
    state = _state(min(values) >= limit, max(values) < limit)
    if is_bound and state != "met":
        state = "not known"
    measured = ("at least " if is_bound else "") + _spread(values, unit) + more
    return Verdict(about, f"{label}: {_shown(limit, unit)} at least", measured, state)


def not_known(about: str, label: str, why: str) -> Verdict:
    return Verdict(about, label, why, "not known")


def growth(what: str, start: Figure, by_size: dict[int, Figure]) -> list[float]:
    """For each run the exponent of how `what`, such as `cpus`, grows with the size: the slope of
    a line through the logarithms, each value less what the start of the program takes."""
    least = statistics.median(getattr(start, what))
    columns = [getattr(figure, what) for figure in by_size.values()]
    return [
        _slope(
            [math.log(size) for size in by_size],
            # A run on a busy machine may have a start that is longer than all of a small run.
            [math.log(max(column[run] - least, 1e-3)) for column in columns],
        )
        for run in range(min(map(len, columns)))
    ]


def _slope(xs: list[float], ys: list[float]) -> float:
    return statistics.linear_regression(xs, ys).slope


def _state(by_all: bool, by_none: bool) -> str:
    return "met" if by_all else "missed" if by_none else "on the line"


def _spread(values: Sequence[float], unit: str) -> str:
    middle, least, most = map(_number, (statistics.median(values), min(values), max(values)))
    return unit.replace("#", middle if least == most else f"{middle} ({least} to {most})")


def _shown(value: float, unit: str) -> str:
    """`unit` has a `#` where the number goes: `n^#`, `# ×`."""
    return unit.replace("#", _number(value))


def _number(value: float) -> str:
    text = f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
