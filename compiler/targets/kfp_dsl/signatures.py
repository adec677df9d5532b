"""Signatures of the DSL source: components, the parameters of pipelines and what these hand on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from compiler.ir import Required
from compiler.targets.kfp.plan import (
    ArtifactInput,
    ArtifactOutput,
    Parameter,
    ParameterInput,
    ParameterOutput,
    ParameterType,
    Plan,
    Task,
)
from compiler.targets.kfp_dsl.constants import container_spec
from compiler.targets.kfp_dsl.docstrings import (
    arguments,
    comment,
    docstring,
    outputs,
    paragraph,
    survives,
)
from compiler.targets.kfp_dsl.ports import taken
from compiler.targets.kfp_dsl.source import Source, identifier, render
from compiler.targets.kfp_dsl.statements import INDENT, artifact_class

_PYTHON_TYPES: dict[ParameterType, Source] = {
    "STRING": Source("str"),
    "NUMBER_INTEGER": Source("int"),
    "NUMBER_DOUBLE": Source("float"),
    "BOOLEAN": Source("bool"),
    "LIST": Source("list"),
    "STRUCT": Source("dict"),
}


class Argument(Struct, frozen=True):
    """A parameter of a function; `default` with its `=`, empty where there is none."""

    name: Source
    annotation: Source
    default: Source


class Component(Struct, frozen=True):
    """The function of a component. `comment` stands above it, `docstring` may be None."""

    function: Source
    arguments: tuple[Argument, ...]
    comment: Source
    docstring: Source | None
    container: Source


class Results(Struct, frozen=True):
    """The class of what the pipeline hands on."""

    name: Source
    fields: tuple[Argument, ...]


def component(task: Task, function: Source, names: Mapping[str, Source]) -> Component:
    described = [(o.name, o.description) for o in task.outputs if survives(o.description)]
    section = outputs(described)
    summary = paragraph(task.description)
    remark = comment(task.description) if task.description and not summary else Source("")
    if section and not summary:
        summary = [f"The step {task.step}."]
    nothing = Source("")
    return Component(
        function=function,
        arguments=tuple(
            Argument(identifier(port.name), _annotation(port), nothing)
            for port in (*taken(task), *task.outputs)
        ),
        comment=remark,
        docstring=docstring([summary, section], INDENT),
        container=render(container_spec(task.container, names), INDENT, len("return ")),
    )


def _annotation(
    port: ParameterInput | ArtifactInput | ParameterOutput | ArtifactOutput,
) -> Source:
    match port:
        case ParameterInput(type=kind):
            return _PYTHON_TYPES[kind]
        case ArtifactInput(schema=schema):
            return Source(f"dsl.Input[{artifact_class(schema)}]")
        case ParameterOutput(type=kind):
            return Source(f"dsl.OutputPath({_PYTHON_TYPES[kind]})")
        case ArtifactOutput(schema=schema):
            return Source(f"dsl.Output[{artifact_class(schema)}]")


def results_of(plan: Plan, name: Source) -> Results:
    nothing = Source("")
    fields = (
        Argument(identifier(port.name), _result_type(port), nothing)
        for port in (output.port for output in plan.outputs)
    )
    return Results(name, tuple(fields))


def _result_type(port: ParameterOutput | ArtifactOutput) -> Source:
    return (
        _PYTHON_TYPES[port.type]
        if isinstance(port, ParameterOutput)
        else artifact_class(port.schema)
    )


def pipeline_arguments(plan: Plan) -> tuple[Argument, ...]:
    """The parameters, those without a default first, as Python wants it."""
    found = map(_pipeline_argument, plan.parameters)
    return tuple(sorted(found, key=lambda argument: bool(argument.default)))


def _pipeline_argument(parameter: Parameter) -> Argument:
    name, annotation = identifier(parameter.name), _PYTHON_TYPES[parameter.type]
    if isinstance(parameter.default, Required):
        return Argument(name, annotation, Source(""))
    default = parameter.default
    if parameter.type == "NUMBER_DOUBLE" and isinstance(default, int):
        default = float(default)
    before = len(f"{name}: {annotation} = ")
    return Argument(name, annotation, Source(f" = {render(default, INDENT, before, 1)}"))


def pipeline_docstring(plan: Plan) -> Source | None:
    section = arguments((p.name, p.description) for p in plan.parameters)
    described = [(o.port.name, o.port.description) for o in plan.outputs]
    handed_on = outputs((name, text) for name, text in described if survives(text))
    sections = [section, handed_on]
    return docstring([["The tasks of a run."], *sections], INDENT) if any(sections) else None


def arguments_of(ports: Iterable[ParameterInput | ArtifactInput]) -> tuple[Argument, ...]:
    """The parameters of a pipeline that is called by another."""
    return tuple(Argument(identifier(port.name), _annotation(port), Source("")) for port in ports)
