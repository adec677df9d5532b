"""What the engine says while it runs, and what it returns: for the live view and the commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from compiler.diagnostics import Diagnostic
from compiler.engine.outputs import Written

StepStatus = Literal[
    "waiting", "running", "retrying", "succeeded", "cached", "failed", "omitted", "interrupted"
]
RunStatus = Literal["refused", "succeeded", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Note:
    """Something about this machine that a person should know; `detail` only when asked for."""

    text: str
    detail: bool = False


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run is recorded. `steps` are in the spec's order, `folder` holds all that it writes."""

    run: str
    pipeline: str
    folder: Path
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepChanged:
    """A step got into another state.

    `reason` says why where it failed, waits for another try or was stopped; `seconds` is what the
    try took, or the wait before the next; `log` holds what it printed.
    """

    step: str
    status: StepStatus
    number: int
    reason: str = ""
    seconds: float = 0.0
    log: Path | None = None
    cached_from: str | None = None


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a step ended. `tries` is 0 where no process was started; `log` is of the last try."""

    step: str
    status: StepStatus
    reason: str
    tries: int
    seconds: float
    log: Path | None
    cached_from: str | None
    written: Written | None


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended; with `refused` nothing was started and `diagnostics` say why."""

    status: RunStatus
    run: str | None
    reason: str
    folder: Path | None
    seconds: float
    steps: Mapping[str, StepResult]
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class RunEnded:
    result: RunResult


Event: TypeAlias = Note | RunStarted | StepChanged | RunEnded
Listener: TypeAlias = Callable[[Event], None]
