"""Checks requests and answers against the engine's own OpenAPI contract, in both directions."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.jsonschema import DRAFT202012

if TYPE_CHECKING:
    from .wire import Answer, Request

VARIABLE = "MLC_ENGINE_CONTRACTS"
KFP = "kfp-2.17/api.swagger.json"
ARGO = "argo-4.1/api.swagger.json"

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_FORMATS = FormatChecker(formats=())
_FORMATS.checks("date-time")(lambda text: not isinstance(text, str) or bool(_TIME.fullmatch(text)))
_FORMATS.checks("int64")(
    lambda text: not isinstance(text, str) or bool(re.fullmatch(r"-?\d+", text))
)

# Where the contracts say less, or other, than the engines' own decoders do.
_LOOSER: dict[str, Any] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number"]},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer"]},
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": {"type": ["string", "null"]},
    # main.go (healthzResponse) writes these two beside what its swagger declares.
    "v2beta1GetHealthzResponse": {
        "type": "object",
        "additionalProperties": False,
        "required": ["commit_sha", "tag_name", "multi_user"],
        "properties": {
            "commit_sha": {"type": "string"},
            "tag_name": {"type": "string"},
            "multi_user": {"type": "boolean"},
            "pipeline_store": {"type": "string"},
        },
    },
}

# What an answer of the upload handlers looks like where they refuse (pipeline_upload_server.go).
_UPLOAD_ERROR = {
    "type": "object",
    "required": ["error_message"],
    "additionalProperties": False,
    "properties": {"error_message": {"type": "string"}, "error_details": {"type": "string"}},
}


def contracts_folder() -> Path | None:
    """The folder of the engines' contracts, or None where the environment names none."""
    folder = os.environ.get(VARIABLE)
    return Path(folder) if folder and Path(folder).is_dir() else None


@functools.cache
def load_contract(name: str) -> Contract | None:
    folder = contracts_folder()
    return None if folder is None else Contract(json.loads((folder / name).read_text()))


class Contract:
    """One OpenAPI 2 document. The checks return what is wrong, one sentence each."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        definitions = {
            name: _LOOSER.get(name) or _closed(schema)
            for name, schema in document["definitions"].items()
        }
        resource = DRAFT202012.create_resource({"definitions": definitions})
        self._registry: Registry[Any] = Registry().with_resource("contract:", resource)
        self._validators: dict[str, Draft202012Validator] = {}
        self._routes = [
            (_path_pattern(path), method.upper(), operation)
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
        ]
        # The most literal path first: `/pipelines/upload` before `/pipelines/{pipeline_id}`.
        self._routes.sort(key=lambda route: route[0].pattern.count("("))

    def covers(self, request: Request) -> bool:
        return self._find(request) is not None

    def check_request(self, request: Request) -> list[str]:
        found = self._find(request)
        if found is None:
            return []
        where = f"request {request.method} {request.path}"
        return [f"{where}: {problem}" for problem in self._request_problems(found, request)]

    def check_answer(self, request: Request, answer: Answer) -> list[str]:
        found = self._find(request)
        if found is None:
            return []
        where = f"answer {answer.status} to {request.method} {request.path}"
        responses = found["responses"]
        schema = responses.get(str(answer.status), responses.get("default", {})).get("schema")
        if answer.status >= 400 and "multipart/form-data" in found.get("consumes", ()):
            schema = _UPLOAD_ERROR
        if schema is None or isinstance(answer.body, bytes):
            return []
        bodies = answer.body if answer.stream else [answer.body]
        return [f"{where}: {text}" for body in bodies for text in self._problems(schema, body)]

    def _find(self, request: Request) -> dict[str, Any] | None:
        for pattern, method, operation in self._routes:
            if method == request.method and pattern.fullmatch(request.path):
                found: dict[str, Any] = operation
                return found
        return None

    def _request_problems(self, operation: dict[str, Any], request: Request) -> Iterator[str]:
        parameters = {(one["in"], one["name"]): one for one in operation.get("parameters", ())}
        for name, value in request.queries:
            declared = parameters.get(("query", name))
            if declared is None:
                yield f"the query parameter `{name}` is not in the contract"
            elif not _fits(declared, value):
                yield f"the query parameter `{name}` is no {declared['type']}: `{value}`"
        bodies = [one for (place, _), one in parameters.items() if place == "body"]
        if not bodies:
            content = request.headers.get("content-type", "")
            if request.body.strip() not in (b"", b"{}") and "multipart/form-data" not in content:
                yield "a body where the contract has none"
            return
        try:
            body = request.json()
        except ValueError:
            yield "the body is not JSON"
            return
        if body is None:
            yield "the body is missing"
            return
        yield from self._problems(bodies[0]["schema"], body)

    def _problems(self, schema: Mapping[str, Any], value: Any) -> Iterator[str]:
        key = json.dumps(schema, sort_keys=True)
        validator = self._validators.get(key)
        if validator is None:
            validator = Draft202012Validator(
                _closed(schema), registry=self._registry, format_checker=_FORMATS
            )
            self._validators[key] = validator
        error = best_match(validator.iter_errors(value))
        if error is not None:
            path = ".".join(str(part) for part in error.absolute_path)
            yield f"at `{path or '.'}`: {error.message[:500]}"


def _closed(schema: Any) -> Any:
    """The schema with its references absolute and unknown fields refused, as proto-JSON does."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        return {"$ref": "contract:" + schema["$ref"]}
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("description", "title", "default", "example") or key.startswith("x-"):
            continue
        if key == "properties":
            out[key] = {name: _closed(one) for name, one in value.items()}
        elif key == "required" and not isinstance(value, list):
            continue
        else:
            out[key] = _closed(value)
    if out.get("format") == "int64":
        # Printed as a string, read as either.
        out["type"] = ["string", "integer"]
    if out.get("type") == "object" and "properties" in out:
        out.setdefault("additionalProperties", False)
    return out


def _path_pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]+\})", path)
    return re.compile("".join("([^/:]+)" if p.startswith("{") else re.escape(p) for p in parts))


def _fits(declared: Mapping[str, Any], value: str) -> bool:
    kind = declared.get("type")
    if "enum" in declared and value not in declared["enum"]:
        return False
    if kind == "integer":
        return bool(re.fullmatch(r"-?\d+", value))
    if kind == "boolean":
        return value.lower() in ("true", "false", "1", "0")
    return True
