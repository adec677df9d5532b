"""The time on a KFP server, its controller of schedules, and an account of what that started.

The controller reckons as upstream's does (scheduled_workflow.go, cron_schedule.go): the next moment
comes after the last that was started, or after the schedule was made; of several that were missed
it starts the last, also where the schedule was disabled meanwhile. It comes to look up to 40
seconds late.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cluster.holdings import Owners
from cluster.servers.kfp import Kfp
from cluster.servers.kfp_records import RecurringRun

Key = tuple[str, str]
LATEST = 40.0
_LONGEST_STEP = 10.0


class Clock:
    """Time goes on a little with each look at it; `sleep` lets it go on and others act in it."""

    def __init__(self, start: float = 1_790_000_000.0, step: float = 0.3) -> None:
        self.now, self.step = start, step
        self.listeners: list[Any] = []
        self._lock = threading.RLock()

    def __call__(self) -> float:
        with self._lock:
            self.now += self.step
            return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            with self._lock:
                self.now = min(self.now + _LONGEST_STEP, end)
            for listener in self.listeners:
                listener()


@dataclass
class Account:
    """What was started at which moments, and what should have been, by schedule.

    `wanted` are the schedules that count. A schedule is expected to start a run at each moment from
    when it was first enabled. `excused` is set while a deploy that died may have left two enabled.
    """

    app: Kfp
    clock: Clock
    owners: Owners
    wanted: set[Key] = field(default_factory=set)
    excused: bool = False
    started: dict[tuple[Key, int], list[str]] = field(default_factory=dict)
    expected: dict[Key, set[int]] = field(default_factory=dict)
    held_back: set[tuple[Key, int]] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    excuses: int = 0
    _last: dict[str, int] = field(default_factory=dict)
    _seen: float = 0.0
    _once: set[Key] = field(default_factory=set)

    def look(self) -> None:
        """What the controller does now."""
        now = self.clock.time()
        by_key: dict[Key, list[RecurringRun]] = {}
        for job in self.app.recurring.values():
            if job.enabled and ("recurring", job.id) not in self.owners.theirs:
                by_key.setdefault(self.owners.key(job), []).append(job)
        self._expect(by_key, now)
        for key, jobs in by_key.items():
            for job in jobs:
                self._start(key, job, now)
        self._seen = now

    def check(self) -> None:
        """Each moment that is long enough ago was started, and none twice."""
        for key, moments in self.expected.items():
            for moment in sorted(moments):
                known = (key, moment) in self.started or (key, moment) in self.held_back
                if moment < self.clock.time() - LATEST - 1 and not known:
                    self.problems.append(f"{key} started nothing at {moment}")
                    self.held_back.add((key, moment))
        problems, self.problems = self.problems, []
        assert not problems, "\n".join(problems)

    def _expect(self, by_key: dict[Key, list[RecurringRun]], now: float) -> None:
        for key in self._once - self.wanted:
            self._once.discard(key)
            self.expected.pop(key, None)
        for key in self.wanted & by_key.keys():
            if key in self._once:
                common = [set(moments(job, self._seen, now)) for job in by_key[key]]
                self.expected.setdefault(key, set()).update(set.intersection(*common))
            self._once.add(key)

    def _start(self, key: Key, job: RecurringRun, now: float) -> None:
        last = self._last.get(job.id, job.created)
        due = [m for m in moments(job, last, now) if m + _lateness(job, m) <= now]
        if not due:
            return
        run = self.app.trigger(job.id)
        if run is None:
            self.held_back |= {(key, moment) for moment in due}
            return
        self.app.finish(run.id)
        self._last[job.id] = due[-1]
        by = self.started.setdefault((key, due[-1]), [])
        by.append(job.display_name)
        if len(by) > 1 and self.excused:
            self.excuses += 1
        elif len(by) > 1:
            self.problems.append(f"{key} started {len(by)} runs at {due[-1]}: {by}")


def moments(job: RecurringRun, start: float, end: float) -> Iterator[int]:
    """The moments of a schedule after `start` until `end`, in seconds since 1970. The tests' own
    schedules come in each hour."""
    seconds, minutes, *rest = job.trigger["cron_schedule"]["cron"].split()
    assert seconds == "0"
    if rest != ["*"] * 4:
        return
    wanted = _minutes(minutes)
    minute = int(start // 60) + 1
    while minute * 60 <= end:
        if minute % 60 in wanted:
            yield minute * 60
        minute += 1


def _minutes(text: str) -> set[int]:
    if text.startswith("*"):
        return set(range(0, 60, int(text.removeprefix("*").removeprefix("/") or 1)))
    return {int(part) for part in text.split(",")}


def _lateness(job: RecurringRun, moment: int) -> float:
    return random.Random(f"{job.display_name} {moment}").uniform(0.0, LATEST)
