"""What engines on clusters hold, in words that are no engine's own.

All are read from a server or on their way to one; times are seconds since the epoch, None for not
yet. What a server does not tell is empty. States are the local engine's words
(`compiler.engine.events`), with those that only a server knows; `deleted` is a run that was there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from compiler.values import JsonValue

State = Literal[
    "waiting",
    "running",
    "retrying",
    "paused",
    "stopping",
    "succeeded",
    "cached",
    "failed",
    "skipped",
    "omitted",
    "interrupted",
    "deleted",
    "unknown",
]
# What rights are asked for. A rollback deploys, and a deploy with toys submits, too.
Act = Literal["submit", "deploy", "prune"]
# A run in one of these changes no more.
ENDED: frozenset[str] = frozenset(
    {"succeeded", "cached", "failed", "skipped", "omitted", "interrupted", "deleted"}
)


class Marks(Struct, frozen=True):
    """What mlc writes on everything it makes, and by what it knows it again.

    `project` is whose it is: nothing without the own project's mark is ever changed or deleted.
    `key` is a submission's, of runs alone. `schedule` is a name in a spec, `generation` a number
    that counts up where a schedule can't be changed but only followed by another. `account` is the
    service account that a schedule was given, where an engine does not tell that from its default.
    """

    project: str
    algorithm: str = ""
    version: str = ""
    commit: str = ""
    branch: str = ""
    digest: str = ""
    mlc: str = ""
    key: str = ""
    schedule: str = ""
    experiment: str = ""
    generation: str = ""
    account: str = ""


class ScheduleSpec(Struct, frozen=True):
    """A schedule as a spec says it; `cron` has five fields.

    `timezone` is None where the spec says none, and where an engine does not tell (KFP).
    `service_account` is that of its runs, which is no spec's but the engine's settings'."""

    name: str
    cron: str
    timezone: str | None = None
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    enabled: bool = True
    overlap: Literal["allow", "forbid"] = "forbid"
    catch_up: bool = False
    service_account: str | None = None


class Manifest(Struct, frozen=True):
    """An algorithm compiled for one kind of engine.

    `name` is what it is called there: of a branch another than of the default branch where the
    engine would overwrite it. `documents` are plain data as the target emits them, without
    schedules. `steps` gives the spec's names of steps and loops by those of the engine's tasks
    where the engine does not tell them itself. `nullable` names the params that may be null.
    `metrics` are the outputs of type metrics, as (step, output); `loops` the tasks that are loops.
    `size` is in bytes, of the largest object that the engine has to store, and `most` what it
    takes of one, with the state of a run.
    """

    algorithm: str
    name: str
    description: str
    documents: tuple[Mapping[str, JsonValue], ...]
    steps: Mapping[str, str] = field(default_factory=dict)
    nullable: frozenset[str] = frozenset()
    metrics: tuple[tuple[str, str], ...] = ()
    loops: frozenset[str] = frozenset()
    schedules: tuple[ScheduleSpec, ...] = ()
    size: int = 0
    most: int = 0


class Experiment(Struct, frozen=True):
    """A group of runs. `archived` ones are out of sight; engines without experiments have labels,
    where the id is the name."""

    id: str
    name: str
    description: str = ""
    marks: Marks | None = None
    archived: bool = False
    created: float | None = None
    last_run: float | None = None
    url: str = ""


class Version(Struct, frozen=True):
    """A published manifest: `pipeline` is the id of what it is a version of.

    `steps` as of `Manifest`. `documents` are there where the engine was asked for one version, or
    tells them with each.
    """

    id: str
    pipeline: str
    name: str
    marks: Marks | None = None
    created: float | None = None
    steps: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[tuple[str, str], ...] = ()
    documents: tuple[Mapping[str, JsonValue], ...] = ()
    url: str = ""


class StepState(Struct, frozen=True):
    """A step of a run by its name in the spec, with its rounds where it is in loops (`fit.2`).

    `node` is what the engine calls it, for its log; `tries` is how many were made.
    """

    name: str
    state: State
    started: float | None = None
    ended: float | None = None
    message: str = ""
    tries: int = 1
    node: str = ""


class Run(Struct, frozen=True):
    """A run. `raw_state` is the engine's own word; `steps` are there where one run was asked for.

    `metrics` go by `STEP.OUTPUT` as on this machine, and are empty where `Engine.metrics` was not
    asked. `schedule` is the id of what started it, empty for one that was submitted.
    """

    id: str
    name: str
    state: State
    raw_state: str = ""
    message: str = ""
    experiment: str = ""
    marks: Marks | None = None
    version: str = ""
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    created: float | None = None
    started: float | None = None
    ended: float | None = None
    steps: tuple[StepState, ...] = ()
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    schedule: str = ""
    archived: bool = False
    url: str = ""

    @property
    def is_ended(self) -> bool:
        return self.state in ENDED


class RunQuery(Struct, frozen=True):
    """Which runs to list, the newest first; what is None or empty asks for nothing."""

    project: str | None = None
    algorithm: str | None = None
    branch: str | None = None
    experiment: str | None = None
    schedule: str | None = None
    states: frozenset[State] = frozenset()
    limit: int | None = None


class Schedule(Struct, frozen=True):
    """A schedule on an engine. `spec.cron` has five fields again; `cron` is as it is there.

    `version` is the id of the version that it starts, or its name where versions have no id of
    their own.
    """

    id: str
    name: str
    spec: ScheduleSpec
    enabled: bool
    cron: str = ""
    version: str = ""
    pipeline: str = ""
    experiment: str = ""
    marks: Marks | None = None
    created: float | None = None
    url: str = ""


class Health(Struct, frozen=True):
    """What a server says of itself. `version` is empty where it does not tell; `missing` are
    things that will go wrong, each a sentence."""

    kind: str
    url: str
    version: str = ""
    namespace: str = ""
    user: str = ""
    multi_user: bool = False
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Needs(Struct, frozen=True):
    """What runs of a spec want of their namespace. `secrets` and `config_maps` are names with the
    keys that are read, `gpus` are resource names with the node labels and the count wanted.
    `cpu` is in cores, `memory` in bytes, of the largest step. `users` are the algorithms and steps
    that want a thing: (kind, name, key or empty), a member of `gpus`, or (resource, amount)."""

    secrets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    config_maps: Mapping[str, frozenset[str]] = field(default_factory=dict)
    claims: frozenset[str] = frozenset()
    service_accounts: frozenset[str] = frozenset()
    gpus: tuple[tuple[str, tuple[tuple[str, str], ...], int], ...] = ()
    cpu: float = 0.0
    memory: float = 0.0
    users: Mapping[tuple[object, ...], frozenset[tuple[str, str]]] = field(default_factory=dict)


class Survey(Struct, frozen=True):
    """What Kubernetes says of `Needs`: what is missing, and what could not be asked and why.
    `is_asked` is False where there is no way to Kubernetes at all."""

    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    is_asked: bool = True
