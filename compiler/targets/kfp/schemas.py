"""The types of the language in the words of KFP's IR."""

from __future__ import annotations

from compiler.expr import ArtifactKind, ValueType
from compiler.targets.kfp.plan import ParameterType, SchemaTitle
from compiler.values import ValueKind

_PARAMETERS: dict[ValueKind, ParameterType] = {
    "string": "STRING",
    "integer": "NUMBER_INTEGER",
    "number": "NUMBER_DOUBLE",
    "boolean": "BOOLEAN",
    "array": "LIST",
    "object": "STRUCT",
}
_ARTIFACTS: dict[ArtifactKind, SchemaTitle] = {
    "Artifact": "system.Artifact",
    "Dataset": "system.Dataset",
    "Model": "system.Model",
    "Metrics": "system.Metrics",
    "HTML": "system.HTML",
    "Markdown": "system.Markdown",
}


def parameter_type(value: ValueType) -> ParameterType:
    """The native type of a value.

    One that may be null travels as text, the empty text being null: in 2.17 the launcher fails on
    a null, and a UI can send no other.
    """
    if value.kind is None or value.nullable:
        return "STRING"
    return _PARAMETERS[value.kind]


def schema(kind: ArtifactKind) -> SchemaTitle:
    return _ARTIFACTS[kind]
