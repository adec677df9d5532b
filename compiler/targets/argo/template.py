"""A step as an Argo template: its container, and the inputs and outputs around it."""

from __future__ import annotations

from compiler.expr import ArtifactType
from compiler.ir import Output, Step
from compiler.launch import Dialect, Launch, launch
from compiler.targets.argo import memo, pods
from compiler.targets.argo.plan import Data
from compiler.targets.argo.tags import readable
from compiler.targets.argo.words import INPUTS, OUTPUTS, spelled
from compiler.values import JsonValue

# Of Argo's own (workflow/executor/executor.go): a missing output fails the step, one newline at
# the end of a parameter is cut, and a parameter is any text that doesn't look like a tag.
DIALECT = Dialect(
    native_env=True,
    metrics_metadata=False,
    requires_artifacts=True,
    checks_values=False,
    keeps_newline=False,
    forbidden=("{{",),
)


def launched(step: Step) -> Launch:
    return launch(step, DIALECT)


def template(step: Step, launch: Launch, *, config_map: str | None, hands_key_on: bool) -> Data:
    """The template of a step, yet without a name, so that equal steps may share one.

    `config_map` is where memoised results are kept, if they are.
    """
    volumes = pods.volumes(step)
    data: Data = {
        "inputs": _inputs(launch),
        "outputs": _outputs(step),
        **pods.robustness(step),
        **pods.scheduling(step),
        "volumes": [volume for volume, _ in volumes],
        "container": _container(step, launch, [mount for _, mount in volumes]),
    }
    key = None
    if config_map is not None and memo.is_memoised(step, config_map):
        key = memo.key(data, step, launch)
        data["memoize"] = memo.fields(key, step, config_map)
        data["inputs"] = _inputs(launch, [name for name, _ in memo.sources(launch)])
    if hands_key_on:
        data["outputs"] = _outputs(step, [memo.handed_on(key)])
    return {name: value for name, value in data.items() if value}


def _inputs(launch: Launch, more: list[str] | None = None) -> Data:
    parameters: list[JsonValue] = []
    artifacts: list[JsonValue] = []
    for capture in launch.captures:
        if isinstance(capture.type, ArtifactType):
            artifacts.append({"name": capture.name, "path": f"{INPUTS}/{capture.name}"})
        else:
            parameters.append({"name": capture.name})
    parameters += [{"name": name} for name in more or ()]
    return _both(parameters, artifacts)


def _outputs(step: Step, more: list[Data] | None = None) -> Data:
    """Artifacts are handed on whole and unpacked; metrics also as text, which the UI shows."""
    parameters: list[JsonValue] = []
    artifacts: list[JsonValue] = []
    for output in step.outputs:
        path = f"{OUTPUTS}/{output.name}"
        if isinstance(output.type, ArtifactType):
            artifacts.append({"name": output.name, "path": path, "archive": {"none": {}}})
            if output.type.kind == "Metrics":
                parameters.append({"name": _json_name(output, step), "valueFrom": {"path": path}})
        else:
            parameter: Data = {"name": output.name, "valueFrom": {"path": path}}
            if output.description:
                parameter["description"] = readable(output.description)
            parameters.append(parameter)
    return _both([*parameters, *(more or ())], artifacts)


def _json_name(metrics: Output, step: Step) -> str:
    name = f"{metrics.name}_json"
    while any(output.name == name for output in step.outputs):
        name += "_"
    return name


def _both(parameters: list[JsonValue], artifacts: list[JsonValue]) -> Data:
    data: Data = {"parameters": parameters, "artifacts": artifacts}
    return {name: value for name, value in data.items() if value}


def _container(step: Step, launch: Launch, mounts: list[Data]) -> Data:
    """The container; its whole argument vector is the `command`.

    What stands in `args` Argo moves out of the pod where it is longer than 128 KiB, and escapes
    in it would then stay as they are (workflow/controller/workflowpod.go).
    """
    command, environment = spelled(launch)
    variables: list[JsonValue] = [{"name": name, "value": value} for name, value in environment]
    variables += [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": ref.name, "key": ref.key}}}
        for name, ref in launch.secrets
    ]
    fields: Data = {
        "image": step.image,
        "imagePullPolicy": step.pod.pull_policy,
        "command": list(command),
        "workingDir": step.workdir,
        "env": variables,
        "resources": pods.resources(step.resources),
        "volumeMounts": list(mounts),
        "securityContext": pods.security(step.pod.security),
    }
    return {name: value for name, value in fields.items() if value}
