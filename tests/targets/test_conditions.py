"""The conditions that targets print come to what the language says, in the engines' own languages.

CEL by an implementation in Rust, from PyPI; where there is a Go toolchain also by the one that KFP
is built with, and expr-lang by the one that Argo is built with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import cel as rust_cel
import expr_lang
import pytest
from builders import SPAN, literal, negation, op, output_of, param_ref
from go_expressions import Ask, asking
from hypothesis import HealthCheck, given, settings
from typed_expressions import Made, World, any_values, conditions, name_of, scalar, scope

from compiler.binding import Where, bind
from compiler.evaluation import Skipped
from compiler.expr import Expr, Literal, RunTimeRef, StepOutputRef, ValueType, wanted
from compiler.targets.argo.conditions import as_text, condition
from compiler.targets.kfp.cel import Unsayable, cel
from compiler.values import JsonValue, ValueKind, fits, to_text

NULL = Literal(None, ValueType(None, nullable=True), SPAN)
# Steps that are skipped never meet a condition of KFP: choices stand for their outputs.
KFP = ("param", "maybe", "step")

slow = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="session")
def ask() -> Iterator[Ask]:
    """Evaluates `expr` or `cel` by the engines' own implementations."""
    with asking() as ask:
        yield ask


def bound(text: str) -> Expr:
    where = scope()
    found = bind(scalar("${{ " + text + " }}"), where, Where.WHEN, text=False)
    assert found is not None, (text, where.diagnostics)
    return found


def variable(ref: RunTimeRef) -> str:
    return f"inputs.parameter_values['{name_of(ref)}']"


def kfp_inputs(world: World) -> dict[str, JsonValue]:
    """What a task is given: typed, but as text what may be null."""
    found = {}
    for name in world.names:
        value = world.values[name.text]
        if isinstance(value, Skipped):
            continue
        found[name.text] = to_text(value) if name.origin == "maybe" else value
    return found


def doubles(value: JsonValue) -> JsonValue:
    """As in protobuf: all numbers are doubles."""
    if isinstance(value, list):
        return [doubles(item) for item in value]
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if is_integer else value  # type: ignore[arg-type]


def by_rust(text: str, inputs: Mapping[str, JsonValue]) -> Any:
    values = {name: doubles(value) for name, value in inputs.items()}
    context = rust_cel.Context({"inputs": {"parameter_values": values}})
    context.add_function("parseJson", lambda text: doubles(json.loads(text)))
    return rust_cel.evaluate(text, context)


def is_carried_in_a_manifest(text: str, without: str) -> bool:
    """Whether nothing on a manifest's way would act on a text."""
    return text.isascii() and text.isprintable() and not set(without) & set(text)


@given(conditions(KFP))
@slow
def test_conditions_of_kfp(made: tuple[World, Made]) -> None:
    world, written = made
    text = cel(bound(written.text), variable)
    assert by_rust(text, kfp_inputs(world)) is written.value
    assert is_carried_in_a_manifest(text, "${")


@given(made=conditions(KFP))
@slow
def test_conditions_of_kfp_in_its_own_cel(made: tuple[World, Made], ask: Ask) -> None:
    world, written = made
    assert ask("cel", cel(bound(written.text), variable), kfp_inputs(world)) is written.value


def text_of(ref: RunTimeRef) -> str:
    if isinstance(ref, StepOutputRef):
        path = f"get(get(get(tasks['{ref.step}'],'outputs'),'parameters'),'{ref.output}')"
        return path if ref.step == "unsure" else f"tasks['sure'].outputs.parameters['{ref.output}']"
    return f"workflow.parameters['{name_of(ref).removeprefix('params.')}']"


def present(ref: RunTimeRef) -> str | None:
    is_unsure = isinstance(ref, StepOutputRef) and ref.step == "unsure"
    return "tasks['unsure'].status == 'Succeeded'" if is_unsure else None


def argo_values(world: World) -> dict[str, Any]:
    """Texts, as people and steps write them: with white space around what is no string."""
    parameters = {}
    tasks: dict[str, dict[str, Any]] = {step: {"status": "Skipped"} for step in ("sure", "unsure")}
    for name in world.names:
        value = world.values[name.text]
        if isinstance(value, Skipped):
            continue
        text = to_text(value) if name.kind == "string" else f" {to_text(value)}\n"
        last = name.text.rpartition(".")[2]
        if name.text.startswith("params."):
            parameters[last] = text
        else:
            task = tasks[name.text.split(".")[1]]
            task["status"] = "Succeeded"
            task.setdefault("outputs", {}).setdefault("parameters", {})[last] = text
    return {"workflow": {"parameters": parameters}, "tasks": tasks}


def runs(expression: Expr, world: World) -> bool:
    """Whether what takes an expression is run at all."""
    return all(
        any(not isinstance(world.values[name_of(ref)], Skipped) for ref in group)
        for group in wanted(expression)
    )


@given(made=conditions())
@slow
def test_conditions_of_argo(made: tuple[World, Made], ask: Ask) -> None:
    world, written = made
    expression = bound(written.text)
    if not runs(expression, world):
        return
    text = condition(expression, text_of, present)
    env = argo_values(world)
    assert ask("expr", text, env) is written.value
    assert is_carried_in_a_manifest(text, '${}"')
    assert ask("expr", as_text(expression, text_of, present), env) == to_text(written.value)


@given(made=any_values())
@slow
def test_values_of_argo(made: tuple[World, ValueKind, Made], ask: Ask) -> None:
    world, kind, written = made
    expression = bound(written.text)
    if not runs(expression, world):
        return
    text = ask("expr", as_text(expression, text_of, present), argo_values(world))
    assert isinstance(text, str)
    found = text if kind == "string" else json.loads(text)
    assert fits(found, kind)
    assert doubles(found) == doubles(written.value)


@given(made=any_values())
@slow
def test_the_model_of_argo_is_true(made: tuple[World, ValueKind, Made], ask: Ask) -> None:
    """`expr_lang`, which other tests run manifests with."""
    world, _, written = made
    expression = bound(written.text)
    if not runs(expression, world):
        return
    text, env = as_text(expression, text_of, present), argo_values(world)
    assert expr_lang.evaluate(text, env) == ask("expr", text, env)


def argo(given: str) -> dict[str, Any]:
    """One param, and a step `unsure` that was skipped."""
    return {"workflow": {"parameters": {"p": given}}, "tasks": {"unsure": {"status": "Skipped"}}}


P = param_ref("p", nullable=True)
P_NUMBER = param_ref("p", "number", nullable=True)
UNSURE = output_of("unsure", "n", "number")


@pytest.mark.parametrize(
    ("expression", "given", "value"),
    [
        (op(P, "==", NULL), "", True),
        (op(P, "==", NULL), " ", False),
        (op(P_NUMBER, "==", NULL), " \n", True),
        (op(NULL, "!=", P_NUMBER), " 3\n", True),
        (op(op(P, "??", "x"), "==", " "), " ", True),
        (op(op(P_NUMBER, "??", NULL), "==", NULL), "", True),
        (op(op(op(P_NUMBER, "??", NULL), "??", 3), "==", 3), "", True),
        (op(op(UNSURE, "??", P_NUMBER), "==", NULL), "", True),
        (op(op(op(UNSURE, "??", P_NUMBER), "??", 7), ">", 6.5), "", True),
        (op(op(op(UNSURE, "??", P_NUMBER), "??", 7), ">", 6.5), "-1e-3", False),
        (op(op(P_NUMBER, "??", 1e300), "==", 1e300), "", True),
        (op(op(P_NUMBER, "??", 1), "<", 1e300), "1e299", True),
        (op(op(P, "??", ""), "in", ["\"{{'\\", "\U0001f389\u2028"]), "\U0001f389\u2028", True),
        (op(op(P, "??", ""), "in", ["\"{{'\\", "\U0001f389\u2028"]), "\"{{'\\", True),
        (op(op(param_ref("p", "boolean"), "==", False), "&&", True), " false\n", True),
        (op(3, "in", param_ref("p", "array")), "[1, 3.0]", True),
    ],
)
def test_a_condition_of_argo(expression: Expr, given: str, value: bool, ask: Ask) -> None:
    text = condition(expression, text_of, present)
    assert ask("expr", text, argo(given)) is value
    assert expr_lang.evaluate(text, argo(given)) is value


MAYBE = param_ref("maybe", "integer", nullable=True)
OTHER = param_ref("other", "integer", nullable=True)
SURE = param_ref("sure", "integer")


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (op(SURE, ">=", 0.8), "SURE >= 0.8"),
        (op(SURE, "==", 3), "SURE == 3.0"),
        (op(op(MAYBE, "??", 3), ">", SURE), "(MAYBE == '' ? 3.0 : double(MAYBE)) > SURE"),
        (op(MAYBE, "!=", NULL), "MAYBE != ''"),
        (op(NULL, "==", op(MAYBE, "??", OTHER)), "(MAYBE == '' ? OTHER : MAYBE) == ''"),
        (op(op(SURE, "??", 3), ">", 1), "SURE > 1.0"),
        (op(param_ref("s"), "in", ["a$", "{b}"]), "S in ['a\\u0024', '\\u007bb}']"),
        (
            op(param_ref("s"), "==", "'\\\n\u00e9\U0001f389"),
            "S == '\\'\\\\\\u000a\\u00e9\\U0001f389'",
        ),
        (negation(op(SURE, "<", -1)), "!(SURE < -1.0)"),
        (op(op(True, "||", False), "&&", True), "(true || false) && true"),
    ],
)
def test_the_text_of_a_condition_of_kfp(expression: Expr, text: str) -> None:
    assert cel(expression, lambda ref: ref.name.upper()) == text  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "expression",
    [
        op(literal({"a": 1}), "==", literal({"a": 1})),
        op(op(negation(literal(True)), "??", NULL), "==", NULL),
    ],
)
def test_what_kfp_can_not_say(expression: Expr) -> None:
    with pytest.raises(Unsayable) as caught:
        cel(expression, lambda ref: ref.name)  # type: ignore[union-attr]
    assert str(caught.value)
    assert caught.value.span == SPAN
