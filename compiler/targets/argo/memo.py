"""Reuse of earlier results by Argo's memoisation, where the project switches it on.

A step's key is a digest of its template and of the values that it takes. What an artifact is, is
known only by how it came about: a step hands its own key on beside its artifacts, and its URI
stands for what comes from outside. A step that may not be reused hands on the run in place of a
key, so that what follows from its artifacts is reused within that run at most.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from compiler.capture import words_of
from compiler.expr import ArtifactType, PipelineInputRef, StepOutputRef
from compiler.ir import Step
from compiler.launch import Capture, Launch, Text
from compiler.targets.argo.plan import Anywhere, Data, FromStep
from compiler.targets.argo.tags import (
    digest,
    expression,
    input_parameter,
    run_field,
    workflow_parameter,
)
from compiler.values import JsonValue, to_json

# With a dash, which no name of the language has.
_KEY = "mlc-key"


def is_memoised(step: Step, config_map: str | None) -> bool:
    return config_map is not None and step.cache.enabled and bool(step.outputs)


def sources(launch: Launch) -> list[tuple[str, Anywhere | FromStep]]:
    """The inputs that say how the artifacts of a memoised step came about, and what fills them."""
    found: list[tuple[str, Anywhere | FromStep]] = []
    for capture in _artifacts(launch):
        match capture.ref:
            case StepOutputRef(step=step):
                found.append((_key_of(capture), FromStep(step, _KEY)))
            case PipelineInputRef(name=name):
                found.append((_key_of(capture), Anywhere(workflow_parameter(name))))
    return found


def asked_for_keys(steps: Iterable[tuple[Step, Launch]], config_map: str | None) -> set[str]:
    """The steps whose artifacts a memoised step takes."""
    return {
        capture.ref.step
        for step, launch in steps
        if is_memoised(step, config_map)
        for capture in _artifacts(launch)
        if isinstance(capture.ref, StepOutputRef)
    }


def key(template: Data, step: Step, launch: Launch) -> str:
    """The tag of a memoised step's key."""
    values = [c.name for c in launch.captures if not isinstance(c.type, ArtifactType)]
    names = (*values, *map(_key_of, _artifacts(launch)))
    return expression(digest([f"'{_fixed(template, step, launch)}'", *map(input_parameter, names)]))


def fields(key: str, step: Step, config_map: str) -> Data:
    """The `memoize` of a template; results are kept in a ConfigMap, which holds 1 MiB."""
    age = step.cache.max_age
    return {
        "key": key,
        "maxAge": "" if age is None else f"{age}s",
        "cache": {"configMap": {"name": config_map}},
    }


def handed_on(key: str | None) -> Data:
    """The output that tells a step's consumers how its artifacts came about."""
    return {"name": _KEY, "value": key or expression(run_field("id"))}


def _fixed(template: Data, step: Step, launch: Launch) -> str:
    """A digest of what is known when the spec is compiled."""
    facts: list[JsonValue] = [template]
    if step.cache.key is not None:
        word = words_of(step, launch.captures).word(step.cache.key)
        facts += [slot.text if isinstance(slot, Text) else {"value": repr(slot)} for slot in word]
    return hashlib.sha256(to_json(facts).encode()).hexdigest()


def _artifacts(launch: Launch) -> list[Capture]:
    return [c for c in launch.captures if isinstance(c.type, ArtifactType)]


def _key_of(artifact: Capture) -> str:
    return f"{_KEY}-{artifact.name}"
