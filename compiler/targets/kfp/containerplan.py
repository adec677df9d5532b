"""The container of a task and its pod, as the plan has them (`compiler.targets.kfp.plan`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from compiler.ir import Pairs, Security, Toleration


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


@dataclass(frozen=True, slots=True)
class ExecutorInput:
    """The name of an input of artifacts, a colon, and all that the task is given, as JSON: the
    one place that tells the files of a list."""

    name: str


Part: TypeAlias = Text | InputValue | InputPath | OutputFile | OutputPath | ExecutorInput
Word: TypeAlias = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Resources:
    """Quantities that Kubernetes and the SDK both read; `accelerator` is type and count."""

    cpu_request: str | InputValue | None
    cpu_limit: str | InputValue | None
    memory_request: str | InputValue | None
    memory_limit: str | InputValue | None
    accelerator: tuple[str, int | InputValue] | None


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
