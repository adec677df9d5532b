"""Schedules as KFP's recurring runs, which are no part of a pipeline's document.

Field names are those of `V2beta1RecurringRun` and `V2beta1CronSchedule` in the REST contract.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from compiler.ir import Pipeline, Schedule
from compiler.settings import TargetSettings
from compiler.targets import Support
from compiler.targets.kfp.carrying import altered
from compiler.targets.uses import emulated, exact, impossible, weaker
from compiler.values import JsonValue, to_text

SERVER_TIMEZONE = "UTC"
# What the server lets run at once; it takes from 1 to 10.
_MOST_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class RecurringRun:
    """`cron` has six fields, seconds first. `parameters` are those that the schedule sets, as the
    pipeline's own definitions type them. `no_catchup` leaves out runs that were missed."""

    name: str
    cron: str
    parameters: tuple[tuple[str, JsonValue], ...]
    enabled: bool
    max_concurrency: int
    no_catchup: bool


def recurring_runs(pipeline: Pipeline) -> tuple[RecurringRun, ...]:
    """The recurring runs of a pipeline in which the target refuses nothing."""
    nullable = {param.name for param in pipeline.params if param.nullable}
    return tuple(
        RecurringRun(
            name=schedule.name,
            # With five fields the server would read minutes as seconds.
            cron=f"0 {schedule.cron}",
            parameters=tuple(
                (name, to_text(value) if name in nullable else value)
                for name, value in schedule.params
            ),
            enabled=schedule.enabled,
            max_concurrency=1 if schedule.overlap == "forbid" else _MOST_AT_ONCE,
            no_catchup=not schedule.catch_up,
        )
        for schedule in pipeline.schedules
    )


def of_schedules(pipeline: Pipeline, settings: TargetSettings) -> Iterator[Support]:
    for schedule in pipeline.schedules:
        yield from _of_schedule(schedule, settings.timezone or SERVER_TIMEZONE)


def _of_schedule(schedule: Schedule, server: str) -> Iterator[Support]:
    where, span = f"schedule {schedule.name}", schedule.span
    yield emulated("schedules", where, span, "a recurring run, made beside the pipeline")
    if (schedule.timezone or SERVER_TIMEZONE) == server:
        yield exact("schedules.timezone", where, span, f"the server's, {server}")
    else:
        reason = (
            f"a KFP server has one time zone for all, here {server}; give the hour in that, or "
            "say with `timezone` in the target's table that the server's is another"
        )
        yield impossible("schedules.timezone", where, span, reason)
    if schedule.sets_steps:
        reason = (
            "its profile sets more than params, and a recurring run can give only those; compile "
            "with the profile instead"
        )
        yield impossible("schedules.profile", where, span, reason)
    if schedule.overlap == "forbid":
        yield weaker("schedules.overlap", where, span, "a late run makes the next one wait")
    else:
        reason = f"at most {_MOST_AT_ONCE} at once, which is all that KFP allows"
        yield weaker("schedules.overlap", where, span, reason)
    for name, value in schedule.params:
        found = altered(value)
        if found:
            reason = f"KFP would alter {found} in the param {name}"
            yield impossible("schedules.params", where, span, reason)
