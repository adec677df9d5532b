"""What a project says of itself in `[tool.mlc]` or `mlc.toml`, as plain data.

Read by `compiler.project`; no secret is ever in it, only names of environment variables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

from compiler import TARGET_NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from compiler.diagnostics import Severity, Span
    from compiler.ir import Pairs, Toleration


class GpuType(Struct, frozen=True):
    """An entry of the GPU catalogue, `[gpus.NAME]`."""

    name: str
    resource: str = "nvidia.com/gpu"
    node_selector: Pairs = ()
    tolerations: tuple[Toleration, ...] = ()


class SecretKey(Struct, frozen=True):
    """A key of a Kubernetes secret."""

    name: str
    key: str


class ObjectStore(Struct, frozen=True):
    """How Argo's pods reach artifacts that come from outside: `[targets.argo.s3]`, `….gcs]`."""

    endpoint: str | None = None
    region: str | None = None
    insecure: bool = False
    access_key: SecretKey | None = None
    secret_key: SecretKey | None = None
    service_account_key: SecretKey | None = None


class TargetSettings(Struct, frozen=True):
    """`[targets.NAME]`: losses accepted by name, and what a target needs to know."""

    accept: tuple[str, ...] = ()
    s3: ObjectStore | None = None
    gcs: ObjectStore | None = None
    service_account: str | None = None
    memoize: str | None = None  # name of the ConfigMap that holds Argo's memoised results
    helper_image: str | None = None  # of KFP's own small containers: any with a POSIX shell
    timezone: str | None = None  # in which a KFP server reads schedules; UTC where not given


class LocalSettings(Struct, frozen=True):
    """`[local]`: how steps run on this machine.

    `pythonpath` and `volumes` are relative to the project's root; `secrets` maps `NAME.KEY` to
    the environment variable that holds it; `pass_env` names variables that steps may see besides
    the built-in allow-list.
    """

    pythonpath: tuple[str, ...] = ()
    volumes: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    pass_env: tuple[str, ...] = ()


class Ceiling(Struct, frozen=True):
    """The most of a resource that a step may have: as it is written, and where."""

    text: str
    span: Span


class Policy(Struct, frozen=True):
    """`[policy]`: what the team that runs the cluster asks of specs.

    `registries` are repositories as segments, the host first; `ceilings` goes by key of
    `resources`, and `timeout`. `severity` is by code, None for off. `places` tells where each key
    is written.
    """

    registries: tuple[tuple[str, ...], ...] = ()
    pinned_images: bool = False
    privileged: bool = True
    service_accounts: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    ceilings: dict[str, Ceiling] = field(default_factory=dict)
    severity: dict[str, Severity | None] = field(default_factory=dict)
    enforced: frozenset[str] = frozenset()
    places: dict[str, Span] = field(default_factory=dict)


class EngineSettings(Struct, frozen=True):
    """`[engines.NAME]`: a server, and how to be let in.

    Secrets stand here by the name of an environment variable (`token_env`, `cookies_env`) or of a
    file. `via` says which road leads to Argo: its own server, or straight to Kubernetes. Files are
    absolute or relative to the project's root.
    """

    name: str
    kind: Literal["kfp", "argo"]
    url: str | None = None
    ui: str | None = None
    namespace: str | None = None
    via: Literal["server", "kubernetes"] = "server"
    token_env: str | None = None
    token_file: str | None = None
    cookies_env: str | None = None
    kubeconfig: str | None = None
    context: str | None = None
    in_cluster: bool = False
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = None
    service_account: str | None = None
    artifacts: str | None = None
    root: Path | None = None

    def file(self, name: str) -> Path:
        """The path of a file that one of the settings names."""
        from pathlib import Path

        path = Path(name).expanduser()
        return path if self.root is None else self.root / path


class TicketSettings(Struct, frozen=True):
    """`[tickets]`: where the titles of tickets are; `pattern` finds the key in a branch's name."""

    provider: Literal["jira", "gitlab", "github"]
    url: str | None = None
    project: str | None = None
    token_env: str | None = None
    pattern: str | None = None


class Project(Struct, frozen=True):
    """The folder that holds the configuration, or the spec's own where there is none.

    `names_targets` tells that the default targets are its own choice, and `given_name` its things
    on a cluster from those of other projects.
    """

    root: Path
    config: Path | None = None
    gpus: dict[str, GpuType] = field(default_factory=dict)
    default_targets: tuple[str, ...] = TARGET_NAMES
    names_targets: bool = False
    targets: dict[str, TargetSettings] = field(default_factory=dict)
    local: LocalSettings = field(default_factory=LocalSettings)
    policy: Policy = field(default_factory=Policy)
    engines: dict[str, EngineSettings] = field(default_factory=dict)
    default_engine: str | None = None
    tickets: TicketSettings | None = None
    given_name: str | None = None

    @property
    def name(self) -> str:
        """Its name in the configuration, that of the Python package there, or its folder's."""
        return self.given_name or self.root.resolve().name

    @property
    def table_prefix(self) -> str:
        """What stands before the names of tables where this project keeps its configuration."""
        return "" if self.config and self.config.name == "mlc.toml" else "tool.mlc."

    def target(self, name: str) -> TargetSettings:
        return self.targets.get(name, TargetSettings())
