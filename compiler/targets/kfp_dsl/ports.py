"""The inputs of a task: those of its component's function, and those of its amounts."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.targets.kfp.plan import (
    ArtifactInput,
    InputPath,
    InputValue,
    ParameterInput,
    Task,
    Text,
)


def taken(task: Task) -> tuple[ParameterInput | ArtifactInput, ...]:
    """The inputs of the function: not those that only an If or an amount takes."""
    words = (*task.container.command, *task.container.args)
    parts = (part for word in words for part in word if type(part) is not Text)
    used = {part.name for part in parts if isinstance(part, (InputValue, InputPath))}
    elsewhere = {name for _, name in task.condition.inputs} if task.condition else set()
    elsewhere |= {port.name for port in amounts(task)}
    return tuple(port for port in task.inputs if port.name in used or port.name not in elsewhere)


def amounts(task: Task) -> tuple[ParameterInput, ...]:
    """The inputs of amounts that are known only at run time."""
    return tuple(value for _, value in resources(task) if isinstance(value, ParameterInput))


def resources(task: Task) -> Iterator[tuple[str, str | int | ParameterInput]]:
    """What a task is set to get, by the SDK's method for it."""
    ports = {port.name: port for port in task.inputs if isinstance(port, ParameterInput)}
    given = task.container.resources
    kind, count = given.accelerator or (None, None)
    for name, amount in (
        ("set_cpu_request", given.cpu_request),
        ("set_cpu_limit", given.cpu_limit),
        ("set_memory_request", given.memory_request),
        ("set_memory_limit", given.memory_limit),
        ("set_accelerator_type", kind),
        ("set_accelerator_limit", count),
    ):
        if amount is None:
            continue
        yield name, ports[amount.name] if isinstance(amount, InputValue) else amount
