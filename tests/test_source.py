"""YAML to nodes: values by the 1.2 core schema, exact places, bounded time for any bytes."""

from __future__ import annotations

import io
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from compiler.nodes import Mapping, Scalar, Sequence, SourceFile, resolve_plain, to_value
from compiler.source import parse, parse_bytes

PLAIN = [
    "", "~", "null", "Null", "nULL", "true", "True", "tRUE", "yes", "no", "on", "off", "y", "N",
    "0", "1", "-1", "+1", "0644", "0o17", "0x1F", "1_000", "1:30", "1e-3", "1e3", "-1.5E+2",
    ".5", "5.", "1.10", ".", "-", "+", "1.2.3", ".inf", "-.INF", ".nan", ".NaN", "inf", "nan",
    "2026-11-01", "12e", "e1", "0o8", "0xg", "--1", "1e", "=", "a b",
]  # fmt: skip


@pytest.mark.parametrize("text", [t for t in PLAIN if t not in ("-", "=")])
def test_plain_scalars_mean_what_ruamel_says_of_yaml_1_2(text: str) -> None:
    yaml = YAML(typ="safe", pure=True)
    expected = yaml.load(io.StringIO(f"%YAML 1.2\n---\na: {text}\n"))["a"]
    found = resolve_plain(text)
    if text == "1_000" or text == "2026-11-01":
        # ruamel goes beyond the core schema here.
        assert found == text
    elif isinstance(expected, float) and math.isnan(expected):
        assert isinstance(found, float) and math.isnan(found)
    else:
        assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize("text", ["a:\tb\n", "a: \t b\t\n", "a:\tb\t# c\n", 'a:\t"b"\t\n'])
def test_a_tab_that_indents_nothing_is_a_space(text: str) -> None:
    """Example 6.3 of YAML 1.2; ruamel refuses it."""
    root, found = parse(SourceFile("spec.yaml", text))
    assert not found
    assert root is not None
    assert to_value(root) == {"a": "b"}


# Refused in keys and around plain values: see `compiler.signs`.
LOOK_ALIKES = "".join(
    map(chr, [0xA0, 0x1680, *range(0x2000, 0x200E), 0x202F, 0x205F, 0x2060, 0x3000])
)
LOOK_ALIKES += "“”„‘’‚"
texts = st.text(
    st.characters(
        codec="utf-8",
        exclude_characters="\x7f\x85\u2028\u2029\ufeff" + LOOK_ALIKES,
        exclude_categories=["Cc", "Cs"],
    ),
    max_size=20,
)
data = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**6), 10**6), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(texts.filter(bool), inner, max_size=4)
    ),
    max_leaves=20,
)


def written(value: object) -> str:
    yaml = YAML(typ="safe", pure=True)
    # Block style: libyaml's flow style follows YAML 1.1 in not taking a text that starts with `:`.
    yaml.default_flow_style = False
    stream = io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()


@settings(deadline=None)
@given(st.dictionaries(texts.filter(bool), data, max_size=4))
def test_what_ruamel_writes_is_read_back(value: dict[str, object]) -> None:
    root, problems = parse(SourceFile("a", written(value)))
    assert problems == [] and root is not None
    assert to_value(root) == value


@settings(deadline=None)
@given(st.dictionaries(texts.filter(bool), data, min_size=1, max_size=4))
def test_every_place_holds_its_scalar(value: dict[str, object]) -> None:
    file = SourceFile("a", written(value))
    root, _ = parse(file)
    assert root is not None

    def scalars(node: object) -> list[Scalar]:
        match node:
            case Scalar():
                return [node]
            case Sequence():
                return [s for item in node.items for s in scalars(item)]
            case Mapping():
                return [s for _, e in node for s in (e.key, *scalars(e.value))]
        raise AssertionError(node)

    lines = file.lines()
    for scalar in scalars(root):
        span = scalar.span
        if span.line == span.end_line and scalar.plain and scalar.text:
            assert lines[span.line - 1][span.column - 1 : span.end_column - 1] == scalar.text


@settings(max_examples=300, deadline=1000)
@given(st.binary(max_size=300))
@example(b"- " * 300_000)
@example(b"[" * 500_000)
@example(b"{a: " * 100_000)
@example(b"? " * 100_000)
@example(b"a: &a [*a]\n")
@example(b"\xef\xbb\xbfname: a\n")
@example(b"a: 1\r\nb: 2\r\n")
@example(b"a: !!binary x\n")
@example(b"%YAML 1.1\n---\na: 1\n")
@example(b"%TAG ! x\n---\na: 1\n")
@example("a: \U0001f389\ud7ff".encode())
@example(b"!x")
@example(b"a: " + b"9" * 5000)
@example(b"x" * (1 << 21))
def test_any_bytes_give_a_tree_or_a_place(content: bytes) -> None:
    root, file, problems = parse_bytes(content, "a")
    assert root is not None or problems
    lines = file.lines()
    for problem in problems:
        assert 1 <= problem.span.line <= len(lines)
        assert 1 <= problem.span.column <= len(lines[problem.span.line - 1]) + 1


def test_carriage_returns_and_a_byte_order_mark_do_no_harm() -> None:
    root, _, problems = parse_bytes(b"\xef\xbb\xbfa: 1\r\nb:\r\n  - x\r\n", "a")
    assert problems == [] and root is not None
    assert to_value(root) == {"a": 1, "b": ["x"]}
