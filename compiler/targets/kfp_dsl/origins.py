"""Where the values that tasks take come from, across the DAGs around them.

The plan hands values from DAG to DAG; in the DSL a task names them wherever they are made, and the
SDK does the handing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct

from compiler.targets.kfp.pipelinespec import IMPORTED_OUTPUT
from compiler.targets.kfp.plan import (
    ArtifactInput,
    Constant,
    Dag,
    Field,
    FromScope,
    FromTask,
    Import,
    ParameterInput,
    Scope,
    Task,
)


class Given(Struct, frozen=True):
    """A parameter of the pipeline's function."""

    name: str


class Made(Struct, frozen=True):
    """An output of the task with this component; `collected` from all rounds of loops around it."""

    component: str
    output: str
    collected: bool


class Item(Struct, frozen=True):
    """The item of the loop with this component, or a field of it."""

    component: str
    path: tuple[str, ...]


Origin: TypeAlias = Given | Made | Item | Constant


class Place(Struct, frozen=True):
    """A scope, and what its inputs are."""

    scope: Scope
    given: Mapping[str, Origin]

    def origin(self, taken: ParameterInput | ArtifactInput) -> Origin:
        """Where a task or DAG of this scope has an input from."""
        found = self._source(taken.source)
        match taken:
            case ParameterInput(selection=Field(path=path)):
                assert isinstance(found, Item), "fields are those of items"
                return Item(found.component, (*found.path, *path))
            case ParameterInput(selection=selection):
                assert selection is None, "the DSL has nothing but fields"
        return found

    def inside(self, dag: Dag) -> Place:
        """The scope of one of the DAGs in this one."""
        given = {taken.name: self.origin(taken) for taken in dag.inputs}
        if dag.iterator is not None:
            given[dag.iterator.item] = Item(dag.component, ())
        return Place(dag.scope, given)

    def _source(self, source: Constant | FromScope | FromTask) -> Origin:
        match source:
            case FromScope(name=name):
                return self.given[name]
            case FromTask(task=task, output=output):
                return made(self.scope, task, output)
            case Constant():
                return source


def made(scope: Scope, task: str, output: str) -> Made:
    """An output of a task of a scope, followed to the container that writes it."""
    collected = False
    while True:
        match scope.named[task]:
            case Import(component=component):
                return Made(component, IMPORTED_OUTPUT, collected)
            case Task(component=component):
                return Made(component, output, collected)
            case Dag(role=role, scope=inner, outputs=outputs):
                collected = collected or role == "loop"
                (source,) = next(o.sources for o in outputs if o.port.name == output)
                scope, task, output = inner, source.task, source.output
