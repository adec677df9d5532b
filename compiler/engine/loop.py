"""The run itself: starts what is ready, waits for what happens, decides what follows.

One thread does all of this; worker threads try steps (`attempt`) and tell it over a queue, as do
signals. Only this thread touches the schedule, the record and the listener.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from compiler.diagnostics import MlcError
from compiler.engine.attempt import Ground, Instance, Tried, try_step
from compiler.engine.events import RunStatus
from compiler.engine.journal import Journal
from compiler.engine.process import Child
from compiler.engine.schedule import Schedule
from compiler.engine.units import duration
from compiler.graph import upstream
from compiler.ir import Retry

INTERRUPTED = "the run was interrupted"
_LONGEST_WAIT = 3600.0
# What others see of the run may be this many seconds old; each write to the disk takes its time.
_COMMIT_DELAY = 0.05


@dataclass(slots=True)
class _Active:
    """A step that a worker tries or will try next, and what it holds meanwhile.

    `last` is its try before this one.
    """

    number: int
    last: Tried | None
    devices: tuple[str, ...]
    work: Future[None]
    child: Child | None = None


@dataclass(frozen=True, slots=True)
class _Started:
    key: str
    child: Child
    log: Path
    at: float


@dataclass(frozen=True, slots=True)
class _Broken:
    """A worker met what no step is to blame for: a full disk, a bug."""

    key: str
    problem: BaseException


_Message: TypeAlias = _Started | Tried | _Broken | signal.Signals


class Loop:
    """One run. At most `jobs` steps run at once; `devices` are the GPUs to hand out.

    A step that is told to stop has `grace` seconds to do so before it is killed.
    """

    def __init__(
        self,
        ground: Ground,
        journal: Journal,
        jobs: int,
        devices: Sequence[str],
        grace: float,
    ) -> None:
        self.reason = ""
        self._ground = ground
        self._journal = journal
        self._jobs = jobs
        self._devices = len(devices)
        self._free = list(devices)
        self._grace = grace
        self._instances: dict[str, Instance] = {}
        self._schedule = Schedule()
        self._active: dict[str, _Active] = {}
        self._resting: dict[str, Tried] = {}
        self._messages: queue.SimpleQueue[_Message] = queue.SimpleQueue()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._stopped: RunStatus | None = None
        self._commit_is_due = False

    def interrupt(self, number: signal.Signals) -> None:
        """End the run early; a second time, without grace. May be called by a signal handler."""
        self._messages.put(number)

    def add(self, instances: Iterable[Instance]) -> None:
        """Add steps to the run, each after those whose outputs it takes or that it needs."""
        for instance in instances:
            self._instances[instance.key] = instance
            self._schedule.add(instance.key, set(upstream(instance.step)))

    def run(self, timeout: int | None) -> RunStatus:
        """Run all steps, for at most `timeout` seconds.

        Raises:
            MlcError: the machine failed, not a step. All processes have ended by then.
        """
        if timeout is not None:
            reason = f"stopped at the run's limit of {duration(timeout)}"
            self._at(timeout, lambda: self._stop("failed", reason))
        with ThreadPoolExecutor(self._jobs, "step") as pool:
            try:
                while self._schedule.unfinished:
                    self._start_ready(pool)
                    self._receive()
            except BaseException:
                self._kill_all()
                raise
        if self._stopped:
            return self._stopped
        failed = [key for key, result in self._journal.results.items() if result.status == "failed"]
        if failed:
            self.reason = f"{', '.join(failed)} failed"
        return "failed" if failed else "succeeded"

    def _start_ready(self, pool: ThreadPoolExecutor) -> None:
        # As many again wait in line, so that no worker is idle while this thread gets to know.
        while not self._stopped and len(self._active) < 2 * self._jobs:
            key = self._schedule.take(lambda key: self._gpus(key) <= len(self._free))
            if key is None:
                return
            gpus = self._gpus(key)
            devices = tuple(self._free[:gpus])
            del self._free[:gpus]
            last = self._resting.pop(key, None)
            number = last.number + 1 if last else 1
            work = pool.submit(self._try, self._instances[key], number, ",".join(devices))
            self._active[key] = _Active(number, last, devices, work)

    def _gpus(self, key: str) -> int:
        gpu = self._instances[key].step.resources.gpu
        return min(gpu.count, self._devices) if gpu else 0

    def _try(self, instance: Instance, number: int, devices: str) -> None:
        def started(child: Child, log: Path) -> None:
            self._messages.put(_Started(instance.key, child, log, time.time()))

        try:
            self._messages.put(try_step(self._ground, instance, number, devices, started))
        except BaseException as problem:
            self._messages.put(_Broken(instance.key, problem))

    def _receive(self) -> None:
        """Wait for a message or the next timer, and deal with all that is there then."""
        wait = self._timers[0][0] - time.monotonic() if self._timers else _LONGEST_WAIT
        try:
            self._handle(self._messages.get(timeout=max(0.0, min(wait, _LONGEST_WAIT))))
            while True:
                self._handle(self._messages.get_nowait())
        except queue.Empty:
            pass
        if not self._commit_is_due:
            self._commit_is_due = True
            self._at(_COMMIT_DELAY, self._commit)
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()

    def _commit(self) -> None:
        self._commit_is_due = False
        self._journal.recorder.commit()

    def _handle(self, message: _Message) -> None:
        match message:
            case _Started():
                self._process_started(message)
            case Tried():
                self._tried(message)
            case _Broken(key=key, problem=problem):
                del self._active[key]
                if isinstance(problem, OSError):
                    raise MlcError(f"step {key} could not be run: {problem}") from problem
                raise problem
            case _:
                self._stop("interrupted", INTERRUPTED)

    def _at(self, seconds: float, action: Callable[[], None]) -> None:
        when = time.monotonic() + seconds
        heapq.heappush(self._timers, (when, next(self._order), action))

    def _process_started(self, message: _Started) -> None:
        key, child = message.key, message.child
        active = self._active[key]
        active.child = child
        step = self._instances[key].step
        self._journal.started(key, step, active.number, child.pid, message.log, message.at)
        timeout = step.timeout
        if self._stopped:
            self._stop_child(child, self.reason)
        elif timeout is not None:
            reason = f"killed after {duration(timeout.seconds)} timeout"
            self._at(timeout.seconds, lambda: self._stop_child(child, reason))

    def _stop_child(self, child: Child, reason: str) -> None:
        child.stop(signal.SIGTERM, reason)
        self._at(self._grace, lambda: child.stop(signal.SIGKILL, reason))

    def _tried(self, tried: Tried) -> None:
        self._free += self._active.pop(tried.key).devices
        step = self._instances[tried.key].step
        self._journal.tried(tried, step)
        if tried.written is not None:
            known = self._instances[tried.key].known.outputs
            known.update({(step.name, n): value for n, value in tried.written.values.items()})
            known.update({(step.name, n): found for n, found in tried.written.artifacts.items()})
            self._journal.ended(tried, "cached" if tried.cached_from else "succeeded")
            self._schedule.end(tried.key, True)
        elif self._stopped or tried.hopeless or step.retry is None or tried.number > step.retry.max:
            self._fail(tried)
        else:
            wait = _backoff(step.retry, tried.number)
            self._resting[tried.key] = tried
            self._journal.resting(tried, wait)
            self._at(wait, lambda: self._wake(tried.key))

    def _wake(self, key: str) -> None:
        if key in self._resting:
            self._schedule.give_back(key)

    def _fail(self, tried: Tried) -> None:
        self._journal.ended(tried, "interrupted" if tried.reason == INTERRUPTED else "failed")
        for key in self._schedule.end(tried.key, False):
            self._journal.omitted(key, f"needs {tried.key}, which failed")

    def _stop(self, status: RunStatus, reason: str) -> None:
        if self._stopped:
            for active in self._active.values():
                if active.child:
                    active.child.stop(signal.SIGKILL, reason)
            return
        self._stopped, self.reason = status, reason
        for key, active in list(self._active.items()):
            if active.child:
                self._stop_child(active.child, reason)
            elif active.work.cancel():
                del self._active[key]
                self._schedule.give_back(key)
                if active.last:
                    self._resting[key] = active.last
        for key in self._schedule.abandon():
            if key not in self._resting:
                self._journal.omitted(key, reason)
        for key in list(self._resting):
            self._fail(self._resting.pop(key))

    def _kill_all(self) -> None:
        """End all processes, those included whose start is still on its way here."""
        for key, active in list(self._active.items()):
            if active.child:
                active.child.stop(signal.SIGKILL, INTERRUPTED)
            elif active.work.cancel():
                del self._active[key]
        while self._active:
            match self._messages.get():
                case _Started(child=child):
                    child.stop(signal.SIGKILL, INTERRUPTED)
                case Tried(key=key) | _Broken(key=key):
                    del self._active[key]


def _backoff(retry: Retry, number: int) -> float:
    """The seconds to wait after try `number`, which failed."""
    wait = retry.backoff * retry.factor ** (number - 1)
    return float(wait if retry.max_backoff is None else min(wait, retry.max_backoff))
