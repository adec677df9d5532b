"""Retries, timeouts and caches that can't do what they are there for."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.diagnostics import Diagnostic, Related, warning
from compiler.expr import RunRef, walk
from compiler.ir import Pipeline, Retry, Step
from compiler.quantities import duration_text
from compiler.settings import Project

_LONGEST_WAIT = 7 * 86400


def run_timeout(pipeline: Pipeline, _: Project) -> Iterator[Diagnostic]:
    """Timeouts and waits of steps that the run's own timeout makes pointless."""
    limit = pipeline.limits.timeout
    if limit is None:
        return
    place = dict(pipeline.limits.value_spans)["timeout"]
    related = (Related(f"the run ends after {duration_text(limit)}", place),)
    for step in pipeline.steps:
        if step.timeout and step.timeout.seconds > limit:
            message = (
                f"a try may take {duration_text(step.timeout.seconds)}, longer than the whole run"
            )
            hint = "lower it, or raise `limits.timeout`"
            yield warning("MLC630", message, step.timeout.place, hint=hint, related=related)
        if step.retry:
            yield from _waits(step.retry, limit, related)


def retries(step: Step, _: Project) -> Iterator[Diagnostic]:
    """Waits between tries that are set and never happen, or last for weeks."""
    retry = step.retry
    if retry is None:
        return
    if retry.max_backoff is not None and retry.max_backoff < retry.backoff:
        message = (
            f"`max_backoff` of {duration_text(retry.max_backoff)} is less than `backoff` of "
            f"{duration_text(retry.backoff)}, which never happens"
        )
        hint = f"write `backoff: {duration_text(retry.max_backoff)}`, or raise `max_backoff`"
        yield warning("MLC632", message, retry.place("max_backoff"), hint=hint)
    elif not retry.backoff and (retry.factor > 1 or retry.max_backoff):
        key = "factor" if retry.factor > 1 else "max_backoff"
        message = f"`{key}` has no effect: without `backoff` there are no waits"
        yield warning(
            "MLC632", message, retry.place(key), hint="add `backoff: 30s`, the first wait"
        )
    elif retry.max == 1 and retry.factor > 1:
        message = "`factor` has no effect: with one retry there is one wait"
        yield warning("MLC632", message, retry.place("factor"), hint="leave it out, or raise `max`")
    longest = wait(retry, retry.max)
    if longest > _LONGEST_WAIT:
        message = f"the wait before the last try is {longest // 86400:,} days"
        hint = "cap it: `max_backoff: 10m`"
        yield warning("MLC633", message, retry.place("factor"), hint=hint)


def caches(step: Step, _: Project) -> Iterator[Diagnostic]:
    """Settings of a cache that is off, or that no two runs share."""
    cache = step.cache
    if cache.span is None:
        return
    places = dict(cache.value_spans)
    if not cache.enabled and (cache.key is not None or cache.max_age is not None):
        key = "key" if cache.key is not None else "max_age"
        message = f"`{key}` has no effect: the cache is off"
        hint = "take `enabled: false` out, or `cache: false` is enough"
        if "enabled" not in places:
            hint = "steps without outputs, and those of `finally`, have none: take `cache` out"
        yield warning("MLC634", message, places.get(key, cache.span), hint=hint)
    elif cache.enabled and cache.max_age == 0:
        message = "a result is never younger than 0s, so nothing is ever reused"
        place = places.get("max_age", cache.span)
        yield warning("MLC634", message, place, hint="write `cache: false`")
    elif cache.enabled and cache.key is not None:
        for part in walk(cache.key):
            if isinstance(part, RunRef) and part.field in ("id", "scheduled_at"):
                message = f"`run.{part.field}` differs in each run, so nothing is ever reused"
                hint = "write `cache: false`, or a key that runs share"
                yield warning("MLC634", message, part.span, hint=hint)


def wait(retry: Retry, number: int) -> int:
    """Seconds before a retry, the first of which has number 1."""
    # Beyond this power, any wait is longer than any that is allowed.
    seconds: int = retry.backoff * retry.factor ** min(number - 1, 64)
    return seconds if retry.max_backoff is None else min(seconds, retry.max_backoff)


def _waits(retry: Retry, limit: int, related: tuple[Related, ...]) -> Iterator[Diagnostic]:
    number = _in_vain(retry, limit)
    if number is not None:
        which = "the retry" if retry.max == 1 else f"retry {number} of {retry.max}"
        message = f"{which} never starts: by then the waits alone take as long as the run may"
        hint = "lower `backoff` or `factor`, or raise `limits.timeout`"
        yield warning("MLC631", message, retry.place("max"), hint=hint, related=related)


def _in_vain(retry: Retry, limit: int) -> int | None:
    """The first retry before which the waits add up to the limit."""
    waited, number, last = 0, 0, wait(retry, retry.max)
    while last and number < retry.max and waited < limit:
        number += 1
        now = wait(retry, number)
        if now == last:  # as all that follow
            number += max(0, -(-(limit - waited) // now) - 1)
            return number if number <= retry.max else None
        waited += now
    return number if waited >= limit else None
