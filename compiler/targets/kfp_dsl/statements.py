"""The statements of a pipeline's function: tasks with their settings, Ifs and loops."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from compiler.ir import Security
from compiler.targets.kfp.pipelinespec import LONGEST_RETRY, import_metadata
from compiler.targets.kfp.plan import (
    Constant,
    Dag,
    Import,
    ParameterInput,
    ParameterType,
    Platform,
    SchemaTitle,
    Scope,
    Task,
)
from compiler.targets.kfp_dsl import loops
from compiler.targets.kfp_dsl.branches import Block, Branch
from compiler.targets.kfp_dsl.conditions import Comparison, Ref, in_quotes, key
from compiler.targets.kfp_dsl.nesting import Content, Level, level
from compiler.targets.kfp_dsl.origins import Given, Item, Made, Origin, Place
from compiler.targets.kfp_dsl.ports import resources, taken
from compiler.targets.kfp_dsl.source import WIDTH, Call, Expression, Source, identifier, render
from compiler.values import JsonValue

# Columns before a statement in a function.
INDENT = 4
# What the SDK calls the driver's constants.
_RUN_CONSTANTS = {
    "{{$.pipeline_job_uuid}}": Source("dsl.PIPELINE_JOB_ID_PLACEHOLDER"),
    "{{$.pipeline_job_name}}": Source("dsl.PIPELINE_JOB_NAME_PLACEHOLDER"),
    "{{$.pipeline_job_schedule_time_utc}}": Source(
        "dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER"
    ),
}


def artifact_class(schema: SchemaTitle) -> Source:
    return Source(f"dsl.{schema.removeprefix('system.')}")


class Names(Struct, frozen=True):
    """Functions and variables by component, and those of what a task waits for besides data.

    `items` are the names of loops' items, `types` the types of items and of their fields.
    """

    functions: Mapping[str, Source]
    variables: Mapping[str, Source]
    items: Mapping[Item, Source]
    waits: Mapping[str, tuple[str, ...]]
    types: Mapping[Item, ParameterType]


def waits(scope: Scope) -> dict[str, tuple[str, ...]]:
    """What tasks in a scope and in its DAGs wait for without data, by component.

    A loop can't wait or be waited for: one of its tasks does, and the SDK lifts that to the loop.
    """
    found: dict[str, tuple[str, ...]] = {}
    for inner in scope.scopes():
        tasks = {task.name: task for task in inner.tasks}
        for task in inner.tasks:
            if task.needs:
                mine = _container(task).component
                others = (_container(tasks[name]).component for name in task.needs)
                found[mine] = (*found.get(mine, ()), *others)
    return found


def _container(task: Task | Dag) -> Task:
    if isinstance(task, Task):
        return task
    containers = list(task.scope.containers())
    return next((inner for inner in containers if inner.condition is None), containers[0])


def body(place: Place, names: Names, indent: int = INDENT) -> tuple[Source, ...]:
    """The statements of a scope, `indent` columns in, in groups that belong together."""
    found = level(place)
    margin = " " * indent
    imports = (
        Source(f"{margin}{_import(imported, place, names, indent)}")
        for imported in place.scope.imports
    )
    return (*imports, *_blocks(found, found.blocks, names, indent))


def value(origin: Origin, names: Names) -> Expression:
    """A value as a task is given it."""
    match origin:
        case Constant(value=text):
            return _RUN_CONSTANTS.get(text, text)
        case Given(name=name):
            return identifier(name)
        case Item(component=component, path=path):
            if origin in names.items:
                return names.items[origin]
            return Source(".".join((names.items[Item(component, ())], *path)))
        case Made(component=component, output=output, collected=collected):
            channel = f'{names.variables[component]}.outputs["{output}"]'
            return Source(f"dsl.Collected({channel})" if collected else channel)


def assigned(variable: Source, call: Call, indent: int = INDENT) -> Source:
    return Source(f"{variable} = {render(call, indent, len(variable) + 3)}")


def _blocks(
    found: Level, blocks: tuple[Block[Content], ...], names: Names, indent: int
) -> Iterator[Source]:
    for block in blocks:
        if isinstance(block, Branch):
            inner = _blocks(found, block.body, names, indent + INDENT)
            test = _comparison(block.test, found, names, indent + INDENT)
            call = Call(Source("dsl.If"), ((None, test),))
            header = f"with {render(call, indent, len('with '), 1)}:"
            yield _nested(header, inner, indent)
        elif isinstance(block.content, Dag):
            yield from _dag(block.content, found.place, names, indent)
        else:
            yield _lines(_task(block.content, found.place, names, indent), indent)


def _dag(dag: Dag, place: Place, names: Names, indent: int) -> Iterator[Source]:
    inside = place.inside(dag)
    if dag.iterator is None:
        yield from body(inside, names, indent)
        return
    yield _loops(loops.lists(dag, place, names.types), inside, names, indent)


def _loops(lists: tuple[loops.List, ...], inside: Place, names: Names, indent: int) -> Source:
    outer, *inner = lists
    item = names.items[outer.item]
    given = list(outer.items) if isinstance(outer.items, tuple) else value(outer.items, names)
    call = loops.parallel_for(given, outer.parallel)
    header = f"with {render(call, indent, 5, len(item) + 5)} as {item}:"
    told = [
        Source(f"{value(field, names)}.channel_type = {render(kind)}")
        for field, kind in loops.told_types(outer, names.types)
    ]
    groups: list[Source] = []
    if told:
        remark = Source("# The SDK takes it for something else.")
        groups.append(_lines([remark, *told], indent + INDENT))
    if inner:
        groups.append(_loops(tuple(inner), inside, names, indent + INDENT))
    else:
        groups += body(inside, names, indent + INDENT)
    return _nested(header, groups, indent)


def _nested(header: str, groups: Iterable[Source], indent: int) -> Source:
    return Source(f"{' ' * indent}{header}\n" + "\n\n".join(groups))


def _lines(statements: Iterable[Source], indent: int) -> Source:
    return Source("\n".join(f"{' ' * indent}{statement}" for statement in statements))


def _comparison(test: Comparison, found: Level, names: Names, indent: int) -> Source:
    """A comparison, `indent` columns in where it needs a line of its own, or two."""

    def operand(given: Ref | JsonValue) -> Source:
        if isinstance(given, Ref):
            return Source(str(value(found.refs[key(given)], names)))
        return render(in_quotes(given) if isinstance(given, str) else given)

    left, right = operand(test.left), f"{test.sign} {operand(test.right)}"
    fits = indent + len(f"{left} {right},") <= WIDTH
    return Source(f"{left} {right}" if fits else f"{left}\n{' ' * indent}{right}")


def _import(imported: Import, place: Place, names: Names, indent: int) -> Source:
    uri = value(place.given[imported.uri], names)
    call = Call(
        Source("dsl.importer"),
        (
            ("artifact_uri", uri),
            ("artifact_class", artifact_class(imported.schema)),
            ("metadata", import_metadata(imported)),
        ),
    )
    return assigned(names.variables[imported.component], call, indent)


def _task(task: Task, place: Place, names: Names, indent: int) -> Iterator[Source]:
    """The task's call and its settings."""
    variable = names.variables[task.component]
    given = tuple((port.name, value(place.origin(port), names)) for port in taken(task))
    yield assigned(variable, Call(names.functions[task.component], given), indent)
    for setting in (*_settings(task, variable, place, names), *_platform(task.platform, variable)):
        yield render(setting, indent)


def _settings(task: Task, variable: Source, place: Place, names: Names) -> Iterator[Call]:
    def method(name: str, /, *values: Expression, **named: Expression) -> Call:
        return Call(Source(f"{variable}.{name}"), (*((None, v) for v in values), *named.items()))

    if others := names.waits.get(task.component):
        yield method("after", *(names.variables[other] for other in others))
    for name, text in task.container.env:
        yield method("set_env_variable", name=name, value=text)
    for name, amount in resources(task):
        if isinstance(amount, ParameterInput):
            yield method(name, value(place.origin(amount), names))
        else:
            yield method(name, amount)
    if task.retry:
        yield method(
            "set_retry",
            num_retries=task.retry.max,
            backoff_duration=f"{task.retry.backoff}s",
            backoff_factor=task.retry.factor,
            backoff_max_duration=f"{LONGEST_RETRY}s",
        )
    if not task.cached:
        yield method("set_caching_options", enable_caching=False)


def _platform(platform: Platform, task: Source) -> Iterator[Call]:
    def setting(name: str, /, **named: Expression) -> Call:
        given = ((word, given) for word, given in named.items() if given is not None)
        return Call(Source(f"kubernetes.{name}"), ((None, task), *given))

    for secret in platform.secrets:
        keys: Expression = {secret.key: secret.variable}
        yield setting("use_secret_as_env", secret_name=secret.secret, secret_key_to_env=keys)
    for mount in platform.secret_mounts:
        yield setting("use_secret_as_volume", secret_name=mount.source, mount_path=mount.path)
    for mount in platform.config_mounts:
        yield setting(
            "use_config_map_as_volume", config_map_name=mount.source, mount_path=mount.path
        )
    for mount in platform.claims:
        yield setting(
            "mount_pvc", pvc_name=mount.source, mount_path=mount.path, sub_path=mount.sub_path
        )
    for folder in platform.empty_dirs:
        yield setting(
            "empty_dir_mount",
            volume_name=folder.name,
            mount_path=folder.path,
            medium="Memory" if folder.in_memory else None,
            size_limit=folder.size,
        )
    for label, text in platform.node_selector:
        yield setting("add_node_selector", label_key=label, label_value=text)
    for toleration in platform.tolerations:
        yield setting(
            "add_toleration",
            key=toleration.key,
            operator=toleration.operator,
            value=toleration.value,
            effect=toleration.effect,
            toleration_seconds=toleration.seconds,
        )
    for label, text in platform.labels:
        yield setting("add_pod_label", label_key=label, label_value=text)
    for annotation, text in platform.annotations:
        yield setting("add_pod_annotation", annotation_key=annotation, annotation_value=text)
    if platform.pull_policy:
        yield setting("set_image_pull_policy", policy=platform.pull_policy)
    if platform.pull_secrets:
        names: Expression = list(platform.pull_secrets)
        yield setting("set_image_pull_secrets", secret_names=names)
    if platform.timeout:
        yield setting("set_timeout", seconds=platform.timeout)
    if platform.security:
        named = _identity(platform.security)
        if any(given is not None for given in named.values()):
            yield setting("set_security_context", **named)


def _identity(security: Security) -> dict[str, Expression]:
    return {
        "run_as_user": security.run_as_user,
        "run_as_group": security.run_as_group,
        "run_as_non_root": security.run_as_non_root,
    }
