"""What the targets make of a pipeline, and what their engines would say to it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jsonschema import Draft202012Validator
from kfp_rules import broken
from kfp_spec import dangling, read

from compiler import TARGET_NAMES, targets
from compiler.ir import Pipeline
from compiler.settings import Project
from compiler.targets import Level

CONTRACTS = os.environ.get("MLC_ENGINE_CONTRACTS")


class Compiled(NamedTuple):
    """The text for a target, or the fields that it refuses."""

    text: str
    refused: tuple[str, ...]


def compiled(
    pipeline: Pipeline, project: Project, names: Iterable[str] = TARGET_NAMES
) -> dict[str, Compiled]:
    """By the names of targets. Losses that a team can accept are accepted."""
    found = {}
    for name in names:
        target = targets.target(name)
        settings = project.target(name)
        refused = [
            use.field
            for use in target.explain(pipeline, settings)
            if use.level is Level.REFUSED and not use.acceptable
        ]
        text = "" if refused else target.emit(pipeline, settings)
        found[name] = Compiled(text, tuple(dict.fromkeys(refused)))
    return found


def problems(target: str, text: str) -> list[str]:
    """What a target's engine says against a file: nothing, for what may be submitted."""
    if target == "kfp":
        found = read(text)
        return dangling(found) or broken(found)
    if target == "argo":
        return [
            error.message
            for document in yaml.load_all(text, yaml.CSafeLoader)
            for error in _schema(document["kind"]).iter_errors(document)
        ]
    compile(text, "pipeline.py", "exec")
    return []


@cache
def _schema(kind: str) -> Any:
    assert CONTRACTS, "MLC_ENGINE_CONTRACTS is unset, so there are no Argo schemas to check against"
    path = Path(CONTRACTS, "argo-4.1", f"{kind}.schema.json")
    return Draft202012Validator(json.loads(path.read_text()))
