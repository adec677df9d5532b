"""DAGs as templates: what each task waits for, and what crosses the borders of DAGs.

A task runs where all that it waits for has succeeded. Argo calls a task that is not run Skipped
where its own condition is false, else Omitted, be it for something skipped or for something that
failed; where a task can do without one that was skipped, what that waited for is looked at too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field

from compiler.expr import ArtifactType, ValueType
from compiler.ir import Loop, PipelineOutput, Step
from compiler.targets.argo import tags
from compiler.targets.argo.crossing import (
    ROUND,
    FromStep,
    Item,
    Places,
    Source,
    artifact_sources,
    place_sources,
    sources,
)
from compiler.targets.argo.plan import (
    Dag,
    Data,
    Given,
    Level,
    Member,
    Task,
)
from compiler.targets.argo.reading import Reader
from compiler.values import JsonValue


class _Border(Struct):
    """What crosses the border of a DAG, and the members that each member waits for; dicts serve
    as ordered sets."""

    waits: dict[str, dict[str, None]] = field(default_factory=dict)
    parameters_in: dict[Source, None] = field(default_factory=dict)
    artifacts_in: dict[FromStep, None] = field(default_factory=dict)
    parameters_out: dict[FromStep, None] = field(default_factory=dict)
    artifacts_out: dict[FromStep, None] = field(default_factory=dict)


class Dags:
    """The DAG templates of one graph, `names` in the order in which they refer to each other.

    `tasks` go by step. `outputs` are what the whole hands on; what these take from parameters
    are inputs of the outermost template.
    """

    def __init__(
        self, places: Places, tasks: Mapping[str, Task], outputs: Iterable[PipelineOutput] = ()
    ) -> None:
        self._places = places
        self._tasks = tasks
        self._outputs = tuple(outputs)
        self._chains = places.chains
        self._borders = {name: _Border() for name in places.chains}
        self._members_of: dict[str, dict[str, Member]] = {}
        for (level, name), node in places.flow.nodes.items():
            self._enter(level, name, node)
        root = (places.root,)
        for output in self._outputs:
            for source in sources(output.value, (), places.flow, closed=True):
                self._carry(source, root)
            for artifact in artifact_sources(output.value):
                if isinstance(output.type, ArtifactType):
                    self._carry(artifact, root, artifact=True)

    @property
    def names(self) -> list[str]:
        return list(self._chains)

    @property
    def inputs(self) -> list[str]:
        """The parameters that the outermost template takes."""
        return [source.name for source in self._borders[self._places.root.name].parameters_in]

    def _enter(self, level: Level, name: str, node: Step | Loop) -> None:
        """Note what a node waits for and takes."""
        within = self._places.home[level, name]
        for other in self._places.flow.waits[level, name].all:
            self._join((*within, name), (*self._places.home[level, other], other))
        if node.when is not None:
            self._carry_all(node.when, level, within)
        if isinstance(node, Loop):
            inside = (*within, self._loop(within[-1], name))
            for axis in node.axes:
                self._carry_all(axis.items, level, inside)
            return
        for _, given in self._tasks[name].parameters:
            self._carry_all(given, level, within)
        for _, place in self._tasks[name].artifacts:
            for found in artifact_sources(place):
                self._carry(found, within, artifact=True)
            for source in place_sources(place):
                self._carry(source, within)

    def _loop(self, dag: Dag, name: str) -> Dag:
        loop = self._members(dag)[name]
        assert isinstance(loop, Dag)
        return loop

    def _join(self, waiting: tuple[Dag | str, ...], before: tuple[Dag | str, ...]) -> None:
        """Let a node wait for another, or the parts that hold them from where their ways part."""
        at = next(n for n, (a, b) in enumerate(zip(waiting, before, strict=False)) if a != b)
        dag = waiting[at - 1]
        assert isinstance(dag, Dag)
        self._borders[dag.name].waits.setdefault(_key(waiting[at]), {})[_key(before[at])] = None

    def _carry_all(self, given: Given, level: Level, within: tuple[Dag, ...]) -> None:
        """Bring all that is read in a DAG there."""
        for source in sources(given, level, self._places.flow):
            self._carry(source, within)

    def _carry(self, source: Source, using: tuple[Dag, ...], *, artifact: bool = False) -> None:
        """Let a value out of the DAGs that its user is not in, into those its maker is not in."""
        making = self._places.of(source)
        for dag in making:
            if dag not in using:
                assert isinstance(source, FromStep)
                border = self._borders[dag.name]
                plain = FromStep(source.step, source.output)
                (border.artifacts_out if artifact else border.parameters_out)[plain] = None
        for dag in using:
            border = self._borders[dag.name]
            if artifact and dag not in making:
                assert isinstance(source, FromStep)
                border.artifacts_in[source] = None
            elif dag not in making or (not isinstance(source, FromStep) and dag is making[-1]):
                border.parameters_in[source] = None

    def templates(self, documents: Mapping[str, str]) -> Iterator[Data]:
        """The templates in the order of `names`; `documents` says in which manifest each is."""
        for within in self._chains.values():
            yield self._template(within, documents)

    def _template(self, within: tuple[Dag, ...], documents: Mapping[str, str]) -> Data:
        dag, border = within[-1], self._borders[within[-1].name]
        reader = Reader(within, self._places, closed=True)
        outside = self._outputs if len(within) == 1 else ()
        values: list[JsonValue] = [
            self._handed_on(source, reader) for source in border.parameters_out
        ]
        values += [_value(o, reader) for o in outside if isinstance(o.type, ValueType)]
        artifacts: list[JsonValue] = [
            {"name": source.name, "from": tags.simple(reader.path(source, "artifacts"))}
            for source in border.artifacts_out
        ]
        artifacts += [
            {"name": o.name, **reader.place(o.value)}
            for o in outside
            if isinstance(o.type, ArtifactType)
        ]
        inner = Reader(within, self._places)
        tasks: list[JsonValue] = [self._member(member, inner, documents) for member in dag.members]
        return _filled(
            name=dag.name,
            parallelism=dag.loop.parallel if dag.loop else None,
            inputs=_filled(
                parameters=[{"name": source.name} for source in border.parameters_in],
                artifacts=[{"name": source.name} for source in border.artifacts_in],
            ),
            outputs=_filled(parameters=values, artifacts=artifacts),
            dag={"failFast": False, "tasks": tasks},
        )

    def _handed_on(self, source: FromStep, reader: Reader) -> Data:
        """An output of a DAG: of a part as it is, of a round in a list, of a loop the array."""
        dag, found = reader.within[-1], reader.value(source)
        way: Data = {"parameter": tags.simple(reader.path(source, "parameters"))}
        if dag.loop is not None:
            inner = self._places.of(source)[len(reader.within) + 1 :]
            is_text = not any(d.loop for d in inner) and self._is_text(source)
            one = "#[0]" if is_text else "fromJSON(#[0])"
            none = f"tasks['{ROUND}'].status=='Skipped'"
            way = {"expression": f"{none}?'[]':toJson(map(fromJSON({found}),{one}))"}
        elif len(reader.within) > 1 and reader.within[-2].loop is not None:
            way = {"expression": f"toJson([{found}])"}
        return {"name": source.name, "valueFrom": way}

    def _is_text(self, source: FromStep) -> bool:
        step = self._places.flow.nodes[self._places.flow.graph.home[source.step], source.step]
        assert isinstance(step, Step)
        kinds = {o.name: o.type.kind for o in step.outputs}
        # What is no output of the language is a key of the cache.
        return kinds.get(source.output, "string") in ("string", None)

    def _member(self, member: Member, reader: Reader, documents: Mapping[str, str]) -> Data:
        """A task of a DAG: a step, a loop, a part, or the rounds of a loop."""
        dag = reader.within[-1]
        key = member if isinstance(member, str) else member.key
        name, when, items = self._places.task(dag, key), None, None
        parameters: list[tuple[str, str]]
        artifacts: list[tuple[str, Data]]
        if isinstance(member, str):
            task = self._tasks[member]
            template = task.template
            parameters = [(n, reader.text(given)) for n, given in task.parameters]
            artifacts = [(n, reader.place(given)) for n, given in task.artifacts]
        else:
            template, inner = member.name, self._borders[member.name]
            mine = Item(dag.loop.name) if dag.loop else None
            parameters = [
                (source.name, "item" if source == mine else reader.source(source))
                for source in inner.parameters_in
            ]
            artifacts = [
                (source.name, {"from": tags.simple(reader.path(source, "artifacts"))})
                for source in inner.artifacts_in
            ]
        if dag.loop is not None:
            name, items = ROUND, tags.expression(reader.items(dag.loop))
        elif (node := self._places.flow.nodes.get((dag.level, key))) and node.when is not None:
            when = tags.expression(reader.condition(node.when))
        document = documents[template]
        here = document == documents[dag.name]
        return _filled(
            name=name,
            template=template if here else None,
            templateRef=None if here else {"name": document, "template": template},
            depends=self._depends(dag, key),
            when=when,
            withParam=items,
            arguments=_filled(
                parameters=[{"name": n, "value": tags.expression(text)} for n, text in parameters],
                artifacts=[{"name": n, **place} for n, place in artifacts],
            ),
        )

    def _members(self, dag: Dag) -> dict[str, Member]:
        """What is in a DAG, by key."""
        found = self._members_of.get(dag.name)
        if found is None:
            found = {m if isinstance(m, str) else m.key: m for m in dag.members}
            self._members_of[dag.name] = found
        return found

    def _depends(self, dag: Dag, key: str) -> str:
        border, flow = self._borders[dag.name], self._places.flow
        waits = flow.waits.get((dag.level, key))
        lenient = set(waits.lenient) if waits else set()
        strict = [other for other in border.waits.get(key, ()) if other not in lenient]
        needed = dict.fromkeys(strict, True)
        pending = [other for other in border.waits.get(key, ()) if other in lenient]
        while pending:
            other = pending.pop(0)
            if other not in self._members(dag) or other in needed:
                continue
            may_be_skipped = (dag.level, other) in flow.skippable
            needed[other] = not may_be_skipped
            if may_be_skipped:
                pending += flow.waits[dag.level, other].all
        terms = []
        for other, must_run in needed.items():
            task = self._places.task(dag, other)
            run = f"{task}.Succeeded"
            terms.append(run if must_run else f"({run} || {task}.Skipped || {task}.Omitted)")
        for join in waits.joins if waits else ():
            if all(needed.get(other) is False for other in join):
                runs = (f"{self._places.task(dag, other)}.Succeeded" for other in join)
                terms.append(f"({' || '.join(runs)})")
        return " && ".join(terms)


def _value(output: PipelineOutput, reader: Reader) -> Data:
    return {
        "name": output.name,
        "valueFrom": {"expression": reader.text(output.value)},
    }


def _key(member: Dag | str) -> str:
    return member if isinstance(member, str) else member.key


def _filled(**fields: JsonValue) -> Data:
    return {name: value for name, value in fields.items() if value}
