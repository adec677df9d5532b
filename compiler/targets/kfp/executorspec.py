"""Containers as KFP's IR has them: words with placeholders, resources, variables."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from compiler.targets.kfp.plan import (
    Container,
    ExecutorInput,
    InputPath,
    InputValue,
    OutputFile,
    OutputPath,
    Part,
    Resources,
    Text,
    Word,
)
from compiler.values import JsonValue

JsonObject: TypeAlias = dict[str, JsonValue]


def text(word: Word) -> str:
    """A word with its placeholders, as the driver and the launcher read them."""
    return "".join(map(_part, word))


def _texts(words: tuple[Word, ...]) -> list[JsonValue]:
    # Most words are one text, and all containers of a pipeline have the same long ones.
    return [
        word[0].text if len(word) == 1 and type(word[0]) is Text else text(word) for word in words
    ]


def container_spec(container: Container) -> JsonObject:
    """A container with its placeholders."""
    return filled(
        {
            "image": container.image,
            "command": _texts(container.command),
            "args": _texts(container.args),
            "env": [{"name": name, "value": value} for name, value in container.env],
            "resources": _resources(container.resources),
        }
    )


def container_bytes(container: Container) -> int:
    """The bytes of a container as the JSON that the backend makes of it."""
    text = msgspec.json.encode(container_spec(container))
    return len(text) + 5 * sum(map(text.count, (b"<", b">", b"&")))  # Go writes them as \u003c


def _resources(resources: Resources) -> JsonObject:
    accelerator: JsonObject = {}
    if resources.accelerator:
        kind, count = resources.accelerator
        accelerator = {"resourceType": kind, "resourceCount": _quantity(count)}
    return filled(
        {
            "resourceCpuRequest": _quantity(resources.cpu_request),
            "resourceCpuLimit": _quantity(resources.cpu_limit),
            "resourceMemoryRequest": _quantity(resources.memory_request),
            "resourceMemoryLimit": _quantity(resources.memory_limit),
            "accelerator": accelerator,
        }
    )


def _quantity(amount: str | int | InputValue | None) -> str | None:
    if amount is None:
        return None
    return _part(amount) if isinstance(amount, InputValue) else str(amount)


def _part(part: Part) -> str:
    match part:
        case Text(text=literal):
            return literal
        case InputValue(name=name):
            return f"{{{{$.inputs.parameters['{name}']}}}}"
        case InputPath(name=name):
            return f"{{{{$.inputs.artifacts['{name}'].path}}}}"
        case OutputFile(name=name):
            return f"{{{{$.outputs.parameters['{name}'].output_file}}}}"
        case OutputPath(name=name):
            return f"{{{{$.outputs.artifacts['{name}'].path}}}}"
        case ExecutorInput(name=name):
            return f"{name}:{{{{$}}}}"


def filled(fields: JsonObject) -> JsonObject:
    """The fields that say something: protobuf reads absent and empty alike."""
    return {name: value for name, value in fields.items() if value not in (None, "", {}, [])}
