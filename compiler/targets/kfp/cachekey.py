"""What has to enter KFP's cache key besides what does so by itself.

The fingerprint holds the image, the words of the command, the values of the input parameters, the
identity of the input artifacts and the outputs' types (backend/src/v2/cacheutils/cache.go), but
not the environment. A digest of the rest goes in as a constant input.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from compiler.expr import (
    ArtifactList,
    Concat,
    EachRef,
    Expr,
    InputRef,
    ListOf,
    Literal,
    Operation,
    OutputPath,
    ParamRef,
    PipelineInputRef,
    RunRef,
    SecretRef,
    StepOutputRef,
    VolumePath,
)
from compiler.ir import Step
from compiler.launch import Launch, Text
from compiler.values import JsonValue, to_json


def twins(steps: Iterable[tuple[Step, Launch]]) -> frozenset[str]:
    """Those of some steps that write artifacts, each with its launch, that differ by name only, or
    by their inputs.

    KFP may take the result of one for the other's, and then there is one artifact where two are
    wanted: a task that takes it twice fails (`compiler.targets.kfp.artifacts`).
    """
    groups: dict[str, list[str]] = {}
    for step, launch in steps:
        if step.cache.enabled:
            outputs = [(output.name, output.type) for output in step.outputs]
            same = repr((step.image, step.workdir, launch.argv, outputs))
            groups.setdefault(same, []).append(step.name)
    return frozenset(name for group in groups.values() if len(group) > 1 for name in group)


def digest(step: Step, launch: Launch, *, is_twin: bool) -> str | None:
    """A short digest of the container's environment, its secrets' names, the step's `cache.key`,
    and its name if it has twins.

    Run-time values in a key are inputs of the component, and so in the fingerprint already; the
    digest says where they stand. None where there is nothing to add.
    """
    facts: dict[str, JsonValue] = {"step": step.name} if is_twin else {}
    if launch.env:
        facts["env"] = {
            name: "".join(part.text for part in word if isinstance(part, Text))
            for name, word in launch.env
        }
    if launch.secrets:
        facts["secrets"] = {name: [ref.name, ref.key] for name, ref in launch.secrets}
    if step.cache.key is not None:
        facts["key"] = _shape(step.cache.key, step)
    return hashlib.sha256(to_json(facts).encode()).hexdigest()[:16] if facts else None


def _shape(expression: Expr, step: Step) -> JsonValue:
    """An expression as JSON: literals by value, what is known only at run time by its name."""
    match expression:
        case Literal(value=value):
            return {"value": value}
        case Concat(parts=parts) | ArtifactList(items=parts) | ListOf(items=parts):
            return [_shape(part, step) for part in parts]
        case InputRef(name=name):
            return _shape(step.input(name).value, step)
        case ParamRef(name=name):
            return f"params.{name}"
        case PipelineInputRef(name=name):
            return f"inputs.{name}"
        case StepOutputRef(step=producer, output=output):
            return f"steps.{producer}.outputs.{output}"
        case EachRef(name=name, path=path):
            return ".".join(("each", name, *path))
        case Operation(sign=sign, operands=operands):
            return {sign: [_shape(operand, step) for operand in operands]}
        case RunRef(field=field):
            return f"run.{field}"
        case OutputPath(name=name):
            return f"outputs.{name}"
        case VolumePath(name=name):
            return f"volumes.{name}"
        case SecretRef(name=name, key=key):
            return f"secrets.{name}.{key}"
