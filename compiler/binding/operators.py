"""The types of operators: what they take, what they give, and words for what they don't take."""

from __future__ import annotations

from typing import cast

from compiler import expr as ex
from compiler.diagnostics import Span
from compiler.evaluation import evaluate
from compiler.expressions import Operation
from compiler.values import JsonValue, ValueKind, ValueTextError, from_text, to_text

BOOLEAN = ex.ValueType("boolean")
_SCALARS = ("string", "integer", "number", "boolean")
_NUMBERS = ("integer", "number")
# What a list without items holds.
_NOTHING = ex.ValueType(None)


class TypeProblem(Exception):  # noqa: N818 - told to the user, with a place by the caller
    """An operator does not take its operands; `operand` is the number of the one to point at,
    and `both` says that the others have their part in it."""

    def __init__(
        self, message: str, hint: str = "", operand: int | None = None, *, both: bool = False
    ) -> None:
        super().__init__(message)
        self.code = "MLC409"
        self.message, self.hint, self.operand, self.both = message, hint, operand, both

    def about(self, operands: tuple[ex.Expr, ...]) -> tuple[ex.Expr, ...]:
        """Those of the operands that it is about."""
        if self.both or self.operand is None:
            return operands
        return operands[self.operand : self.operand + 1]


def a_type(found: ex.Type) -> str:
    """A type in a sentence."""
    text = str(found)
    return f"an {text}" if text[0] in "aeioAEIO" else f"a {text}"


def operation(syntax: Operation, operands: tuple[ex.Expr, ...], span: Span) -> ex.Expr:
    """The typed operation.

    Raises:
        TypeProblem: the operator does not take operands of these types.
    """
    sign = cast(ex.Sign, syntax.sign)
    if sign == "??":
        return _fallback(operands[0], operands[1], span)
    for number, operand in enumerate(operands):
        _plain(sign, operand, number)
    kinds = [cast(ex.ValueType, operand.type).kind for operand in operands]
    match sign:
        case "!" | "&&" | "||":
            for number, kind in enumerate(kinds):
                if kind != "boolean":
                    message = f"`{sign}` takes true or false, found {a_type(operands[number].type)}"
                    raise TypeProblem(message, _to_boolean(sign, operands, number), number)
        case "==" | "!=":
            _equal(sign, operands)
        case "in":
            _within(operands)
        case _:
            for number, kind in enumerate(kinds):
                if kind not in (*_NUMBERS, "string"):
                    found = a_type(operands[number].type)
                    message = f"`{sign}` compares numbers or texts, found {found}"
                    raise TypeProblem(message, "values of this type have `==` and `!=`", number)
            _same(sign, operands)
    return ex.Operation(sign, operands, BOOLEAN, span)


def settled(syntax: Operation, operands: tuple[ex.Expr, ...], span: Span) -> ex.Expr | None:
    """What a test for null comes to where it is known, as in a used file that is given a value
    where null was possible; None where it hangs on the run, or is no such test."""
    if syntax.sign == "??":
        left = operands[0]
        is_null = isinstance(left, ex.Literal) and left.value is None
        return None if is_null or may_be_missing(left) else left
    if syntax.sign not in ("==", "!="):
        return None
    for operand, other in (operands, operands[::-1]):
        if isinstance(operand, ex.Literal) and operand.value is None:
            is_null = isinstance(other, ex.Literal) and other.value is None
            is_open = isinstance(other.type, ex.ValueType) and (
                other.type.nullable or other.type.kind is None
            )
            if is_null or not is_open:
                return ex.Literal(is_null is (syntax.sign == "=="), BOOLEAN, span)
    return None


def folded(found: ex.Expr) -> ex.Expr:
    """A comparison of constants as what it comes to."""
    if not isinstance(found, ex.Operation) or found.sign == "??":
        return found
    if not all(isinstance(operand, ex.Literal) for operand in found.operands):
        return found
    value = evaluate(found, _no_value)
    return ex.Literal(value is True, BOOLEAN, found.span)


def _no_value(expression: ex.Expr) -> JsonValue:
    raise AssertionError(f"{type(expression).__name__} is no constant")


def list_of(items: tuple[ex.Expr, ...], span: Span) -> ex.Expr:
    """A list written in an expression; a literal where all of it is one.

    Raises:
        TypeProblem: its items are not of one scalar type.
    """
    kinds: set[ValueKind] = set()
    for number, item in enumerate(items):
        kind = item.type.kind if isinstance(item.type, ex.ValueType) else None
        if kind not in _SCALARS or (isinstance(item.type, ex.ValueType) and item.type.nullable):
            message = f"a list in an expression takes plain values, found {a_type(item.type)}"
            raise TypeProblem(message, "", number)
        kinds.add(kind)
        if len({"number" if k in _NUMBERS else k for k in kinds}) > 1:
            raise TypeProblem("the items of a list have one type", "", number)
    held: ValueKind | None = None
    if kinds:
        held = "number" if kinds == {"integer", "number"} else kinds.pop()
    type_ = ex.ValueType("array", items=ex.ValueType(held))
    if all(isinstance(item, ex.Literal) for item in items):
        values: list[JsonValue] = [cast(ex.Literal, item).value for item in items]
        return ex.Literal(values, type_, span)
    return ex.ListOf(items, type_, span)


def may_be_missing(expression: ex.Expr) -> bool:
    """Whether what stands on the left of a `??` can be absent or null at all."""
    if isinstance(expression, ex.Operation) and expression.sign == "??":
        return may_be_missing(expression.operands[1])
    if isinstance(expression, ex.StepOutputRef):
        return True
    return isinstance(expression.type, ex.ValueType) and (
        expression.type.nullable or expression.type.kind is None
    )


def _fallback(left: ex.Expr, right: ex.Expr, span: Span) -> ex.Expr:
    is_chain = isinstance(left, ex.Operation) and left.sign == "??"
    if not is_chain and isinstance(left, (ex.Operation, ex.ListOf)):
        hint = "put the `??` beside the name that may be missing"
        raise TypeProblem("`??` needs a name on its left: nothing else is ever missing", hint, 0)
    if isinstance(left, ex.Literal) and left.value is None:
        return right
    if isinstance(left.type, ex.ArtifactType) or isinstance(right.type, ex.ArtifactType):
        if not (isinstance(left.type, ex.ArtifactType) and isinstance(right.type, ex.ArtifactType)):
            raise _no_match(left, right)
        if left.type.is_list != right.type.is_list:
            raise _no_match(left, right)
        same = left.type.kind == right.type.kind
        kind: ex.ArtifactKind = left.type.kind if same else "Artifact"
        return ex.Operation("??", (left, right), ex.ArtifactType(kind, left.type.is_list), span)
    joined = _join(left.type, right.type)
    if joined is None:
        raise _no_match(left, right)
    return ex.Operation("??", (left, right), joined, span)


def _join(left: ex.ValueType, right: ex.ValueType) -> ex.ValueType | None:
    """The type of either; nullable where the right side is. None where they don't go together."""
    if left.kind == right.kind == "array":
        items = _held(left.items, right.items)
        clash = None not in (left.items, right.items) and items is None
        return None if clash else ex.ValueType("array", right.nullable, items)
    if left.kind == right.kind:
        return ex.ValueType(left.kind, right.nullable)
    if right.kind is None and right.nullable:
        return ex.ValueType(left.kind, nullable=True, items=left.items)
    if left.kind is None:
        return ex.ValueType(right.kind if left.nullable else None, right.nullable)
    if {left.kind, right.kind} == set(_NUMBERS):
        return ex.ValueType("number", right.nullable)
    return None


def _held(left: ex.ValueType | None, right: ex.ValueType | None) -> ex.ValueType | None:
    """What a list holds that is one of two; None where that is not known, or they differ."""
    if left is None or right is None or left == right:
        return left if left == right else None
    if _NOTHING in (left, right):
        return right if left == _NOTHING else left
    return _join(left, right)


def _no_match(left: ex.Expr, right: ex.Expr) -> TypeProblem:
    found = f"{_described(left.type)} and {_described(right.type)}"
    message = f"`??` needs the same type on both sides, found {found}"
    hint = "write a fallback of the same type"
    return TypeProblem(message, hint, 1, both=True)


def _described(found: ex.Type) -> str:
    """A type in a sentence, with what it holds if it is a list."""
    if isinstance(found, ex.ValueType) and found.kind == "array" and found.items:
        return f"{a_type(found)} of {found.items}s"
    return a_type(found)


def _plain(sign: str, operand: ex.Expr, number: int) -> None:
    """Refuse what no operator but `??` takes: artifacts, and what may be null."""
    if isinstance(operand.type, ex.ArtifactType):
        hint = "let the step write what is to be compared as a parameter output"
        message = f"`{sign}` takes values, found {a_type(operand.type)}"
        raise TypeProblem(message, hint, number)
    is_null = isinstance(operand, ex.Literal) and operand.value is None
    if operand.type.nullable and not is_null and sign not in ("==", "!="):
        hint = f"give a value for null: `(… ?? {_example(operand.type)})`"
        raise TypeProblem(f"this may be null, which `{sign}` does not take", hint, number)
    if is_null and sign not in ("==", "!="):
        raise TypeProblem(f"`{sign}` does not take null", "", number)
    if operand.type.kind is None and not is_null:
        hint = "declare what the list holds: `items: {type: number}`"
        message = f"the type of this is known only in the run, so `{sign}` can't take it"
        raise TypeProblem(message, hint, number)


def _equal(sign: str, operands: tuple[ex.Expr, ...]) -> None:
    for number, operand in enumerate(operands):
        other = operands[1 - number]
        if isinstance(operand, ex.Literal) and operand.value is None:
            if isinstance(other.type, ex.ValueType) and other.type.nullable:
                return
            hint = "only a param with `default: null` is ever null; take the comparison out"
            message = "this is never null, so there is nothing to compare"
            raise TypeProblem(message, hint, 1 - number)
    for number, operand in enumerate(operands):
        kind = cast(ex.ValueType, operand.type).kind
        if kind not in _SCALARS:
            message = f"`{sign}` compares plain values, found {a_type(operand.type)}"
            raise TypeProblem(message, "", number)
        if cast(ex.ValueType, operand.type).nullable:
            example = _example(cast(ex.ValueType, operand.type))
            hint = f"give a value for null: `(… ?? {example})`; or compare with null alone"
            message = f"this may be null, which `{sign}` takes only beside null"
            raise TypeProblem(message, hint, number)
    _same(sign, operands)


def _same(sign: str, operands: tuple[ex.Expr, ...]) -> None:
    left, right = (cast(ex.ValueType, operand.type).kind for operand in operands)
    if left == right or {left, right} <= set(_NUMBERS):
        return
    message = (
        f"`{sign}` compares values of one type, found {a_type(operands[0].type)} "
        f"and {a_type(operands[1].type)}"
    )
    raise TypeProblem(message, _mending(operands), 1, both=True)


def _within(operands: tuple[ex.Expr, ...]) -> None:
    item, items = (cast(ex.ValueType, operand.type) for operand in operands)
    if items.kind != "array":
        hint = "write the values in brackets: `in ['a', 'b']`"
        raise TypeProblem(f"`in` takes a list on its right, found {a_type(items)}", hint, 1)
    if item.kind not in _SCALARS:
        raise TypeProblem(f"`in` looks for a plain value, found {a_type(item)}", "", 0)
    held = items.items.kind if items.items else None
    if isinstance(operands[1], ex.Literal) and operands[1].value == []:
        raise TypeProblem("nothing is in an empty list", "", 1)
    if held is None:
        hint = "declare what the list holds: `items: {type: number}`"
        raise TypeProblem("what this list holds is not known when the spec is compiled", hint, 1)
    if held != item.kind and not {held, item.kind} <= set(_NUMBERS):
        hint = f"list {item.kind}s on the right, or take {a_type(ex.ValueType(held))} on the left"
        message = f"{a_type(item)} is never in a list of {held}s"
        raise TypeProblem(message, hint, 0, both=True)


def _mending(operands: tuple[ex.Expr, ...]) -> str:
    for operand, other in (operands, operands[::-1]):
        kind = cast(ex.ValueType, other.type).kind
        if not isinstance(operand, ex.Literal) or kind is None:
            continue
        if kind == "string":
            return f"put it in quotes: '{to_text(operand.value)}'"
        if isinstance(operand.value, str) and _reads_as(operand.value, kind):
            return f"take the quotes away: {operand.value}"
    for operand, other in (operands, operands[::-1]):
        is_text = cast(ex.ValueType, operand.type).kind == "string"
        if isinstance(operand, (ex.ParamRef, ex.StepOutputRef)) and is_text:
            kind = cast(ex.ValueType, other.type).kind
            where = "param" if isinstance(operand, ex.ParamRef) else "output"
            return f"if the {where} is meant to be one, declare it as `{kind}`"
    return ""


def _example(found: ex.ValueType) -> str:
    """A value of a type, for a hint."""
    examples = {"string": "''", "boolean": "false", "array": "[]"}
    return examples.get(found.kind or "", "0")


def _reads_as(text: str, kind: ValueKind) -> bool:
    try:
        from_text(text, kind)
    except ValueTextError:
        return False
    return True


def _to_boolean(sign: str, operands: tuple[ex.Expr, ...], number: int) -> str:
    operand = operands[number]
    if any(isinstance(one, ex.Literal) and one.type.kind != "boolean" for one in operands):
        # `x && 'a' || 'b'`, which is a choice elsewhere.
        return f"`{sign}` gives true or false, none of its sides: make two steps with a `when` each"
    kind = operand.type.kind if isinstance(operand.type, ex.ValueType) else None
    if kind in _NUMBERS:
        return "compare it: `… != 0`"
    return "compare it: `… != ''`" if kind == "string" else ""
