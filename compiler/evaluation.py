"""What operators come to: the value of an expression, given those of the names in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from compiler.expr import Expr, ListOf, Literal, Operation
from compiler.values import JsonValue

T = TypeVar("T")


class Skipped:
    """Type of `SKIPPED`, which stands for an output of a step that was skipped."""

    def __repr__(self) -> str:
        return "SKIPPED"


SKIPPED = Skipped()


def evaluate(
    expression: Expr, value_of: Callable[[Expr], JsonValue | T | Skipped]
) -> JsonValue | T | Skipped:
    """The value of an expression; `value_of` gives those of names and of text with names in it.

    Numbers compare as doubles, texts by code point. An operator with a skipped operand is skipped
    itself, but for `??`, and for `&&` and `||` where their left side decides.
    """
    match expression:
        case Literal(value=value):
            return value
        case ListOf(items=items):
            values = [evaluate(item, value_of) for item in items]
            return SKIPPED if SKIPPED in values else cast(JsonValue, values)
        case Operation(sign=sign, operands=(left_side, *rest)):
            left = evaluate(left_side, value_of)
            if sign == "??":
                missing = left is None or isinstance(left, Skipped)
                return evaluate(rest[0], value_of) if missing else left
            if isinstance(left, Skipped):
                return SKIPPED
            if sign == "!":
                return not left
            if sign in ("&&", "||") and bool(left) is (sign == "||"):
                return left
            right = evaluate(rest[0], value_of)
            return SKIPPED if isinstance(right, Skipped) else _compared(sign, left, right)
    return value_of(expression)


def _compared(sign: str, left: object, right: object) -> bool:
    """A comparison of values whose types were checked when the spec was compiled."""
    if sign in ("&&", "||"):
        return bool(right)
    if sign == "in":
        return any(_double(left) == _double(item) for item in cast("list[object]", right))
    one, other = _double(left), _double(right)
    match sign:
        case "==":
            return one == other
        case "!=":
            return one != other
        case "<":
            return bool(one < other)  # type: ignore[operator]
        case "<=":
            return bool(one <= other)  # type: ignore[operator]
        case ">":
            return bool(one > other)  # type: ignore[operator]
    return bool(one >= other)  # type: ignore[operator]


def _double(value: object) -> object:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
