"""Runs to their end: an engine is asked again and again, through its hiccups, and whoever listens
is told of each change."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from compiler.cluster import Engine, EngineError
from compiler.cluster.records import Run, StepState

# Seconds between two looks: quick while a person waits for the first steps, slow for long runs.
FIRST_WAIT, LONGEST_WAIT, GROWTH = 1.0, 10.0, 1.2
# Seconds for which an engine may not answer before that is taken for its end.
PATIENCE = 600.0
# What asking again does not change.
_FOR_GOOD = frozenset({"forbidden", "refused", "misshapen", "configuration", "version"})
_DELETED = (
    "it is on the engine no more: someone deleted it, or its time to live was over, before it was "
    "seen to end"
)


class Looked(Struct, frozen=True):
    """A run as it is now, and those of its steps that are in another state than before.
    `is_new` tells that the run itself is, `is_put_away` that someone archived it meanwhile."""

    run: Run
    steps: tuple[StepState, ...]
    is_new: bool
    is_put_away: bool = False


class Away(Struct, frozen=True):
    """The engine does not answer; it is asked again. None for the problem: it is back."""

    problem: EngineError | None


Event = Looked | Away
Listener = Callable[[Event], None]


def follow(
    engine: Engine,
    runs: Sequence[Run],
    listener: Listener,
    *,
    steps: Mapping[str, Mapping[str, str]] | None = None,
    patience: float = PATIENCE,
    wait: float = FIRST_WAIT,
) -> list[Run]:
    """The runs as they ended, in the order given. One that is deleted meanwhile has ended with
    that; one that is archived goes on.

    `steps` gives a run's names of steps by tasks, as of `Manifest`, by the run's id. `wait` is the
    first time between two looks, in seconds.

    Raises:
        EngineError: the engine has told nothing of one of them for `patience` seconds, or says
            that there is no use in asking.
    """
    known = {run.id: run for run in runs}
    seen: dict[str, dict[str, StepState]] = {run.id: {} for run in runs}
    states: dict[str, str] = {}
    # Since when a run can't be read; the answers for others say nothing of it.
    away: dict[str, float] = {}
    while True:
        for id in [id for id, run in known.items() if id not in states or not run.is_ended]:
            try:
                run = _look(engine, known[id], (steps or {}).get(id))
            except EngineError as problem:
                now = time.monotonic()
                if problem.reason in _FOR_GOOD or now - away.get(id, now) > patience:
                    raise
                if not away:
                    listener(Away(problem))
                away.setdefault(id, now)
                continue
            if away.pop(id, None) is not None and not away:
                listener(Away(None))
            changed = tuple(step for step in run.steps if _differs(step, seen[id].get(step.name)))
            is_new = states.get(id) != run.state
            is_put_away = run.archived and not known[id].archived
            known[id], states[id] = run, run.state
            seen[id].update((step.name, step) for step in run.steps)
            listener(Looked(run, changed, is_new, is_put_away))
        if all(run.is_ended and id in states for id, run in known.items()):
            return list(known.values())
        time.sleep(wait)
        wait = min(LONGEST_WAIT, wait * GROWTH)


def _look(engine: Engine, run: Run, steps: Mapping[str, str] | None) -> Run:
    """The run as it is now, or as deleted."""
    try:
        return engine.run(run.id, steps)
    except EngineError as problem:
        if problem.reason != "not found":
            raise
    # What stands before a server says so too, now and then: the server itself has to be there.
    engine.check()
    try:
        return engine.run(run.id, steps)
    except EngineError as problem:
        if problem.reason != "not found":
            raise
    return replace(run, state="deleted", message=_DELETED)


def _differs(step: StepState, before: StepState | None) -> bool:
    if before is None:
        return step.state != "waiting"
    return (step.state, step.tries) != (before.state, before.tries)
