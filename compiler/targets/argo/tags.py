"""Argo's template tags, spelled so that every value comes through unchanged.

Values are put in by expression tags, `{{=…}}`: their results are written as JSON text, while a
simple tag's value is quoted as Go would and fails on most control characters, U+007F and newer
emoji (argo-workflows v4.1.2: util/template/expression_template.go, simple_template.go). Names
stand in single quotes, as tags are evaluated inside JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from compiler.expr import RunField, Type, ValueType

# `scheduled_at` is the time of the schedule, or of a run that no schedule started, its start.
_RUN: dict[RunField, str] = {
    "id": "workflow.uid",
    "name": "workflow.name",
    "scheduled_at": "workflow.scheduledTime ?? workflow.creationTimestamp.RFC3339",
}
_PLAIN = ("integer", "number", "boolean")


def expression(text: str) -> str:
    """A tag whose result comes through unchanged, for text."""
    return "{{=" + text + "}}"


def simple(name: str) -> str:
    """A tag that Argo looks up by name without putting it into text (`from`, `valueFrom`)."""
    return "{{" + name + "}}"


def workflow_parameter(name: str) -> str:
    return f"workflow.parameters['{name}']"


def run_field(field: RunField) -> str:
    return _RUN[field]


def input_parameter(name: str) -> str:
    return f"inputs.parameters['{name}']"


def task_parameter(task: str, output: str) -> str:
    return f"tasks['{task}'].outputs.parameters['{output}']"


def is_there(task: str) -> str:
    """Whether a task that has ended has outputs."""
    return f"tasks['{task}'].status == 'Succeeded'"


def task_parameter_if_any(task: str, output: str) -> str:
    """An output of a task that may have been skipped, for where `is_there` guards it.

    Not spelled as a path: many releases of 3.7 and 4.0 wait for ever for one that is missing
    (util/template/expression_template.go).
    """
    return f"get(get(get(tasks['{task}'],'outputs'),'parameters'),'{output}')"


def word(name: str, type_: Type) -> str:
    """An input parameter as part of an argument or of a variable's value.

    White space around what is not a string goes. Each `$` is doubled, as the kubelet takes one
    of two away; numbers and booleans have none.
    """
    kind = type_.kind if isinstance(type_, ValueType) else None
    value = input_parameter(name)
    if kind in _PLAIN:
        return expression(f"trim({value})")
    return expression(f"replace({value if kind == 'string' else f'trim({value})'},'$','$$')")


def digest(facts: Iterable[str]) -> str:
    """An expression that tells apart any two lists of values: the SHA-256 of their JSON."""
    return f"sprig.sha256sum(toJson([{','.join(facts)}]))"


def readable(description: str) -> str:
    """A description where Argo looks for tags; it is only read, so an opening is set apart."""
    return re.sub(r"\{(?=\{)", "{ ", description)
