"""The grammar of expressions: trees, precedence, and the place of every mistake."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.expressions import (
    Constant,
    Embedded,
    ExpressionError,
    Items,
    Operation,
    Path,
    Syntax,
    parse,
    split,
)


def shown(tree: Syntax) -> str:
    """Fully bracketed, so that precedence is seen."""
    match tree:
        case Constant(value=value):
            return json.dumps(value)
        case Path(root=root, accessors=accessors):
            return ".".join([root.name, *(a.name for a in accessors)])
        case Items(items=items):
            return f"[{', '.join(map(shown, items))}]"
        case Operation(sign="!", operands=(operand,)):
            return f"!{shown(operand)}"
        case Operation(sign=sign, operands=(left, right)):
            return f"({shown(left)} {sign} {shown(right)})"
    raise AssertionError(tree)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a || b && c", "(a || (b && c))"),
        ("a && b || c", "((a && b) || c)"),
        ("a || b || c", "((a || b) || c)"),
        ("a ?? b ?? c", "((a ?? b) ?? c)"),
        ("a ?? 1 >= 2 && b", "(((a ?? 1) >= 2) && b)"),
        ("!a ?? b", "(!a ?? b)"),
        ("!a.b == c", "(!a.b == c)"),
        ("!(a == b)", "!(a == b)"),
        ("!!a", "!!a"),
        ("a in [1, 'x', true, null]", '(a in [1, "x", true, null])'),
        ("a['b-c'].d[\"e\"]", "a.b-c.d.e"),
        ("-1.5e-3", "-0.0015"),
        ("[]", "[]"),
        ("[1,]", "[1]"),
        (r"'it\'s \u00e9 \ud83c\udf89'", '"it\'s \\u00e9 \\ud83c\\udf89"'),
        ("  a\n\t", "a"),
        ("true_ish", "true_ish"),
        ("steps.a.outputs.in", "steps.a.outputs.in"),
    ],
)
def test_trees(text: str, tree: str) -> None:
    assert shown(parse(text)) == tree


@pytest.mark.parametrize(
    ("text", "marked", "message"),
    [
        ("a b", "b", "unexpected"),
        ("a == b == c", "==", "can't be chained"),
        ("a and b", "and", "unexpected"),
        ("a = b", "=", "no meaning"),
        ("a + b", "+", "no meaning"),
        ("size(a)", "(", "no functions"),
        ("a.", "", "expected a name"),
        ("a[0]", "0", "quoted text"),
        ("a-b", "-", "not a number"),
        ("1.2.3", "1", "not a number"),
        ("", "", "expected a value"),
        ("(a", "", "expected `)`"),
        (r"'\q'", r"\q", "unknown escape"),
        (r"'\ud83c'", r"'\ud83c'", "surrogate"),
        ("'a", "'", "not closed"),
    ],
)
def test_mistakes_have_a_place(text: str, marked: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert message in caught.value.message
    assert text[caught.value.start : caught.value.end] == marked


def test_nesting_is_bounded() -> None:
    for text in ("(" * 9_000, "!" * 9_000 + "a", "[" * 9_000):
        with pytest.raises(ExpressionError, match="deep"):
            parse(text)


@given(st.text())
def test_any_text_parses_or_has_a_place(text: str) -> None:
    try:
        parse(text)
    except ExpressionError as wrong:
        assert 0 <= wrong.start <= len(text)


@given(st.lists(st.text(st.characters(codec="utf-8"))))
def test_literal_pieces_survive_splitting(texts: list[str]) -> None:
    plain = [t.replace("${{", "") for t in texts]
    text = "${{ x }}".join(t if not t.endswith(("$", "${")) else t + " " for t in plain)
    pieces = split(text)
    rebuilt = "".join("${{" + p.inner + "}}" if isinstance(p, Embedded) else p for p in pieces)
    assert rebuilt == text.replace("$${{", "${{")


def test_splitting() -> None:
    assert split("$${{ a }}") == ("${{ a }}",)
    assert split("a ${{ '}}' }} b") == ("a ", Embedded(" '}}' ", 2, 13), " b")
    assert split("") == ()
    with pytest.raises(ExpressionError, match="without its"):
        split("a ${{ b")
