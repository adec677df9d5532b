"""The published schemas as an editor of one project gets them: each complete in itself, with what
the project knows where the language only says that there is something."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from msgspec import Struct

from compiler import schema
from compiler.codes import CODES
from compiler.schema_hints import Schema


class Known(Struct, frozen=True):
    """What a project has: names of GPU types, and its specs by kind, from its root."""

    gpus: Sequence[str] = ()
    specs: Mapping[str, Sequence[PurePosixPath]] = {}


# By the names that `mlc schema` takes; `any` picks by `kind`.
SCHEMAS = ("any", "algorithm", "component", "base", "project")


def editor_schema(name: str, known: Known) -> Schema:
    """One of `SCHEMAS` as JSON data, without references to other files."""
    if name == "project":
        return _with_markdown(_with_codes(schema.published("project")))
    whole = _with_known(schema.published("language"), known)
    if name != "any":
        definition = whole["$defs"][name]
        whole = {
            "$schema": whole["$schema"],
            "$id": f"urn:mlc:v1:{name}",
            **{key: definition[key] for key in ("title", "description")},
            "$ref": f"#/$defs/{name}",
            "$defs": whole["$defs"],
        }
        reached = _reached({"$ref": whole["$ref"]}, whole["$defs"], set())
        whole["$defs"] = {key: value for key, value in whole["$defs"].items() if key in reached}
    return _with_markdown(whole)


def _with_known(whole: Schema, known: Known) -> Schema:
    definitions = whole["$defs"]
    if known.gpus:
        definitions["gpu_type"]["enum"] = list(known.gpus)
        definitions["gpu_type"]["examples"] = list(known.gpus[:1])
    # Components name no other files.
    folders = {path.parent for kind in ("Algorithm", "Base") for path in known.specs.get(kind, ())}
    for key, kinds in (("use", ("Component", "Algorithm")), ("extends", ("Base", "Algorithm"))):
        targets = [path for kind in kinds for path in known.specs.get(kind, ())]
        # Paths count from the file that they are written in, and one schema serves all files.
        written = (os.path.relpath(path, folder) for path in targets for folder in sorted(folders))
        paths = list(dict.fromkeys(PurePosixPath(path).as_posix() for path in written))
        if paths:
            del definitions[key]["examples"]
            definitions[key]["anyOf"] = [{"enum": paths}, {"type": "string"}]
    return whole


def _with_codes(whole: Schema) -> Schema:
    """With the codes of diagnostics where a policy takes them."""
    policy = whole["properties"]["policy"]["properties"]
    severity = policy["severity"]
    kinds = severity["additionalProperties"]
    severity["properties"] = {
        code: {**kinds, "description": f"How it counts: {about}."} for code, about in CODES.items()
    }
    policy["enforced"]["items"]["examples"] = list(CODES)
    return whole


def _reached(part: Any, definitions: Schema, found: set[str]) -> set[str]:
    """The names of the definitions that a part of a schema leads to."""
    for item in part if isinstance(part, list) else ():
        _reached(item, definitions, found)
    for key, value in part.items() if isinstance(part, dict) else ():
        if key != "$ref":
            _reached(value, definitions, found)
            continue
        name = value.removeprefix("#/$defs/")
        if name not in found:
            found.add(name)
            _reached(definitions[name], definitions, found)
    return found


def _with_markdown(part: Schema) -> Schema:
    """With descriptions as the Markdown that they are; editors take plain ones for text."""
    told: Schema = {}
    for key, value in part.items():
        if isinstance(value, dict):
            told[key] = _with_markdown(value)
        elif isinstance(value, list) and key not in ("examples", "enum"):
            told[key] = [_with_markdown(v) if isinstance(v, dict) else v for v in value]
        else:
            told[key] = value
        is_said = key in ("description", "enumDescriptions") and isinstance(value, (str, list))
        # Beside a reference always: the Markdown of what it leads to would win.
        if is_said and ("`" in str(value) or "$ref" in part):
            told[f"markdown{key[0].upper()}{key[1:]}"] = value
    return told
