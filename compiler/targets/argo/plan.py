"""What Argo is to run, before it is cut into DAGs: tasks, their templates and what they take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from compiler.values import JsonValue

# A piece of a manifest.
Data: TypeAlias = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Anywhere:
    """An expression that means the same in every template (`workflow.…`)."""

    expression: str


@dataclass(frozen=True, slots=True)
class Located:
    """An artifact from outside, by the fields that give its place."""

    fields: Data


@dataclass(frozen=True, slots=True)
class FromStep:
    """An output of another step, by the step's name in the spec."""

    step: str
    output: str


@dataclass(frozen=True, slots=True)
class Task:
    """A step as a task: the template that it runs and what fills the template's inputs.

    `waits` are the names in the spec of the steps that come before, by data or by `needs`.
    """

    name: str
    template: str
    parameters: tuple[tuple[str, Anywhere | FromStep], ...]
    artifacts: tuple[tuple[str, Located | FromStep], ...]
    waits: tuple[str, ...]

    def taken(self) -> tuple[FromStep, ...]:
        """The parameters that come from other steps, each once."""
        found = (source for _, source in self.parameters if isinstance(source, FromStep))
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Plan:
    """All of a pipeline: tasks by the step's name in the spec, templates by their own."""

    tasks: dict[str, Task]
    templates: dict[str, Data]
