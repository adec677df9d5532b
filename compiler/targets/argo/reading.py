"""How a value is read in a DAG, and how it gets there: values that cross the borders of DAGs.

What one DAG hands to another is an input or an output of its template. A value of a step that may
have been skipped travels as a JSON list, which is empty then. An output leaves a round as a list
of its text, so that Argo, which joins what rounds hand on, can't take text for JSON; the loop
hands on the JSON array of all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal as OneOf
from typing import NamedTuple, TypeAlias

from compiler.expr import (
    ArtifactType,
    EachRef,
    Expr,
    Literal,
    Operation,
    ParamRef,
    PipelineInputRef,
    RunRef,
    RunTimeRef,
    StepOutputRef,
    walk,
)
from compiler.ir import Loop
from compiler.targets.argo import conditions, tags
from compiler.targets.argo.plan import (
    Dag,
    Data,
    Flow,
    Gathered,
    Given,
    GivenArtifact,
    Level,
    Located,
    Round,
)
from compiler.values import to_json


class FromStep(NamedTuple):
    """An output of a step; `optional` where its user must know whether there is one."""

    step: str
    output: str
    optional: bool = False

    @property
    def name(self) -> str:
        plain = f"{_plain(self.step)}--{self.output}"
        return f"{plain}--if-any" if self.optional else plain


class Item(NamedTuple):
    """What the round of a loop is for: its number and one item of each list, as JSON."""

    loop: str

    @property
    def name(self) -> str:
        return f"{_plain(self.loop)}-item"


class Outside(NamedTuple):
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
        return source.output if self.of(source)[-1] is within[-1] else FromStep(*source[:2]).name


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
    if not isinstance(given, Located | Gathered):
        for part in walk(given):
            if isinstance(part, StepOutputRef):
                yield FromStep(part.step, part.output)


@dataclass(frozen=True, slots=True)
class Reader:
    """Prints what is read in the innermost of some DAGs.

    `closed`: where Argo knows the DAG's inputs and tasks alone, as in outputs.
    """

    within: tuple[Dag, ...]
    places: Places
    closed: bool = False

    def text(self, given: Given) -> str:
        """The expression of a value's text."""
        match given:
            case Round(loops=loops):
                return "+'/'+".join(f"toJson({self._pair(loop)}[0])" for loop in loops)
            case ParamRef() | StepOutputRef() | RunRef() | EachRef():
                return self._text(given, optional=False)
        return conditions.as_text(given, self._any_text, self.present)

    def condition(self, when: Expr) -> str:
        """The expression of a condition, a boolean."""
        return conditions.condition(when, self._any_text, self.present)

    def items(self, loop: Loop) -> str:
        """The expression of a loop's items: number and values of each round, as JSON."""
        lists = [self._list(axis.items) for axis in loop.axes]
        counts = [f"len({found})" for found in lists]
        values = []
        for position, found in enumerate(lists):
            slower = "*".join(counts[position + 1 :])
            index = f"int(#/({slower}))" if slower else "#"
            values.append(f"{found}[{index}{f'%{counts[position]}' if position else ''}]")
        return f"toJson(map(0..({'*'.join(counts)}-1),[#,{','.join(values)}]))"

    def source(self, source: Source) -> str:
        """The expression of what goes into a DAG under the source's name."""
        if not isinstance(source, FromStep):
            return tags.input_parameter(source.name)
        task = self.places.maker(source, self.within)
        if task is None or not source.optional:
            return self.value(source)
        value = tags.task_parameter_if_any(task, self.places.output(source, self.within))
        return f"{tags.is_there(task)}?toJson([{value}]):'[]'"

    def value(self, source: FromStep) -> str:
        """The expression of an output of a step that has run, or of what stands for it here."""
        task = self.places.maker(source, self.within)
        if task is None:
            return tags.input_parameter(source.name)
        return tags.task_parameter(task, self.places.output(source, self.within))

    def path(self, source: FromStep, kind: OneOf["parameters", "artifacts"]) -> str:
        """The name of an output of a step that has run, for what Argo only looks up."""
        task = self.places.maker(source, self.within)
        if task is None:
            return f"inputs.{kind}.{source.name}"
        return f"tasks.{task}.outputs.{kind}.{self.places.output(source, self.within)}"

    def place(self, given: GivenArtifact) -> Data:
        """The fields of an argument that say where an artifact is."""
        match given:
            case Located(fields=fields):
                return {**fields, "archive": {"none": {}}}
            case Gathered(store=store, prefix=prefix, loops=loops):
                folder = f"workflow.uid+{conditions.quoted(f'/{prefix}')}"
                if loops:
                    folder += f"+'/'+{self.text(Round(loops))}"
                return {store: {"key": tags.expression(folder)}, "archive": {"none": {}}}
            case StepOutputRef(step=step, output=output):
                return {"from": tags.simple(self.path(FromStep(step, output), "artifacts"))}
        return {"fromExpression": self._choice(given)}

    def present(self, ref: RunTimeRef) -> str | None:
        """An expression that is true where there is a value; None where there always is one."""
        if not isinstance(ref, StepOutputRef) or not self._optional(ref):
            return None
        source = FromStep(ref.step, ref.output, True)
        task = self.places.maker(source, self.within)
        return f"{tags.input_parameter(source.name)}!='[]'" if task is None else tags.is_there(task)

    def _optional(self, ref: StepOutputRef) -> bool:
        return self.places.flow.optional(ref.step, self.within[-1].level)

    def _any_text(self, ref: RunTimeRef) -> str:
        text = self._text(ref, optional=isinstance(ref, StepOutputRef) and self._optional(ref))
        return f"({text})" if "?" in text else text

    def _text(self, ref: RunTimeRef, *, optional: bool) -> str:
        match ref:
            case ParamRef(name=name):
                return tags.input_parameter(name) if self.closed else tags.workflow_parameter(name)
            case RunRef(field="status"):
                status = tags.input_parameter(STATUS.name)
                return f"{status}=='Succeeded'?'succeeded':'failed'"
            case RunRef(field=field):
                return tags.run_field(field)
            case EachRef():
                return self._item(ref)
            case StepOutputRef(step=step, output=output):
                source = FromStep(step, output, optional)
                task = self.places.maker(source, self.within)
                if not optional:
                    return self.value(source)
                if task is None:
                    return f"fromJSON({tags.input_parameter(source.name)})[0]"
                return tags.task_parameter_if_any(task, self.places.output(source, self.within))
            case PipelineInputRef():
                raise AssertionError("an artifact has no text")

    def _item(self, ref: EachRef) -> str:
        axes = [axis.name for axis in self.places.loops[ref.loop].axes]
        found = f"{self._pair(ref.loop)}[{axes.index(ref.name) + 1}]"
        found += "".join(f"[{conditions.quoted(field)}]" for field in ref.path)
        if ref.type.kind == "string":
            return found
        if ref.type.kind:
            return f"toJson({found})"
        return f"type({found})=='string'?{found}:toJson({found})"

    def _pair(self, loop: str) -> str:
        return f"fromJSON({tags.input_parameter(Item(loop).name)})"

    def _list(self, items: Expr) -> str:
        if isinstance(items, Literal):
            return f"fromJSON({conditions.quoted(to_json(items.value))})"
        return f"fromJSON({self.text(items)})"

    def _choice(self, given: Expr) -> str:
        """The expression of the first of several artifacts that is there."""
        refs = [part for part in walk(given) if isinstance(part, StepOutputRef)]
        found = ""
        for ref in reversed(refs):
            source = FromStep(ref.step, ref.output)
            task = self.places.maker(source, self.within)
            name = self.places.output(source, self.within)
            here = f"inputs.artifacts['{source.name}']"
            if task is not None:
                here = f"tasks['{task}'].outputs.artifacts['{name}']"
            guard = self.present(ref)
            found = f"{guard} ? {here} : {found}" if found and guard else here
        return found
