"""What a step takes from outside, under names of its own, and expressions as words of slots.

Used by `compiler.launch`; a target binds the captures to what its engine calls inputs and prints
the slots.
"""

from __future__ import annotations

import itertools
import keyword
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from msgspec import Struct

from compiler.expr import (
    ArtifactList,
    ArtifactType,
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
    RunTimeRef,
    SecretRef,
    StepOutputRef,
    Type,
    VolumePath,
)
from compiler.ir import Step
from compiler.values import to_json, to_text


class Text(Struct, frozen=True):
    """Literal text, to be escaped by the target."""

    text: str


class ValueOf(Struct, frozen=True):
    """The text of a captured value, canonical as in `compiler.values.to_text`."""

    capture: str


class PathOf(Struct, frozen=True):
    """The path at which a captured artifact can be read."""

    capture: str


class OutputPathOf(Struct, frozen=True):
    """The path at which the step writes an output."""

    output: str


Slot: TypeAlias = Text | ValueOf | PathOf | OutputPathOf
# No two texts stand side by side and none is empty: the empty word is the empty tuple.
ArgumentWord: TypeAlias = tuple[Slot, ...]


class Capture(Struct, frozen=True):
    """A run-time value or artifact that a step takes from outside, or what an operator makes of
    several.

    `name` is unique in the step, also beside its outputs, and a Python identifier: the declared
    input's name where it is bound to the reference alone, else made from the reference
    (`max_documents`, `fetch_dataset_rows`), with `_2`, `_3` … where that is taken.
    """

    name: str
    ref: RunTimeRef | Operation
    type: Type


def captures(step: Step) -> tuple[Capture, ...]:
    """What the step takes from outside, declared inputs first, each reference once."""
    bound = {i.name: i.value for i in step.inputs if isinstance(i.value, (RunTimeRef, Operation))}
    wanted = {name: identity(ref) for name, ref in bound.items()}
    refs = list(bound.items())
    refs += [
        (_name(ref), ref) for expression in step.expressions() for ref in _outermost(expression)
    ]
    # Names that a reference may not take; a declared input has the first right to its own.
    taken = {o.name for o in step.outputs}
    reserved = taken | set(wanted)
    found: dict[tuple[str, ...], Capture] = {}
    for position, (name, ref) in enumerate(refs):
        key = identity(ref)
        if key not in found:
            free = _free(name, taken if position < len(bound) else reserved)
            taken.add(free)
            reserved.add(free)
            found[key] = Capture(free, ref, ref.type)
    return tuple(found.values())


class Words(Struct, frozen=True):
    """Turns a step's expressions into words; made by `words_of`."""

    step: Step
    names: dict[tuple[str, ...], str]

    def resolve(self, expression: Expr) -> Expr:
        """An input of the step gives way to what it is bound to."""
        while type(expression) is InputRef:
            expression = self.step.input(expression.name).value
        return expression

    def word(self, *expressions: Expr | str) -> ArgumentWord:
        """Expressions and plain texts one after the other, as one word."""
        slots = itertools.chain.from_iterable(map(self._slots, expressions))
        return join(tuple(slots))

    def items(self, expression: Expr) -> tuple[ArgumentWord, ...]:
        """One word, or one for each artifact of a list that is written out."""
        expression = self.resolve(expression)
        if isinstance(expression, ArtifactList):
            return tuple(word for item in expression.items for word in self.items(item))
        return (self.word(expression),)

    def _slots(self, expression: Expr | str) -> Iterator[Slot]:
        if isinstance(expression, str):
            yield Text(expression)
            return
        match self.resolve(expression):
            case Literal(value=value):
                yield Text(to_text(value))
            case Concat(parts=parts):
                for part in parts:
                    yield from self._slots(part)
            case OutputPath(name=name):
                yield OutputPathOf(name)
            case VolumePath(name=name):
                yield Text(next(v.mount for v in self.step.volumes if v.name == name))
            case (
                ParamRef()
                | PipelineInputRef()
                | StepOutputRef()
                | RunRef()
                | EachRef()
                | Operation()
            ) as ref:
                name = self.names[identity(ref)]
                yield PathOf(name) if isinstance(ref.type, ArtifactType) else ValueOf(name)
            case SecretRef() | ArtifactList() | InputRef() | ListOf() as other:
                raise AssertionError(f"{type(other).__name__} has no text")


def _outermost(expression: Expr) -> Iterator[RunTimeRef | Operation]:
    """What has to be captured for an expression; an operation as a whole."""
    if type(expression) is Literal:
        return
    if isinstance(expression, (RunTimeRef, Operation)):
        yield expression
    elif isinstance(expression, (Concat, ArtifactList)):
        parts = expression.parts if isinstance(expression, Concat) else expression.items
        for part in parts:
            yield from _outermost(part)


def words_of(step: Step, captured: Sequence[Capture]) -> Words:
    return Words(step, {identity(c.ref): c.name for c in captured})


def join(slots: ArgumentWord) -> ArgumentWord:
    """The same word with neighbouring texts made one and empty ones left out."""
    joined: list[Slot] = []
    for slot in slots:
        if isinstance(slot, Text) and joined and isinstance(joined[-1], Text):
            joined[-1] = Text(joined[-1].text + slot.text)
        elif not isinstance(slot, Text) or slot.text:
            joined.append(slot)
    return tuple(joined)


def identity(ref: Expr) -> tuple[str, ...]:
    """Equal for equal expressions, wherever they are written."""
    match ref:
        case ParamRef(name=name):
            return ("param", name)
        case PipelineInputRef(name=name):
            return ("input", name)
        case StepOutputRef(step=step, output=output):
            return ("output", step, output)
        case RunRef(field=field):
            return ("run", field)
        case EachRef(loop=loop, name=name, path=path):
            return ("each", loop, name, *path)
        case Literal(value=value):
            return ("literal", to_json(value))
        case Operation(sign=sign, operands=operands):
            return ("operation", sign, *map(str, map(identity, operands)))
        case ListOf(items=items):
            return ("list", *map(str, map(identity, items)))
    raise AssertionError(f"{type(ref).__name__} is no operand")


def _name(ref: RunTimeRef | Operation) -> str:
    match ref:
        case ParamRef(name=name) | PipelineInputRef(name=name):
            return name
        case StepOutputRef(step=step, output=output):
            return f"{step}_{output}".replace(".", "_")
        case RunRef(field=field):
            return f"run_{field}"
        case EachRef(name=name, path=path):
            return "_".join(("each", name, *path))
        case Operation(sign="??", operands=(left, _)) if isinstance(left, RunTimeRef):
            return _name(left)
        case Operation():
            return "value"


def _free(name: str, taken: set[str]) -> str:
    candidates = itertools.chain([name], (f"{name}_{n}" for n in itertools.count(2)))
    return next(c for c in candidates if c not in taken and not keyword.iskeyword(c))
