"""What Argo is to run: tasks, the DAGs they stand in, and the values that pass between these.

Steps and loops are known by their names in the spec, templates by their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct

from compiler.expr import Expr
from compiler.graph import Graph, Waits
from compiler.ir import Loop, Node
from compiler.values import JsonValue

# A piece of a manifest.
Data: TypeAlias = dict[str, JsonValue]
Level: TypeAlias = tuple[str, ...]


class Located(Struct, frozen=True):
    """An artifact from outside, by the fields that give its place."""

    fields: Data


class Gathered(Struct, frozen=True):
    """What all rounds of a loop wrote to an output: the folder that `prefix` names in a store.

    `loops` are those around the step in which the user is too; their rounds come after it.
    """

    store: str
    prefix: str
    loops: Level


class Round(Struct, frozen=True):
    """The numbers of the rounds that a task is in, outer loops first, as a path."""

    loops: Level


Given: TypeAlias = Expr | Round
GivenArtifact: TypeAlias = Expr | Located | Gathered


class Task(Struct, frozen=True):
    """A step as a task: the template that it runs and what fills the template's inputs."""

    name: str
    template: str
    parameters: tuple[tuple[str, Given], ...]
    artifacts: tuple[tuple[str, GivenArtifact], ...]


class Dag(Struct, frozen=True, eq=False):
    """A DAG template: the whole of a run, a part of it, a loop, or a round of one.

    `level` are the loops that its members are in. A member that is a DAG is known there by its
    `key`: a loop by its name, a part by its template's. The one member of a `loop`'s DAG is its
    round, which runs for each item.
    """

    name: str
    key: str
    members: tuple[Member, ...]
    level: Level
    loop: Loop | None = None

    def walk(self, around: tuple[Dag, ...] = ()) -> Iterator[tuple[Dag, ...]]:
        """Each DAG in it with those around it from the outermost; inner ones first."""
        within = (*around, self)
        for member in self.members:
            if isinstance(member, Dag):
                yield from member.walk(within)
        yield within


Member: TypeAlias = "str | Dag"


class Flow(Struct, frozen=True):
    """What waits for what among nodes, and which of them a condition may skip, level by level."""

    graph: Graph
    nodes: Mapping[tuple[Level, str], Node]
    waits: Mapping[tuple[Level, str], Waits]
    skippable: frozenset[tuple[Level, str]]

    def optional(self, step: str, level: Level) -> bool:
        """Whether a user on a level may find that a step was skipped."""
        home = self.graph.home[step]
        shared = home[: len(home) - len(self.graph.collected(step, level))]
        return (shared, self.graph.node(step, shared)) in self.skippable


class Plan(Struct, frozen=True):
    """All of a pipeline. `main` and `final` are its graphs, `final` None where nothing is last;
    `run` is the DAG around them, None where there is only one.

    `tasks` go by step, `templates` by name, `names` are those of tasks by node.
    """

    tasks: dict[str, Task]
    templates: dict[str, Data]
    names: dict[str, str]
    main: Dag
    final: Dag | None
    run: str | None
    flows: tuple[Flow, ...]

    @property
    def graphs(self) -> tuple[Dag, ...]:
        """The outermost DAGs, one for each of `flows`."""
        return (self.main, self.final) if self.final else (self.main,)
