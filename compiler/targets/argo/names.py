"""Names on Argo: what a step, a part of the graph or a volume is called there.

Names of steps and loops are made of letters, digits and underscores; those of steps that another
algorithm brings along are joined by dots.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable

# Operators and literals of the language of `depends` (github.com/expr-lang/expr, its lexer).
_DEPENDS_WORDS = frozenset(
    ("and", "contains", "else", "false", "if", "in", "let", "matches", "nil", "not", "or", "true")
)
# A pod is called RUN-TEMPLATE-HASH, and its hostname is cut after 63 characters; the hash has up
# to 10.
_ROOM = 63 - 2 - 10
_LEAST = 12
# Argo takes names of tasks and templates up to 128 characters; some are added at the end.
_LONGEST = 100


def task_names(nodes: Iterable[str]) -> dict[str, str]:
    """The task of each node; one that `depends` would read as a word ends in `-s`."""
    nodes = list(dict.fromkeys(nodes))
    plain = {node: _short(node.replace("_", "-").replace(".", "--")) for node in nodes}
    taken = set(plain.values())
    found: dict[str, str] = {}
    used: set[str] = set()
    for node, name in plain.items():
        wanted = free(f"{name}-s", taken) if name in _DEPENDS_WORDS else name
        found[node] = free(wanted, taken) if wanted in used else wanted
        used.add(found[node])
        taken.add(found[node])
    return found


def _short(name: str) -> str:
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 5].rstrip('-')}-{_mark(name)}"


def _mark(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:4]


def template_name(task: str, run_length: int) -> str:
    """The template of a task, cut where a pod's hostname would be and there is room to do so.

    `run_length` is that of the longest name that a run can have.
    """
    room = max(_ROOM - run_length, _LEAST)
    if len(task) <= room:
        return task
    return f"{task[: room - 5].rstrip('-')}-{_mark(task)}"


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
