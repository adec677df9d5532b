"""Hyperparameters: what a value may be, from a file, a profile and the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler import frontend
from compiler.ir import REQUIRED, Param, Pipeline
from compiler.values import (
    MAX_INTEGER,
    ValueTextError,
    carrying_problem,
    from_text,
    kind_of,
    to_text,
)

HEAD = "apiVersion: mlc/v1\nkind: Algorithm\nname: demo\nsteps: {a: {command: [x]}}\nparams:\n"


def build(params: str, **overrides: str) -> frontend.Loaded:
    document = frontend.read(Path("spec.yaml"), "spec.yaml", (HEAD + params).encode())
    return frontend.build(document, overrides=overrides)


def param(definition: str, **overrides: str) -> Param:
    loaded = build(f"  p: {definition}\n", **overrides)
    assert isinstance(loaded.pipeline, Pipeline), loaded.diagnostics
    return loaded.pipeline.params[0]


@pytest.mark.parametrize(
    ("written", "kind", "default"),
    [
        ("5", "integer", 5),
        ("1e-3", "number", 0.001),
        ("true", "boolean", True),
        ("no", "string", "no"),
        ("1:30", "string", "1:30"),
        ("'5'", "string", "5"),
        ("[1, a]", "array", [1, "a"]),
        ("{default: {a: 1}}", "object", {"a": 1}),
        ("{type: string, default: 1.10}", "string", "1.10"),
        ("{type: string, default: 0644}", "string", "0644"),
        ("{type: number, default: 3}", "number", 3),
        ("{type: integer, default: 3.0}", "integer", 3),
        ("{type: integer, default: null}", "integer", None),
        ("{type: integer}", "integer", REQUIRED),
    ],
)
def test_definitions(written: str, kind: str, default: object) -> None:
    found = param(written)
    assert (found.kind, found.default, type(found.default)) == (kind, default, type(default))
    assert found.nullable == (default is None)


@pytest.mark.parametrize(
    ("definition", "given_", "value"),
    [
        ("5", "7", 7),
        ("0.5", "1", 1),
        ("0.5", " 1e-4\n", 1e-4),
        ("a", "", ""),
        ("a", " 5 ", " 5 "),
        ("true", "false", False),
        ("[1]", '["x", null]', ["x", None]),
        ("{type: integer, default: null}", "", None),
        ("{type: integer, default: null}", "3", 3),
    ],
)
def test_overrides_are_typed(definition: str, given_: str, value: object) -> None:
    found = param(definition, p=given_)
    assert (found.default, type(found.default)) == (value, type(value))


@pytest.mark.parametrize(
    ("definition", "given_", "message"),
    [
        ("5", "7.5", "wanted an integer"),
        ("5", "many", "found `many`, wanted an integer"),
        ("true", "True", "write `true`"),
        ("0.5", "NaN", "wanted a number"),
        ("{default: 5, maximum: 6}", "7", "7 is more than 6"),
        ("{default: 5, exclusiveMinimum: 0}", "0", "0 has to be more than 0"),
        ("{type: string, default: a, enum: [a, b]}", "c", "not one of `a` and `b`"),
        ("5", str(MAX_INTEGER + 1), "lose digits"),
        ("[1]", "{}", "wanted an array"),
    ],
)
def test_bad_overrides_are_refused_where_they_stand(
    definition: str, given_: str, message: str
) -> None:
    loaded = build(f"  p: {definition}\n", p=given_)
    (problem,) = loaded.diagnostics
    assert loaded.pipeline is None
    assert message in problem.message
    assert problem.code == "MLC505" and problem.span.path == "command line"
    shown = loaded.sources["command line"].text
    assert shown[problem.span.column - 1 : problem.span.end_column - 1] == given_.partition("\n")[0]


def test_an_unknown_override_names_the_nearest() -> None:
    loaded = build("  max_documents: 5\n", max_document="1")
    (problem,) = loaded.diagnostics
    assert (problem.code, problem.hint) == ("MLC303", "did you mean `max_documents`?")


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-MAX_INTEGER, MAX_INTEGER),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(codec="utf-8")),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values.filter(lambda v: v is not None and carrying_problem(v) is None))
def test_the_text_of_a_value_is_read_back_as_it(value: object) -> None:
    kind = kind_of(value)  # type: ignore[arg-type]
    assert kind is not None
    assert from_text(to_text(value), kind) == value  # type: ignore[arg-type]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_written_as_plain_decimals(value: float) -> None:
    text = to_text(value)
    assert "e" not in text.lower() and not text.endswith(".0")
    assert float(text) == value


@given(st.text(), st.sampled_from(["integer", "number", "boolean", "array", "object"]))
def test_any_text_is_a_value_or_is_refused(text: str, kind: str) -> None:
    try:
        value = from_text(text, kind)  # type: ignore[arg-type]
    except ValueTextError as problem:
        assert str(problem)
    else:
        assert kind_of(value) == kind or (kind == "number" and kind_of(value) == "integer")


def test_a_pattern_ends_where_json_schema_says() -> None:
    loaded = build('  p: {type: string, default: "abc\\n", pattern: "^[a-z]+$"}\n')
    assert [d.code for d in loaded.diagnostics] == ["MLC505"]
