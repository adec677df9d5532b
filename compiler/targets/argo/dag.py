"""Tasks as DAG templates: what each waits for, and the way of values through parts of the graph.

A value that crosses the border of a part is an input or an output of that part's template, called
STEP--OUTPUT. Values that mean the same everywhere cross no border.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from compiler.targets.argo import tags
from compiler.targets.argo.parts import Member, Part
from compiler.targets.argo.plan import Anywhere, Data, FromStep, Located, Task
from compiler.values import JsonValue


@dataclass(slots=True)
class _Dag:
    """A DAG while it is collected; dicts serve as ordered sets.

    `within` names the parts around it, from the outermost to itself; `waits` gives the members
    that each member waits for; the rest are the values that cross its border.
    """

    name: str
    members: tuple[Member, ...]
    within: tuple[str, ...]
    waits: dict[str, dict[str, None]] = field(default_factory=dict)
    parameters_in: dict[FromStep, None] = field(default_factory=dict)
    artifacts_in: dict[FromStep, None] = field(default_factory=dict)
    parameters_out: dict[FromStep, None] = field(default_factory=dict)
    artifacts_out: dict[FromStep, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Graph:
    """The tasks by step, the DAGs by name, the DAG of each step, the manifest of each template."""

    tasks: Mapping[str, Task]
    dags: Mapping[str, _Dag]
    home: Mapping[str, _Dag]
    documents: Mapping[str, str]


def names(root: Part) -> list[str]:
    """The DAG templates of a part: those of the parts in it, inner ones first, then its own."""
    return [dag.name for dag in _dags(root, ())]


def templates(root: Part, tasks: Mapping[str, Task], documents: Mapping[str, str]) -> list[Data]:
    """The DAG templates that `names` names, in that order.

    `tasks` is keyed by step; `documents` gives the manifest that each template stands in.
    """
    dags = {dag.name: dag for dag in _dags(root, ())}
    home = {step: dag for dag in dags.values() for step in dag.members if isinstance(step, str)}
    graph = _Graph(tasks, dags, home, documents)
    for step, task in tasks.items():
        for other in task.waits:
            _join(step, other, graph)
        for source in task.taken():
            _carry(source, step, graph, artifact=False)
        for _, place in task.artifacts:
            if isinstance(place, FromStep):
                _carry(place, step, graph, artifact=True)
    return [_template(dag, graph) for dag in dags.values()]


def is_cut(root: Part, tasks: Mapping[str, Task]) -> bool:
    """Whether a step waits for one in another part."""
    home = {
        step: dag.name for dag in _dags(root, ()) for step in dag.members if isinstance(step, str)
    }
    return any(home[step] != home[other] for step, task in tasks.items() for other in task.waits)


def _dags(part: Part, around: tuple[str, ...]) -> Iterator[_Dag]:
    within = (*around, part.name)
    for member in part.members:
        if isinstance(member, Part):
            yield from _dags(member, within)
    yield _Dag(part.name, part.members, within)


def _join(step: str, other: str, graph: _Graph) -> None:
    """Let a step wait for another, or the parts that hold them from where their ways part."""
    waiting = (*graph.home[step].within, step)
    before = (*graph.home[other].within, other)
    level = next(n for n, (a, b) in enumerate(zip(waiting, before, strict=False)) if a != b)
    dag = graph.dags[waiting[level - 1]]
    dag.waits.setdefault(waiting[level], {})[before[level]] = None


def _carry(source: FromStep, user: str, graph: _Graph, *, artifact: bool) -> None:
    """Let a value out of the parts that its user is not in, and into those its maker is not in."""
    using, making = graph.home[user].within, graph.home[source.step].within
    for name in making:
        if name not in using:
            dag = graph.dags[name]
            (dag.artifacts_out if artifact else dag.parameters_out)[source] = None
    for name in using:
        if name not in making:
            dag = graph.dags[name]
            (dag.artifacts_in if artifact else dag.parameters_in)[source] = None


def _template(dag: _Dag, graph: _Graph) -> Data:
    out_parameters: list[JsonValue] = [
        {"name": _crossing(s), "valueFrom": {"parameter": tags.simple(_parameter(s, dag, graph))}}
        for s in dag.parameters_out
    ]
    out_artifacts: list[JsonValue] = [
        {"name": _crossing(s), "from": tags.simple(_artifact(s, dag, graph))}
        for s in dag.artifacts_out
    ]
    return _filled(
        name=dag.name,
        inputs=_filled(
            parameters=[{"name": _crossing(s)} for s in dag.parameters_in],
            artifacts=[{"name": _crossing(s)} for s in dag.artifacts_in],
        ),
        outputs=_filled(parameters=out_parameters, artifacts=out_artifacts),
        dag={"failFast": False, "tasks": [_member(member, dag, graph) for member in dag.members]},
    )


def _member(member: Member, dag: _Dag, graph: _Graph) -> Data:
    """A task of a DAG: a step, or a part as one task."""
    parameters: list[tuple[str, Anywhere | FromStep]]
    artifacts: list[tuple[str, Located | FromStep]]
    if isinstance(member, Part):
        key = name = template = member.name
        inner = graph.dags[member.name]
        parameters = [(_crossing(source), source) for source in inner.parameters_in]
        artifacts = [(_crossing(source), source) for source in inner.artifacts_in]
    else:
        task = graph.tasks[member]
        key, name, template = member, task.name, task.template
        parameters, artifacts = list(task.parameters), list(task.artifacts)
    document = graph.documents[template]
    here = document == graph.documents[dag.name]
    waits = [_task_name(other, graph) for other in dag.waits.get(key, ())]
    return _filled(
        name=name,
        template=template if here else None,
        templateRef=None if here else {"name": document, "template": template},
        depends=" && ".join(f"{other}.Succeeded" for other in waits),
        arguments=_filled(
            parameters=[{"name": n, "value": _value(s, dag, graph)} for n, s in parameters],
            artifacts=[{"name": n, **_place(s, dag, graph)} for n, s in artifacts],
        ),
    )


def _value(source: Anywhere | FromStep, dag: _Dag, graph: _Graph) -> str:
    if isinstance(source, Anywhere):
        return tags.expression(source.expression)
    maker, output = _maker(source, dag, graph)
    if maker is None:
        return tags.expression(tags.input_parameter(output))
    return tags.expression(tags.task_parameter(maker, output))


def _place(source: Located | FromStep, dag: _Dag, graph: _Graph) -> Data:
    if isinstance(source, Located):
        return {**source.fields, "archive": {"none": {}}}
    return {"from": tags.simple(_artifact(source, dag, graph))}


def _parameter(source: FromStep, dag: _Dag, graph: _Graph) -> str:
    maker, output = _maker(source, dag, graph)
    return f"tasks.{maker}.outputs.parameters.{output}"


def _artifact(source: FromStep, dag: _Dag, graph: _Graph) -> str:
    maker, output = _maker(source, dag, graph)
    return f"tasks.{maker}.outputs.artifacts.{output}" if maker else f"inputs.artifacts.{output}"


def _maker(source: FromStep, dag: _Dag, graph: _Graph) -> tuple[str | None, str]:
    """The task of this DAG that has the value, None for the DAG's own inputs; its name there."""
    making = graph.home[source.step].within
    if making == dag.within:
        return graph.tasks[source.step].name, source.output
    if dag.name in making:
        return making[len(dag.within)], _crossing(source)
    return None, _crossing(source)


def _crossing(source: FromStep) -> str:
    return f"{source.step}--{source.output}"


def _task_name(member: str, graph: _Graph) -> str:
    return graph.tasks[member].name if member in graph.tasks else member


def _filled(**fields: JsonValue) -> Data:
    return {name: value for name, value in fields.items() if value}
