"""DAGs while they are put together: what their tasks take from around them and hand out.

A value that a task takes from further out becomes an input of each DAG on the way, one that is
taken from further in an output. So a scope grows until all of the pipeline is planned; then it
gives its plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from compiler.ordering import cycles, in_order
from compiler.targets.kfp.names import Names, unique
from compiler.targets.kfp.plan import (
    ArtifactInput,
    ArtifactOutput,
    Condition,
    Constant,
    Dag,
    DagOutput,
    FromScope,
    FromTask,
    Import,
    Iterator,
    ParameterInput,
    ParameterOutput,
    ParameterType,
    Role,
    SchemaTitle,
    Scope,
    Task,
)

# Names a value wherever it is taken: ("param", "rate"), ("output", "train", "model").
Key: TypeAlias = tuple[str, ...]
Source: TypeAlias = Constant | FromScope | FromTask


class Kind(Struct, frozen=True):
    """What a value is: the type of a parameter, or the schema of an artifact or a list of them."""

    parameter: ParameterType | None = None
    schema: SchemaTitle | None = None
    is_list: bool = False

    def input(self, name: str, source: Source) -> ParameterInput | ArtifactInput:
        if self.parameter is not None:
            return ParameterInput(name, self.parameter, source)
        assert self.schema is not None, "a value is a parameter or an artifact"
        assert not isinstance(source, Constant), "artifacts come from tasks"
        return ArtifactInput(name, self.schema, source, self.is_list)

    def output(self, name: str, description: str = "") -> ParameterOutput | ArtifactOutput:
        if self.parameter is not None:
            return ParameterOutput(name, self.parameter, description)
        assert self.schema is not None, "a value is a parameter or an artifact"
        return ArtifactOutput(name, self.schema, description, self.is_list)

    def collected(self) -> Kind:
        """The list of such values from all rounds of a loop."""
        if self.parameter is not None:
            return Kind(parameter="LIST")
        return Kind(schema=self.schema, is_list=True)


class Inputs:
    """The inputs of a component; the same value is taken once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.ports: dict[str, ParameterInput | ArtifactInput] = {}
        self._taken = set(taken)
        self._alone: set[str] = set()

    def add(self, wanted: str, port: Callable[[str], ParameterInput | ArtifactInput]) -> str:
        """The name of the input that `port` makes of a name, `wanted` if that is free."""
        for name, known in self.ports.items():
            if port(name) == known and name not in self._alone:
                return name
        name = self.reserve(wanted)
        self.ports[name] = port(name)
        return name

    def add_alone(self, port: ParameterInput) -> str:
        """The name of an input that nothing else may use, `port.name` if that is free."""
        name = self.reserve(port.name)
        self.ports[name] = replace(port, name=name)
        self._alone.add(name)
        return name

    def put(self, port: ParameterInput | ArtifactInput) -> None:
        assert port.name not in self.ports, "names of captures are unique"
        self.ports[port.name] = port

    def reserve(self, wanted: str) -> str:
        """A name that nothing else may have, `wanted` if that is free."""
        name = unique(wanted, self._taken | self.ports.keys(), "_")
        self._taken.add(name)
        return name


class Draft(Protocol):
    """A task that may still grow."""

    @property
    def name(self) -> str: ...

    def plan(self) -> Task | Dag: ...


class Member(Protocol):
    """A node of the pipeline in its scope; `task` is the one to wait for."""

    @property
    def task(self) -> str: ...

    def give(self, step: str, output: str, /) -> FromTask:
        """Where an output of the step that it is or holds is found."""
        ...


class Ready(Struct, frozen=True):
    """A task that won't grow."""

    name: str
    task: Task

    def plan(self) -> Task:
        return self.task


class Frame(Struct):
    """A DAG in the making.

    `own` are the values that it has itself by key, such as the item in a loop.
    `level` is that of the nodes in it, as loops joined by `/`, None where it holds none itself.
    """

    names: Names
    name: str = ""
    component: str = ""
    role: Role | None = None
    node: str = ""
    parent: Frame | None = None
    needs: tuple[str, ...] = ()
    condition: Condition | None = None
    iterator: Iterator | None = None
    level: str | None = None
    holds_imports: bool = False
    own: dict[Key, Source] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    inputs: Inputs = field(default_factory=Inputs)
    outputs: dict[str, DagOutput] = field(default_factory=dict)
    imports: dict[str, Import] = field(default_factory=dict)
    drafts: list[Draft] = field(default_factory=list)
    cycles: list[tuple[str, ...]] = field(default_factory=list)

    def within(self, role: Role, wanted: str, node: str = "") -> Frame:
        """A DAG in this one."""
        name = self.names.task(wanted)
        component = self.names.component(name, loop=role == "loop")
        frame = Frame(self.names, name, component, role, node, self, cycles=self.cycles)
        self.drafts.append(frame)
        return frame

    def find(self, key: Key, wanted: str, kind: Kind) -> Source:
        """A value by its key, brought in from outside where need be."""
        if key in self.own:
            return self.own[key]
        if key[0] == "import" and self.holds_imports:
            return self._imported(key[1], kind)
        if key[0] == "output" and key[1] == self.level:
            return self.members[key[2]].give(key[3], key[4])
        if self.parent is None:
            assert key[0] in ("param", "uri"), f"nothing gives {key}"
            return FromScope(key[1])
        source = self.parent.find(key, wanted, kind)
        if isinstance(source, Constant):
            return source
        self.own[key] = FromScope(self.inputs.add(wanted, lambda name: kind.input(name, source)))
        return self.own[key]

    def hand_out(self, wanted: str, kind: Kind, *sources: FromTask) -> FromTask:
        """An output of this DAG for the scope around it; from the first source that ran."""
        for name, output in self.outputs.items():
            if output == DagOutput(kind.output(name), sources):
                return FromTask(self.name, name)
        name = unique(wanted, set(self.outputs), "_")
        self.outputs[name] = DagOutput(kind.output(name), sources)
        return FromTask(self.name, name)

    def plan(self) -> Dag:
        assert self.role is not None, "the root is no task"
        scope = self.scope()
        inputs = tuple(self.inputs.ports.values())
        needs, after = order(inputs, self.needs)
        return Dag(
            name=self.name,
            component=self.component,
            role=self.role,
            node=self.node,
            inputs=inputs,
            outputs=tuple(self.outputs.values()),
            scope=scope,
            iterator=self.iterator,
            condition=self.condition,
            needs=needs,
            after=after,
        )

    def scope(self) -> Scope:
        tasks = {draft.name: draft.plan() for draft in self.drafts}
        edges = {
            name: tuple(other for other in task.after if other in tasks)
            for name, task in tasks.items()
        }
        found = cycles(edges)
        self.cycles += found
        names = tasks if found else in_order(edges)
        return Scope(tuple(self.imports.values()), tuple(tasks[name] for name in names))

    def _imported(self, name: str, kind: Kind) -> FromTask:
        if name not in self.imports:
            assert kind.schema is not None, "what is imported is an artifact"
            uri = self.find(("uri", name), name, Kind(parameter="STRING"))
            assert isinstance(uri, FromScope), "URIs are parameters of the pipeline"
            task = self.names.imported(name)
            component = self.names.component(task)
            self.imports[name] = Import(task, component, kind.schema, uri.name)
        return FromTask(self.imports[name].name, "artifact")


def order(
    inputs: Iterable[ParameterInput | ArtifactInput], needed: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tasks that are waited for without data, and all that are waited for, sorted."""
    data = {port.source.task for port in inputs if isinstance(port.source, FromTask)}
    needs = tuple(task for task in dict.fromkeys(needed) if task not in data)
    return needs, tuple(sorted(data.union(needs)))
