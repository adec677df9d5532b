"""A plan made so on an engine, algorithm by algorithm.

Each moment of a schedule starts one run. Where an engine changes schedules in place it does so at
once. Elsewhere the new one is made, read back, and then the old one disabled, while no moment is
near (`quiet`); what is done with goes later (`removal`). One that was
disabled is never enabled again, for it would make up for a moment that another had. Of several the
one that was made last counts, whoever looks: so two that deploy at once never disable each other's.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from compiler.cluster import Engine, EngineError, marks
from compiler.cluster.records import (
    Experiment,
    Manifest,
    Marks,
    Schedule,
    ScheduleSpec,
    Version,
)
from compiler.deployment import quiet
from compiler.deployment.difference import Item, schedule_changes
from compiler.deployment.state import Deployed, rank, read_one, schedules_of

Say = Callable[[str], None]
_T = TypeVar("_T")
_TRIES = 3


class Overtaken(EngineError):  # noqa: N818
    """Someone else deploys."""

    @property
    def is_of_one(self) -> bool:
        return False


class Moved(Overtaken):
    """The engine is not as it was when the plan was made."""

    def __init__(self, algorithm: str) -> None:
        super().__init__(
            f"{algorithm} has changed on the engine since the plan was made, so it stays as it is",
            "conflict",
            hint="run mlc plan again",
        )


class Deployment(Struct, frozen=True):
    """What is made of an item. `marks` carry the version's name of the plan; `schedules` are all
    of the spec; `experiment` is where their runs go."""

    manifest: Manifest
    marks: Marks
    schedules: tuple[ScheduleSpec, ...]
    experiment: str


def deploy(engine: Engine, item: Item, deployment: Deployment, say: Say) -> Version:
    """Make an algorithm on the engine what its item says; the version that it has then.

    What was begun by one that was killed is found and finished.

    Raises:
        Moved: the state is not that of the plan.
        EngineError: the engine refuses it or is gone; a deploy later goes on from there.
    """
    own, manifest = deployment.marks, deployment.manifest
    there = read_one(engine, own.project, own.branch, own.algorithm)
    if there.fingerprint != item.fingerprint:
        raise Moved(item.algorithm)
    starts = any(change.action != "remove" for change in item.schedules)
    # What its schedules need comes first: a version that nothing can start helps no one.
    experiment = _experiment(engine, deployment.experiment, own) if starts else None
    if item.publish:
        version = engine.find_version(manifest, item.version)
        if (
            version is None
            or engine.replaces_schedules
            or not marks.is_of(version.marks, own.project)
        ):
            # Where versions are replaced in place, one of this name may not be what it was.
            version = engine.publish(manifest, own)
            say(f"{item.algorithm}: published {version.name}")
    else:
        assert there.current is not None, "what is unchanged is there"
        version = there.current
    if item.schedules:
        own = replace(own, version=version.name)
        for change in item.schedules:
            schedule = next((s for s in deployment.schedules if s.name == change.name), None)
            if schedule is None:
                _switch_off(engine, _named(engine, own, change.name))
                say(f"{item.algorithm}: schedule {change.name} removed")
            else:
                known = frozenset(one.id for one in there.schedules)
                _put(engine, schedule, version, manifest, experiment, own, known, say)
                say(f"{item.algorithm}: schedule {change.name} starts {version.name}")
    if engine.replaces_schedules:
        _check_whole(engine, own, version, deployment.schedules)
    return version


def _check_whole(
    engine: Engine, own: Marks, version: Version, wanted: Iterable[ScheduleSpec]
) -> None:
    """What is replaced in place another deploy may have replaced meanwhile, in part: of several at
    once the last to write finds it."""
    there = read_one(engine, own.project, own.branch, own.algorithm)
    found = [(there.counted(schedule.name), schedule) for schedule in wanted]
    is_whole = all(s is not None and _is_same(engine, s, w, version) for s, w in found)
    if there.current is None or there.current.name != version.name or not is_whole:
        raise _superseded(own.algorithm)


def _experiment(engine: Engine, name: str, own: Marks) -> Experiment:
    found = engine.find_experiment(name, own.project)
    if found is None:
        return engine.create_experiment(name, "", replace(own, version="", digest="", algorithm=""))
    if found.archived:
        engine.restore_experiment(found, own.project)
    return found


def _put(
    engine: Engine,
    schedule: ScheduleSpec,
    version: Version,
    manifest: Manifest,
    experiment: Experiment | None,
    own: Marks,
    known: frozenset[str],
    say: Say,
) -> None:
    """A schedule of a spec as it is to be; `known` are the ids of those that the plan was made
    from."""
    if engine.replaces_schedules:
        engine.put_schedule(schedule, version, manifest, experiment, own)
        return
    there = _named(engine, own, schedule.name)
    crons = [schedule.cron, *(one.spec.cron for one in there if one.enabled)]
    follows = schedule.enabled and len(crons) > 1
    if follows and not _is_same(engine, there[0], schedule, version):
        quiet.wait(crons, say)
    start = time.time()
    with quiet.undisturbed():
        made = _made(engine, schedule, version, manifest, experiment, own, known)
        _settle(engine, own, schedule, version, made)
    if follows and quiet.passed(crons, start, time.time()):
        say(
            f"warning: {own.algorithm}: while the schedule {schedule.name} was changed it may have "
            "started two runs"
        )


def _made(
    engine: Engine,
    schedule: ScheduleSpec,
    version: Version,
    manifest: Manifest,
    experiment: Experiment | None,
    own: Marks,
    known: frozenset[str],
) -> Schedule:
    """The last one of a schedule's name, if it is as it has to be, or another after it."""
    there = _named(engine, own, schedule.name)
    latest = there[0] if there else None
    if latest is not None and _is_same(engine, latest, schedule, version):
        return latest
    if latest is not None and latest.id not in known:
        raise Moved(own.algorithm)
    number = rank(latest)[0] + 1 if latest is not None else 1
    numbered = replace(own, generation=str(number))
    # What is made is read back, by its name: the same again is the same one.
    made = _insist(partial(engine.put_schedule, schedule, version, manifest, experiment, numbered))
    there = _insist(lambda: _named(engine, own, schedule.name))
    seen = next((s for s in there if s.id == made.id), None)
    if seen is not None and seen.enabled and not _is_same(engine, seen, schedule, version):
        disable(engine, seen)
        raise EngineError(
            f"{engine.settings.name} keeps the schedule {schedule.name} of {own.algorithm} in "
            "another way than it was made, so the one before goes on",
            "conflict",
            hint="look at it in the UI: someone may have changed it in this moment",
        )
    return made


def _settle(
    engine: Engine, own: Marks, wanted: ScheduleSpec, version: Version, made: Schedule
) -> None:
    """Disable all but the one that was made last, which another deploy may have made."""
    there = _insist(lambda: _named(engine, own, wanted.name))
    if not wanted.enabled:
        _switch_off(engine, (one for one in there if rank(one) <= rank(made)))
        return
    enabled = [one for one in there if one.enabled]
    if not enabled:
        raise _superseded(own.algorithm)
    for one in enabled[1:]:
        _insist(partial(disable, engine, one))
    if not _is_same(engine, enabled[0], wanted, version):
        raise _superseded(own.algorithm)


def _insist(ask: Callable[[], _T]) -> _T:
    """Ask again whatever the answer is: who gives up here leaves two enabled. None of the two may
    be disabled to undo it, since another deploy may have chosen that one by now."""
    for _ in range(_TRIES - 1):
        with contextlib.suppress(EngineError):
            return ask()
    return ask()


def _switch_off(engine: Engine, schedules: Iterable[Schedule]) -> None:
    for one in schedules:
        if one.enabled:
            disable(engine, one)


def disable(engine: Engine, schedule: Schedule) -> None:
    """Stop a schedule; one that is gone starts nothing either."""
    try:
        engine.disable_schedule(schedule)
    except EngineError as problem:
        # Another deploy was here first, and has deleted it.
        if problem.reason != "not found":
            raise


def _named(engine: Engine, own: Marks, name: str) -> list[Schedule]:
    """The schedules of a name, the one that was made last first."""
    found = schedules_of(engine, own.project, own.algorithm)
    return Deployed(own.algorithm, schedules=found).named(name)


def _is_same(engine: Engine, there: Schedule, wanted: ScheduleSpec, version: Version) -> bool:
    """Whether it starts that version in that way."""
    if there.version not in (version.id, version.name):
        return False
    return not list(schedule_changes(there.spec, wanted, engine.kept_of_schedules))


def _superseded(algorithm: str) -> Overtaken:
    return Overtaken(
        f"someone else deployed {algorithm} at the same time",
        "conflict",
        hint="run the command again: it goes on from what is there",
    )
