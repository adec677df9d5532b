"""The pipeline as every engine gets it: typed, frozen, neutral.

Made by `compiler.lower`, read by the targets and by the local engine. Defaults are applied,
profiles and overrides are in, short forms are expanded, compile-time names are literals. A word
of one engine in here is a defect. Named tuples, since making the classes takes a seventh of the
time that dataclasses take, which every command waits for; but `Gpu.count` is no tuple's `count`.

What is notation only is gone: groups without a loop, `extends`, components, algorithms used as
steps. Steps of these stand among the others under names of their own (`train.fit`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias, final

from msgspec import Struct

from compiler.diagnostics import Span
from compiler.expr import ArtifactType, Expr, Type, ValueType
from compiler.gates import Comparison
from compiler.values import JsonValue, ValueKind

Pairs: TypeAlias = tuple[tuple[str, str], ...]
# Places of values by their path below a key: `labels.team`, `tolerations.0`.
Places: TypeAlias = tuple[tuple[str, Span], ...]
Effect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
PullPolicy = Literal["Always", "IfNotPresent", "Never"]
Shell = Literal["sh", "bash", "python"]


class Required:
    """Type of `REQUIRED`, which stands where a parameter has no default."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = Required()


class Param(Struct, frozen=True):
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


class PipelineInput(Struct, frozen=True):
    """An artifact from outside; `default` is a URI or a path."""

    name: str
    type: ArtifactType
    default: str | None
    description: str
    span: Span


class Word(Struct, frozen=True):
    """One word of an argument vector."""

    value: Expr


class Flag(Struct, frozen=True):
    """A flag: `name value`, or with `joined` the one word `name=value`.

    Not joined, a boolean gives the bare name or nothing. Null gives nothing in both forms.
    `name` has no `=` at its end.
    """

    name: str
    value: Expr
    joined: bool


Argument: TypeAlias = Word | Flag


class Command(Struct, frozen=True):
    """An argument vector; `has_shell` is False where the image is said to have no /bin/sh."""

    arguments: tuple[Argument, ...]
    has_shell: bool


class Script(Struct, frozen=True):
    shell: Shell
    source: str
    span: Span | None = None


class Python(Struct, frozen=True):
    """A function `module:function`, called by the shim (`compiler.runtime`)."""

    module: str
    function: str
    span: Span | None = None


Program: TypeAlias = Command | Script | Python


class Input(Struct, frozen=True):
    """A named input of a step. An expression of artifact type makes it an artifact."""

    name: str
    type: Type
    value: Expr
    span: Span


class Output(Struct, frozen=True):
    name: str
    type: Type
    description: str
    span: Span


class EnvVar(Struct, frozen=True):
    name: str
    value: Expr
    span: Span


class Amount(Struct, frozen=True):
    """Kubernetes quantities as the author wrote them (`500m`, `8Gi`), or expressions. `span` is
    that of the key, `value_span` of the limit, or else the request."""

    request: str | Expr | None
    limit: str | Expr | None
    span: Span
    value_span: Span | None = None

    @property
    def place(self) -> Span:
        """The value, which a profile may set of what others say."""
        return self.value_span or self.span

    @property
    def sides(self) -> list[str | Expr]:
        """Limit and request, one of them where they are the same."""
        return [side for side in dict.fromkeys((self.limit, self.request)) if side is not None]


class Toleration(Struct, frozen=True):
    key: str | None = None
    operator: Literal["Exists", "Equal"] = "Exists"
    value: str | None = None
    effect: Effect | None = None
    seconds: int | None = None


class Gpu(Struct, frozen=True):
    """`count` is at least 1, or an expression; `type` is a name of the project's catalogue,
    resolved here."""

    count: int | Expr
    type: str | None
    resource: str
    node_selector: Pairs
    tolerations: tuple[Toleration, ...]
    span: Span
    count_span: Span | None = None
    type_span: Span | None = None


class Resources(Struct, frozen=True):
    cpu: Amount | None = None
    memory: Amount | None = None
    disk: Amount | None = None
    shm: Amount | None = None
    gpu: Gpu | None = None

    def expressions(self) -> Iterator[Expr]:
        """The amounts that are known only at run time."""
        for amount in (self.cpu, self.memory, self.disk, self.shm):
            if amount is not None:
                yield from (given for given in reversed(amount.sides) if not isinstance(given, str))
        if self.gpu is not None and not isinstance(self.gpu.count, int):
            yield self.gpu.count


class Volume(Struct, frozen=True):
    """`source` is the name of the claim, config map or secret; for `empty` its size or None."""

    name: str
    kind: Literal["claim", "config_map", "secret", "empty"]
    source: str | None
    mount: str
    read_only: bool
    sub_path: str | None
    span: Span
    value_spans: Places = ()


class Security(Struct, frozen=True):
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    read_only_root: bool | None = None
    privileged: bool | None = None
    allow_escalation: bool | None = None
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()


class Pod(Struct, frozen=True):
    """What a cluster is told of the pod. `spans` gives the place of each key that was set,
    `key_spans` those of the names of labels."""

    node_selector: Pairs = ()
    tolerations: tuple[Toleration, ...] = ()
    labels: Pairs = ()
    annotations: Pairs = ()
    service_account: str | None = None
    priority_class: str | None = None
    pull_policy: PullPolicy | None = None
    pull_secrets: tuple[str, ...] = ()
    security: Security | None = None
    spans: Places = ()
    key_spans: Places = ()
    value_spans: Places = ()


class Retry(Struct, frozen=True):
    """`max` tries after the first; waits in whole seconds, `max_backoff` None for no cap."""

    max: int
    backoff: int
    factor: int
    max_backoff: int | None
    span: Span
    value_spans: Places = ()

    def place(self, key: str) -> Span:
        """Where the value of a key stands."""
        return dict(self.value_spans).get(key, self.span)


class Timeout(Struct, frozen=True):
    """Whole seconds that one try may take."""

    seconds: int
    span: Span
    value_span: Span | None = None

    @property
    def place(self) -> Span:
        return self.value_span or self.span


class Cache(Struct, frozen=True):
    """`key` adds to the cache key; `max_age` in seconds. `span` is None for the default rule."""

    enabled: bool
    key: Expr | None = None
    max_age: int | None = None
    span: Span | None = None
    value_spans: Places = ()


class Step(Struct, frozen=True):
    """A step. `when` is a boolean expression, those of the groups around it included; it holds
    no `InputRef`. `needs` are nodes of the same level; `need_spans` tells where each is asked.
    """

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
    when: Expr | None = None
    image_span: Span | None = None
    need_spans: Places = ()

    def input(self, name: str) -> Input:
        return next(i for i in self.inputs if i.name == name)

    def output(self, name: str) -> Output:
        return next(o for o in self.outputs if o.name == name)

    def expressions(self) -> list[Expr]:
        """Every expression of the step's container, in the order of the language's keys."""
        found = [i.value for i in self.inputs]
        if isinstance(self.program, Command):
            found += [a.value for a in self.program.arguments]
        found += [e.value for e in self.env]
        if self.cache.key is not None:
            found.append(self.cache.key)
        found += self.resources.expressions()
        return found


class Axis(Struct, frozen=True):
    """One list of a loop. `items` is a literal, a parameter, an output or an item of an outer
    loop; `item` is the type of one of its values."""

    name: str
    items: Expr
    item: ValueType
    span: Span


@final
class Loop(Struct, frozen=True):
    """Runs its body once for each combination of its axes' values, the first axis slowest.

    One unit for what is around it: it starts when all that its body takes from outside is there,
    and is skipped if any of that was, or if `when` (which has no `each`) is false. Without items
    it succeeds. A step with `foreach` is a loop of the same name with that step for its body.
    `needs` are nodes of the loop's own level, those of its members lifted to here; the needs of a
    node in the body are nodes of the body. At most `parallel` rounds run at once.
    """

    name: str
    axes: tuple[Axis, ...]
    body: tuple[Node, ...]
    parallel: int | None
    when: Expr | None
    needs: tuple[str, ...]
    description: str
    span: Span
    need_spans: Places = ()


Node: TypeAlias = Step | Loop


class Limits(Struct, frozen=True):
    """Of the whole run: steps at once, seconds, seconds that a finished run's objects are kept."""

    parallel: int | None = None
    timeout: int | None = None
    ttl: int | None = None
    spans: Places = ()
    value_spans: Places = ()


class PipelineOutput(Struct, frozen=True):
    """What the algorithm hands on: an output of a step, or several of them joined by `??`."""

    name: str
    value: Expr
    type: Type
    description: str
    span: Span


class Schedule(Struct, frozen=True):
    """`cron` has five fields, weekdays 0 to 6. `params` are the values that its profile and it
    set over the defaults; `sets_steps` tells that its profile sets more than parameters.
    """

    name: str
    cron: str
    timezone: str | None
    profile: str | None
    params: tuple[tuple[str, JsonValue], ...]
    enabled: bool
    overlap: Literal["allow", "forbid"]
    catch_up: bool
    sets_steps: bool
    span: Span
    cron_span: Span | None = None


class Gate(Struct, frozen=True):
    """What metrics of a run have to be for it to pass; its names are bound."""

    text: str
    comparison: Comparison
    span: Span


class Pipeline(Struct, frozen=True):
    """One algorithm, ready for an engine.

    `finally_nodes` run when all `nodes` have ended, however they did. `profiles` are the names of
    those applied, `sources` globs of the code that steps run, from the project's root, and
    `source` is the spec's own path as messages show it.
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
    finally_nodes: tuple[Node, ...] = ()
    outputs: tuple[PipelineOutput, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    gates: tuple[Gate, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, those in loops and in `finally` too, in the order of the file."""
        return tuple(steps_of((*self.nodes, *self.finally_nodes)))

    @property
    def kubernetes_name(self) -> str:
        return self.name.replace("_", "-")


def steps_of(nodes: Iterable[Node]) -> Iterator[Step]:
    """The steps among nodes and in their loops."""
    for node in nodes:
        if type(node) is Loop:
            yield from steps_of(node.body)
        else:
            yield node
