"""The container of a task and its pod, as the plan has them (`compiler.targets.kfp.plan`)."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from compiler.ir import Pairs, Security, Toleration


class Text(Struct, frozen=True):
    """Literal text of a word, already escaped for the kubelet and the driver."""

    text: str


class InputValue(Struct, frozen=True):
    """The value of an input parameter."""

    name: str


class InputPath(Struct, frozen=True):
    """The local path of an input artifact."""

    name: str


class OutputFile(Struct, frozen=True):
    """The file that an output parameter is written to."""

    name: str


class OutputPath(Struct, frozen=True):
    """The local path of an output artifact."""

    name: str


class ExecutorInput(Struct, frozen=True):
    """The name of an input of artifacts, a colon, and all that the task is given, as JSON: the
    one place that tells the files of a list."""

    name: str


Part: TypeAlias = Text | InputValue | InputPath | OutputFile | OutputPath | ExecutorInput
Word: TypeAlias = tuple[Part, ...]


class Resources(Struct, frozen=True):
    """Quantities that Kubernetes and the SDK both read; `accelerator` is type and count."""

    cpu_request: str | InputValue | None
    cpu_limit: str | InputValue | None
    memory_request: str | InputValue | None
    memory_limit: str | InputValue | None
    accelerator: tuple[str, int | InputValue] | None


class Container(Struct, frozen=True):
    image: str
    command: tuple[Word, ...]
    args: tuple[Word, ...]
    env: Pairs
    resources: Resources


class SecretVariable(Struct, frozen=True):
    """An environment variable that takes its value from a key of a secret."""

    variable: str
    secret: str
    key: str


class Mount(Struct, frozen=True):
    """A claim, config map or secret, mounted as a folder."""

    source: str
    path: str
    sub_path: str | None


class EmptyDir(Struct, frozen=True):
    name: str
    path: str
    in_memory: bool
    size: str | None


class Platform(Struct, frozen=True):
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
