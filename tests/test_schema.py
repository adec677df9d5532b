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
from referencing import Registry, Resource

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


def published(name: str) -> Any:
    return json.loads(resources.read_text(f"schemas/{name}.schema.json"))


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
    found = schema.check(root, "language")
    return not [d for d in found if d.code not in BEYOND]


validator = jsonschema.Draft202012Validator(published("language"))


@settings(max_examples=400, deadline=None)
@given(mutated())
def test_the_check_agrees_with_jsonschema(spec: dict[str, Any]) -> None:
    assert verdict(spec) == validator.is_valid(spec)


def test_the_unchanged_spec_is_valid() -> None:
    validator.validate(SPEC)
    assert verdict(SPEC)


@pytest.mark.parametrize("name", ["language", "project", "diagnostics"])
def test_the_schemas_are_schemas_with_an_id(name: str) -> None:
    data = published(name)
    jsonschema.Draft202012Validator.check_schema(data)
    assert data["$id"] == f"urn:mlc:v1:{name}"


@pytest.mark.parametrize("kind", schema.KINDS)
def test_the_schema_of_one_kind_takes_that_kind(kind: str) -> None:
    """They lead to the schema of the language, as files beside it and on a server."""
    registry = Registry(retrieve=retrieve)
    one = jsonschema.Draft202012Validator(published(kind.lower()), registry=registry)
    assert [k for k in schema.KINDS if one.is_valid(HEADS[k])] == [kind]
    assert not one.is_valid({**HEADS[kind], "zzz": 1})


HEADS: dict[str, dict[str, Any]] = {
    kind: {"apiVersion": "mlc/v1", "kind": kind, "name": "demo"} for kind in schema.KINDS
}


def retrieve(uri: str) -> Resource[Any]:
    data = published(uri.removesuffix(".schema.json"))
    return Resource.from_contents({k: v for k, v in data.items() if k != "$id"})


def test_every_keyword_of_the_schemas_is_understood() -> None:
    known = {
        "$schema", "$id", "$ref", "$defs", "title", "description", "examples", "default",
        "enumDescriptions", "type", "enum", "const", "format", "minimum", "maximum", "minLength",
        "pattern",
        "properties", "additionalProperties", "propertyNames", "required", "minProperties",
        "items", "minItems", "oneOf",
    }  # fmt: skip
    for path in Path(resources.folder("schemas")).glob("*.schema.json"):
        data = json.loads(path.read_text())
        if path.name.startswith("language"):
            # Which kind of spec it is, the check asks by itself.
            for word in ("if", "then", "else"):
                del data[word]
        assert {key for part in parts(data) for key in part} <= known


# The words for people: in hovers and completions of editors.
DESCRIBED = ["language", "project"]


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_key_is_described(name: str) -> None:
    whole = schema.load(name)
    bare = {
        key
        for part in parts(whole)
        for key, inner in part.get("properties", {}).items()
        if not inner.get("description") and inner.keys() != {"const"}  # what asks for the kind
    }
    assert not bare


@pytest.mark.parametrize("name", DESCRIBED)
def test_descriptions_are_one_line(name: str) -> None:
    for part in parts(schema.load(name)):
        said = [part.get("description", "A."), *part.get("enumDescriptions", ())]
        for text in said:
            assert "\n" not in text and len(text) <= 170 and text.endswith("."), text
        if "enumDescriptions" in part:
            assert len(part["enumDescriptions"]) == len(part["enum"])


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_key_shows_what_to_write(name: str) -> None:
    """By an example, a default or the values that it takes; or its own keys show it."""
    for part in parts(schema.load(name)):
        for key, inner in part.get("properties", {}).items():
            ways = [inner, *inner.get("oneOf", ())]
            shown = {"examples", "default", "enum", "const", "properties"}
            assert any(shown & way.keys() for way in ways), key


def test_examples_and_defaults_are_valid() -> None:
    """For the jsonschema library, and for the check."""
    count = 0
    for name in DESCRIBED:
        whole = published(name)
        for part in parts(whole):
            if "description" not in part:
                continue
            key = {"properties": {"key": part}, "$defs": copy.deepcopy(whole["$defs"])}
            judge, own = jsonschema.Draft202012Validator(key), schema.linked(copy.deepcopy(key))
            for value in [*part.get("examples", ()), *[part[k] for k in ["default"] if k in part]]:
                count += 1
                judge.validate({"key": value})
                root, problems = parse(SourceFile("spec.yaml", json.dumps({"key": value})))
                assert root is not None and not problems
                assert not schema.check_against(root, own), value
    assert count > 150


def parts(whole: Any) -> list[dict[str, Any]]:
    """Every schema in a schema, each once."""
    found: list[dict[str, Any]] = []
    seen: set[int] = set()

    def walk(data: Any, *, named: bool = False) -> None:
        if isinstance(data, list):
            for item in data:
                walk(item)
        elif isinstance(data, dict) and id(data) not in seen:
            seen.add(id(data))
            if not named:
                found.append(data)
            for key, value in data.items():
                if named or key not in ("examples", "default", "enum", "const"):
                    walk(value, named=not named and key in ("properties", "$defs"))

    walk(whole)
    return found
