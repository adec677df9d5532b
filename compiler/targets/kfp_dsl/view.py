"""What the template shows of a plan: names, signatures and statements, as Python source."""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from compiler.targets.kfp.plan import Dag, DagOutput, Plan
from compiler.targets.kfp_dsl import loops, nesting
from compiler.targets.kfp_dsl.constants import Constant, constants
from compiler.targets.kfp_dsl.nesting import Exit, Parts
from compiler.targets.kfp_dsl.origins import Origin, made
from compiler.targets.kfp_dsl.signatures import (
    Argument,
    Component,
    Results,
    arguments_of,
    component,
    pipeline_arguments,
    pipeline_docstring,
    results_of,
)
from compiler.targets.kfp_dsl.source import Call, Expression, Source, identifier, render
from compiler.targets.kfp_dsl.statements import INDENT, Names, assigned, body, value, waits

MODULES = frozenset({"compiler", "dsl", "kubernetes"})
_BUILTINS = frozenset({"bool", "dict", "float", "int", "list", "str"})


class Function(Struct, frozen=True):
    """The function of a pipeline. `tasks` are its statements in groups, with their margin;
    `returned` is empty where there is nothing to hand on."""

    decorator: Source
    name: Source
    arguments: tuple[Argument, ...]
    result: Source
    docstring: Source | None
    tasks: tuple[Source, ...]
    returned: Source


class View(Struct, frozen=True):
    """All that the template needs. `functions` are the pipelines, the one to compile last."""

    docstring: Source
    modules: Source
    constants: tuple[Constant, ...]
    components: tuple[Component, ...]
    results: Results | None
    functions: tuple[Function, ...]
    compilation: Source


def view(plan: Plan) -> View:
    """The plan as the parts of a module."""
    parts = nesting.parts(plan)
    reserved = {*MODULES, *_BUILTINS, *(p.name for p in plan.parameters)}
    containers = [*parts.main.scope.containers()]
    if parts.exit:
        containers += parts.exit.own.scope.containers()
    functions = {t.component: _free(t.name.replace("-", "_"), reserved) for t in containers}
    pipeline = _free(plan.name.replace("-", "_"), reserved)
    last = _free("finally_steps", reserved) if parts.exit else None
    results = _free("Outputs", reserved) if plan.outputs and not parts.exit else None
    names = _names(parts, functions, reserved)
    reserved |= {port.name for task in containers for port in (*task.inputs, *task.outputs)}
    named = constants(plan, lambda name: _free(name, reserved))
    by_text = {constant.text: constant.name for constant in named}
    main = body(parts.main, names, INDENT * 2 if last else INDENT)
    pipelines: tuple[Function, ...] = ()
    if parts.exit and last:
        pipelines = (_exit_function(plan, parts.exit, last, names),)
        main = (_guarded(parts.exit, last, _free(f"{last}_task", reserved), main, names),)
    returned = Source("")
    if results:
        values = tuple((o.port.name, value(_handed_on(plan, o), names)) for o in plan.outputs)
        returned = render(Call(results, values), INDENT, len("return "))
    pipelines += (
        Function(
            decorator=render(_decorator(plan, by_text), before=1),
            name=pipeline,
            arguments=pipeline_arguments(plan),
            result=results or Source("None"),
            docstring=pipeline_docstring(plan),
            tasks=main,
            returned=returned,
        ),
    )
    statements = (line.strip() for p in pipelines for t in p.tasks for line in t.splitlines())
    uses_kubernetes = any(line.startswith("kubernetes.") for line in statements)
    modules = MODULES if uses_kubernetes else MODULES - {"kubernetes"}
    compiled = (None, pipeline), (None, f"{plan.name}.yaml")
    return View(
        docstring=Source(f'"""The pipeline {plan.name}, in the DSL of Kubeflow Pipelines."""'),
        modules=Source(", ".join(sorted(modules))),
        constants=named,
        components=tuple(component(t, functions[t.component], by_text) for t in containers),
        results=results_of(plan, results) if results else None,
        functions=pipelines,
        compilation=render(Call(Source("compiler.Compiler().compile"), compiled), INDENT),
    )


def _names(parts: Parts, functions: Mapping[str, Source], reserved: set[str]) -> Names:
    roots = [parts.main, *([parts.exit.own] if parts.exit else [])]
    every = [place for root in roots for place in nesting.places(root)]
    imports = {i.component: i.name.replace("-", "_") for p in every for i in p.scope.imports}
    types = {item: kind for root in roots for item, kind in nesting.item_types(root).items()}
    counts: Counter[str] = Counter()
    items = {
        found.item: _numbered(_item_name(dag, found), reserved, counts)
        for place in every
        for dag in place.scope.tasks
        if isinstance(dag, Dag) and dag.iterator is not None
        for found in loops.lists(dag, place, types)
    }
    return Names(
        functions=functions,
        variables={
            component: _free(f"{name}_task", reserved)
            for component, name in {**imports, **functions}.items()
        },
        items=items,
        waits={name: waited for root in roots for name, waited in waits(root.scope).items()},
        types=types,
    )


def _item_name(dag: Dag, found: loops.List) -> str:
    assert dag.iterator is not None, "only loops have items"
    (*_, name) = (dag.iterator.item, *found.item.path)
    return name if name.isidentifier() else "item"


def _exit_function(plan: Plan, last: Exit, name: Source, names: Names) -> Function:
    return Function(
        decorator=render(
            Call(Source("dsl.pipeline"), (("name", f"{plan.name}-finally"),)), before=1
        ),
        name=name,
        arguments=arguments_of(last.dag.inputs),
        result=Source("None"),
        docstring=Source('"""What runs when all other tasks have ended."""'),
        tasks=body(last.own, names),
        returned=Source(""),
    )


def _guarded(
    last: Exit, function: Source, variable: Source, tasks: tuple[Source, ...], names: Names
) -> Source:
    """The main part inside of an exit handler."""
    given = tuple((port.name, value(last.around.origin(port), names)) for port in last.dag.inputs)
    margin = " " * INDENT
    call = assigned(variable, Call(function, given))
    inner = "\n\n".join(tasks)
    return Source(f"{margin}{call}\n{margin}with dsl.ExitHandler({variable}):\n{inner}")


def _handed_on(plan: Plan, output: DagOutput) -> Origin:
    (source,) = output.sources
    return made(plan.root, source.task, source.output)


def _numbered(wanted: str, reserved: set[str], counts: Counter[str]) -> Source:
    """As `_free`, with a number behind it instead. `counts` is how often each was wanted: to look
    for the first free number anew would take the square of the loops with one name."""
    name = ""
    while not name or name in reserved or keyword.iskeyword(name):
        counts[wanted] += 1
        name = wanted if counts[wanted] == 1 else f"{wanted}_{counts[wanted]}"
    reserved.add(name)
    return identifier(name)


def _free(wanted: str, reserved: set[str]) -> Source:
    """A name, with underscores behind it where it is taken; it is taken from now on.

    The SDK strips those underscores from what it calls a task after its function.
    """
    name = wanted
    while name in reserved or keyword.iskeyword(name):
        name += "_"
    reserved.add(name)
    return identifier(name)


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
