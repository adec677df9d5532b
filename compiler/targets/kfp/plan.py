"""What a pipeline becomes on KFP: components, executors and tasks, decided once for both targets.

`compiler.targets.kfp` prints a plan as IR, `compiler.targets.kfp_dsl` as Python source; neither
decides anything of its own that shows in the other, so the two can't drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from compiler.ir import Pairs, Required, Retry, Security, Toleration
from compiler.values import JsonValue

ParameterType = Literal["STRING", "NUMBER_INTEGER", "NUMBER_DOUBLE", "BOOLEAN", "LIST", "STRUCT"]
SchemaTitle = Literal[
    "system.Artifact",
    "system.Dataset",
    "system.Model",
    "system.Metrics",
    "system.HTML",
    "system.Markdown",
]


@dataclass(frozen=True, slots=True)
class Text:
    """Literal text of a word, already escaped for the kubelet and the driver."""

    text: str


@dataclass(frozen=True, slots=True)
class InputValue:
    """The value of an input parameter."""

    name: str


@dataclass(frozen=True, slots=True)
class InputPath:
    """The local path of an input artifact."""

    name: str


@dataclass(frozen=True, slots=True)
class OutputFile:
    """The file that an output parameter is written to."""

    name: str


@dataclass(frozen=True, slots=True)
class OutputPath:
    """The local path of an output artifact."""

    name: str


Part: TypeAlias = Text | InputValue | InputPath | OutputFile | OutputPath
Word: TypeAlias = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Constant:
    """A value given to a task as it stands; the driver resolves `{{$.pipeline_job_uuid}}` etc."""

    value: str


@dataclass(frozen=True, slots=True)
class FromScope:
    """An input of the DAG that the task is in."""

    name: str


@dataclass(frozen=True, slots=True)
class FromTask:
    """An output of another task of the same DAG."""

    task: str
    output: str


@dataclass(frozen=True, slots=True)
class ParameterInput:
    name: str
    type: ParameterType
    source: Constant | FromScope | FromTask


@dataclass(frozen=True, slots=True)
class ArtifactInput:
    name: str
    schema: SchemaTitle
    source: FromTask


@dataclass(frozen=True, slots=True)
class ParameterOutput:
    name: str
    type: ParameterType
    description: str


@dataclass(frozen=True, slots=True)
class ArtifactOutput:
    name: str
    schema: SchemaTitle
    description: str


@dataclass(frozen=True, slots=True)
class Resources:
    """Quantities that Kubernetes and the SDK both read; `accelerator` is type and count."""

    cpu_request: str | None
    cpu_limit: str | None
    memory_request: str | None
    memory_limit: str | None
    accelerator: tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class Container:
    image: str
    command: tuple[Word, ...]
    args: tuple[Word, ...]
    env: Pairs
    resources: Resources


@dataclass(frozen=True, slots=True)
class SecretVariable:
    """An environment variable that takes its value from a key of a secret."""

    variable: str
    secret: str
    key: str


@dataclass(frozen=True, slots=True)
class Mount:
    """A claim, config map or secret, mounted as a folder."""

    source: str
    path: str
    sub_path: str | None


@dataclass(frozen=True, slots=True)
class EmptyDir:
    name: str
    path: str
    in_memory: bool
    size: str | None


@dataclass(frozen=True, slots=True)
class Platform:
    """What the platform document says of an executor; `timeout` in seconds."""

    secrets: tuple[SecretVariable, ...]
    secret_mounts: tuple[Mount, ...]
    config_mounts: tuple[Mount, ...]
    claims: tuple[Mount, ...]
    empty_dirs: tuple[EmptyDir, ...]
    node_selector: Pairs
    tolerations: tuple[Toleration, ...]
    labels: Pairs
    annotations: Pairs
    pull_policy: str | None
    pull_secrets: tuple[str, ...]
    timeout: int | None
    security: Security | None


@dataclass(frozen=True, slots=True)
class Task:
    """A step: a task with a component and an executor of its own.

    `after` holds every task that has to succeed first, be it for data or for order alone, sorted;
    `needs` those of them that give it no data.
    """

    name: str
    step: str
    description: str
    inputs: tuple[ParameterInput | ArtifactInput, ...]
    outputs: tuple[ParameterOutput | ArtifactOutput, ...]
    container: Container
    platform: Platform
    retry: Retry | None
    cached: bool
    needs: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Import:
    """An importer task: takes the URI in the DAG's input `uri`, gives the artifact `artifact`."""

    name: str
    schema: SchemaTitle
    uri: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """An input parameter of the pipeline; `literals` are the values allowed, none for any."""

    name: str
    type: ParameterType
    default: JsonValue | Required
    literals: tuple[JsonValue, ...]
    description: str


@dataclass(frozen=True, slots=True)
class Scope:
    """A DAG. Each task comes after those that it depends on."""

    imports: tuple[Import, ...]
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """`timeout` and `ttl` are those of the whole run, in seconds."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    root: Scope
    timeout: int | None
    ttl: int | None
