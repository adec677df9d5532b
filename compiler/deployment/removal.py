"""What is taken away: schedules that are done with, and algorithms that no spec has any more.

Nothing is deleted while a run of it is under way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

from compiler.cluster import Engine, marks
from compiler.cluster.records import ENDED, Run, RunQuery, Schedule, State
from compiler.cluster.refusals import Refusals
from compiler.deployment.apply import Moved, Say, disable
from compiler.deployment.state import Deployed, rank, read_one

_UNDER_WAY: frozenset[State] = frozenset(get_args(State)) - ENDED


def tidy(
    engine: Engine,
    project: str,
    wanted: Mapping[str, frozenset[str]],
    say: Say,
    refusals: Refusals,
) -> int:
    """Delete schedules that are done with and have no run under way; how many have to stay.

    `wanted` are the names of the schedules of each algorithm.
    """
    kept = 0
    done_with = list(_done_with(engine, project, wanted))
    active = {run.schedule for run in _under_way(engine, project)} if done_with else set()
    for schedule in done_with:
        if schedule.id in active:
            kept += 1
            continue
        with refusals.of(schedule.name):
            engine.delete_schedule(schedule)
            say(f"deleted {schedule.name}, which nothing starts any more")
    return kept


def prune(engine: Engine, project: str, branch: str, deployed: Deployed, say: Say) -> bool:
    """Take away an algorithm that no spec has: schedules, then versions.

    Schedules stop at once. False where runs of them or of the versions are under way: then the rest
    stays until they have ended.

    Raises:
        Moved: someone deployed it meanwhile.
        EngineError: the engine refuses it or is gone.
    """
    name = deployed.algorithm
    there = read_one(engine, project, branch, name)
    if not there.versions and not there.schedules:
        return True
    if there.fingerprint != deployed.fingerprint:
        raise Moved(name)
    for schedule in there.schedules:
        if schedule.enabled:
            disable(engine, schedule)
            say(f"{name}: stopped {schedule.name}")
    own = {*(one.id for one in there.schedules), *(one.id for one in there.versions)}
    if any({run.schedule, run.version} & own for run in _under_way(engine, project)):
        return False
    for schedule in there.schedules:
        engine.delete_schedule(schedule)
    for version in there.versions:
        engine.delete_version(version)
        say(f"{name}: deleted {version.name}")
    return True


def _done_with(
    engine: Engine, project: str, wanted: Mapping[str, frozenset[str]]
) -> Iterator[Schedule]:
    """What is disabled, and was followed by another or is of no spec any more."""
    groups: dict[tuple[str, str], list[Schedule]] = {}
    for one in engine.schedules(project):
        own = one.marks.algorithm if one.marks is not None else ""
        names = next((n for a, n in wanted.items() if marks.same("algorithm", own, a)), None)
        if own and names is not None:
            name = next((n for n in names if marks.same("schedule", one.spec.name, n)), "")
            groups.setdefault((own, name), []).append(one)
    for (_, name), group in sorted(groups.items()):
        enabled = [one for one in group if one.enabled]
        latest = max(enabled or group, key=rank)
        for one in sorted(group, key=rank):
            if not one.enabled and (not name or rank(one) < rank(latest)):
                yield one


def _under_way(engine: Engine, project: str) -> Iterator[Run]:
    return engine.runs(RunQuery(project, states=_UNDER_WAY))
