"""Expressions at run time: from the IR's words to the argument vector and environment of a try.

Each word is rendered in two forms at once: the text that the process gets, and for the parts that
differ between equal runs (paths of artifacts, of outputs, secrets) an identity that stands in
for them in the cache key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from compiler import evaluation
from compiler.engine.artifacts import Artifact
from compiler.engine.known import Known, Value, look_up
from compiler.evaluation import Skipped
from compiler.expr import (
    ArtifactList,
    ArtifactType,
    Concat,
    Expr,
    InputRef,
    OutputPath,
    RunTimeRef,
    SecretRef,
    VolumePath,
)
from compiler.ir import Argument, Flag, Step
from compiler.values import to_text


class Slot(Struct, frozen=True):
    """Text whose spelling is no part of a step's identity; `identity` is."""

    text: str
    identity: str


Piece: TypeAlias = str | Slot
Rendered: TypeAlias = tuple[Piece, ...]


class Site(Struct, frozen=True):
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
    return (_piece(evaluate(expression, site)),)


def _piece(value: Value) -> Piece:
    if isinstance(value, Artifact):
        # A program may look at the ending of a file's name, so that the name counts too.
        return Slot(value.path, f"{value.identity} {Path(value.path).name}")
    assert not isinstance(value, tuple), "a list of artifacts has no text"
    return to_text(value)


def evaluate(expression: Expr, site: Site) -> Value:
    """The value of an expression: parameters keep their type.

    Raises:
        EvaluationError: an item of a loop lacks a field that is taken from it.
    """
    if isinstance(expression, InputRef):
        return evaluate(site.step.input(expression.name).value, site)

    def value_of(part: Expr) -> Value | Skipped:
        if isinstance(part, RunTimeRef):
            return look_up(part, site.known)
        return text_of(render(part, site))

    found = evaluation.evaluate(expression, value_of)
    assert not isinstance(found, Skipped), "a step that takes from a skipped one is skipped"
    return found


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
    if isinstance(expression.type, ArtifactType) and expression.type.is_list:
        collected = evaluate(expression, site)
        assert isinstance(collected, tuple)
        return tuple((_piece(item),) for item in collected)
    return (render(expression, site),)
