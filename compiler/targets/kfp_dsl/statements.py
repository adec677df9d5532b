"""The statements of the pipeline's function: a task for each step, and its settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from compiler.ir import Security
from compiler.targets.kfp.pipelinespec import LONGEST_RETRY
from compiler.targets.kfp.plan import (
    Constant,
    FromScope,
    FromTask,
    Import,
    Platform,
    Resources,
    SchemaTitle,
    Task,
)
from compiler.targets.kfp_dsl.source import Call, Expression, Source, identifier, render

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


def import_statements(imported: Import, variable: Source) -> tuple[Source, ...]:
    call = Call(
        Source("dsl.importer"),
        (
            ("artifact_uri", identifier(imported.uri)),
            ("artifact_class", artifact_class(imported.schema)),
        ),
    )
    return (_assigned(variable, call),)


def task_statements(
    task: Task, function: Source, variables: Mapping[str, Source]
) -> tuple[Source, ...]:
    """The task's call and its settings; `variables` gives the variable of each task."""
    variable = variables[task.name]
    given = tuple((i.name, _value(i.source, variables)) for i in task.inputs)
    call = Call(function, given)
    settings = (*_settings(task, variable, variables), *_platform(task.platform, variable))
    return (_assigned(variable, call), *(render(setting, INDENT) for setting in settings))


def _assigned(variable: Source, call: Call) -> Source:
    return Source(f"{variable} = {render(call, INDENT, len(variable) + 3)}")


def _value(source: Constant | FromScope | FromTask, variables: Mapping[str, Source]) -> Expression:
    match source:
        case Constant(value=value):
            return _RUN_CONSTANTS.get(value, value)
        case FromScope(name=name):
            return identifier(name)
        case FromTask(task=task, output=output):
            return Source(f'{variables[task]}.outputs["{output}"]')


def _settings(task: Task, variable: Source, variables: Mapping[str, Source]) -> Iterator[Call]:
    def method(name: str, /, *values: Expression, **named: Expression) -> Call:
        return Call(Source(f"{variable}.{name}"), (*((None, v) for v in values), *named.items()))

    if task.needs:
        yield method("after", *(variables[name] for name in task.needs))
    for name, value in task.container.env:
        yield method("set_env_variable", name=name, value=value)
    for name, amount in _amounts(task.container.resources):
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


def _amounts(resources: Resources) -> Iterator[tuple[str, Expression]]:
    kind, count = resources.accelerator or (None, None)
    for name, value in (
        ("set_cpu_request", resources.cpu_request),
        ("set_cpu_limit", resources.cpu_limit),
        ("set_memory_request", resources.memory_request),
        ("set_memory_limit", resources.memory_limit),
        ("set_accelerator_type", kind),
        ("set_accelerator_limit", count),
    ):
        if value is not None:
            yield name, value


def _platform(platform: Platform, task: Source) -> Iterator[Call]:
    def setting(name: str, /, **named: Expression) -> Call:
        given = ((key, value) for key, value in named.items() if value is not None)
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
    for key, value in platform.node_selector:
        yield setting("add_node_selector", label_key=key, label_value=value)
    for toleration in platform.tolerations:
        yield setting(
            "add_toleration",
            key=toleration.key,
            operator=toleration.operator,
            value=toleration.value,
            effect=toleration.effect,
            toleration_seconds=toleration.seconds,
        )
    for key, value in platform.labels:
        yield setting("add_pod_label", label_key=key, label_value=value)
    for key, value in platform.annotations:
        yield setting("add_pod_annotation", annotation_key=key, annotation_value=value)
    if platform.pull_policy:
        yield setting("set_image_pull_policy", policy=platform.pull_policy)
    if platform.pull_secrets:
        names: Expression = list(platform.pull_secrets)
        yield setting("set_image_pull_secrets", secret_names=names)
    if platform.timeout:
        yield setting("set_timeout", seconds=platform.timeout)
    if platform.security:
        named = _identity(platform.security)
        if any(value is not None for value in named.values()):
            yield setting("set_security_context", **named)


def _identity(security: Security) -> dict[str, Expression]:
    return {
        "run_as_user": security.run_as_user,
        "run_as_group": security.run_as_group,
        "run_as_non_root": security.run_as_non_root,
    }
