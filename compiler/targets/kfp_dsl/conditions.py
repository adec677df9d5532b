"""Conditions as the SDK takes them: comparisons that all have to hold, an `If` for each.

`dsl.If` takes one comparison of a parameter with a constant or with another parameter. `&&` is an
If in an If, `!` turns the comparisons under it round; what is left over can't be said.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from msgspec import Struct

from compiler.expr import (
    EachRef,
    Expr,
    ListOf,
    Literal,
    Operation,
    ParamRef,
    PipelineInputRef,
    RunRef,
    RunTimeRef,
    Sign,
    StepOutputRef,
    ValueType,
)
from compiler.values import JsonValue, to_json

# What an If can compare.
Ref: TypeAlias = ParamRef | StepOutputRef | EachRef
_NEGATED: dict[str, Sign] = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_MIRRORED: dict[str, Sign] = {"==": "==", "!=": "!=", "<": ">", ">=": "<=", ">": "<", "<=": ">="}
_ACTED_ON = frozenset("'\\${")
_BOOLEAN = ValueType("boolean")


class UnsayableError(ValueError):
    """A condition that no Ifs amount to; the message says which part of it, and why."""


class Comparison(Struct, frozen=True):
    """One comparison; `right` is a reference or the constant as the SDK has to be given it."""

    left: Ref
    sign: Sign
    right: Ref | JsonValue

    @property
    def key(self) -> str:
        """Equal for equal comparisons, wherever they are written."""
        return f"{key(self.left)} {self.sign} {key(self.right)}"


def comparisons(test: Expr | None) -> tuple[Comparison, ...]:
    """The comparisons that a condition amounts to, in reading order and each once.

    Raises `UnsayableError`.
    """
    found = {} if test is None else {c.key: c for c in _conjuncts(test, negated=False)}
    return tuple(found.values())


def _conjuncts(test: Expr, *, negated: bool) -> Iterator[Comparison]:
    match test:
        case Operation(sign="!", operands=(operand,)):
            yield from _conjuncts(operand, negated=not negated)
        case Operation(sign="&&" | "||" as sign, operands=operands):
            if (sign == "||") is not negated:
                whole = f"!(… {sign} …)" if negated else f"… {sign} …"
                raise UnsayableError(f"`{whole}` is more than comparisons that all have to hold")
            for operand in operands:
                yield from _conjuncts(operand, negated=negated)
        case Operation(sign="in", operands=(value, choices)):
            yield from _membership(value, choices, negated=negated)
        case Operation(sign="==" | "!=" | "<" | "<=" | ">" | ">=" as sign, operands=(left, right)):
            yield _comparison(left, _NEGATED[sign] if negated else sign, right)
        case Literal(value=bool() as value):
            if value is negated:
                raise UnsayableError("it is always false, and an If takes no constant")
        case _:
            literal = Literal(not negated, _BOOLEAN, test.span)
            yield _comparison(test, "==", literal)


def _membership(value: Expr, choices: Expr, *, negated: bool) -> Iterator[Comparison]:
    match choices:
        case ListOf(items=items):
            members: tuple[Expr, ...] = items
        case Literal(value=list() as values, type=kind, span=span):
            item = kind.items or ValueType(None)
            members = tuple(Literal(v, _typed(item, v), span) for v in values)
        case _:
            raise UnsayableError("`in` needs a list that is written out")
    if not negated and len(members) != 1:
        raise UnsayableError("`in` is a choice, and an If has none")
    for member in members:
        yield _comparison(value, "!=" if negated else "==", member)


def _typed(item: ValueType, value: JsonValue) -> ValueType:
    if item.kind is not None:
        return item
    match value:
        case bool():
            return ValueType("boolean")
        case int():
            return ValueType("integer")
        case float():
            return ValueType("number")
    return ValueType("string")


def _comparison(left: Expr, sign: Sign, right: Expr) -> Comparison:
    if isinstance(left, Literal) and not isinstance(right, Literal):
        left, sign, right = right, _MIRRORED[sign], left
    ref = _ref(left)
    if isinstance(right, Literal):
        return Comparison(ref, sign, _constant(ref, sign, right))
    other = _ref(right)
    nullable = _nullable(ref) or _nullable(other)
    if nullable or (_text(ref) != _text(other)):
        raise UnsayableError(
            "a value that may be null, or of no known type, is compared with another"
        )
    return Comparison(ref, sign, other)


def _ref(operand: Expr) -> Ref:
    match operand:
        case ParamRef() | StepOutputRef() | EachRef():
            if not isinstance(operand.type, ValueType) or operand.type.kind in ("array", "object"):
                raise UnsayableError("an If compares no arrays, objects or artifacts")
            return operand
        case Operation(sign="??"):
            raise UnsayableError("it has a `??`")
        case Operation():
            raise UnsayableError("a comparison is compared")
        case RunRef(field=field):
            raise UnsayableError(f"`run.{field}` can't be compared")
        case Literal():
            raise UnsayableError("constants are compared, and an If takes no constant")
    raise UnsayableError("an If compares parameters, outputs and items of a loop")


def _constant(ref: Ref, sign: Sign, literal: Literal) -> JsonValue:
    """The constant that `ref` is compared with on KFP, where null is the empty text."""
    value = literal.value
    if value is None:
        return ""
    if not _text(ref):
        return value
    ordered = sign not in ("==", "!=")
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if _nullable(ref) and (ordered or number):
        raise UnsayableError("a number that may be null is text on KFP, which an If can't convert")
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise UnsayableError("an item of no known type is compared with a number")
    return value


def _nullable(ref: Ref) -> bool:
    return isinstance(ref.type, ValueType) and ref.type.nullable


def _text(ref: Ref) -> bool:
    """Whether the value arrives as text, whatever it is."""
    return _nullable(ref) or ref.type.kind in (None, "string")


def key(operand: RunTimeRef | JsonValue) -> str:
    """Equal for equal operands, wherever they are written."""
    match operand:
        case ParamRef(name=name):
            return f"params.{name}"
        case StepOutputRef(step=step, output=output):
            return f"steps.{step}.{output}"
        case EachRef(loop=loop, name=name, path=path):
            return ".".join(("each", loop, name, *path))
        case PipelineInputRef() | RunRef():
            raise AssertionError("no comparison holds these")
    return to_json(operand)


def in_quotes(text: str) -> str:
    """A constant as the SDK is given it: it writes the text into CEL as it stands.

    Escaped are what ends CEL's literal and what a kubelet or the driver would act on.
    """
    return "".join(_escaped(c) if c in _ACTED_ON or not c.isprintable() else c for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
