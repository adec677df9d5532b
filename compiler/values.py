"""Values of parameters: their types, their text and back.

One canonical text per value, the same on every engine (see docs/language.md): text as it is,
booleans `true` and `false`, numbers as plain decimals, arrays and objects as compact JSON, null
as the empty text.
"""

from __future__ import annotations

import functools
import json
import math
import re
import warnings
from collections.abc import Callable
from decimal import Decimal
from typing import Literal, TypeAlias, get_args

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
ValueKind = Literal["string", "integer", "number", "boolean", "array", "object"]
VALUE_KINDS: tuple[ValueKind, ...] = get_args(ValueKind)

# Engines carry numbers as doubles: beyond this an integer loses digits.
MAX_INTEGER = 2**53 - 1
MAX_PATTERN = 1000


class ValueTextError(ValueError):
    """A text is not a value of the wanted type; the message is for the user."""


def kind_of(value: JsonValue) -> ValueKind | None:
    """The type that a value has by itself; None for null."""
    match value:
        case None:
            return None
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"


def fits(value: JsonValue, kind: ValueKind) -> bool:
    """Whether a value can stand where `kind` is wanted: an integer may stand for a number."""
    found = kind_of(value)
    return found == kind or (kind == "number" and found == "integer")


@functools.cache
def pattern(text: str) -> re.Pattern[str]:
    """A pattern as JSON Schema means it: its `$` is the very end of the text, unlike Python's."""
    ends = text.endswith("$") and not text.endswith("\\$")
    with warnings.catch_warnings():
        # Python muses about sets that other languages read in another way.
        warnings.simplefilter("ignore", FutureWarning)
        return re.compile(text[:-1] + r"\Z" if ends else text)


class PatternError(ValueError):
    """A text is no pattern of the language; the message says why."""


@functools.cache
def constraint(text: str) -> Callable[[str], object]:
    """The search of a pattern that a spec gives; what it returns is None where there is nothing.

    By RE2, which takes time in proportion to the text whatever the pattern is; Python's own
    module and many others can take forever (`(a+)+$`).

    Raises:
        PatternError: the text is no regular expression, or has references or assertions, for
            which nobody knows a way in bounded time.
    """
    if len(text) > MAX_PATTERN:
        raise PatternError(f"it has more than {MAX_PATTERN} characters")
    # Here, since few specs have one, and the library takes its time to load.
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        search: Callable[[str], object] = re2.compile(text, options).search
    except re2.error as problem:
        said = problem.args[0]
        why = said.decode() if isinstance(said, bytes) else str(said)
        if re.search(r"invalid perl operator: \(\?<?[=!]|invalid escape sequence: \\[1-9]", why):
            why = "it looks ahead, behind or back, which can take forever"
        raise PatternError(why) from None
    except UnicodeEncodeError:
        raise PatternError("a lone surrogate is no character") from None
    return search


def as_kind(value: JsonValue, kind: ValueKind) -> JsonValue:
    """The same value as it is kept for its type: `3.0` as an integer is 3, and a number so large
    that a double has no fraction left is one, however it is spelled."""
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if kind == "number" and is_integer and abs(value) > MAX_INTEGER:  # type: ignore[arg-type]
        try:
            return float(value)  # type: ignore[arg-type]
        except OverflowError:
            return math.inf
    return value


def to_text(value: JsonValue) -> str:
    """The canonical text of a value."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _decimal(value)
        case str():
            return value
        case list() | dict():
            return to_json(value)


def to_json(value: JsonValue) -> str:
    """Compact JSON, keys in their order, non-ASCII characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def from_text(text: str, kind: ValueKind) -> JsonValue:
    """Read a value of type `kind` from the text that a step or a person wrote.

    Text is taken as it is; around other types white space is ignored and JSON is wanted.

    Raises:
        ValueTextError: the text is no value of that type.
    """
    if kind == "string":
        problem = carrying_problem(text)
        if problem:
            raise ValueTextError(problem)
        return text
    try:
        value: JsonValue = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ValueTextError(_wanted(kind, text)) from None
    value = as_kind(value, kind)
    if not fits(value, kind):
        raise ValueTextError(_wanted(kind, text))
    problem = carrying_problem(value)
    if problem:
        raise ValueTextError(problem)
    return value


# A value can come to stand deeper than it was written, and files have a depth at most.
_MOST_LEVELS = 32


def carrying_problem(value: JsonValue, levels: int = _MOST_LEVELS) -> str | None:
    """Why engines could not carry a value, or one inside a list or object, if so."""
    if isinstance(value, (list, dict)) and not levels:
        return f"a value has {_MOST_LEVELS} levels of lists and objects at most"
    match value:
        case str():
            if "\0" in value:
                return "a text can't hold a NUL character"
            if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
                return "a lone surrogate is no character"
        case bool() | None:
            return None
        case int():
            if abs(value) > MAX_INTEGER:
                return f"{value} is beyond ±(2^53−1), where engines lose digits"
        case float():
            if not math.isfinite(value):
                return "NaN and infinity are no values on the engines"
        case list():
            return next(filter(None, (carrying_problem(v, levels - 1) for v in value)), None)
        case dict():
            inner = (carrying_problem(v, levels - 1) for v in [*value, *value.values()])
            return next(filter(None, inner), None)
    return None


def _decimal(value: float) -> str:
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _wanted(kind: ValueKind, text: str) -> str:
    shown = text.strip()
    shown = shown if len(shown) <= 40 else shown[:37] + "..."
    article = "an" if kind[0] in "aio" else "a"
    mend = _mend(kind, text.strip())
    return f"found `{shown}`, wanted {article} {kind}" + (f"; {mend}" if mend else "")


def _mend(kind: ValueKind, text: str) -> str:
    if kind == "boolean":
        meant = {"true": "true", "yes": "true", "on": "true", "1": "true"}
        meant |= {"false": "false", "no": "false", "off": "false", "0": "false"}
        found = meant.get(text.lower())
        return f"write `{found}`" if found else "write `true` or `false`"
    if kind == "number":
        try:
            number = float(text)
        except ValueError:
            return ""
        return f"write `{_decimal(number)}`" if math.isfinite(number) else ""
    return "write it as JSON" if kind in ("array", "object") else ""
