"""What expressions come to: against what the language says, and against random ones."""

from __future__ import annotations

from typing import Any

import pytest
from builders import SPAN, list_of, literal, negation, op, output_of, param_ref
from hypothesis import given
from typed_expressions import Made, World, any_values, name_of, scalar, scope

from compiler.binding import Where, bind
from compiler.evaluation import SKIPPED, Skipped, evaluate
from compiler.expr import Concat, Expr, Literal, ValueType
from compiler.values import ValueKind, fits

MAYBE = param_ref("maybe", "integer", nullable=True)
FLAG = param_ref("flag", "boolean")
UNSURE = output_of("unsure", "n", "integer")
NULL = Literal(None, ValueType(None, nullable=True), SPAN)
VALUES = {"maybe": None, "flag": True, "n": SKIPPED}


def value_of(expression: Expr) -> Any:
    match expression:
        case Concat(parts=parts):
            return tuple(evaluate(part, value_of) for part in parts)
    return VALUES[getattr(expression, "name", None) or expression.output]  # type: ignore[union-attr]


def bound(text: str) -> Expr:
    where = scope()
    found = bind(scalar("${{ " + text + " }}"), where, Where.WHEN, text=False)
    assert found is not None, (text, where.diagnostics)
    return found


@given(any_values())
def test_what_is_written_comes_to_its_value(made: tuple[World, ValueKind, Made]) -> None:
    world, kind, written = made
    found = evaluate(bound(written.text), lambda ref: world.values[name_of(ref)])
    assert found == written.value
    assert isinstance(found, Skipped) or fits(found, kind)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (op(MAYBE, "??", 3), 3),
        (op(op(MAYBE, "??", UNSURE), "??", 4), 4),
        (op(UNSURE, "??", MAYBE), None),
        (op(MAYBE, "??", UNSURE), SKIPPED),
        (op(MAYBE, "==", NULL), True),
        (op(op(UNSURE, "??", 1), "==", 1.0), True),
        (op(UNSURE, ">", 1), SKIPPED),
        (negation(op(UNSURE, ">", 1)), SKIPPED),
        (op(FLAG, "||", op(UNSURE, ">", 1)), True),
        (op(negation(FLAG), "&&", op(UNSURE, ">", 1)), False),
        (op(FLAG, "&&", op(UNSURE, ">", 1)), SKIPPED),
        (op(2, "in", list_of(1, UNSURE)), SKIPPED),
        (op(2, "in", [1, 2.0]), True),
        (op(2**53 - 1, "==", float(2**53 - 1)), True),
        (op("Z", "<", "a"), True),
        (op("\uffff", "<", "\U0001f389"), True),
        (op(True, "==", False), False),
        (list_of(1, FLAG), [1, True]),
        (literal({"a": [1]}), {"a": [1]}),
    ],
)
def test_operators(expression: Expr, value: Any) -> None:
    found = evaluate(expression, value_of)
    assert found == value
    assert type(found) is type(value)


def test_text_and_names_are_asked_for() -> None:
    text = Concat((FLAG, literal("!")), SPAN)
    assert evaluate(op(text, "??", "x"), value_of) == (True, "!")
