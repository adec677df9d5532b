"""Cron's five fields as the language takes them, and names of time zones."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator
from typing import NamedTuple

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
# Each field's name, smallest and largest value, and names for its values.
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, ("", *_MONTHS)),
    ("day of the week", 0, 6, tuple(_DAYS)),
)
_PART = re.compile(r"(?:(\*)|([0-9a-z]+)(?:-([0-9a-z]+))?)(?:/([0-9]{1,4}))?")
# The days that the longest year gives a month.
_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def problem(text: str) -> str:
    """Why a text is no schedule, as a message; empty where it is one."""
    words = text.split()
    if text.startswith("@"):
        return f"`{text}` is a short form that not all engines know; write the five fields"
    if len(words) != len(_FIELDS):
        names = "minute, hour, day of the month, month, day of the week"
        return f"cron has five fields ({names}), found {len(words)}"
    values = []
    for word, (name, least, most, names_) in zip(words, _FIELDS, strict=True):
        found = _values(word.lower(), least, most, names_)
        if isinstance(found, str):
            return f"`{word}` is no {name}: {found}"
        values.append(found)
    _, _, days, months, _ = values
    if words[4] == "*" and min(days) > max(_LENGTHS[month - 1] for month in months):
        return f"`{text}` never comes: no month there has a day {min(days)}"
    return ""


class Doubt(NamedTuple):
    """Why a schedule may not mean what it seems to; `about` is `minute`, `days` or `step`."""

    about: str
    message: str
    hint: str


def doubts(text: str) -> Iterator[Doubt]:
    """What is right by the grammar of a sound schedule and seldom meant."""
    words = text.split()
    minute, hour, day, _, weekday = words
    for word, (name, least, most, names) in zip(words, _FIELDS, strict=True):
        for part in word.split(","):
            step = part.partition("/")[2]
            found = _values(part.lower(), least, most, names)
            if (
                step
                and isinstance(found, frozenset)
                and len(found) == 1
                and int(step) > most - least
            ):
                message = f"`{part}` is only the {name} {min(found)}: no step of {step} fits in"
                yield Doubt("step", message, f"a {name} goes from {least} to {most}")
    if minute in ("*", "*/1"):
        when = "every minute" if hour in ("*", "*/1") else f"every minute of the hour {hour}"
        hint = f"for one run write `0 {' '.join(words[1:])}`"
        yield Doubt("minute", f"`{text}` starts a run in {when}", hint)
    if not day.startswith("*") and not weekday.startswith("*"):
        message = f"`{text}` comes on each day of either: the day of the month, or of the week"
        yield Doubt("days", message, "cron has no `and` for these two: let one of them be `*`")


def minutes(text: str) -> frozenset[int]:
    """The minutes of an hour in which a schedule may come, whatever its other fields; none where
    the text is no schedule of five fields."""
    words = text.split()
    if len(words) != len(_FIELDS):
        return frozenset()
    _, least, most, names = _FIELDS[0]
    found = _values(words[0], least, most, names)
    return frozenset() if isinstance(found, str) else found


def timezone_problem(text: str) -> str:
    """Why a text is no name of a time zone, as a message; empty where it is one."""
    import zoneinfo

    with contextlib.suppress(zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # Two trees of their own beside the zones, which no engine knows.
        if not text.startswith(("posix", "right")) and zoneinfo.ZoneInfo(text):
            return ""
    # Only now, since listing all zones takes as long as all other checks of a spec.
    known = zoneinfo.available_timezones()
    if text in known or (not known and re.fullmatch(r"[A-Za-z][A-Za-z0-9_+-]*(/[\w+-]+)*", text)):
        return ""
    same = [name for name in known if name.lower() == text.lower()]
    hint = f"; did you mean `{min(same)}`?" if same else ", for instance `Europe/Paris`"
    return f"there is no time zone `{text}`{hint}"


# `0` and `*` stand in nearly all schedules.
@functools.lru_cache(maxsize=1024)
def _values(word: str, least: int, most: int, names: tuple[str, ...]) -> frozenset[int] | str:
    """The values that a field means, or what is wrong with it."""
    found: set[int] = set()
    for part in word.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            return "write numbers, ranges `1-5`, steps `*/15` and lists of these"
        every, first, last, step = match.groups()
        low = least if every else _number(first, names)
        high = most if every or (step and not last) else _number(last or first, names)
        if low is None or high is None:
            return "unknown name"
        if not (least <= low <= most and least <= high <= most):
            more = ", from Sunday" if names == tuple(_DAYS) else ""
            return f"it goes from {least} to {most}{more}"
        if low > high:
            return f"the range {part} runs backwards"
        if step and int(step) < 1:
            return "a step is at least 1"
        found.update(range(low, high + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str, names: tuple[str, ...]) -> int | None:
    if text.isdecimal():
        # Python refuses to read very long numbers; none of a field has more than two digits.
        return int(text[:9])
    return names.index(text) if text in names else None
