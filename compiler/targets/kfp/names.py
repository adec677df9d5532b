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
TAKEN_BY_THE_SDK = frozenset({"Output", "dsl"})


def dashed(name: str) -> str:
    """A name as the SDK sanitises it: `a__b_` is `a-b`, and so is `a.b`."""
    return re.sub("-+", "-", re.sub(r"[_.]", "-", name.lower())).strip("-")


def task_names(names: Iterable[str]) -> dict[str, str]:
    """The task of each name: a valid Kubernetes name, unique, and clear of the backend's own.

    A name that is taken gets a number; one that means something else to the backend ends in `-s`.
    """
    plain = {name: dashed(name) for name in names}
    every = set(plain.values())
    tasks: dict[str, str] = {}
    taken: set[str] = set()
    for name, task in plain.items():
        driven = task.endswith(_DRIVER) and task.removesuffix(_DRIVER) in every
        barred = task in _DEPENDS_WORDS or driven or _IMPORTER.fullmatch(task)
        wanted = f"{task}-s" if barred else task
        others = taken if wanted == task else taken | (every - {task})
        tasks[name] = unique(wanted, others, "-")
        taken.add(tasks[name])
    return tasks


def input_names(captures: Iterable[str], outputs: Iterable[str]) -> dict[str, str]:
    """The component input of each captured value, apart from the outputs.

    Inputs and outputs of a component share one namespace: both are parameters of one Python
    function in the DSL.
    """
    taken = {*outputs, *TAKEN_BY_THE_SDK}
    names: dict[str, str] = {}
    for capture in captures:
        names[capture] = unique(capture.replace(".", "_"), taken, "_")
        taken.add(names[capture])
    return names


class Names:
    """Hands out the names of tasks and components of one plan, each once in the whole plan.

    A DAG and the task in it that gives its output must not share a name: the driver would look
    for the output of one in the other (CollectInputs in driver/resolve.go).
    """

    def __init__(self, steps: Iterable[str], imports: Iterable[str]) -> None:
        self._tasks = task_names([*(f"import-{name}" for name in imports), *steps])
        self._taken = set(self._tasks.values())
        self._components = {f"comp-{task}" for task in self._taken}

    def step(self, name: str) -> str:
        return self._tasks[name]

    def imported(self, name: str) -> str:
        """The importer of an input; a new one each time but the first."""
        task = self._tasks.pop(f"import-{name}", None)
        return task or self.task(f"import-{name}")

    def task(self, wanted: str) -> str:
        """A task's name that is new; `wanted` may be a step's name."""
        plain = dashed(wanted)
        name, number = plain, 1
        while self._is_taken(name):
            number += 1
            name = f"{plain}-{number}"
        self._taken.add(name)
        return name

    def component(self, task: str, *, loop: bool = False) -> str:
        """The component of a task; of a loop also free for the templates that the backend adds
        (argocompiler/dag.go)."""
        own = f"comp-{task}"
        added = {f"{own}-iteration", f"{own}-{task}-iterator"} if loop else set()
        if added & self._components:
            own = unique(f"{own}-loop", self._components, "-")
            added = {f"{own}-iteration", f"{own}-{task}-iterator"}
        self._components |= {own, *added}
        return own

    def _is_taken(self, name: str) -> bool:
        driven = name.endswith(_DRIVER) and name.removesuffix(_DRIVER) in self._taken
        return name in self._taken or driven or f"{name}{_DRIVER}" in self._taken


def unique(name: str, taken: set[str], joint: str) -> str:
    """`name`, or where it is taken the first free of `name-2`, `name-3` …, `-` being the joint."""
    if name not in taken:
        return name
    number = 2
    while f"{name}{joint}{number}" in taken:
        number += 1
    return f"{name}{joint}{number}"
