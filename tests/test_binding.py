"""Names and operators of expressions: the types that they get, and what is wrong with others."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from builders import SPAN, literal, output_of, param, param_ref
from hypothesis import given
from msgspec.structs import replace
from typed_expressions import Made, World, any_values, scalar
from typed_expressions import scope as typed_scope

from compiler import expr as ex
from compiler.binding import (
    Item,
    Scope,
    Signature,
    Where,
    bind,
    bind_amount,
    bind_condition,
    bind_list,
    bind_output,
    bind_value,
)
from compiler.diagnostics import Severity
from compiler.nodes import Node, SourceFile
from compiler.source import parse
from compiler.values import ValueKind

INTEGER = ex.ValueType("integer")
NUMBER = ex.ValueType("number")
ANY = ex.ValueType(None)
DATASET = ex.ArtifactType("Dataset")


def array(items: ex.ValueType | None) -> ex.ValueType:
    return ex.ValueType("array", items=items)


def some_scope() -> Scope:
    """Params of all types, steps at home in loops `fold`, and in `fold` and `epoch`."""
    params = {
        p.name: p
        for p in (
            param("n", 3),
            param("x", 0.5),
            param("s", "a"),
            param("flag", True),
            param("list", [1]),
            replace(param("numbers", [1.5]), items="number"),
            replace(param("integers", [1]), items="integer"),
            replace(param("words", ["a"]), items="string"),
            replace(param("maybe_words", kind="array", nullable=True), items="string"),
            param("object", {"a": 1}),
            param("maybe", kind="integer", nullable=True),
            param("maybe_s", kind="string", nullable=True),
            param("maybe_flag", kind="boolean", nullable=True),
        )
    }
    outputs: dict[str, ex.Type | None] = {
        "n": INTEGER,
        "s": ex.STRING,
        "data": DATASET,
        "wrong": None,
    }
    lists = ex.Literal([1, 2], array(INTEGER), SPAN)
    steps = {
        "one": Signature(outputs, SPAN),
        "in_fold": Signature(outputs, SPAN, home=("fold",), loops=True, items=lists),
        "in_both": Signature(outputs, SPAN, home=("fold", "epoch"), loops=True),
        "group": Signature({}, SPAN, is_group=True),
    }
    scope = Scope("demo", params, {"reports": DATASET}, steps, None)
    scope.inside("step", {"own": NUMBER, "broken": None}, {"out": DATASET}, frozenset())
    return scope


def inside_fold() -> Scope:
    scope = some_scope()
    scope.level = ("fold",)
    fields = {"lr": NUMBER, "name": ex.STRING}
    scope.each = {
        "x": Item("fold", INTEGER),
        "trial": Item("fold", ex.ValueType("object"), fields),
        "any": Item("fold", ANY),
    }
    return scope


def in_finally() -> Scope:
    scope = some_scope()
    scope.main_steps = frozenset({"train"})
    return scope


def with_values() -> Scope:
    scope = some_scope()
    values: dict[str, ex.Expr] = {"own": param_ref("x", "number")}
    scope.inside("step", {"own": NUMBER, "broken": None}, {"out": DATASET}, frozenset(), values)
    return scope


def as_used() -> Scope:
    """In an algorithm that is used as the step `call`."""
    scope = some_scope()
    scope.prefix = "call."
    scope.given = {"n": literal(7), "reports": output_of("fetch", "data")}
    return scope


def embedded(text: str) -> str:
    return "${{ " + text + " }}"


def bound(text: str, scope: Scope, where: Where = Where.INPUT) -> ex.Expr:
    found = bind(scalar(embedded(text)), scope, where, text=False)
    assert found is not None, scope.diagnostics
    return found


def node(text: str) -> Node:
    """The value of the one key of a YAML document."""
    mapping, found = parse(SourceFile("spec.yaml", f"key: {text}\n"))
    assert mapping is not None and not found
    value = mapping.get("key")
    assert value is not None
    return value


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("params.n", INTEGER),
        ("params.words", array(ex.STRING)),
        ("params.maybe", ex.ValueType("integer", nullable=True)),
        ("params.maybe ?? 3", INTEGER),
        ("params.maybe ?? 0.5", NUMBER),
        ("params.maybe ?? null", ex.ValueType("integer", nullable=True)),
        ("params.maybe ?? params.maybe ?? 1", INTEGER),
        ("null ?? params.n", INTEGER),
        ("params.maybe_words ?? []", array(ex.STRING)),
        ("params.maybe_words ?? params.list", array(None)),
        ("steps.one.outputs.data ?? inputs.reports", DATASET),
        ("steps.one.outputs.n ?? params.maybe", ex.ValueType("integer", nullable=True)),
        ("params.n > params.x", ex.ValueType("boolean")),
        ("params.s <= 'b' && !params.flag", ex.ValueType("boolean")),
        ("params.maybe == null", ex.ValueType("boolean")),
        ("params.n in params.numbers", ex.ValueType("boolean")),
        ("params.s in [params.s, 'b']", ex.ValueType("boolean")),
        ("[1, 2.5]", array(NUMBER)),
        ("[params.n, 2]", array(INTEGER)),
        ("[]", array(ANY)),
        ("run.id", ex.STRING),
        ("algorithm.name", ex.STRING),
        ("steps.one.outputs.n", INTEGER),
        ("steps.in_fold.outputs.n", array(INTEGER)),
        ("steps.in_both.outputs.n", array(array(INTEGER))),
        ("steps.in_fold.outputs.data", ex.ArtifactType("Dataset", is_list=True)),
        ("steps.in_fold.items", array(INTEGER)),
        ("steps['one'].outputs['n']", INTEGER),
    ],
)
def test_types(text: str, type_: ex.Type) -> None:
    scope = some_scope()
    where = Where.FOREACH if text.startswith("[") else Where.INPUT
    assert bound(text, scope, where).type == type_
    assert not scope.diagnostics


@given(any_values())
def test_the_type_of_anything(made: tuple[World, ValueKind, Made]) -> None:
    _, kind, written = made
    scope = typed_scope()
    found = bound(written.text, scope, Where.WHEN).type
    assert isinstance(found, ex.ValueType)
    assert not found.nullable
    assert found.kind == kind or {found.kind, kind} == {"integer", "number"}
    assert all(d.code == "MLC410" for d in scope.diagnostics)


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("each.x", INTEGER),
        ("each.trial", ex.ValueType("object")),
        ("each.trial.lr", NUMBER),
        ("each.trial['name']", ex.STRING),
        ("each.any.deep.down", ANY),
        # The step's own round has its outputs as they are; the inner loop's are collected.
        ("steps.in_fold.outputs.n", INTEGER),
        ("steps.in_both.outputs.n", array(INTEGER)),
        ("steps.in_both.outputs.data", ex.ArtifactType("Dataset", is_list=True)),
    ],
)
def test_types_inside_a_loop(text: str, type_: ex.Type) -> None:
    scope = inside_fold()
    assert bound(text, scope).type == type_
    assert not scope.diagnostics


def test_a_loop_beside_another_is_collected_whole() -> None:
    scope = some_scope()
    scope.level = ("other",)
    assert bound("steps.in_both.outputs.n", scope).type == array(array(INTEGER))


def test_items() -> None:
    scope = some_scope()
    found = bound("steps.in_fold.items", scope)
    assert isinstance(found, ex.Literal) and found.value == [1, 2]
    assert list(scope.items_used) == ["in_fold"]


def test_inputs_stand_for_themselves_but_under_operators() -> None:
    scope = with_values()
    assert isinstance(bound("inputs.own", scope, Where.ARGUMENT), ex.InputRef)
    found = bound("inputs.own > 1", scope, Where.ARGUMENT)
    assert isinstance(found, ex.Operation)
    assert isinstance(found.operands[0], ex.ParamRef)
    found = bound("inputs.own in [inputs.own]", scope, Where.ARGUMENT)
    assert isinstance(found, ex.Operation) and isinstance(found.operands[1], ex.ListOf)
    assert isinstance(found.operands[1].items[0], ex.ParamRef)
    assert isinstance(bound("inputs.own", scope, Where.WHEN), ex.ParamRef)


def test_what_is_known_to_be_wrong_is_not_told_twice() -> None:
    scope = with_values()
    for text in ("inputs.broken", "inputs.broken > 1", "steps.one.outputs.wrong ?? 1"):
        assert bind(scalar(embedded(text)), scope, Where.ARGUMENT, text=False) is None
    assert not scope.diagnostics


def test_a_used_algorithm_has_what_its_caller_gives() -> None:
    scope = as_used()
    found = bound("params.n", scope)
    assert isinstance(found, ex.Literal) and found.value == 7
    assert found.span.column == len("${{ p")
    taken = bound("inputs.reports", scope)
    assert isinstance(taken, ex.StepOutputRef) and taken.step == "fetch"
    inner = bound("steps.one.outputs.n", scope)
    assert isinstance(inner, ex.StepOutputRef) and inner.step == "call.one"


def test_params_of_a_component_are_its_inputs() -> None:
    scope = some_scope()
    scope.component_params = {"n": INTEGER}
    scope.inside("step", {"n": INTEGER}, {}, frozenset(), {"n": literal(7)})
    assert isinstance(bound("params.n", scope, Where.ARGUMENT), ex.InputRef)
    found = bound("params.n > params.x", scope, Where.ARGUMENT)
    assert isinstance(found, ex.Operation) and found.operands[0] == literal(7)


@pytest.mark.parametrize(
    ("text", "code", "message", "at"),
    [
        ("params.n == 's'", "MLC409", "an integer and a string", "'s'"),
        ("params.s > 3", "MLC409", "a string and an integer", "3"),
        ("params.flag < true", "MLC409", "numbers or texts", "params.flag"),
        ("params.n && params.flag", "MLC409", "true or false", "params.n"),
        ("!params.s", "MLC409", "true or false", "params.s"),
        ("params.maybe > 1", "MLC409", "may be null", "params.maybe"),
        ("1 == params.maybe", "MLC409", "may be null", "params.maybe"),
        ("params.n == null", "MLC409", "never null", "params.n"),
        ("params.list == params.list", "MLC409", "plain values", "params.list"),
        ("params.object == params.object", "MLC409", "plain values", "params.object"),
        ("inputs.reports == 's'", "MLC409", "found a Dataset", "inputs.reports"),
        ("params.n in params.n", "MLC409", "takes a list", "params.n"),
        ("params.n in params.list", "MLC409", "not known", "params.list"),
        ("params.n in params.words", "MLC409", "never in a list of strings", "params.n"),
        ("params.n in []", "MLC409", "empty list", "[]"),
        ("params.maybe in [1]", "MLC409", "may be null", "params.maybe"),
        ("params.list in [1]", "MLC409", "plain value", "params.list"),
        ("[1, 'a']", "MLC409", "one type", "'a'"),
        ("[null]", "MLC409", "plain values", "null"),
        ("[params.maybe]", "MLC409", "plain values", "params.maybe"),
        ("params.maybe ?? 's'", "MLC409", "an integer or null and a string", "'s'"),
        (
            "params.maybe_words ?? params.integers",
            "MLC409",
            "strings and an array",
            "params.integers",
        ),
        ("steps.one.outputs.data ?? 's'", "MLC409", "a Dataset and a string", "'s'"),
        ("(params.n > 1) ?? true", "MLC409", "needs a name", "params.n > 1"),
        ("steps.one", "MLC306", "incomplete", "steps.one"),
        ("steps.one.items", "MLC306", "no `foreach`", "items"),
        ("steps.one.inputs.n", "MLC306", "has no `inputs`", "inputs"),
        ("steps.two.outputs.n", "MLC301", "no step `two`", "two"),
        ("steps.group.outputs.n", "MLC302", "is a group", "group"),
        ("steps.one.outputs.m", "MLC302", "no output `m`", "m"),
        ("steps.in_both.outputs.data", "MLC402", "2 nested loops", "steps.in_both.outputs.data"),
        ("steps.in_both.items", "MLC308", "right outside", "steps.in_both.items"),
        ("each.x", "MLC305", "no list to loop over `x`", "x"),
        ("each", "MLC306", "incomplete", "each"),
        ("run.status", "MLC308", "`finally`", "status"),
        ("outputs.out == 's'", "MLC308", "`outputs` can't", "outputs"),
        ("params.nn", "MLC303", "no parameter `nn`", "nn"),
        ("nothing", "MLC305", "unknown name", "nothing"),
    ],
)
def test_mistakes(text: str, code: str, message: str, at: str) -> None:
    check_told(text, code, message, at, some_scope)


@pytest.mark.parametrize(
    ("text", "code", "message", "at", "scope"),
    [
        ("each.y", "MLC305", "`y`", "y", inside_fold),
        ("each.x.field", "MLC306", "no fields", "field", inside_fold),
        ("each.trial.depth", "MLC306", "no field `depth`", "depth", inside_fold),
        ("each.any > 1", "MLC409", "known only in the run", "each.any", inside_fold),
        ("steps.in_fold.items", "MLC308", "right outside", "steps.in_fold.items", inside_fold),
        ("steps.train.outputs.n", "MLC308", "`finally` can't", "train", in_finally),
    ],
)
def test_mistakes_in_places(
    text: str, code: str, message: str, at: str, scope: Callable[[], Scope]
) -> None:
    check_told(text, code, message, at, scope)


def check_told(text: str, code: str, message: str, at: str, of: Callable[[], Scope]) -> None:
    """One mistake is told, and exactly `at` is pointed at."""
    scope = of()
    written = embedded(text)
    assert bind(scalar(written), scope, Where.ARGUMENT, text=False) is None
    (found,) = scope.diagnostics
    assert found.code == code
    assert found.severity is Severity.ERROR
    assert message in found.message
    assert written[found.span.column - 1 : found.span.end_column - 1] == at


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("params.n == '3'", "take the quotes away: 3"),
        ("params.s == 3", "put it in quotes: '3'"),
        ("params.s == true", "put it in quotes: 'true'"),
        ("params.n == params.s", "declare it as `integer`"),
        ("params.maybe_flag && true", "?? false"),
        ("params.maybe_s == 's'", "?? ''"),
        ("params.n && true", "!= 0"),
        ("params.n in params.list", "items: {type: number}"),
    ],
)
def test_what_to_do_is_said(text: str, hint: str) -> None:
    scope = some_scope()
    assert bind(scalar(embedded(text)), scope, Where.ARGUMENT, text=False) is None
    assert hint in scope.diagnostics[0].hint


@pytest.mark.parametrize("text", ["params.n ?? 1", "(params.maybe ?? 1) ?? 2", "run.id ?? 's'"])
def test_a_fallback_that_is_never_used(text: str) -> None:
    scope = some_scope()
    bound(text, scope)
    (found,) = scope.diagnostics
    assert (found.code, found.severity) == ("MLC410", Severity.WARNING)


@pytest.mark.parametrize(
    "text", ["steps.one.outputs.n ?? 1", "params.maybe ?? 1", "steps.one.outputs.n ?? null ?? 1"]
)
def test_a_fallback_that_may_be_used(text: str) -> None:
    scope = some_scope()
    bound(text, scope)
    assert not scope.diagnostics


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${{ params.flag }}", ""),
        ("${{ params.n > 1 }}", ""),
        ("${{ params.maybe_flag ?? false }}", ""),
        ("${{ params.n }}", "found an integer"),
        ("${{ params.maybe_flag }}", "found a boolean or null"),
        ("${{ params.flag }} ", "found a string"),
        ("yes", "found a string"),
    ],
)
def test_conditions(text: str, message: str) -> None:
    scope = some_scope()
    found = bind_condition(scalar(text), scope)
    assert [d.code for d in scope.diagnostics] == (["MLC412"] if message else [])
    assert all(message in d.message for d in scope.diagnostics)
    assert (found is None) is bool(message)


def test_a_condition_that_is_a_literal() -> None:
    scope = some_scope()
    found = bind_condition(scalar("true"), scope)
    assert isinstance(found, ex.Literal) and found.value is True


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("[1, 2]", INTEGER),
        ("[1, 2.5]", NUMBER),
        ("[a, b]", ex.STRING),
        ("[{lr: 1}, {lr: 2}]", ex.ValueType("object")),
        ("[[1], [2]]", ex.ValueType("array")),
        ("[]", None),
        ("${{ params.words }}", ex.STRING),
        ("${{ params.list }}", None),
        ("${{ params.maybe_words ?? [] }}", ex.STRING),
        ("${{ ['a', 'b'] }}", ex.STRING),
        ("${{ steps.in_fold.outputs.n }}", INTEGER),
    ],
)
def test_lists_to_loop_over(text: str, items: ex.ValueType | None) -> None:
    scope = some_scope()
    found = bind_list(node(text), scope)
    assert found is not None, scope.diagnostics
    assert found.type == array(items)
    assert not scope.diagnostics


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("[1, a]", "MLC413", "one type"),
        ("[1, null]", "MLC413", "one type"),
        ("[null]", "MLC413", "one type"),
        ("[true, 1]", "MLC413", "one type"),
        ("3", "MLC413", "found an integer"),
        ("a", "MLC413", "found a string"),
        ("${{ params.n }}", "MLC413", "found an integer"),
        ("${{ params.maybe_words }}", "MLC413", "or null"),
        ("x${{ params.words }}", "MLC413", "found a string"),
        ('["${{ params.n }}"]', "MLC413", "one expression"),
        ("${{ steps.one.outputs.data }}", "MLC413", "found a Dataset"),
        ("${{ run.id }}", "MLC308", "can't be used"),
        ("[.nan]", "MLC506", "NaN"),
    ],
)
def test_what_is_no_list_to_loop_over(text: str, code: str, message: str) -> None:
    scope = some_scope()
    assert bind_list(node(text), scope) is None
    (found,) = scope.diagnostics
    assert found.code == code
    assert message in found.message


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("${{ steps.one.outputs.n }}", ""),
        ("${{ steps.one.outputs.n ?? 3 }}", ""),
        ("${{ steps.one.outputs.n ?? params.n }}", ""),
        ("${{ params.n }}", "MLC411"),
        ("${{ params.maybe ?? steps.one.outputs.n }}", "MLC411"),
        ("n: ${{ steps.one.outputs.n }}", "MLC411"),
        ("text", "MLC411"),
        ("${{ inputs.reports }}", "MLC308"),
    ],
)
def test_outputs_of_an_algorithm(text: str, code: str) -> None:
    scope = some_scope()
    found = bind_output(scalar(text), scope)
    assert [d.code for d in scope.diagnostics] == ([code] if code else [])
    assert (found is None) is bool(code)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("${{ params.n }}", ""),
        ("${{ params.s }}", ""),
        ("${{ params.maybe ?? 1 }}", ""),
        ("${{ params.maybe }}", "MLC403"),
        ("${{ params.flag }}", "MLC402"),
        ("${{ params.list }}", "MLC402"),
        ("${{ inputs.reports }}", "MLC402"),
    ],
)
def test_amounts(text: str, code: str) -> None:
    scope = some_scope()
    found = bind_amount(scalar(text), scope)
    assert [d.code for d in scope.diagnostics] == ([code] if code else [])
    assert (found is None) is bool(code)


def test_lists_of_artifacts() -> None:
    scope = some_scope()
    found = bind_value(
        node('["${{ inputs.reports }}", "${{ steps.one.outputs.data }}"]'), scope, Where.INPUT
    )
    assert isinstance(found, ex.ArtifactList)
    assert found.type == ex.ArtifactType("Dataset", is_list=True)
    assert bind_value(node('["${{ params.n }}"]'), scope, Where.INPUT) is None
    assert [d.code for d in scope.diagnostics] == ["MLC402"]


def test_text_does_not_take_what_may_be_null() -> None:
    scope = some_scope()
    text = "x${{ params.maybe ?? params.maybe }}"
    assert bind(scalar(text), scope, Where.ARGUMENT, text=True) is None
    assert [d.code for d in scope.diagnostics] == ["MLC403"]
