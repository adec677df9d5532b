"""What names an expression can use, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from compiler import expr as ex
from compiler.diagnostics import Diagnostic, Span
from compiler.ir import Param


class Where(StrEnum):
    """What an expression stands in; the value is how messages call it."""

    ARGUMENT = "an argument"
    FLAG = "a flag"
    ENV = "the environment"
    INPUT = "an input"
    CACHE_KEY = "a cache key"
    COMPILE_TIME = "a place that is fixed when the spec is compiled"


_RUN_TIME = ("params", "inputs", "steps", "run")
COMPILED = ("git", "algorithm")
# Names that an expression can start with, by where it stands.
ROOTS: dict[Where, tuple[str, ...]] = {
    Where.ARGUMENT: (*_RUN_TIME, "outputs", "volumes", *COMPILED),
    Where.FLAG: (*_RUN_TIME, "outputs", "volumes", *COMPILED),
    Where.ENV: (*_RUN_TIME, "outputs", "volumes", "secrets", *COMPILED),
    Where.INPUT: (*_RUN_TIME, *COMPILED),
    Where.CACHE_KEY: (*_RUN_TIME, *COMPILED),
    Where.COMPILE_TIME: COMPILED,
}
ALL_ROOTS = (
    "params",
    "inputs",
    "steps",
    "outputs",
    "volumes",
    "secrets",
    "run",
    "git",
    "algorithm",
)
GIT_FIELDS = ("commit", "short_commit", "branch")


@dataclass(frozen=True, slots=True)
class Git:
    """The checkout that a spec is compiled from; `branch` is empty on a detached head."""

    commit: str
    branch: str

    def field(self, name: str) -> str:
        return {"commit": self.commit, "short_commit": self.commit[:8], "branch": self.branch}[name]


@dataclass(frozen=True, slots=True)
class Signature:
    """What other steps can take from a step: outputs by name, None for a type that is broken."""

    outputs: dict[str, ex.Type | None]
    span: Span
    broken: frozenset[str] = frozenset()


@dataclass(slots=True)
class Scope:
    """The names that expressions of one spec can use; those of one step are set by `inside`.

    `git` is None outside a git checkout. Filled on the way: `used_git` the fields that were asked
    for, `flawed` names the steps with something wrong in them.
    """

    algorithm: str
    params: dict[str, Param]
    inputs: dict[str, ex.ArtifactType]
    steps: dict[str, Signature]
    git: Git | None
    diagnostics: list[Diagnostic] = field(default_factory=list)
    used_git: set[str] = field(default_factory=set)
    broken: dict[str, frozenset[str]] = field(default_factory=dict)
    flawed: set[str] = field(default_factory=set)
    step: str | None = None
    step_inputs: dict[str, ex.Type | None] = field(default_factory=dict)
    step_outputs: dict[str, ex.Type | None] = field(default_factory=dict)
    step_volumes: frozenset[str] = frozenset()

    def inside(
        self,
        step: str,
        inputs: dict[str, ex.Type | None],
        outputs: dict[str, ex.Type | None],
        volumes: frozenset[str],
    ) -> None:
        self.step, self.step_inputs = step, inputs
        self.step_outputs, self.step_volumes = outputs, volumes
