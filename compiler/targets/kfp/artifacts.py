"""Which artifacts reach which tasks, and where one may do so twice.

MLMD notes once that an execution takes an artifact: a second time is an error, and the driver of
the task fails (ml-metadata's Event table; driver/container.go, driver/dag.go). So two inputs of a
task, be it a container or a DAG, must never be the same artifact in any run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

from compiler.targets.kfp.plan import (
    ArtifactInput,
    ArtifactOutput,
    Dag,
    DagOutput,
    FromScope,
    Scope,
    Task,
)

# Names a container's output, as a task's name and the output's.
_Origins = frozenset[tuple[str, str]]


class Twice(NamedTuple):
    """An artifact, named by what writes it, that may come into `task` through two inputs."""

    task: Task | Dag
    artifact: str


def twice(root: Scope) -> list[Twice]:
    """The tasks that may take an artifact twice, each once."""
    found: dict[str, Twice] = {}
    for one in _walk(root, {}):
        if isinstance(one, Twice):
            found.setdefault(one.task.component, one)
    return list(found.values())


def _walk(
    scope: Scope, given: dict[str, _Origins], outputs: Iterable[DagOutput] = ()
) -> Iterator[Twice | tuple[str, _Origins]]:
    """What is wrong in a DAG, and then where its outputs may come from."""
    made = {(name.name, "artifact"): frozenset([(name.name, "")]) for name in scope.imports}
    for task in scope.tasks:
        taken = {
            port.name: given[port.source.name]
            if isinstance(port.source, FromScope)
            else made[port.source.task, port.source.output]
            for port in task.inputs
            if isinstance(port, ArtifactInput)
        }
        for one, other in combinations(taken.values(), 2):
            for name in sorted(one & other)[:1]:
                yield Twice(task, ".".join(filter(None, name)))
        if isinstance(task, Dag):
            for found in _walk(task.scope, taken, task.outputs):
                if isinstance(found, Twice):
                    yield found
                else:
                    made[task.name, found[0]] = found[1]
        else:
            for output in task.outputs:
                if isinstance(output, ArtifactOutput):
                    made[task.name, output.name] = frozenset([(task.name, output.name)])
    for handed in outputs:
        if isinstance(handed.port, ArtifactOutput):
            sources = (made[source.task, source.output] for source in handed.sources)
            yield handed.port.name, frozenset().union(*sources)
