"""Operators as Argo evaluates them: expr-lang over values that are all text.

Single quotes alone, since tags are evaluated inside JSON. Numbers are read by `asFloat`, which is
Argo's own; white space around what is no string goes, as a file's last newline may be there.
"""

from __future__ import annotations

from collections.abc import Callable

from compiler.expr import Expr, ListOf, Literal, Operation, RunTimeRef, Type, ValueType
from compiler.values import JsonValue, to_text

TextOf = Callable[[RunTimeRef], str]
Present = Callable[[RunTimeRef], str | None]


def condition(expression: Expr, text: TextOf, present: Present) -> str:
    """The expression of a `when`, without the tag around it.

    `text` gives the expression for the text of a reference, `present` one that is true where the
    reference is there, None where it always is.
    """
    return _typed(expression, text, present)


def as_text(expression: Expr, text: TextOf, present: Present) -> str:
    """An expression for the text of a value."""
    if isinstance(expression, RunTimeRef):
        return text(expression)
    match expression:
        case Literal(value=value):
            return quoted(to_text(value))
        case Operation(sign="??", operands=(left, right)):
            left_text = as_text(left, text, present)
            there = _there(left, text, present)
            return f"({there} ? {left_text} : {as_text(right, text, present)})"
        case Operation():
            return f"({_typed(expression, text, present)} ? 'true' : 'false')"
        case ListOf(items=items):
            return f"toJson([{','.join(_typed(item, text, present) for item in items)}])"
    raise ValueError(f"{type(expression).__name__} is no operand")


def quoted(text: str) -> str:
    """A text literal, in printable ASCII without `$`, `{` and quotes of the other kind."""
    escaped = []
    for character in text:
        code = ord(character)
        if character in "'\\":
            escaped.append("\\" + character)
        elif character in '${}"' or code < 32 or 126 < code <= 0xFFFF:
            escaped.append(f"\\u{code:04x}")
        elif code > 0xFFFF:
            escaped.append(f"\\U{code:08x}")
        else:
            escaped.append(character)
    return f"'{''.join(escaped)}'"


def _typed(expression: Expr, text: TextOf, present: Present) -> str:
    """An expression for a value of its own type."""
    if isinstance(expression, RunTimeRef):
        return _read(text(expression), expression.type)
    match expression:
        case Literal(value=value):
            return _literal(value)
        case ListOf(items=items):
            return f"[{','.join(_typed(item, text, present) for item in items)}]"
        case Operation(sign="!", operands=(operand,)):
            return f"!({_typed(operand, text, present)})"
        case Operation(sign="??", operands=(left, right)):
            there = _there(left, text, present)
            value = _read(as_text(left, text, present), expression.type)
            return f"({there} ? {value} : {_typed(right, text, present)})"
        case Operation(sign="==" | "!=" as sign, operands=(left, right)) if _is_null(left, right):
            other = right if isinstance(left, Literal) and left.value is None else left
            there = _there(other, text, present)
            return there if sign == "!=" else f"!({there})"
        case Operation(sign=sign, operands=(left, right)):
            return f"({_typed(left, text, present)} {sign} {_typed(right, text, present)})"
    raise ValueError(f"{type(expression).__name__} is no operand")


def _there(left: Expr, text: TextOf, present: Present) -> str:
    """Whether what stands on the left of a `??` is there: not skipped, and not null."""
    if isinstance(left, Operation) and left.sign == "??":
        first, second = left.operands
        return f"({_there(first, text, present)} || {_there(second, text, present)})"
    if not isinstance(left, RunTimeRef):
        return "false" if _is_null(left) else "true"
    conditions = []
    found = present(left)
    if found is not None:
        conditions.append(found)
    if isinstance(left.type, ValueType) and left.type.nullable:
        conditions.append(f"{_bare(text(left), left.type)} != ''")
    return f"({' && '.join(conditions)})" if conditions else "true"


def _is_null(*operands: Expr) -> bool:
    return any(isinstance(operand, Literal) and operand.value is None for operand in operands)


def _bare(text: str, type_: Type) -> str:
    """A text without the white space around it, which only a string keeps."""
    is_string = isinstance(type_, ValueType) and type_.kind == "string"
    return text if is_string else f"trim({text})"


def _read(text: str, type_: Type) -> str:
    kind = type_.kind if isinstance(type_, ValueType) else None
    match kind:
        case "integer" | "number":
            return f"asFloat(trim({text}))"
        case "boolean":
            return f"(trim({text}) == 'true')"
        case "array" | "object":
            return f"fromJSON({text})"
    return text


def _literal(value: JsonValue) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            written = to_text(value)
            return written if "." in written else f"{written}.0"
        case str():
            return quoted(value)
        case list():
            return f"[{','.join(map(_literal, value))}]"
    raise ValueError(f"{value!r} is no operand")
