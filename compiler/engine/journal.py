"""What happened to each step and loop, told to all who want to know: record, listener, result."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from compiler.engine.attempt import Tried, secrets_of
from compiler.engine.events import Listener, Note, StepChanged, StepResult, StepStatus
from compiler.engine.outputs import readable_paths
from compiler.engine.recorder import Recorder
from compiler.ir import Step


class Place(Struct, frozen=True):
    """Where a step or loop stands: in which loop, and as the how-manieth there (or outside)."""

    loop: str | None
    position: int
    is_loop: bool
    is_finally: bool


class Journal(Struct, frozen=True):
    """Collects `results` in the order of ends and `places`, by name; `folder` is the run's."""

    recorder: Recorder
    listener: Listener
    folder: Path
    results: dict[str, StepResult] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    _begun: dict[str, float] = field(default_factory=dict)
    _rounds: dict[str, int] = field(default_factory=dict)
    _noted: set[str] = field(default_factory=set)

    def note(self, text: str) -> None:
        """Tell something about this machine, once."""
        if text not in self._noted:
            self._noted.add(text)
            self.listener(Note(text))

    def added(self, places: Mapping[str, Place]) -> None:
        """Steps and loops wait for their turn."""
        self.places.update(places)
        self.recorder.add_steps(
            (key, place.position, place.loop, 0 if place.is_loop else None, place.is_finally)
            for key, place in places.items()
        )

    def loop_started(self, key: str, rounds: int) -> None:
        """The items of a loop are known."""
        self._begun[key], self._rounds[key] = time.time(), rounds
        self.recorder.start_loop(key, rounds, self._begun[key])
        self._tell(StepChanged(key, "running", 0))

    def loop_ended(self, key: str, status: StepStatus, reason: str = "") -> None:
        """All rounds that have begun have ended."""
        self._ended(key, status, reason, time.time())

    def started(self, key: str, step: Step, number: int, pid: int, log: Path, at: float) -> None:
        """A try has a process."""
        self._begun.setdefault(key, at)
        self.recorder.start_try(key, number, log, pid, at)
        # A log may hold secrets until they are taken out of it, at the end.
        shown = None if secrets_of(step) else log
        self._tell(StepChanged(key, "running", number, log=shown))

    def tried(self, tried: Tried, step: Step) -> None:
        """A try has ended; what follows from it is told by what is called next."""
        if tried.pid is not None or tried.hopeless:
            self.recorder.end_try(tried)
        if tried.written is not None:
            paths = readable_paths(step.outputs, tried.written, self.folder, tried.key)
            self.recorder.add_results(step, tried.key, tried.written, paths)
        if tried.unkept:
            self.listener(Note(f"{tried.key}: not kept for reuse: {tried.unkept}"))

    def resting(self, tried: Tried, wait: float) -> None:
        """A step waits for its next try."""
        self.recorder.rest(tried.key, tried.reason)
        self._tell(StepChanged(tried.key, "retrying", tried.number, tried.reason, wait, tried.log))

    def ended(self, tried: Tried, status: StepStatus) -> None:
        """A step has ended with its last try."""
        self._begun.setdefault(tried.key, tried.started)
        self._ended(tried.key, status, tried.reason, tried.ended, tried)

    def unrun(self, key: str, status: StepStatus, reason: str) -> None:
        """A step or loop will not run."""
        self._ended(key, status, reason, None)

    def in_order(self) -> dict[str, StepResult]:
        """The results as the spec has them, what is in a loop after it, round by round."""
        paths: dict[str, tuple[int, ...]] = {}
        for key, place in self.places.items():  # a loop was added before what is in it
            above = () if place.loop is None else paths[place.loop]
            paths[key] = (*above, place.position)
        return {key: self.results[key] for key in sorted(self.results, key=paths.__getitem__)}

    def _ended(
        self,
        key: str,
        status: StepStatus,
        reason: str,
        ended: float | None,
        last: Tried | None = None,
    ) -> None:
        place = self.places[key]
        started = self._begun.pop(key, None)
        seconds = ended - started if started is not None and ended is not None else 0.0
        number = last.number if last else 0
        log = last.log if last else None
        origin = last.cached_from if last else None
        self.results[key] = StepResult(
            key,
            status,
            reason,
            number,
            seconds,
            log,
            origin,
            last.written if last else None,
            started=started,
            ended=ended,
            rounds=self._rounds.get(key, 0) if place.is_loop else None,
            loop=place.loop,
            is_finally=place.is_finally,
        )
        cached = (origin, last.log) if last and origin else None
        self.recorder.end_step(key, status, reason, ended, cached)
        self._tell(StepChanged(key, status, number, reason, seconds, log, origin))

    def _tell(self, change: StepChanged) -> None:
        place = self.places[change.step]
        rounds = self._rounds.get(change.step, 0) if place.is_loop else None
        self.listener(replace(change, loop=place.loop, rounds=rounds))
