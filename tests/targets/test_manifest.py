"""The manifest printer: every reader, of YAML 1.1 and of 1.2, gets back what went in."""

from __future__ import annotations

import io
import json
import math
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from go_programs import go_program
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from compiler.targets.manifest import dump, dump_all
from compiler.values import JsonValue

TRAPS = [
    *("1e-4", "1e3", "y", "Y", "N", "n", "yes", "No", "ON", "off", "true", "False", "TRUE"),
    *("null", "Null", "~", "", "nan", ".nan", ".NaN", "inf", "-inf", ".inf", "-.Inf", "Infinity"),
    *("0o17", "017", "0x1F", "0b11", "1:30", "1:30:45.5", ".5", "5.", "-.5", "+1", "-1", "1_000"),
    *("2026-11-23", "2026-11-23T10:00:00Z", "=", "<<", "-", "--", "---", "...", "- a", "? a", ":"),
    *(
        "a: b",
        "a:b",
        "a:",
        ": a",
        "a #b",
        "a#b",
        "#a",
        " a",
        "a ",
        "a  b",
        "\ta",
        "a\tb",
        "@a",
        "`a",
    ),
    *(
        "&a",
        "*a",
        "!a",
        "!!str a",
        "%a",
        "%YAML 1.1",
        "|",
        ">",
        "|-",
        "[a]",
        "{a}",
        "{{a}}",
        "a, b",
    ),
    *("'a'", '"a"', "it's", 'say "hi"', "\\", "\\n", "a\\b'c\"", "'", '"', "''", "--limit", "-m"),
    *(
        "-ec",
        "-n",
        "-y",
        "-e5",
        "a\nb",
        "a\nb\n",
        "a\nb\n\n",
        "\na",
        "\n",
        "\n\n",
        " a\nb",
        "a\n b",
    ),
    *(
        "a\n\nb",
        "a \nb",
        "a\n \nb",
        "a\nb\n ",
        "a\nb\n \n",
        "a\n\tb",
        "\ta\nb",
        "a\nb \n",
        "#a\n#b",
    ),
    *("a: b\nc: d\n", "---\na\n...\n", "a\r\nb", "a\rb", "\r", "a\x85b", "a\nb\x85c", "a\u2028b"),
    *("a\n\u2029b", "\ufeffa", "a\ufeff", "a\n\ufeffb", "\x00", "\x07", "\x1b[0m", "\x7f", "\x9f"),
    *(
        "a\n\x7fb",
        "\ufffe",
        "\uffff",
        "\ufdd0",
        "é",
        "日本",
        "😀",
        "🫩",
        "a\n😀\n",
        "\U0010ffff",
        "\xa0",
    ),
    *(
        "\xa0a\nb",
        "\u3000a",
        "\u00ad",
        "\u200b",
        "\u202e",
        "$(A)",
        "$$",
        "{{=replace(x,'$','$$')}}",
    ),
    *("x" * 2000, "x y " * 400 + "z", "line\n" * 300, "é" * 600 + "\n" + "a" * 1200, "'" * 300),
]

texts = st.one_of(
    st.sampled_from(TRAPS),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(st.sampled_from("ab01_-+.:#,'\"\\ \n\t\r{}[]&*!|>%@`=~?<$\x85\u2028\ufeff")),
    st.from_regex(r"[-+]?[0-9_.:eExo]{1,6}", fullmatch=True),
    st.lists(st.sampled_from(TRAPS), min_size=2, max_size=4).map("\n".join),
)
numbers = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)
data = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(texts, inner)),
    max_leaves=20,
)


def read_pyyaml(text: str) -> Any:
    return yaml.safe_load(text)


def read_ruamel(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(io.StringIO(text))


@pytest.fixture(scope="session")
def read_go() -> Callable[[str], Any]:
    """A reader of one document through sigs.k8s.io/yaml, as Kubernetes reads it."""
    program = go_program("yamlreader")

    def read(text: str) -> Any:
        done = subprocess.run([program], input=text.encode(), capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    return read


def same(found: Any, wanted: Any) -> bool:
    """Equal in value and in type; JSON does not tell 1.0 from 1, nor does Go."""
    if isinstance(wanted, dict):
        return (
            isinstance(found, dict)
            and list(found) == list(wanted)
            and all(same(found[k], v) for k, v in wanted.items())
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list) and len(found) == len(wanted) and all(map(same, found, wanted))
        )
    if isinstance(wanted, float):
        return isinstance(found, int | float) and float(found) == wanted
    return type(found) is type(wanted) and found == wanted


def same_in_any_order(found: Any, wanted: Any) -> bool:
    """`same` for Go, which sorts keys."""
    return same(_sorted(found), _sorted(wanted))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return list(map(_sorted, value)) if isinstance(value, list) else value


def places(text: str) -> JsonValue:
    """A text wherever one can stand."""
    return {
        "value": text,
        text: "key",
        "list": [text, [text, [text]], {"in": text, text: [text], "last": text}],
        "nested": {"deeper": {text: {"x": text}}},
    }


@pytest.mark.parametrize("read", [read_pyyaml, read_ruamel])
@pytest.mark.parametrize("text", TRAPS)
def test_traps_come_back(text: str, read: Callable[[str], Any]) -> None:
    wanted = places(text)
    assert same(read(dump(wanted)), wanted)
    assert same(read(dump(text)), text)


def test_traps_come_back_from_go(read_go: Callable[[str], Any]) -> None:
    found = read_go(dump([places(text) for text in TRAPS]))
    for text, got in zip(TRAPS, found, strict=True):
        assert got == places(text), repr(text)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data)
def test_anything_comes_back(value: Any) -> None:
    text = dump(value)
    assert same(read_pyyaml(text), value)
    assert same(read_ruamel(text), value)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(data, min_size=1))
def test_anything_comes_back_from_go(read_go: Callable[[str], Any], value: Any) -> None:
    assert same_in_any_order(read_go(dump(value)), value)


@given(texts)
def test_a_text_is_written_in_printable_characters(text: str) -> None:
    assert all(c == "\n" or c.isprintable() or ord(c) > 0x9F for c in dump(places(text)))


def test_several_documents() -> None:
    documents: list[JsonValue] = [{"a": "---"}, ["b\n---\nc\n"], "d"]
    assert list(yaml.safe_load_all(dump_all(documents))) == documents


def test_layout() -> None:
    script = "set -e\n\n  indented: yes # kept\n"
    assert dump(
        {
            "name": "doc-type",
            "args": ["--limit", "1e-4", "{{inputs.parameters.n}}", script],
            "image": "registry.example.com/ia/doc-type:1.2",
            "said": 'so "they" say',
            "empty": {"a": [], "b": {}, "c": None},
            "nested": [[1, True], [{"x": 0.5, "y": 1e-7}]],
        }
    ) == (
        "name: doc-type\n"
        "args:\n"
        "- --limit\n"
        '- "1e-4"\n'
        '- "{{inputs.parameters.n}}"\n'
        "- |\n"
        "  set -e\n"
        "\n"
        "    indented: yes # kept\n"
        "image: registry.example.com/ia/doc-type:1.2\n"
        "said: 'so \"they\" say'\n"
        "empty:\n"
        "  a: []\n"
        "  b: {}\n"
        "  c: null\n"
        "nested:\n"
        "- - 1\n"
        "  - true\n"
        "- - x: 0.5\n"
        '    "y": 1.0e-07\n'
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, "\ud83d", "a\n\udc00b\n", {"\ud800": 1}])
def test_what_has_no_text_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        dump([value])
