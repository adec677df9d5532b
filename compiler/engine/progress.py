"""The run as it goes, in plain lines: for pipes, logs and CI. One line per change of state."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TextIO

from compiler.engine.events import (
    Event,
    Note,
    RunEnded,
    RunResult,
    RunStarted,
    StepChanged,
    StepResult,
)
from compiler.units import duration

_TAIL = 64 * 1024
_MOST_FAILURES = 10
# Escape sequences (ECMA-48) and what is left of control characters.
_CONTROL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)|[\x00-\x08\x0b-\x1f\x7f]"
)


class PlainProgress:
    """Writes events as lines. With `verbose` also what a process on this machine does without."""

    def __init__(self, stream: TextIO, verbose: bool) -> None:
        self._stream = stream
        self._verbose = verbose
        self._width = 0

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted(run=run, steps=steps):
                self._width = max(map(len, steps), default=0)
                self._say(f"run {run}")
            case Note(text=text, detail=detail):
                if self._verbose or not detail:
                    self._say(f"note: {text}")
            case StepChanged(step=step):
                self._width = max(self._width, len(step))
                self._say(f"  {step:<{self._width}}  {describe(event)}")
            case RunEnded(result=result):
                self._say(closing(result))

    def _say(self, line: str) -> None:
        # Who reads may go away (`| head`); the run goes on.
        with contextlib.suppress(BrokenPipeError):
            self._stream.write(f"{line}\n")
            self._stream.flush()


def describe(change: StepChanged) -> str:
    """A change of state in words."""
    reason = change.reason.partition("\n")[0]
    match change.status:
        case "running" if change.rounds is not None:
            return counted(change.rounds)
        case "running":
            return "started" if change.number == 1 else f"started, try {change.number}"
        case "succeeded":
            return f"done in {duration(change.seconds)}"
        case "cached":
            return f"cached, from {change.cached_from}"
        case "retrying":
            wait = f" in {duration(change.seconds)}" if change.seconds else ""
            return f"try {change.number} failed: {reason}; trying again{wait}"
        case "failed":
            return f"failed after {duration(change.seconds)}: {reason}"
        case "skipped":
            return f"skipped: {reason}"
        case "omitted":
            return f"not run: {reason}"
        case "interrupted":
            return "stopped"
        case "waiting":
            return "waiting"


def counted(rounds: int) -> str:
    return f"{rounds} round{'' if rounds == 1 else 's'}"


def closing(result: RunResult) -> str:
    """The last line of a run."""
    took = duration(result.seconds)
    because = f": {result.reason}" if result.reason else ""
    return f"{result.status} after {took}{because}" if because else f"{result.status} in {took}"


def failures(result: RunResult, root: Path, lines: int) -> str:
    """Each failed step with its reason and the last lines that it printed; of many, the first."""
    # A loop fails through its steps; what it says itself is why it could not begin.
    failed = [s for s in result.steps.values() if s.status == "failed" and not s.rounds]
    shown = []
    for step in failed[:_MOST_FAILURES]:
        shown += ["", *_failure(step, root, lines)]
    if len(failed) > _MOST_FAILURES:
        shown += ["", f"and {len(failed) - _MOST_FAILURES} more failed: mlc logs {result.run} STEP"]
    return "\n".join(shown)


def _failure(step: StepResult, root: Path, lines: int) -> list[str]:
    head, *more = step.reason.split("\n")
    tries = f" ({step.tries} tries)" if step.tries > 1 else ""
    shown = [f"{step.step} failed{tries}: {head}", *(f"  {line}" for line in more)]
    if step.log is not None and step.log.exists():
        shown += [f"  | {line}" for line in last_lines(step.log, lines)]
        shown.append(f"  its log: {shown_path(step.log, root)}")
    return shown


def shown_path(path: Path, root: Path) -> str:
    """A path as a person can open it from where they are: relative to here if it lies below."""
    full = root / path
    here = Path.cwd()
    return full.relative_to(here).as_posix() if full.is_relative_to(here) else str(full)


def last_lines(log: Path, count: int) -> list[str]:
    """The last lines of a log file, as `plain_lines` has them; none where it can't be read."""
    try:
        with log.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - _TAIL))
            return plain_lines(stream.read().decode(errors="replace"), count)
    except OSError:
        return []


def plain_lines(text: str, count: int) -> list[str]:
    """The last lines of a text without what would move a terminal's cursor.

    Of a line that was written over and over (a progress bar), the last state.
    """
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    kept = [_CONTROL.sub("", line).rstrip() for line in lines]
    return [line for line in kept if line][-count:]
