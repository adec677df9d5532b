"""Conditions as KFP's driver evaluates them: CEL over the inputs of a task.

All numbers are doubles there, and a parameter that may be null is text, empty for null. What the
manifest's way through Argo and the kubelet would act on (`$`, `{`) is written as an escape.
"""

from __future__ import annotations

from collections.abc import Callable

from compiler.diagnostics import Span
from compiler.expr import Expr, ListOf, Literal, Operation, RunTimeRef, ValueType
from compiler.values import JsonValue, to_text

# Loosest to tightest; what binds less tightly than its surroundings stands in brackets.
_BINDING = {"??": 0, "||": 1, "&&": 2, "!": 4}
_COMPARISON = 3
_ATOM = 5


class Unsayable(ValueError):  # noqa: N818 - a fact about the target, told with a place
    """CEL on KFP can't say this; the message is for the user."""

    def __init__(self, message: str, span: Span) -> None:
        super().__init__(message)
        self.span = span


def cel(expression: Expr, variable: Callable[[RunTimeRef], str]) -> str:
    """The text of a condition; `variable` gives the text of a reference.

    Raises:
        Unsayable: part of the expression has no form in CEL.
    """
    return _printed(expression, variable, 0)


def _printed(expression: Expr, variable: Callable[[RunTimeRef], str], around: int) -> str:
    text, binding = _parts(expression, variable)
    return f"({text})" if binding < around else text


def _parts(expression: Expr, variable: Callable[[RunTimeRef], str]) -> tuple[str, int]:
    if isinstance(expression, RunTimeRef):
        return variable(expression), _ATOM
    match expression:
        case Literal(value=value) if not isinstance(value, dict):
            return _literal(value), _ATOM
        case ListOf(items=items):
            return f"[{', '.join(_printed(item, variable, 0) for item in items)}]", _ATOM
        case Operation(sign="!", operands=(operand,)):
            return f"!{_printed(operand, variable, _BINDING['!'])}", _BINDING["!"]
        case Operation(sign="??", operands=(left, right)):
            return _fallback(left, right, expression, variable)
        case Operation(sign="==" | "!=" as sign, operands=(left, right)) if _is_null(left, right):
            other = right if isinstance(left, Literal) and left.value is None else left
            return f"{_raw(other, variable)} {sign} ''", _COMPARISON
        case Operation(sign=sign, operands=(left, right)):
            binding = _BINDING.get(sign, _COMPARISON)
            # Comparisons don't chain, and equal signs are read from the left.
            right_text = _printed(right, variable, binding + 1)
            left_text = _printed(left, variable, binding + (binding == _COMPARISON))
            return f"{left_text} {sign} {right_text}", binding
    raise Unsayable("KFP's conditions can't take this", expression.span)


def _fallback(
    left: Expr, right: Expr, whole: Operation, variable: Callable[[RunTimeRef], str]
) -> tuple[str, int]:
    if not _may_be_null(left):
        return _parts(left, variable)
    raw = _raw(left, variable)
    kind = whole.type.kind if isinstance(whole.type, ValueType) else None
    converted = {
        "integer": f"double({raw})",
        "number": f"double({raw})",
        "boolean": f"{raw} == 'true'",
        "string": raw,
        "array": f"parseJson({raw})",
    }.get(kind or "")
    if converted is None:
        raise Unsayable("KFP's conditions can't take this", whole.span)
    return f"{raw} == '' ? {_printed(right, variable, 1)} : {converted}", _BINDING["??"]


def _raw(expression: Expr, variable: Callable[[RunTimeRef], str]) -> str:
    """The text of what may be null, empty for null."""
    if isinstance(expression, RunTimeRef):
        return variable(expression)
    match expression:
        case Literal(value=None):
            return "''"
        case Operation(sign="??", operands=(left, right)):
            raw = _raw(left, variable)
            return f"({raw} == '' ? {_raw(right, variable)} : {raw})"
    raise Unsayable("KFP's conditions can't tell whether this is null", expression.span)


def _may_be_null(expression: Expr) -> bool:
    return isinstance(expression.type, ValueType) and expression.type.nullable


def _is_null(*operands: Expr) -> bool:
    return any(isinstance(operand, Literal) and operand.value is None for operand in operands)


def _literal(value: JsonValue) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            text = to_text(value)
            return text if "." in text else f"{text}.0"
        case str():
            return _quoted(value)
        case list():
            return f"[{', '.join(map(_literal, value))}]"
    raise ValueError(f"{value!r} is no operand")


def _quoted(text: str) -> str:
    """Text in single quotes, in printable ASCII without `$` and `{`."""
    escaped = []
    for character in text:
        code = ord(character)
        if character in "'\\":
            escaped.append("\\" + character)
        elif character in "${" or code < 32 or 126 < code <= 0xFFFF:
            escaped.append(f"\\u{code:04x}")
        elif code > 0xFFFF:
            escaped.append(f"\\U{code:08x}")
        else:
            escaped.append(character)
    return f"'{''.join(escaped)}'"
