"""What KFP keeps of schedules, which are no part of a pipeline's document: the recurring runs
that a client makes of them (`compiler.cluster.kfp`)."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.ir import Pipeline, Schedule
from compiler.settings import TargetSettings
from compiler.targets import Support
from compiler.targets.kfp.carrying import altered
from compiler.targets.uses import emulated, exact, impossible, weaker

SERVER_TIMEZONE = "UTC"
# What the server lets run at once; it takes from 1 to 10.
MOST_AT_ONCE = 10


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
        reason = f"at most {MOST_AT_ONCE} at once, which is all that KFP allows"
        yield weaker("schedules.overlap", where, span, reason)
    for name, value in schedule.params:
        found = altered(value)
        if found:
            reason = f"KFP would alter {found} in the param {name}"
            yield impossible("schedules.params", where, span, reason)
