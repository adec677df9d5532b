"""Expressions at run time: from the IR's words to the argument vector and environment of a try.

Each word is rendered in two forms at once: the text that the process gets, and for the parts that
differ between equal runs (paths of artifacts, of outputs, secrets) an identity that stands in
for them in the cache key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from compiler.engine.artifacts import Artifact
from compiler.expr import (
    ArtifactList,
    Concat,
    Expr,
    InputRef,
    Literal,
    OutputPath,
    ParamRef,
    PipelineInputRef,
    RunField,
    RunRef,
    SecretRef,
    StepOutputRef,
    VolumePath,
)
from compiler.ir import Argument, Flag, Step
from compiler.values import JsonValue, to_text


@dataclass(frozen=True, slots=True)
class Slot:
    """Text whose spelling is no part of a step's identity; `identity` is."""

    text: str
    identity: str


Piece: TypeAlias = str | Slot
Rendered: TypeAlias = tuple[Piece, ...]
Value: TypeAlias = "JsonValue | Artifact"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known outside of a step: parameters, artifacts from outside, other steps' outputs.

    `outputs` grows as steps end; its keys are a step and an output.
    """

    params: Mapping[str, JsonValue]
    inputs: Mapping[str, Artifact]
    run: Mapping[RunField, str]
    outputs: dict[tuple[str, str], Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Site:
    """Where the expressions of one try stand.

    `folder` is where outputs are written, `volumes` gives folders, `secrets` values by their
    name and key.
    """

    step: Step
    known: Known
    folder: Path
    volumes: Mapping[str, str]
    secrets: Mapping[tuple[str, str], str]

    def output(self, name: str) -> str:
        return str(self.folder / name)


def text_of(rendered: Rendered) -> str:
    return "".join(piece if isinstance(piece, str) else piece.text for piece in rendered)


def identity_of(rendered: Rendered) -> str:
    """What stands for the word in a cache key; NUL is in no value, so it can't be imitated."""
    return "".join(
        piece if isinstance(piece, str) else f"\0{piece.identity}\0" for piece in rendered
    )


def render(expression: Expr, site: Site) -> Rendered:
    """An expression written out as text."""
    match expression:
        case Concat(parts=parts):
            return tuple(piece for part in parts for piece in render(part, site))
        case InputRef(name=name):
            return render(site.step.input(name).value, site)
        case OutputPath(name=name):
            return (Slot(site.output(name), f"output {name}"),)
        case VolumePath(name=name):
            return (Slot(site.volumes[name], f"volume {name}"),)
        case SecretRef(name=name, key=key):
            return (Slot(site.secrets[name, key], f"secret {name} {key}"),)
        case ArtifactList(items=items):
            raise AssertionError(f"{len(items)} artifacts have no text")
    value = evaluate(expression, site)
    if isinstance(value, Artifact):
        # A program may look at the ending of a file's name, so that the name counts too.
        return (Slot(value.path, f"{value.identity} {Path(value.path).name}"),)
    return (to_text(value),)


def evaluate(expression: Expr, site: Site) -> Value:
    """The value of an expression: parameters keep their type."""
    match expression:
        case Literal(value=value):
            return value
        case ParamRef(name=name):
            return site.known.params[name]
        case PipelineInputRef(name=name):
            return site.known.inputs[name]
        case StepOutputRef(step=step, output=output):
            return site.known.outputs[step, output]
        case RunRef(field=field_):
            return site.known.run[field_]
        case InputRef(name=name):
            return evaluate(site.step.input(name).value, site)
    return text_of(render(expression, site))


def words(argument: Argument, site: Site) -> Iterator[Rendered]:
    """The words that an argument comes to: a flag may come to none."""
    if not isinstance(argument, Flag):
        yield render(argument.value, site)
        return
    value = evaluate(argument.value, site)
    if value is None:
        return
    if argument.joined:
        yield (f"{argument.name}=", *render(argument.value, site))
    elif isinstance(value, bool):
        if value:
            yield (argument.name,)
    else:
        yield (argument.name,)
        yield render(argument.value, site)


def items(expression: Expr, site: Site) -> tuple[Rendered, ...]:
    """Each artifact of a list of them, or the one word of anything else."""
    if isinstance(expression, InputRef):
        return items(site.step.input(expression.name).value, site)
    if isinstance(expression, ArtifactList):
        return tuple(rendered for item in expression.items for rendered in items(item, site))
    return (render(expression, site),)
