"""What a KFP API server checks of a pipeline's spec and of a run's inputs (v2_template.go)."""

from __future__ import annotations

import re
from typing import Any

import yaml

from .kfp_errors import invalid

Json = dict[str, Any]
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
# The fields of ml_pipelines.PipelineSpec; protojson refuses any other.
_FIELDS = frozenset(
    [
        "pipelineInfo",
        "deploymentSpec",
        "schemaVersion",
        "sdkVersion",
        "components",
        "root",
        "defaultPipelineRoot",
    ]
)
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "NUMBER_DOUBLE": ((int, float), "double or integer"),
    "NUMBER_INTEGER": ((int, float), "double or integer"),
    "STRING": ((str,), "string"),
    "BOOLEAN": ((bool,), "bool"),
    "LIST": ((list,), "list"),
    "STRUCT": ((dict,), "struct"),
}


def read_documents(text: bytes) -> Json:
    """The spec of an uploaded file; `{pipeline_spec, platform_spec}` where it has a platform."""
    try:
        documents = [one for one in yaml.safe_load_all(text) if one is not None]
    except yaml.YAMLError as error:
        raise invalid(f"unable to decode yaml document: {error}") from None
    specs = [one for one in documents if _is_spec(one)]
    platforms = [one for one in documents if not _is_spec(one) and _is_platform(one)]
    if len(specs) > 1:
        raise invalid("multiple pipeline specs provided")
    if len(platforms) > 1:
        raise invalid("multiple platform specs provided")
    if not specs:
        raise invalid("no pipeline spec is provided")
    return wrap(specs[0], platforms[0] if platforms else None)


def wrap(spec: Json, platform: Json | None) -> Json:
    check_spec(spec)
    return spec if platform is None else {"pipeline_spec": spec, "platform_spec": platform}


def read_inline(source: Json) -> Json:
    """The spec that a run brings itself."""
    if "pipeline_spec" in source:
        return wrap(source["pipeline_spec"], source.get("platform_spec"))
    return wrap(source, None)


def inner(spec: Json) -> Json:
    """The pipeline spec itself."""
    found: Json = spec.get("pipeline_spec", spec)
    return found


def _is_spec(document: Any) -> bool:
    return isinstance(document, dict) and ("pipelineInfo" in document or "root" in document)


def _is_platform(document: Any) -> bool:
    return isinstance(document, dict) and "kubernetes" in document.get("platforms", {})


def check_spec(spec: Json) -> None:
    unknown = sorted(set(spec) - _FIELDS)
    if unknown:
        raise invalid(f'invalid v2 pipeline spec: unknown field "{unknown[0]}"')
    if spec.get("schemaVersion") != "2.1.0":
        version = spec.get("schemaVersion", "")
        raise invalid(
            "KFP only supports schema version 2.1.0, but the pipeline spec has version " + version
        )
    name = spec.get("pipelineInfo", {}).get("name", "")
    if not name:
        raise invalid("invalid v2 pipeline spec: name is empty")
    if not _NAME.fullmatch(name):
        raise invalid(
            "pipeline's name must contain only lowercase alphanumeric characters or '-' and must "
            "start with alphanumeric characters"
        )
    if not spec.get("root"):
        raise invalid("invalid v2 pipeline spec: root component is empty")


def check_inputs(spec: Json, given: Json) -> None:
    """Required ones present, no other ones, kinds and literals as the root declares them."""
    declared: Json = inner(spec)["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, parameter in declared.items():
        if name not in given:
            if not parameter.get("isOptional") and "defaultValue" not in parameter:
                raise invalid(
                    f"parameter {name} is not optional, yet has neither default value nor user "
                    "provided value"
                )
            continue
        value, kind = given[name], parameter.get("parameterType", "")
        if kind not in _KINDS:
            raise invalid(f"input parameter {name} requires type {kind or 'unknown'}")
        types, words = _KINDS[kind]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise invalid(
                f"input parameter {name} requires type {words}, but the parameter value is not of "
                "that value type"
            )
        literals = parameter.get("literals", [])
        if literals and value not in literals:
            raise invalid(
                f'input parameter "{name}" value {value!r} does not match any of the allowed '
                f"literal values: {literals}"
            )
    extra = sorted(set(given) - set(declared))
    if extra:
        raise invalid("parameter(s) provided are not required by pipeline: " + ", ".join(extra))


def task_names(spec: Json) -> list[tuple[str, bool]]:
    """Each task, depth first in order of dependence, and whether it runs a container."""
    spec = inner(spec)
    components: Json = spec.get("components", {})

    def walk(dag: Json, seen: tuple[str, ...]) -> list[tuple[str, bool]]:
        names: list[tuple[str, bool]] = []
        for key in _ordered(dag.get("tasks", {})):
            task = dag["tasks"][key]
            component = components.get(task.get("componentRef", {}).get("name", ""), {})
            names.append((key, "dag" not in component))
            reference = task.get("componentRef", {}).get("name", "")
            if "dag" in component and reference not in seen:
                names += walk(component["dag"], (*seen, reference))
        return names

    return walk(spec["root"].get("dag", {}), ())


def _ordered(tasks: Json) -> list[str]:
    done: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in done or name in path or name not in tasks:
            return
        for before in tasks[name].get("dependentTasks", []):
            visit(before, (*path, name))
        done.append(name)

    for name in tasks:
        visit(name, ())
    return done
