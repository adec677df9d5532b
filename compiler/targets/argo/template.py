"""A step as an Argo template: its container, and the inputs and outputs around it."""

from __future__ import annotations

from msgspec import Struct

from compiler.capture import words_of
from compiler.expr import ArtifactType
from compiler.ir import Output, Step
from compiler.launch import Dialect, Launch, launch
from compiler.targets.argo import amounts, memo, pods
from compiler.targets.argo.conditions import quoted
from compiler.targets.argo.plan import Data
from compiler.targets.argo.tags import expression, input_parameter, readable, run_field
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


# The input that gives a template the rounds of loops that it runs in, as a path.
ROUNDS = "mlc-round"


class Use(Struct, frozen=True):
    """How a step's template is used, as far as that shows in it.

    `config_map` is where memoised results are kept, None for a step whose results are not;
    `gathered` are the outputs that are put where others find those of all rounds, `store` says
    what keeps them; `looped`: it runs in a loop.
    """

    config_map: str | None = None
    hands_key_on: bool = False
    gathered: tuple[str, ...] = ()
    store: str = ""
    looped: bool = False

    @property
    def takes_rounds(self) -> bool:
        if not self.looped:
            return False
        return bool(self.gathered) or (self.hands_key_on and self.config_map is None)


def template(step: Step, launch: Launch, use: Use) -> Data:
    """The template of a step, yet without a name, so that equal steps may share one."""
    volumes = pods.volumes(step)
    more = [ROUNDS] if use.takes_rounds else []
    data: Data = {
        "inputs": _inputs(launch, more),
        "outputs": _outputs(step, use),
        **pods.robustness(step),
        **pods.scheduling(step),
        "volumes": [volume for volume, _ in volumes],
        "container": _container(step, launch, [mount for _, mount in volumes]),
        "podSpecPatch": amounts.patch(step, words_of(step, launch.captures)),
    }
    key = None
    if use.config_map is not None:
        key = memo.key(data, step, launch)
        data["memoize"] = memo.fields(key, step, use.config_map)
        data["inputs"] = _inputs(launch, [*more, *(name for name, _ in memo.sources(launch))])
    if use.hands_key_on:
        rounds = ROUNDS if use.looped else None
        data["outputs"] = _outputs(step, use, [memo.handed_on(key, step, rounds)])
    return {name: value for name, value in data.items() if value}


def gathering(step: str, output: str) -> str:
    """The folder of a run in which the rounds of a loop leave an output."""
    return f"{step}/{output}"


def _inputs(launch: Launch, more: list[str]) -> Data:
    parameters: list[JsonValue] = []
    artifacts: list[JsonValue] = []
    for capture in launch.captures:
        if isinstance(capture.type, ArtifactType):
            artifact: Data = {"name": capture.name, "path": f"{INPUTS}/{capture.name}"}
            if capture.type.is_list:
                # A loop without rounds leaves no folder.
                artifact["optional"] = True
            artifacts.append(artifact)
        else:
            parameters.append({"name": capture.name})
    parameters += [{"name": name} for name in more]
    return _both(parameters, artifacts)


def _outputs(step: Step, use: Use, more: list[Data] | None = None) -> Data:
    """Artifacts are handed on whole and unpacked; metrics also as text, which the UI shows."""
    parameters: list[JsonValue] = []
    artifacts: list[JsonValue] = []
    for output in step.outputs:
        path = f"{OUTPUTS}/{output.name}"
        if isinstance(output.type, ArtifactType):
            artifact: Data = {"name": output.name, "path": path, "archive": {"none": {}}}
            if output.name in use.gathered:
                folder = quoted(f"/{gathering(step.name, output.name)}/")
                key = f"{run_field('id')}+{folder}+{input_parameter(ROUNDS)}"
                artifact[use.store] = {"key": expression(key)}
            artifacts.append(artifact)
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
