"""Schedules that start runs at other times than they seem to, or the same run twice."""

from __future__ import annotations

from collections.abc import Iterator

from compiler import cron
from compiler.diagnostics import Diagnostic, Related, Span, warning
from compiler.ir import Pipeline, Schedule
from compiler.settings import Project
from compiler.values import to_json

_CODES = {"minute": "MLC635", "days": "MLC636", "step": "MLC637"}


def schedules(pipeline: Pipeline, _: Project) -> Iterator[Diagnostic]:
    first: dict[tuple[object, ...], Schedule] = {}
    for schedule in pipeline.schedules:
        for doubt in cron.doubts(schedule.cron):
            span = _place(schedule, doubt.at)
            yield warning(_CODES[doubt.about], doubt.message, span, hint=doubt.hint)
        if not schedule.enabled:
            continue
        values = {name: to_json(value) for name, value in schedule.params}
        zone = schedule.timezone or "UTC"
        settings = schedule.profile if schedule.sets_steps else None
        key = (schedule.cron, zone, settings, *sorted(values.items()))
        other = first.setdefault(key, schedule)
        if other is not schedule:
            message = f"`{schedule.name}` starts the same run as `{other.name}`, at the same times"
            related = (Related("the other schedule", other.span),)
            hint = "take one of them out, or give it other `params`"
            yield warning("MLC638", message, schedule.span, hint=hint, related=related)


def _place(schedule: Schedule, at: tuple[int, int] | None) -> Span:
    """Where a range of the cron text is written; all of it where it is not written as it is."""
    span = schedule.cron_span or schedule.span
    around = span.end_column - span.column - len(schedule.cron)
    if at is None or span.line != span.end_line or around not in (0, 2):
        return span
    first = span.column + around // 2
    return span._replace(column=first + at[0], end_column=first + at[1])
