"""What tasks take and give, as the plan has it (`compiler.targets.kfp.plan`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ParameterType = Literal["STRING", "NUMBER_INTEGER", "NUMBER_DOUBLE", "BOOLEAN", "LIST", "STRUCT"]
SchemaTitle = Literal[
    "system.Artifact",
    "system.Dataset",
    "system.Model",
    "system.Metrics",
    "system.HTML",
    "system.Markdown",
]


@dataclass(frozen=True, slots=True)
class Constant:
    """A value given to a task as it stands; the driver resolves `{{$.pipeline_job_uuid}}` etc."""

    value: str


@dataclass(frozen=True, slots=True)
class FromScope:
    """An input of the DAG that the task is in, or an input parameter of the pipeline."""

    name: str


@dataclass(frozen=True, slots=True)
class FromTask:
    """An output of another task of the same DAG; of a loop, its values in all rounds as a list."""

    task: str
    output: str


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object; `path` leads to it through objects in objects."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Otherwise:
    """The value, or `text` where it is null (which travels as the empty text)."""

    text: str


@dataclass(frozen=True, slots=True)
class Around:
    """The value as text between two texts."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ParameterInput:
    """`selection` is what is made of the value of `source` on its way in."""

    name: str
    type: ParameterType
    source: Constant | FromScope | FromTask
    selection: Field | Otherwise | Around | None = None


@dataclass(frozen=True, slots=True)
class ArtifactInput:
    name: str
    schema: SchemaTitle
    source: FromScope | FromTask
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class ParameterOutput:
    name: str
    type: ParameterType
    description: str


@dataclass(frozen=True, slots=True)
class ArtifactOutput:
    name: str
    schema: SchemaTitle
    description: str
    is_list: bool = False
