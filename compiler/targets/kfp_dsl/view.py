"""What the template shows of a plan: names, signatures and statements, as Python source."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from dataclasses import dataclass

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
from compiler.targets.kfp_dsl.constants import Constant, constants, container_spec
from compiler.targets.kfp_dsl.docstrings import (
    arguments,
    comment,
    docstring,
    outputs,
    paragraph,
    survives,
)
from compiler.targets.kfp_dsl.source import Call, Expression, Source, identifier, render
from compiler.targets.kfp_dsl.statements import (
    INDENT,
    artifact_class,
    import_statements,
    task_statements,
)

MODULES = frozenset({"compiler", "dsl", "kubernetes"})
_BUILTINS = frozenset({"bool", "dict", "float", "int", "list", "str"})
_PYTHON_TYPES: dict[ParameterType, Source] = {
    "STRING": Source("str"),
    "NUMBER_INTEGER": Source("int"),
    "NUMBER_DOUBLE": Source("float"),
    "BOOLEAN": Source("bool"),
    "LIST": Source("list"),
    "STRUCT": Source("dict"),
}


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter of a function; `default` with its `=`, empty where there is none."""

    name: Source
    annotation: Source
    default: Source


@dataclass(frozen=True, slots=True)
class Component:
    """The function of a component. `comment` stands above it, `docstring` may be None."""

    function: Source
    arguments: tuple[Argument, ...]
    comment: Source
    docstring: Source | None
    container: Source


@dataclass(frozen=True, slots=True)
class View:
    """All that the template needs. `tasks` are the pipeline's statements, a group for each task."""

    docstring: Source
    modules: Source
    constants: tuple[Constant, ...]
    components: tuple[Component, ...]
    decorator: Source
    pipeline: Source
    arguments: tuple[Argument, ...]
    pipeline_docstring: Source | None
    tasks: tuple[tuple[Source, ...], ...]
    compilation: Source


def view(plan: Plan) -> View:
    """The plan as the parts of a module."""
    scope = plan.root
    taken = {*MODULES, *_BUILTINS, *(p.name for p in plan.parameters)}
    functions = {t.name: _free(t.name.replace("-", "_"), taken) for t in scope.tasks}
    pipeline = _free(plan.name.replace("-", "_"), taken)
    tasks = [*(i.name for i in scope.imports), *functions]
    variables = {name: _free(f"{name.replace('-', '_')}_task", taken) for name in tasks}
    taken |= {port.name for task in scope.tasks for port in (*task.inputs, *task.outputs)}
    named = constants(plan, lambda name: _free(name, taken))
    by_text = {constant.text: constant.name for constant in named}
    groups = [
        *(import_statements(i, variables[i.name]) for i in scope.imports),
        *(task_statements(t, functions[t.name], variables) for t in scope.tasks),
    ]
    uses_kubernetes = any(line.startswith("kubernetes.") for lines in groups for line in lines)
    modules = MODULES if uses_kubernetes else MODULES - {"kubernetes"}
    compiled = (None, pipeline), (None, f"{plan.name}.yaml")
    return View(
        docstring=Source(f'"""The pipeline {plan.name}, in the DSL of Kubeflow Pipelines."""'),
        modules=Source(", ".join(sorted(modules))),
        constants=named,
        components=tuple(_component(t, functions[t.name], by_text) for t in scope.tasks),
        decorator=render(_decorator(plan, by_text), before=1),
        pipeline=pipeline,
        arguments=_pipeline_arguments(plan),
        pipeline_docstring=_pipeline_docstring(plan),
        tasks=tuple(groups),
        compilation=render(Call(Source("compiler.Compiler().compile"), compiled), INDENT),
    )


def _free(wanted: str, taken: set[str]) -> Source:
    """A name, with underscores behind it where it is taken; it is taken from now on.

    The SDK strips those underscores from what it calls a task after its function.
    """
    name = wanted
    while name in taken or keyword.iskeyword(name):
        name += "_"
    taken.add(name)
    return identifier(name)


def _component(task: Task, function: Source, names: Mapping[str, Source]) -> Component:
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
            for port in (*task.inputs, *task.outputs)
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


def _decorator(plan: Plan, names: Mapping[str, Source]) -> Call:
    limits: dict[str, Expression] = {
        "ttl_seconds_after_finished": plan.ttl,
        "active_deadline_seconds": plan.timeout,
    }
    given = tuple((name, value) for name, value in limits.items() if value is not None)
    config = Call(Source("dsl.PipelineConfig"), given) if given else None
    arguments: dict[str, Expression] = {
        "name": plan.name,
        "description": names.get(plan.description, plan.description),
        "pipeline_config": config,
    }
    return Call(
        Source("dsl.pipeline"),
        tuple((name, value) for name, value in arguments.items() if value is not None),
    )


def _pipeline_arguments(plan: Plan) -> tuple[Argument, ...]:
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


def _pipeline_docstring(plan: Plan) -> Source | None:
    section = arguments((p.name, p.description) for p in plan.parameters)
    return docstring([["The tasks of a run."], section], INDENT) if section else None
