"""What the engine says while it runs, and what it returns: for the live view and the commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct, field

from compiler.diagnostics import Diagnostic
from compiler.engine.known import Value
from compiler.engine.outputs import Written

StepStatus = Literal[
    "waiting",
    "running",
    "retrying",
    "succeeded",
    "cached",
    "failed",
    "skipped",
    "omitted",
    "interrupted",
]
RunStatus = Literal["refused", "succeeded", "failed", "interrupted"]
INTERRUPTED = "the run was interrupted"
INTERRUPTING = "interrupted: what runs is told to end, then `finally` runs; once more ends it all"


class Note(Struct, frozen=True):
    """Something about this machine that a person should know; `detail` only when asked for."""

    text: str
    detail: bool = False


class RunStarted(Struct, frozen=True):
    """The run is recorded. `folder` holds all that it writes.

    `steps` are the steps and loops outside of loops, in the spec's order, `finally` last. What is
    in a loop is told of as its rounds begin.
    """

    run: str
    pipeline: str
    folder: Path
    steps: tuple[str, ...]


class StepChanged(Struct, frozen=True):
    """A step or a loop got into another state; a step's round in loops is part of its name.

    `reason` says why where it failed, did not run, waits for another try or was stopped; `seconds`
    is what the try took, or the wait before the next; `log` holds what it printed. `loop` is the
    loop that it is in; `rounds` is how many a loop has (0 until it has begun), None for a step.
    """

    step: str
    status: StepStatus
    number: int
    reason: str = ""
    seconds: float = 0.0
    log: Path | None = None
    cached_from: str | None = None
    loop: str | None = None
    rounds: int | None = None


class StepResult(Struct, frozen=True):
    """How a step or a loop ended; `step` is its name with its rounds, as `train.0` or `fit.2.1`.

    `tries` is 0 where no process was started; `log` is of the last try. `started` and `ended` are
    seconds since the epoch, None where it did not start. `rounds` is how many a loop had, None for
    a step. `loop` is the loop that it is in; `is_finally` tells that it stands in `finally`.
    """

    step: str
    status: StepStatus
    reason: str
    tries: int
    seconds: float
    log: Path | None
    cached_from: str | None
    written: Written | None
    started: float | None = None
    ended: float | None = None
    rounds: int | None = None
    loop: str | None = None
    is_finally: bool = False


class RunResult(Struct, frozen=True):
    """How a run ended; with `refused` nothing was started and `diagnostics` say why.

    `steps` are all steps and loops by their names in the run: in the spec's order, what is in a
    loop after it, round by round. `outputs` are those of the algorithm, if the run succeeded.
    """

    status: RunStatus
    run: str | None
    reason: str
    folder: Path | None
    seconds: float
    steps: Mapping[str, StepResult]
    diagnostics: tuple[Diagnostic, ...] = ()
    outputs: Mapping[str, Value] = field(default_factory=dict)


class RunEnded(Struct, frozen=True):
    result: RunResult


Event: TypeAlias = Note | RunStarted | StepChanged | RunEnded
Listener: TypeAlias = Callable[[Event], None]
