"""The schema check accepts and rejects what the jsonschema library does."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler import resources, schema
from compiler.nodes import SourceFile
from compiler.source import parse

SPEC: dict[str, Any] = {
    "apiVersion": "mlc/v1",
    "kind": "Algorithm",
    "name": "doc_type",
    "description": "d",
    "owner": "o",
    "tags": ["a"],
    "labels": {"team": "x"},
    "image": "python:3.12",
    "env": {"A": "1", "B": 2},
    "params": {
        "n": 5,
        "lr": {"type": "number", "default": 0.1, "exclusiveMinimum": 0, "maximum": 1},
        "s": {"type": "string", "default": "a", "enum": ["a", "b"], "description": "x"},
        "l": {"default": [1], "items": {"type": "integer"}},
    },
    "inputs": {"reports": {"type": "Dataset", "default": "s3://a/b"}},
    "steps": {
        "one": {
            "command": ["python", "-m", "x", 3],
            "args": ["a", {"--b": True, "--c=": None}],
            "outputs": {"data": "Dataset", "rows": {"type": "integer", "description": "x"}},
            "resources": {
                "cpu": 2,
                "memory": {"request": "1Gi", "limit": "2Gi"},
                "gpu": {"count": 1, "type": "t4"},
            },
            "retry": {"max": 2, "backoff": "30s", "factor": 2},
            "timeout": "2h",
            "cache": {"key": "x", "max_age": "1d"},
        },
        "two": {
            "python": "a.b:c",
            "inputs": {"data": "${{ steps.one.outputs.data }}", "many": [1]},
            "needs": ["one"],
            "volumes": {"v": {"claim": "c", "mount": "/v"}, "w": {"empty": True, "mount": "/w"}},
            "pod": {
                "node_selector": {"a": "b"},
                "tolerations": [{"key": "k", "operator": "Exists"}],
                "security": {"run_as_user": 1000},
            },
            "retry": 2,
            "cache": False,
        },
        "three": {"script": "echo", "shell": "bash"},
    },
    "profiles": {"toy": {"params": {"n": 1}, "steps": {"one": {"resources": {"gpu": 0}}}}},
    "limits": {"parallel": 2, "timeout": "1h"},
    "sources": ["src/**"],
}
# What the spec's own words say and JSON Schema does not: quantities, durations, regular
# expressions and expressions where none can be.
BEYOND = {"MLC201", "MLC202", "MLC203", "MLC406"}


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    inner = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    for key, value in inner:
        found += places(value, (*path, key))
    return found


PLACES = [place for place in places(SPEC) if place]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.sampled_from([0.5, 1e-3, -1.0]),
    st.sampled_from(["", "a", "Model", "mlc/v1", "Algorithm", "x y", "/a", "a.b:c", "1Gi", "2h"]),
)
values = st.one_of(
    scalars,
    st.lists(scalars, max_size=2),
    st.dictionaries(
        st.sampled_from(["default", "type", "max", "count", "limit", "mount", "key", "a-b", "X"]),
        scalars,
        max_size=3,
    ),
)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    spec = copy.deepcopy(SPEC)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(PLACES))
        owner: Any = spec
        try:
            for key in place[:-1]:
                owner = owner[key]
            match draw(st.sampled_from(["replace", "remove", "rename", "add"])):
                case "replace":
                    owner[place[-1]] = draw(values)
                case "remove":
                    del owner[place[-1]]
                case "rename":
                    owner[draw(st.sampled_from(["zzz", "a-b", "command", "A"]))] = owner.pop(
                        place[-1]
                    )
                case "add":
                    owner[place[-1]][draw(st.sampled_from(["zzz", "script", "n"]))] = draw(values)
        except (KeyError, IndexError, TypeError, AttributeError):
            continue
    return spec


def verdict(spec: Any) -> bool:
    file = SourceFile("spec.yaml", json.dumps(spec))
    root, problems = parse(file)
    assert root is not None and not problems
    found = schema.check(root, "algorithm")
    return not [d for d in found if d.code not in BEYOND]


validator = jsonschema.Draft202012Validator(
    json.loads(resources.read_text("schemas/algorithm.schema.json"))
)


@settings(max_examples=400, deadline=None)
@given(mutated())
def test_the_check_agrees_with_jsonschema(spec: dict[str, Any]) -> None:
    assert verdict(spec) == validator.is_valid(spec)


def test_the_unchanged_spec_is_valid() -> None:
    validator.validate(SPEC)
    assert verdict(SPEC)


@pytest.mark.parametrize("name", ["algorithm", "project"])
def test_the_schemas_are_schemas_with_an_id_and_words(name: str) -> None:
    data = json.loads(resources.read_text(f"schemas/{name}.schema.json"))
    jsonschema.Draft202012Validator.check_schema(data)
    assert data["$id"] == f"urn:mlc:v1:{name}"
    for key, value in data["properties"].items():
        assert value.get("description") or "$ref" in value, key


def test_every_keyword_of_the_schemas_is_understood() -> None:
    known = {
        "$schema", "$id", "$ref", "$defs", "title", "description", "examples", "default",
        "type", "enum", "const", "format", "minimum", "minLength", "pattern", "properties",
        "additionalProperties", "propertyNames", "required", "minProperties", "items",
        "minItems", "oneOf",
    }  # fmt: skip

    def keywords(data: Any) -> set[str]:
        if isinstance(data, list):
            return set().union(*map(keywords, data))
        if not isinstance(data, dict):
            return set()
        found = set(data)
        for key, value in data.items():
            if key == "examples":
                continue
            named = key in ("properties", "$defs")
            found |= set().union(*map(keywords, value.values())) if named else keywords(value)
        return found

    for path in Path(resources.folder("schemas")).glob("*.schema.json"):
        assert keywords(json.loads(path.read_text())) <= known
