"""Times in which no schedule starts a run, so that one can follow another there.

Where an engine can't change a schedule, the new one is made and the old one disabled by two
requests. In between both are enabled: what is started then is started twice. And what the engine
is still about to start when the old one is disabled is not started at all. So these two requests
are made where no moment of the schedules is near.

All time zones are whole quarters of an hour apart, so the minutes tell without knowing in which
one a server reads schedules.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from compiler import cron

# A controller of KFP looks at all schedules every 30 s, and at some after 10 s more.
AFTER = 42.0
# What the two requests take, and how far clocks are apart.
BEFORE = 8.0
_QUARTER = 15 * 60
_MINUTE = 60


def wait(crons: Iterable[str], say: Callable[[str], None]) -> None:
    """Return where no moment of the schedules was in the last `AFTER` seconds or is in the next
    `BEFORE`; within a minute at most where one of them starts a run each minute."""
    moments = _moments(crons)
    seconds = _until_quiet(moments, time.time())
    if seconds > 0:
        say(f"waiting {seconds:.0f} s, for a schedule may be starting a run")
    while seconds > 0:
        time.sleep(seconds)
        seconds = _until_quiet(moments, time.time())


def passed(crons: Iterable[str], start: float, end: float) -> bool:
    """Whether a moment of the schedules may have been between two times (seconds since 1970)."""
    return any((m - start) % _QUARTER <= end - start for m in _moments(crons))


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM take effect at the end of the block; a second one at once."""
    came: list[int] = []
    before: dict[int, Any] = {}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, _: object) -> None:
        came.append(number)
        restore()

    if threading.current_thread() is threading.main_thread():
        before = {n: signal.signal(n, note) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        restore()
        if came:
            signal.raise_signal(came[0])


def _moments(crons: Iterable[str]) -> frozenset[int]:
    """Seconds within a quarter of an hour."""
    minutes = (minute for text in crons for minute in cron.minutes(text))
    return frozenset(minute * _MINUTE % _QUARTER for minute in minutes)


def _until_quiet(moments: frozenset[int], now: float) -> float:
    """Seconds until the next quiet time; 0 within one."""
    at = now % _QUARTER
    ends = sorted((moment + AFTER) % _QUARTER for moment in moments)
    for start in (at, *(end for end in ends if end > at), *(end + _QUARTER for end in ends)):
        if all(
            (start - m) % _QUARTER >= AFTER and (m - start) % _QUARTER >= BEFORE for m in moments
        ):
            return start - at
    return 0.0
