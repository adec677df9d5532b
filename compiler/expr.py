"""The typed tree of an expression: what stands inside `${{ … }}`, and text around it.

Every word of a command, value of the environment and input of a step is an `Expr`. What is known
at compile time (git, the algorithm's name) is a `Literal` by the time it gets here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal as OneOfText
from typing import TypeAlias, get_args

from msgspec import Struct
from msgspec.structs import asdict

from compiler.diagnostics import Span
from compiler.values import JsonValue, ValueKind

ArtifactKind = OneOfText["Artifact", "Dataset", "Model", "Metrics", "HTML", "Markdown"]
ARTIFACT_KINDS: tuple[ArtifactKind, ...] = get_args(ArtifactKind)
RunField = OneOfText["id", "name", "scheduled_at", "status"]
RUN_FIELDS: tuple[RunField, ...] = get_args(RunField)
Sign = OneOfText["||", "&&", "==", "!=", "<", "<=", ">", ">=", "in", "!", "??"]


class ValueType(Struct, frozen=True):
    """The type of a parameter. `kind` is None where it is known only at run time."""

    kind: ValueKind | None
    nullable: bool = False
    items: ValueType | None = None

    def __str__(self) -> str:
        return (self.kind or "any value") + (" or null" if self.nullable else "")


class ArtifactType(Struct, frozen=True):
    """A file or folder; `is_list` for a list of them."""

    kind: ArtifactKind
    is_list: bool = False

    def __str__(self) -> str:
        return f"list of {self.kind}" if self.is_list else self.kind


Type: TypeAlias = ValueType | ArtifactType
STRING = ValueType("string")


class Literal(Struct, frozen=True):
    """A value known at compile time; `type.kind` says how it is meant."""

    value: JsonValue
    type: ValueType
    span: Span


class ParamRef(Struct, frozen=True):
    """`params.NAME`."""

    name: str
    type: ValueType
    span: Span


class PipelineInputRef(Struct, frozen=True):
    """`inputs.NAME` of the algorithm: an artifact that comes from outside."""

    name: str
    type: ArtifactType
    span: Span


class InputRef(Struct, frozen=True):
    """`inputs.NAME` of the step it stands in."""

    name: str
    type: Type
    span: Span


class StepOutputRef(Struct, frozen=True):
    """`steps.STEP.outputs.OUTPUT`.

    Seen from outside of the loops around the step it is the array (of arrays, for nested loops)
    of all their values in item order, and `type` says so; of artifacts it is a list.
    """

    step: str
    output: str
    type: Type
    span: Span


class EachRef(Struct, frozen=True):
    """`each.NAME`, or with `path` a field of it: the item of the loop that is called `loop`."""

    loop: str
    name: str
    path: tuple[str, ...]
    type: ValueType
    span: Span


class OutputPath(Struct, frozen=True):
    """`outputs.NAME` of the step it stands in: the path that the step writes."""

    name: str
    span: Span
    type: ValueType = STRING


class VolumePath(Struct, frozen=True):
    """`volumes.NAME`: where the volume is mounted."""

    name: str
    span: Span
    type: ValueType = STRING


class SecretRef(Struct, frozen=True):
    """`secrets.NAME.KEY`; only ever the whole value of an environment variable."""

    name: str
    key: str
    span: Span
    type: ValueType = STRING


class RunRef(Struct, frozen=True):
    """`run.FIELD`."""

    field: RunField
    span: Span
    type: ValueType = STRING


class Concat(Struct, frozen=True):
    """Text with expressions in it; each part is written out as text."""

    parts: tuple[Expr, ...]
    span: Span
    type: ValueType = STRING


class ArtifactList(Struct, frozen=True):
    """`[${{ … }}, ${{ … }}]`: several artifacts as one input."""

    items: tuple[Expr, ...]
    type: ArtifactType
    span: Span


class Operation(Struct, frozen=True):
    """An operator over one operand (`!`) or two; `type` is boolean, but for `??`.

    `a ?? b` is b where a is null, or an output of a step that was skipped. Its left side is a
    reference or another `??`. Operands hold no `InputRef`, `OutputPath`, `VolumePath` or
    `SecretRef`: inputs are replaced by what they are bound to.
    """

    sign: Sign
    operands: tuple[Expr, ...]
    type: Type
    span: Span


class ListOf(Struct, frozen=True):
    """`[a, b]` in an expression, where not all of it is known at compile time."""

    items: tuple[Expr, ...]
    type: ValueType
    span: Span


# What is known only while the pipeline runs and comes from outside the step.
RunTimeRef: TypeAlias = ParamRef | PipelineInputRef | StepOutputRef | RunRef | EachRef
Expr: TypeAlias = (
    Literal
    | ParamRef
    | PipelineInputRef
    | InputRef
    | StepOutputRef
    | OutputPath
    | VolumePath
    | SecretRef
    | RunRef
    | EachRef
    | Concat
    | ArtifactList
    | Operation
    | ListOf
)


# Asked of each expression many times, for which `isinstance` is slow where classes are structs.
_COMPOSED = frozenset((Concat, ArtifactList, Operation, ListOf))


def walk(expression: Expr) -> Iterator[Expr]:
    """The expression and all that is in it, from left to right."""
    yield expression
    if type(expression) in _COMPOSED:
        for part in parts_of(expression):
            yield from walk(part)


def parts_of(expression: Expr) -> tuple[Expr, ...]:
    """The expressions right inside of one; most have none."""
    if type(expression) not in _COMPOSED:
        return ()
    match expression:
        case Concat(parts=parts) | Operation(operands=parts):
            return parts
        case ArtifactList(items=parts) | ListOf(items=parts):
            return parts
    return ()


def step_outputs(expression: Expr) -> list[StepOutputRef]:
    """The outputs of steps that an expression takes."""
    if type(expression) not in _COMPOSED:
        return [expression] if type(expression) is StepOutputRef else []
    return [part for part in walk(expression) if type(part) is StepOutputRef]


Wanted: TypeAlias = tuple[StepOutputRef, ...]


def wanted(expression: Expr) -> tuple[Wanted, ...]:
    """What an expression can't do without: of the outputs in each group one has to be there.

    `a` alone wants a; `a ?? b` wants one of the two, `a ?? 0` nothing. What is null counts as not
    there on the left of a `??`, so a param that may be null fills no group.
    """
    if isinstance(expression, StepOutputRef):
        return ((expression,),)
    if isinstance(expression, Operation) and expression.sign == "??":
        left, right = expression.operands
        others = wanted(right)
        return tuple((*one, *other) for one in _not_null(left) for other in others)
    if type(expression) not in _COMPOSED:
        return ()
    return tuple(group for part in parts_of(expression) for group in wanted(part))


def _not_null(expression: Expr) -> tuple[Wanted, ...]:
    """As `wanted`, for the expression to be more than null."""
    match expression:
        case StepOutputRef():
            return ((expression,),)
        case Operation(sign="??", operands=(left, right)):
            return tuple((*a, *b) for a in _not_null(left) for b in _not_null(right))
    found = expression.type
    if isinstance(found, ValueType) and (found.nullable or found.kind is None):
        return ((),)
    return wanted(expression)


def same(one: Expr, other: Expr) -> bool:
    """Whether two expressions say the same, wherever they are written."""
    return _bare(one) == _bare(other)


def _bare(value: object) -> str:
    if isinstance(value, Struct):
        fields = [_bare(v) for name, v in asdict(value).items() if name != "span"]
        return f"{type(value).__name__}({fields})"
    return str([_bare(item) for item in value]) if isinstance(value, tuple) else repr(value)
