"""The pipeline as every engine gets it: typed, frozen, neutral.

Made by `compiler.lower`, read by the targets and by the local engine. Defaults are applied,
profiles and overrides are in, short forms are expanded, compile-time names are literals. A word
of one engine in here is a defect. Named tuples, since making the classes takes a seventh of the
time that dataclasses take, which every command waits for; but `Gpu.count` is no tuple's `count`.

Where the rest of the language has its place: a step's `when` beside its `needs`; loops and used
algorithms join `Node`; a pipeline's `finally_nodes`, `outputs` and `schedules` beside its `nodes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from compiler.diagnostics import Span
from compiler.expr import ArtifactType, Expr, Type
from compiler.values import JsonValue, ValueKind

Pairs: TypeAlias = tuple[tuple[str, str], ...]
Effect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
PullPolicy = Literal["Always", "IfNotPresent", "Never"]
Shell = Literal["sh", "bash", "python"]


class Required:
    """Type of `REQUIRED`, which stands where a parameter has no default."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = Required()


class Param(NamedTuple):
    """A hyperparameter. `nullable` where the default is null; bounds are None where not given."""

    name: str
    kind: ValueKind
    default: JsonValue | Required
    nullable: bool
    description: str
    enum: tuple[JsonValue, ...]
    minimum: int | float | None
    maximum: int | float | None
    exclusive_minimum: int | float | None
    exclusive_maximum: int | float | None
    pattern: str | None
    min_length: int | None
    max_length: int | None
    items: ValueKind | None
    span: Span


class PipelineInput(NamedTuple):
    """An artifact from outside; `default` is a URI or a path."""

    name: str
    type: ArtifactType
    default: str | None
    description: str
    span: Span


class Word(NamedTuple):
    """One word of an argument vector."""

    value: Expr


class Flag(NamedTuple):
    """A flag: `name value`, or with `joined` the one word `name=value`.

    Not joined, a boolean gives the bare name or nothing. Null gives nothing in both forms.
    `name` has no `=` at its end.
    """

    name: str
    value: Expr
    joined: bool


Argument: TypeAlias = Word | Flag


class Command(NamedTuple):
    """An argument vector; `has_shell` is False where the image is said to have no /bin/sh."""

    arguments: tuple[Argument, ...]
    has_shell: bool


class Script(NamedTuple):
    shell: Shell
    source: str


class Python(NamedTuple):
    """A function `module:function`, called by the shim (`compiler.runtime`)."""

    module: str
    function: str
    span: Span | None = None


Program: TypeAlias = Command | Script | Python


class Input(NamedTuple):
    """A named input of a step. An expression of artifact type makes it an artifact."""

    name: str
    type: Type
    value: Expr
    span: Span


class Output(NamedTuple):
    name: str
    type: Type
    description: str
    span: Span


class EnvVar(NamedTuple):
    name: str
    value: Expr
    span: Span


class Amount(NamedTuple):
    """Kubernetes quantities as the author wrote them (`500m`, `8Gi`)."""

    request: str | None
    limit: str | None
    span: Span


class Toleration(NamedTuple):
    key: str | None = None
    operator: Literal["Exists", "Equal"] = "Exists"
    value: str | None = None
    effect: Effect | None = None
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Gpu:
    """`count` is at least 1; `type` is a name of the project's catalogue, resolved here."""

    count: int
    type: str | None
    resource: str
    node_selector: Pairs
    tolerations: tuple[Toleration, ...]
    span: Span


class Resources(NamedTuple):
    cpu: Amount | None = None
    memory: Amount | None = None
    disk: Amount | None = None
    shm: Amount | None = None
    gpu: Gpu | None = None


class Volume(NamedTuple):
    """`source` is the name of the claim, config map or secret; for `empty` its size or None."""

    name: str
    kind: Literal["claim", "config_map", "secret", "empty"]
    source: str | None
    mount: str
    read_only: bool
    sub_path: str | None
    span: Span


class Security(NamedTuple):
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    read_only_root: bool | None = None
    privileged: bool | None = None
    allow_escalation: bool | None = None
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()


class Pod(NamedTuple):
    """What a cluster is told of the pod. `spans` gives the place of each key that was set."""

    node_selector: Pairs = ()
    tolerations: tuple[Toleration, ...] = ()
    labels: Pairs = ()
    annotations: Pairs = ()
    service_account: str | None = None
    priority_class: str | None = None
    pull_policy: PullPolicy | None = None
    pull_secrets: tuple[str, ...] = ()
    security: Security | None = None
    spans: tuple[tuple[str, Span], ...] = ()


class Retry(NamedTuple):
    """`max` tries after the first; waits in whole seconds, `max_backoff` None for no cap."""

    max: int
    backoff: int
    factor: int
    max_backoff: int | None
    span: Span


class Timeout(NamedTuple):
    """Whole seconds that one try may take."""

    seconds: int
    span: Span


class Cache(NamedTuple):
    """`key` adds to the cache key; `max_age` in seconds. `span` is None for the default rule."""

    enabled: bool
    key: Expr | None = None
    max_age: int | None = None
    span: Span | None = None


class Step(NamedTuple):
    name: str
    program: Program
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    needs: tuple[str, ...]
    image: str | None
    env: tuple[EnvVar, ...]
    resources: Resources
    volumes: tuple[Volume, ...]
    pod: Pod
    workdir: str | None
    retry: Retry | None
    timeout: Timeout | None
    cache: Cache
    description: str
    span: Span

    def input(self, name: str) -> Input:
        return next(i for i in self.inputs if i.name == name)

    def output(self, name: str) -> Output:
        return next(o for o in self.outputs if o.name == name)

    def expressions(self) -> Iterator[Expr]:
        """Every expression of the step, in the order of the language's keys."""
        yield from (i.value for i in self.inputs)
        if isinstance(self.program, Command):
            yield from (a.value for a in self.program.arguments)
        yield from (e.value for e in self.env)
        if self.cache.key is not None:
            yield self.cache.key


Node: TypeAlias = Step


class Limits(NamedTuple):
    """Of the whole run: steps at once, seconds, seconds that a finished run's objects are kept."""

    parallel: int | None = None
    timeout: int | None = None
    ttl: int | None = None
    spans: tuple[tuple[str, Span], ...] = ()


class Pipeline(NamedTuple):
    """One algorithm, ready for an engine.

    `profiles` are the names of those applied, `sources` globs of the code that steps run, from the
    project's root, and `source` is the spec's own path as messages show it.
    """

    name: str
    description: str
    owner: str
    tags: tuple[str, ...]
    labels: Pairs
    params: tuple[Param, ...]
    inputs: tuple[PipelineInput, ...]
    nodes: tuple[Node, ...]
    limits: Limits
    profiles: tuple[str, ...]
    git_commit: str | None
    span: Span
    git_branch: str | None = None
    sources: tuple[str, ...] = ()
    source: str = ""

    @property
    def kubernetes_name(self) -> str:
        return self.name.replace("_", "-")
