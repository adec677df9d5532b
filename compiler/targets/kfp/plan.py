"""What a pipeline becomes on KFP: components, executors and tasks, decided once for both targets.

`compiler.targets.kfp` prints a plan as IR, `compiler.targets.kfp_dsl` as Python source; neither
decides anything of its own that shows in the other, so the two can't drift apart.

A scope is a DAG. Its tasks are containers (`Task`), importers (`Import`) and DAGs of their own
(`Dag`): a loop, a choice between tasks, a guard that carries a loop's condition, and where there
is a `finally` the main part and the exit part. What a DAG's tasks take from around it are inputs
of the DAG (`FromScope`), what others take from its tasks are its outputs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from msgspec import Struct

from compiler.expr import Expr, RunTimeRef
from compiler.ir import Required, Retry
from compiler.targets.kfp.containerplan import (
    Container,
    EmptyDir,
    ExecutorInput,
    InputPath,
    InputValue,
    Mount,
    OutputFile,
    OutputPath,
    Part,
    Platform,
    Resources,
    SecretVariable,
    Text,
    Word,
)
from compiler.targets.kfp.ports import (
    Around,
    ArtifactInput,
    ArtifactOutput,
    Constant,
    Field,
    FromScope,
    FromTask,
    Otherwise,
    ParameterInput,
    ParameterOutput,
    ParameterType,
    SchemaTitle,
)
from compiler.values import JsonValue

__all__ = [
    "Around",
    "ArtifactInput",
    "ArtifactOutput",
    "Condition",
    "Constant",
    "Container",
    "Dag",
    "DagOutput",
    "EmptyDir",
    "ExecutorInput",
    "Field",
    "FromScope",
    "FromTask",
    "Import",
    "InputPath",
    "InputValue",
    "Iterator",
    "Mount",
    "Otherwise",
    "OutputFile",
    "OutputPath",
    "Parameter",
    "ParameterInput",
    "ParameterOutput",
    "ParameterType",
    "Part",
    "Plan",
    "Platform",
    "Resources",
    "Role",
    "SchemaTitle",
    "Scope",
    "SecretVariable",
    "Task",
    "Text",
    "Word",
]


class DagOutput(Struct, frozen=True):
    """An output of a DAG, taken from its tasks.

    With several sources it is that of the first one that ran (`OneOf`): they are containers, and
    all give it under the same name.
    """

    port: ParameterOutput | ArtifactOutput
    sources: tuple[FromTask, ...]


class Condition(Struct, frozen=True):
    """What has to hold for a task to run, else it is skipped.

    `test` is the boolean expression, None where only lists count; `inputs` names the input of the
    task for each reference in it. `lists` are inputs that are tested for having items or none.
    `text` says all of it in CEL.
    """

    test: Expr | None
    text: str
    inputs: tuple[tuple[RunTimeRef, str], ...]
    lists: tuple[str, ...]


class Task(Struct, frozen=True):
    """A container: a task with a component and an executor of its own.

    `name` is unique in its DAG, `component` in the whole plan. `step` is the step that it is, or
    that a helper of mlc's own (`is_helper`) serves. `inputs` holds what its `condition` tests too.
    `after` holds every task of the DAG that has to succeed first, be it for data or for order
    alone, sorted; `needs` those of them that give it no data.
    """

    name: str
    component: str
    step: str
    is_helper: bool
    description: str
    inputs: tuple[ParameterInput | ArtifactInput, ...]
    outputs: tuple[ParameterOutput | ArtifactOutput, ...]
    container: Container
    platform: Platform
    retry: Retry | None
    cached: bool
    condition: Condition | None
    needs: tuple[str, ...]
    after: tuple[str, ...]


class Import(Struct, frozen=True):
    """An importer task: takes the URI in the DAG's input `uri`, gives the artifact `artifact`."""

    name: str
    component: str
    schema: SchemaTitle
    uri: str


class Parameter(Struct, frozen=True):
    """An input parameter of the pipeline; `literals` are the values allowed, none for any."""

    name: str
    type: ParameterType
    default: JsonValue | Required
    literals: tuple[JsonValue, ...]
    description: str


class Iterator(Struct, frozen=True):
    """Makes a loop of a DAG: its input `item` is one of `items` in each round.

    `items` are values known at compile time (of a loop over several such lists the combinations,
    as objects with a field for each), or an input of the DAG that holds the list.
    """

    items: tuple[JsonValue, ...] | FromScope
    item: str
    item_type: ParameterType
    parallel: int | None


Role: TypeAlias = Literal["loop", "guard", "choice", "main", "exit"]


class Dag(Struct, frozen=True):
    """A task with a DAG of its own.

    loop: has an `iterator`; one for each list that is known only at run time, one in the other.
    guard: holds a loop, and has its condition, or the list that it picks out of an item.
    choice: tasks of which one runs, with outputs from that one.
    main and exit: where there is a `finally`, the root holds these two; `exit` runs when all
    tasks of `main` have ended.

    `node` is the step or loop that it stands for, empty for main and exit. `after` and `needs`
    are as in `Task`.
    """

    name: str
    component: str
    role: Role
    node: str
    inputs: tuple[ParameterInput | ArtifactInput, ...]
    outputs: tuple[DagOutput, ...]
    scope: Scope
    iterator: Iterator | None
    condition: Condition | None
    needs: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """A DAG. Each task comes after those that it depends on; `named` are all by their names."""

    imports: tuple[Import, ...]
    tasks: tuple[Task | Dag, ...]
    named: dict[str, Import | Task | Dag] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        named = {task.name: task for task in (*self.imports, *self.tasks)}
        object.__setattr__(self, "named", named)

    def containers(self) -> Iterable[Task]:
        """The containers in it and in its DAGs."""
        for task in self.tasks:
            if isinstance(task, Dag):
                yield from task.scope.containers()
            else:
                yield task

    def scopes(self) -> Iterable[Scope]:
        """It and those in it, from outer to inner."""
        yield self
        for task in self.tasks:
            if isinstance(task, Dag):
                yield from task.scope.scopes()


class Plan(Struct, frozen=True):
    """`outputs` are what the pipeline hands on; `timeout` and `ttl` are those of the whole run,
    in seconds."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    root: Scope
    outputs: tuple[DagOutput, ...]
    timeout: int | None
    ttl: int | None
