"""The shapes of the Kubernetes API that are used here, as no contract of it is at hand."""

from __future__ import annotations

import copy
import functools
import json
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from .contract import contracts_folder
from .objects import ARGO_KINDS, KINDS, Json, KubeError, api_version

if TYPE_CHECKING:
    from .wire import Answer, Request

# Query parameters by method; `list` is a GET without a name.
_QUERIES: dict[str, frozenset[str]] = {
    "GET": frozenset(
        {
            *("labelSelector", "fieldSelector", "limit", "continue", "resourceVersion"),
            *("resourceVersionMatch", "timeoutSeconds", "watch", "allowWatchBookmarks", "pretty"),
            *("container", "follow", "previous", "sinceSeconds", "tailLines", "timestamps"),
        }
    ),
    "POST": frozenset({"dryRun", "fieldManager", "fieldValidation", "pretty"}),
    "PUT": frozenset({"dryRun", "fieldManager", "fieldValidation", "pretty"}),
    "PATCH": frozenset({"dryRun", "fieldManager", "fieldValidation", "force", "pretty"}),
    "DELETE": frozenset(
        {"dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy", "pretty"}
    ),
}
_VALUES = {
    "dryRun": ("All",),
    "fieldValidation": ("Ignore", "Warn", "Strict"),
    "propagationPolicy": ("Orphan", "Background", "Foreground"),
}
_PATCHES = ("application/merge-patch+json", "application/apply-patch+yaml")
_STATUS = {
    "type": "object",
    "required": ["kind", "apiVersion", "status"],
    "properties": {
        "kind": {"const": "Status"},
        "apiVersion": {"const": "v1"},
        "status": {"enum": ["Success", "Failure"]},
        "message": {"type": "string"},
        "reason": {"type": "string"},
        "code": {"type": "integer"},
        "details": {"type": "object"},
        "metadata": {"type": "object"},
    },
    "additionalProperties": False,
}


class Shapes:
    """As `Contract`: the checks return what is wrong."""

    def check_request(self, request: Request) -> list[str]:
        where = f"request {request.method} {request.path}"
        known = _QUERIES.get(request.method, frozenset())
        problems = [f"{where}: unknown parameter `{n}`" for n in request.query if n not in known]
        problems += [
            f"{where}: `{name}` can't be `{request.query[name]}`"
            for name, allowed in _VALUES.items()
            if name in request.query and request.query[name] not in allowed
        ]
        content = request.headers.get("content-type", "").split(";")[0]
        if request.method == "PATCH" and content not in _PATCHES:
            problems.append(f"{where}: no patch is called `{content}`")
        return problems

    def check_answer(self, request: Request, answer: Answer) -> list[str]:
        if answer.status < 400 or isinstance(answer.body, bytes):
            return []
        where = f"answer {answer.status} to {request.method} {request.path}"
        errors = Draft202012Validator(_STATUS).iter_errors(answer.body)
        return [f"{where}: {error.message}" for error in errors]


def check_schema(plural: str, given: Json, validation: str) -> Json:
    """The object as the API server keeps it: unknown fields dropped, or refused when `Strict`."""
    kind, version = given.get("kind"), given.get("apiVersion")
    if (kind, version) != (KINDS[plural], api_version(plural)):
        raise KubeError(
            400,
            "BadRequest",
            f"the API version or kind in the data ({version}, {kind}) does not "
            f"match the expected one ({api_version(plural)}, {KINDS[plural]})",
        )
    one = copy.deepcopy(given)
    validator = _validator(plural)
    if validator is None:
        return one
    for error in validator.iter_errors({k: v for k, v in one.items() if k != "status"}):
        path = ".".join(str(part) for part in error.absolute_path)
        if error.validator == "additionalProperties":
            holder: Any = one
            for part in error.absolute_path:
                holder = holder[part]
            for name in [key for key in holder if key not in error.schema.get("properties", {})]:
                if validation == "Strict":
                    field = f"{path}.{name}".lstrip(".")
                    text = f'strict decoding error: unknown field "{field}"'
                    raise KubeError(400, "BadRequest", text)
                holder.pop(name)
            continue
        name = one.get("metadata", {}).get("name", "")
        text = f'{KINDS[plural]}.argoproj.io "{name}" is invalid: {path}: {error.message[:300]}'
        raise KubeError(422, "Invalid", text)
    return one


@functools.cache
def _validator(plural: str) -> Draft202012Validator | None:
    folder = contracts_folder()
    if folder is None or plural not in ARGO_KINDS:
        return None
    path = folder / "argo-4.1" / f"{ARGO_KINDS[plural]}.schema.json"
    return Draft202012Validator(json.loads(path.read_text())) if path.exists() else None
