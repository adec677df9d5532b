"""Names on KFP: what a step, an imported artifact or a captured value is called there.

The rules are those of the SDK's `maybe_rename_for_k8s` (lower case, digits, single dashes), so that
the IR and the compiled DSL agree on every name, with room left for what the backend adds itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# Operators and literals of the language in which Argo writes a task's `depends`.
_DEPENDS_WORDS = frozenset(
    ["and", "contains", "else", "false", "if", "in", "let", "matches", "nil", "not", "or", "true"]
)
# The backend runs task `t` as the Argo tasks `t-driver` and `t` (argocompiler/dag.go).
_DRIVER = "-driver"
# The SDK calls its importer tasks so, whatever they import.
_IMPORTER = re.compile(r"importer(-[0-9]+)?")
# `Output` is what the SDK calls the one unnamed output of a component; `dsl` is its own module in
# the source that kfp-dsl writes.
_TAKEN_BY_THE_SDK = frozenset({"Output", "dsl"})


def dashed(name: str) -> str:
    """A name as the SDK sanitises it: `a__b_` is `a-b`."""
    return re.sub("-+", "-", name.lower().replace("_", "-")).strip("-")


def task_names(names: Iterable[str]) -> dict[str, str]:
    """The task of each name: a valid Kubernetes name, unique, and clear of the backend's own.

    A name that is taken gets a number; one that means something else to the backend ends in `-s`.
    """
    plain = {name: dashed(name) for name in names}
    every = set(plain.values())
    tasks: dict[str, str] = {}
    for name, task in plain.items():
        driven = task.endswith(_DRIVER) and task.removesuffix(_DRIVER) in every
        barred = task in _DEPENDS_WORDS or driven or _IMPORTER.fullmatch(task)
        wanted = f"{task}-s" if barred else task
        others = every - {task} if wanted != task else set()
        tasks[name] = unique(wanted, others | set(tasks.values()), "-")
    return tasks


def input_names(captures: Iterable[str], outputs: Iterable[str]) -> dict[str, str]:
    """The component input of each captured value, apart from the outputs.

    Inputs and outputs of a component share one namespace: both are parameters of one Python
    function in the DSL.
    """
    taken = {*outputs, *_TAKEN_BY_THE_SDK}
    names: dict[str, str] = {}
    for capture in captures:
        names[capture] = unique(capture, taken, "_")
        taken.add(names[capture])
    return names


def unique(name: str, taken: set[str], joint: str) -> str:
    """`name`, or where it is taken the first free of `name-2`, `name-3` …, `-` being the joint."""
    if name not in taken:
        return name
    number = 2
    while f"{name}{joint}{number}" in taken:
        number += 1
    return f"{name}{joint}{number}"
