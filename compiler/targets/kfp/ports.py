"""What tasks take and give, as the plan has it (`compiler.targets.kfp.plan`)."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

ParameterType = Literal["STRING", "NUMBER_INTEGER", "NUMBER_DOUBLE", "BOOLEAN", "LIST", "STRUCT"]
SchemaTitle = Literal[
    "system.Artifact",
    "system.Dataset",
    "system.Model",
    "system.Metrics",
    "system.HTML",
    "system.Markdown",
]


class Constant(Struct, frozen=True):
    """A value given to a task as it stands; the driver resolves `{{$.pipeline_job_uuid}}` etc."""

    value: str


class FromScope(Struct, frozen=True):
    """An input of the DAG that the task is in, or an input parameter of the pipeline."""

    name: str


class FromTask(Struct, frozen=True):
    """An output of another task of the same DAG; of a loop, its values in all rounds as a list."""

    task: str
    output: str


class Field(Struct, frozen=True):
    """A field of an object; `path` leads to it through objects in objects."""

    path: tuple[str, ...]


class Otherwise(Struct, frozen=True):
    """The value, or `text` where it is null (which travels as the empty text)."""

    text: str


class Around(Struct, frozen=True):
    """The value as text between two texts."""

    before: str
    after: str


class ParameterInput(Struct, frozen=True):
    """`selection` is what is made of the value of `source` on its way in."""

    name: str
    type: ParameterType
    source: Constant | FromScope | FromTask
    selection: Field | Otherwise | Around | None = None


class ArtifactInput(Struct, frozen=True):
    name: str
    schema: SchemaTitle
    source: FromScope | FromTask
    is_list: bool = False


class ParameterOutput(Struct, frozen=True):
    name: str
    type: ParameterType
    description: str


class ArtifactOutput(Struct, frozen=True):
    name: str
    schema: SchemaTitle
    description: str
    is_list: bool = False
