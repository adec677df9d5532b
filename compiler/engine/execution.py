"""The execution of a run: starts what is ready, waits for what happens, decides what follows.

One thread does all of this; worker threads try steps (`attempt`) and tell it over a queue, as do
signals. Only this thread touches the flow, the record and the listener.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from compiler.diagnostics import MlcError
from compiler.engine.amounts import check_amounts, gpu_count
from compiler.engine.attempt import Ground, Instance, Tried, backoff, site_of, try_step
from compiler.engine.events import INTERRUPTED, INTERRUPTING, RunStatus
from compiler.engine.flow import Flow
from compiler.engine.gpus import Devices
from compiler.engine.journal import Journal
from compiler.engine.known import EvaluationError
from compiler.engine.outputs import Written
from compiler.engine.process import Child
from compiler.units import duration

_LONGEST_WAIT = 3600.0
# What others see of the run may be this many seconds old; each write to the disk takes its time.
_COMMIT_DELAY = 0.05


class _Active(Struct):
    """A step that a worker tries or will try next, and what it holds meanwhile.

    `last` is its try before this one.
    """

    number: int
    last: Tried | None
    devices: tuple[str, ...]
    work: Future[None]
    child: Child | None = None


class _Started(Struct, frozen=True):
    key: str
    child: Child
    log: Path
    at: float


class _Broken(Struct, frozen=True):
    """A worker met what no step is to blame for: a full disk, a bug."""

    key: str
    problem: BaseException


_Message: TypeAlias = _Started | Tried | _Broken | signal.Signals


class Execution:
    """What runs of one run's steps, flow by flow; at most `jobs` at once.

    A step that is told to stop has `grace` seconds to do so before it is killed. An interrupt ends
    the flow that runs then; the next one runs, unless there was a second interrupt.
    """

    def __init__(
        self, ground: Ground, journal: Journal, jobs: int, devices: Devices, grace: float
    ) -> None:
        self._ground = ground
        self._journal = journal
        self._jobs = jobs
        self._devices = devices
        self._grace = grace
        self._flow: Flow  # set by `run`
        self._instances: dict[str, Instance] = {}
        self._active: dict[str, _Active] = {}
        self._resting: dict[str, Tried] = {}
        self._messages: queue.SimpleQueue[_Message] = queue.SimpleQueue()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._interrupted = False
        self._hurried = False
        self._stopped: tuple[RunStatus, str] | None = None
        self._commit_is_due = False

    def interrupt(self, number: signal.Signals) -> None:
        """End what runs now; a second time, at once. May be called by a signal handler."""
        self._messages.put(number)

    def run(self, flow: Flow, timeout: int | None = None) -> tuple[RunStatus, str] | None:
        """Run all steps of a flow, for at most `timeout` seconds.

        What stopped it early, as the run's state and the reason; None where nothing did.

        Raises:
            MlcError: the machine failed, not a step. All processes have ended by then.
        """
        self._flow, self._stopped = flow, None
        self._timers.clear()
        self._commit_is_due = False
        if timeout is not None:
            reason = f"stopped at the run's limit of {duration(timeout)}"
            self._at(timeout, lambda: self._stop("failed", reason))
        if self._hurried:
            self._stop("interrupted", INTERRUPTED)
        with ThreadPoolExecutor(self._jobs, "step") as pool:
            try:
                self._start_ready(pool)
                while flow.unfinished:
                    self._receive()
                    self._start_ready(pool)
            except BaseException:
                self._kill_all()
                raise
        return self._stopped

    def _start_ready(self, pool: ThreadPoolExecutor) -> None:
        # As many again wait in line, so that no worker is idle while this thread gets to know.
        while not self._stopped and len(self._active) < 2 * self._jobs:
            taken = self._devices.take()
            if taken is None:
                if not self._queue_next():
                    return
                continue
            key, devices = taken
            last = self._resting.pop(key, None)
            number = last.number + 1 if last else 1
            work = pool.submit(self._try, self._instances[key], number, ",".join(devices))
            self._active[key] = _Active(number, last, devices, work)

    def _queue_next(self) -> bool:
        """Put the flow's next step in line; False where there is none now."""
        instance = self._flow.next()
        if instance is None:
            return False
        self._instances[instance.key] = instance
        try:
            check_amounts(site_of(self._ground, instance, 1))
            self._queue(instance)
        except EvaluationError as problem:
            self._journal.unrun(instance.key, "failed", str(problem))
            self._end(instance.key, None)
        return True

    def _queue(self, instance: Instance) -> None:
        count = gpu_count(site_of(self._ground, instance, 1))
        if count > self._devices.count:
            self._journal.note(self._devices.shortage(instance.step, count))
        self._devices.queue(instance.key, count)

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
                self._hurried |= self._interrupted
                self._interrupted = True
                self._journal.note(INTERRUPTING)
                self._stop("interrupted", INTERRUPTED)
                if self._hurried:
                    self._kill()

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
            self._stop_child(child, self._stopped[1])
            if self._hurried:
                self._kill()
        elif timeout is not None:
            reason = f"killed after {duration(timeout.seconds)} timeout"
            self._at(timeout.seconds, lambda: self._stop_child(child, reason))

    def _stop_child(self, child: Child, reason: str) -> None:
        child.stop(signal.SIGTERM, reason)
        self._at(self._grace, lambda: child.stop(signal.SIGKILL, reason))

    def _tried(self, tried: Tried) -> None:
        key = tried.key
        self._devices.give_back(self._active.pop(key).devices)
        step = self._instances[key].step
        self._journal.tried(tried, step)
        if tried.written is not None:
            self._journal.ended(tried, "cached" if tried.cached_from else "succeeded")
            self._end(key, tried.written)
        elif self._stopped or tried.hopeless or step.retry is None or tried.number > step.retry.max:
            self._fail(tried)
        else:
            wait = backoff(step.retry, tried.number)
            self._resting[key] = tried
            self._journal.resting(tried, wait)
            self._at(wait, lambda: self._wake(key))

    def _wake(self, key: str) -> None:
        if key in self._resting:
            self._queue(self._instances[key])

    def _fail(self, tried: Tried) -> None:
        self._journal.ended(tried, "interrupted" if tried.reason == INTERRUPTED else "failed")
        self._end(tried.key, None)

    def _end(self, key: str, written: Written | None) -> None:
        del self._instances[key]
        self._flow.end(key, written)

    def _stop(self, status: RunStatus, reason: str) -> None:
        """Start nothing more, and end what runs; if that was asked for before, at once."""
        if self._stopped:
            self._kill()
            return
        self._stopped = (status, reason)
        self._flow.stop(reason)
        waiting = self._devices.clear()
        for key, active in list(self._active.items()):
            if active.child:
                self._stop_child(active.child, reason)
            elif active.work.cancel():
                del self._active[key]
                self._devices.give_back(active.devices)
                if active.last:
                    self._resting[key] = active.last
                waiting.append(key)
        for key in dict.fromkeys((*waiting, *self._resting)):
            if key in self._resting:
                self._fail(self._resting.pop(key))
            else:
                self._journal.unrun(key, "omitted", reason)
                self._end(key, None)

    def _kill(self) -> None:
        for active in self._active.values():
            if active.child:
                active.child.stop(signal.SIGKILL, INTERRUPTED)

    def _kill_all(self) -> None:
        """End all processes, those included whose start is still on its way here."""
        self._kill()
        for key, active in list(self._active.items()):
            if not active.child and active.work.cancel():
                del self._active[key]
        while self._active:
            match self._messages.get():
                case _Started(child=child):
                    child.stop(signal.SIGKILL, INTERRUPTED)
                case Tried(key=key) | _Broken(key=key):
                    del self._active[key]
