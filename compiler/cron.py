"""Cron's five fields as the language takes them, and names of time zones."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator
from typing import cast

from msgspec import Struct

from compiler.diagnostics import nearest
from compiler.mending import only_near

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
_ORDER = "minute, hour, day of the month, month, day of the week"
_SHORT = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_WHOLE = (
    *("january", "february", "march", "april", "june", "july", "august", "september", "october"),
    *("november", "december", "sunday", "monday", "tuesday", "wednesday", "thursday", "friday"),
    "saturday",
)
_PART = re.compile(r"(?:(\*)|([0-9a-z]+)(?:-([0-9a-z]+))?)(?:/([0-9]{1,4}))?")
# The days that the longest year gives a month.
_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Problem(Struct, frozen=True):
    """What is wrong with a text, what to do, and the text that it surely means, or None; `at` is
    the range of characters that is wrong, None where all of them are."""

    message: str
    hint: str
    right: str | None = None
    at: tuple[int, int] | None = None


def problem(text: str) -> Problem | None:
    """Why a text is no schedule; None where it is one."""
    words = text.split()
    if text.startswith("@"):
        right = _SHORT.get(text.strip().lower())
        hint = f"write `{right}`" if right else f"write the five fields: {_ORDER}"
        return Problem(f"`{text}` is a short form that not all engines know", hint, right)
    if len(words) != len(_FIELDS):
        right = None
        hint = f"they are {_ORDER}"
        if len(words) == len(_FIELDS) + 1 and problem(" ".join(words[1:])) is None:
            right = " ".join(words[1:])
            hint = f"leave the seconds out: write `{right}`"
        message = f"cron has five fields, found {len(words)}"
        return Problem(message, hint, right if words[:1] == ["0"] else None)
    values = [_values(w.lower(), *field[1:]) for w, field in zip(words, _FIELDS, strict=True)]
    for number, found in enumerate(values):
        if isinstance(found, str):
            rights = [
                _meant(words[other], other) if isinstance(value, str) else words[other]
                for other, value in enumerate(values)
            ]
            right = None if None in rights else " ".join(map(str, rights))
            message = f"`{words[number]}` is no {_FIELDS[number][0]}"
            hint = f"write `{right}`" if right else found
            return Problem(message, hint, right, _fields_at(text)[number])
    _, _, days, months, _ = cast("list[frozenset[int]]", values)
    if words[4] == "*" and min(days) > max(_LENGTHS[month - 1] for month in months):
        message = f"`{text}` never comes: no month there has a day {min(days)}"
        hint = f"the longest has {max(_LENGTHS[month - 1] for month in months)}"
        at = _fields_at(text)
        return Problem(message, hint, None, (at[2][0], at[3][1]))
    return None


def _fields_at(text: str) -> list[tuple[int, int]]:
    return [word.span() for word in re.finditer(r"\S+", text)]


def _meant(word: str, number: int) -> str | None:
    """What one field surely means that has a day's or a month's whole name, a `?`, or a 7 for
    Sunday."""
    if word == "?":
        return "*"
    _, least, most, names = _FIELDS[number]
    right = re.sub(rf"({'|'.join(_WHOLE)})\b", lambda whole: whole[0][:3], word.lower())
    if names == tuple(_DAYS):
        right = re.sub(r"(?<![0-9/-])7(?![0-9/-])", "0", right)
    return right if isinstance(_values(right, least, most, names), frozenset) else None


class Doubt(Struct, frozen=True):
    """Why a schedule may not mean what it seems to; `about` is `minute`, `days` or `step`. `at` is
    the range of characters that it rests on, None where that is all of them."""

    about: str
    message: str
    hint: str
    at: tuple[int, int] | None = None


def doubts(text: str) -> Iterator[Doubt]:
    """What is right by the grammar of a sound schedule and seldom meant."""
    words = text.split()
    minute, hour, day, _, weekday = words
    for number, (word, field) in enumerate(zip(words, _FIELDS, strict=True)):
        name, least, most, names = field
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
                hint = f"a {name} goes from {least} to {most}"
                yield Doubt("step", message, hint, _fields_at(text)[number])
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
    return found if isinstance(found, frozenset) else frozenset()


def timezone_problem(text: str) -> Problem | None:
    """Why a text is no name of a time zone; None where it is one."""
    import zoneinfo

    with contextlib.suppress(zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # Two trees of their own beside the zones, which no engine knows.
        if not text.startswith(("posix", "right")) and zoneinfo.ZoneInfo(text):
            return None
    # Only now, since listing all zones takes as long as all other checks of a spec.
    known = zoneinfo.available_timezones()
    if text in known or (not known and re.fullmatch(r"[A-Za-z][A-Za-z0-9_+-]*(/[\w+-]+)*", text)):
        return None
    message = f"there is no time zone `{text}`"
    offset = re.fullmatch(r"(?:UTC|GMT)?([+-])0?([0-9]{1,2})(?::?00)?", text, re.IGNORECASE)
    if offset and (fixed := f"Etc/GMT{'-' if offset[1] == '+' else '+'}{offset[2]}") in known:
        hint = f"name a place, `Europe/Paris`; always {text} is `{fixed}`, with the sign turned"
        return Problem(message, hint)
    folded = text.replace(" ", "_").lower()
    same = [name for name in known if name.lower() == folded]
    cities = [name for name in known if name.lower().rpartition("/")[2] == folded]
    right = min(same, default=None) or (cities[0] if len(cities) == 1 else None)
    near = right or only_near(text, known) or nearest(text, known)
    hint = f"did you mean `{near}`?" if near else "name a place, for instance `Europe/Paris`"
    return Problem(message, hint, right or only_near(text, known))


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
            near = nearest(first if low is None else last or first, names) if names else None
            more = f", or `{names[least]}` to `{names[-1]}`" if names else ""
            return f"did you mean `{near}`?" if near else f"write numbers{more}"
        if not (least <= low <= most and least <= high <= most):
            more = ", from Sunday, or from `sun` to `sat`" if names == tuple(_DAYS) else ""
            return f"it goes from {least} to {most}{more}"
        if low > high:
            return f"the range `{part}` runs backwards: make it two, or a list"
        if step and int(step) < 1:
            return "a step is at least 1"
        found.update(range(low, high + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str, names: tuple[str, ...]) -> int | None:
    if text.isdecimal():
        # Python refuses to read very long numbers; none of a field has more than two digits.
        return int(text[:9])
    return names.index(text) if text in names else None
