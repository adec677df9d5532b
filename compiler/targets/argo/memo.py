"""Reuse of earlier results by Argo's memoisation, where the project switches it on.

A step's key is a digest of its template and of the values that it takes. What an artifact is, is
known only by how it came about: a step hands its own key on beside its artifacts, and its URI
stands for what comes from outside. A step that may not be reused hands on the run in place of a
key, so that what follows from its artifacts is reused within that run at most.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable

from msgspec.structs import replace

from compiler.capture import words_of
from compiler.expr import (
    STRING,
    ArtifactType,
    Expr,
    Operation,
    ParamRef,
    PipelineInputRef,
    StepOutputRef,
    walk,
)
from compiler.ir import Step
from compiler.launch import Capture, Launch, Text
from compiler.targets.argo.plan import Data
from compiler.targets.argo.tags import digest, expression, input_parameter, run_field
from compiler.values import JsonValue, to_json

# With a dash, which no name of the language has.
_KEY = "mlc-key"


def is_memoised(step: Step, config_map: str | None, gathered: Container[tuple[str, str]]) -> bool:
    """Not where an output is `gathered`: rounds write these where the run looks for them."""
    return (
        config_map is not None
        and step.cache.enabled
        and bool(step.outputs)
        and not any((step.name, output.name) in gathered for output in step.outputs)
    )


def sources(launch: Launch) -> list[tuple[str, Expr]]:
    """The inputs that say how the artifacts of a memoised step came about, and what fills them."""
    return [(_key_of(capture), _origin(capture.ref)) for capture in _artifacts(launch)]


def _origin(ref: Expr) -> Expr:
    """An artifact's own key where it comes from a step, its URI where it comes from outside."""
    match ref:
        case StepOutputRef():
            return replace(ref, output=_KEY, type=STRING)
        case PipelineInputRef(name=name, span=span):
            return ParamRef(name, STRING, span)
        case Operation(operands=operands):
            return replace(ref, operands=tuple(map(_origin, operands)), type=STRING)
    return ref


def asked_for_keys(steps: Iterable[tuple[Step, Launch]]) -> set[str]:
    """The steps whose artifacts these memoised steps take."""
    return {
        part.step
        for _, launch in steps
        for capture in _artifacts(launch)
        for part in walk(capture.ref)
        if isinstance(part, StepOutputRef)
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


def handed_on(key: str | None, step: Step, rounds: str | None) -> Data:
    """The output that tells a step's consumers how its artifacts came about.

    Without a `key` of its own it is this run's, of the step and of the `rounds` of loops that the
    input of that name gives.
    """
    if key is None:
        own = f"{run_field('id')}+'/{step.name}'"
        key = expression(f"{own}+'/'+{input_parameter(rounds)}" if rounds else own)
    return {"name": _KEY, "value": key}


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
