"""What happened to each step, told to everyone who wants to know: record, listener, result."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from compiler.engine.attempt import Tried, secrets_of
from compiler.engine.events import Listener, Note, StepChanged, StepResult, StepStatus
from compiler.engine.outputs import readable_paths
from compiler.engine.store import Recorder
from compiler.ir import Step


@dataclass(frozen=True, slots=True)
class Journal:
    """Collects `results` by step; `folder` is the run's."""

    recorder: Recorder
    listener: Listener
    folder: Path
    results: dict[str, StepResult] = field(default_factory=dict)
    _begun: dict[str, float] = field(default_factory=dict)

    def started(self, key: str, step: Step, number: int, pid: int, log: Path, at: float) -> None:
        """A try has a process."""
        self._begun.setdefault(key, at)
        self.recorder.start_try(key, number, log, pid, at)
        # A log may hold secrets until they are taken out of it, at the end.
        shown = None if secrets_of(step) else log
        self.listener(StepChanged(key, "running", number, log=shown))

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
        self.listener(
            StepChanged(tried.key, "retrying", tried.number, tried.reason, wait, tried.log)
        )

    def ended(self, tried: Tried, status: StepStatus) -> None:
        """A step has ended with its last try."""
        key, number, reason = tried.key, tried.number, tried.reason
        seconds = tried.ended - self._begun.get(key, tried.started)
        self.results[key] = StepResult(
            key, status, reason, number, seconds, tried.log, tried.cached_from, tried.written
        )
        self.recorder.end_step(key, status, reason, tried.ended, tried.cached_from)
        self.listener(
            StepChanged(key, status, number, reason, seconds, tried.log, tried.cached_from)
        )

    def omitted(self, key: str, reason: str) -> None:
        """A step will not run."""
        self.results[key] = StepResult(key, "omitted", reason, 0, 0.0, None, None, None)
        self.recorder.end_step(key, "omitted", reason, None, None)
        self.listener(StepChanged(key, "omitted", 0, reason))
