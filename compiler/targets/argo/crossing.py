"""Values that cross the borders of DAGs: what they are called there, and where they are at home.

What one DAG hands to another is an input or an output of its template. A value of a step that may
have been skipped travels as a JSON list, which is empty then. An output leaves a round as a list
of its text, so that Argo, which joins what rounds hand on, can't take text for JSON; the loop
hands on the JSON array of all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from msgspec import Struct

from compiler.expr import (
    ArtifactType,
    EachRef,
    Operation,
    ParamRef,
    RunRef,
    StepOutputRef,
    walk,
)
from compiler.ir import Loop
from compiler.targets.argo.plan import (
    Dag,
    Flow,
    Gathered,
    Given,
    GivenArtifact,
    Level,
    Located,
    Round,
)


class FromStep(Struct, frozen=True):
    """An output of a step; `optional` where its user must know whether there is one."""

    step: str
    output: str
    optional: bool = False

    @property
    def name(self) -> str:
        plain = f"{_plain(self.step)}--{self.output}"
        return f"{plain}--if-any" if self.optional else plain


class Item(Struct, frozen=True):
    """What the round of a loop is for: its number and one item of each list, as JSON."""

    loop: str

    @property
    def name(self) -> str:
        return f"{_plain(self.loop)}-item"


class Outside(Struct, frozen=True):
    """What a whole graph is given: the run's status, or a parameter."""

    name: str


Source: TypeAlias = FromStep | Item | Outside
STATUS = Outside("status")


class Places:
    """Where nodes and values are at home: the DAGs around each, from the outermost."""

    def __init__(self, root: Dag, flow: Flow, names: dict[str, str]) -> None:
        self.flow = flow
        self.names = names
        self.root = root
        self.chains: dict[str, tuple[Dag, ...]] = {}
        self.home: dict[tuple[Level, str], tuple[Dag, ...]] = {}
        self.loops: dict[str, Loop] = {}
        self._rounds: dict[str, tuple[Dag, ...]] = {}
        for within in root.walk():
            dag = within[-1]
            self.chains[dag.name] = within
            for member in dag.members:
                self.home[dag.level, member if isinstance(member, str) else member.key] = within
            if dag.loop is not None:
                self.loops[dag.loop.name] = dag.loop
                (each,) = dag.members
                assert isinstance(each, Dag)
                self._rounds[dag.loop.name] = (*within, each)

    def of_step(self, step: str) -> tuple[Dag, ...]:
        return self.home[self.flow.graph.home[step], step]

    def of(self, source: Source) -> tuple[Dag, ...]:
        match source:
            case FromStep(step=step):
                return self.of_step(step)
            case Item(loop=loop):
                return self._rounds[loop]
            case Outside():
                return (self.root,)

    def task(self, dag: Dag, key: str) -> str:
        """The name of a member's task."""
        node = (dag.level, key) in self.flow.nodes
        return self.names[key] if node else key

    def maker(self, source: FromStep, within: tuple[Dag, ...]) -> str | None:
        """The task that has a value in the innermost of some DAGs; None for its own inputs."""
        making = self.of(source)
        if within[-1] not in making:
            return None
        inner = making[len(within) :]
        dag = within[-1]
        if not inner:
            return self.task(dag, source.step)
        return ROUND if dag.loop is not None else self.task(dag, inner[0].key)

    def output(self, source: FromStep, within: tuple[Dag, ...]) -> str:
        """What the task that `maker` gives calls the value."""
        return (
            source.output
            if self.of(source)[-1] is within[-1]
            else FromStep(source.step, source.output).name
        )


# The task of a loop's DAG.
ROUND = "round"


def _plain(node: str) -> str:
    """A node as part of a parameter's name, which takes no dots; nodes have no dashes."""
    return node.replace(".", "-")


def sources(given: Given, level: Level, flow: Flow, *, closed: bool = False) -> Iterator[Source]:
    """The values that a user on a level reads; `closed` is as for `Reader`."""
    if isinstance(given, Round):
        yield from map(Item, given.loops)
        return
    operation = isinstance(given, Operation)
    for part in walk(given):
        match part:
            case StepOutputRef(step=step, output=output, type=type_):
                if not isinstance(type_, ArtifactType):
                    yield FromStep(step, output, operation and flow.optional(step, level))
            case EachRef(loop=loop):
                yield Item(loop)
            case RunRef(field="status"):
                yield STATUS
            case ParamRef(name=name) if closed:
                yield Outside(name)


def artifact_sources(given: GivenArtifact) -> Iterator[FromStep]:
    """The artifacts that a user takes from steps."""
    if not isinstance(given, (Located, Gathered)):
        for part in walk(given):
            if isinstance(part, StepOutputRef):
                yield FromStep(part.step, part.output)


def place_sources(place: GivenArtifact) -> Iterator[Source]:
    """The values that say where an artifact is."""
    if isinstance(place, Gathered):
        yield from map(Item, place.loops)
