"""Times in which no schedule starts a run, and requests that are not interrupted."""

from __future__ import annotations

import random
import signal

import pytest

from compiler.deployment import quiet
from compiler.deployment.quiet import AFTER, BEFORE

CRONS = ("0 2 * * *", "30 4 * * 1", "*/5 * * * *", "7,38 * * * *", "*/7 3 1 1 *", "* * * * *")


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def moments(cron: str, near: float) -> list[int]:
    """What may be one in some time zone, hours and days aside."""
    minutes = cron.split()[0]
    step = int(minutes.partition("/")[2] or 1)
    wanted = range(0, 60, step) if "*" in minutes else [int(m) for m in minutes.split(",")]
    quarters = {minute % 15 for minute in wanted}
    start = int(near // 60) - 20
    return [minute * 60 for minute in range(start, start + 60) if minute % 15 in quarters]


@pytest.mark.parametrize("seed", range(200))
def test_no_moment_is_near(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    draw = random.Random(seed)
    crons = draw.sample(CRONS, draw.randint(1, 3))
    start = 1_790_000_000 + draw.uniform(0, 7200)
    clock = Clock(start)
    monkeypatch.setattr(quiet, "time", clock)
    said: list[str] = []
    quiet.wait(crons, said.append)
    assert clock.now - start <= 60 and bool(said) == (clock.now > start)
    for moment in [m for cron in crons for m in moments(cron, clock.now)]:
        assert not moment - BEFORE < clock.now < moment + AFTER
    # It waits no longer than it has to.
    if clock.now > start:
        before = [m for cron in crons for m in moments(cron, clock.now) if m < clock.now]
        assert clock.now == pytest.approx(max(before) + AFTER)


@pytest.mark.parametrize(
    ("cron", "start", "end", "there"),
    [
        ("0 2 * * *", 10, 20, False),
        ("0 2 * * *", 890, 905, True),
        ("0 2 * * *", 10, 1000, True),
        ("* * * * *", 10, 59, False),
        ("* * * * *", 10, 60, True),
        ("@daily", 0, 10_000, False),
    ],
)
def test_moments_that_passed(cron: str, start: float, end: float, there: bool) -> None:
    assert quiet.passed([cron], start, end) == there


def test_an_interrupt_waits_for_the_end() -> None:
    reached = False
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), quiet.undisturbed():
        signal.raise_signal(signal.SIGINT)
        reached = True
    assert reached and signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt), quiet.undisturbed():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        reached = False
    assert reached


def test_a_failure_within_is_told() -> None:
    with pytest.raises(ValueError, match="within"), quiet.undisturbed():
        raise ValueError("within")
