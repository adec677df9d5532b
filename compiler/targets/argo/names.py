"""Names on Argo: what a step, a part of the graph or a volume is called there.

Steps' names are unique, without dashes, and stay so when their underscores become dashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable

# Operators and literals of the language of `depends` (github.com/expr-lang/expr, its lexer).
_DEPENDS_WORDS = frozenset(
    ("and", "contains", "else", "false", "if", "in", "let", "matches", "nil", "not", "or", "true")
)
# A pod is called WORKFLOW-TEMPLATE-HASH, and its hostname is cut after 63 characters. A run's
# workflow has the name of its template and 6 characters more, the hash has up to 10.
_ROOM = 63 - 6 - 2 - 10
_LEAST = 12


def task_names(steps: Iterable[str]) -> dict[str, str]:
    """The task of each step; one that `depends` would read as a word ends in `-s`."""
    plain = {step: step.replace("_", "-") for step in steps}
    taken = set(plain.values())
    return {
        step: free(f"{name}-s", taken) if name in _DEPENDS_WORDS else name
        for step, name in plain.items()
    }


def template_name(task: str, workflow: str) -> str:
    """The template of a task, cut where a pod's hostname would be and there is room to do so."""
    room = max(_ROOM - len(workflow), _LEAST)
    if len(task) <= room:
        return task
    mark = hashlib.sha256(task.encode()).hexdigest()[:4]
    return f"{task[: room - 5].rstrip('-')}-{mark}"


def free(name: str, taken: Collection[str]) -> str:
    """`name`, or the first of `name-2`, `name-3` … that is not taken."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found


def volume_name(name: str) -> str:
    """A volume of the step: a DNS label, and none that Argo gives to its own volumes."""
    return f"{name.replace('_', '-')}-volume"
