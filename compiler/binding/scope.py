"""What names an expression can use, and where it stands."""

from __future__ import annotations

from collections.abc import Set
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct, field

from compiler import expr as ex
from compiler.diagnostics import Diagnostic, Related, Span
from compiler.ir import Param, PipelineInput
from compiler.nodes import Scalar, SourceFile


class Where(StrEnum):
    """What an expression stands in; the value is how messages call it."""

    ARGUMENT = "an argument"
    FLAG = "a flag"
    ENV = "the environment"
    INPUT = "an input"
    CACHE_KEY = "a cache key"
    AMOUNT = "an amount of a resource"
    WHEN = "a condition"
    FOREACH = "a list to loop over"
    OUTPUT = "an output of the algorithm"
    COMPILE_TIME = "a place that is fixed when the spec is compiled"


Read: TypeAlias = tuple[str, str, str]


class Misspelt(Struct, frozen=True):
    """An output that a step does not declare, and the declared one that is near to it; `is_own`
    where the step itself asks for its path."""

    step: str
    name: str
    near: str
    span: Span
    is_own: bool


_RUN_TIME = ("params", "inputs", "steps", "each", "run")
COMPILED = ("git", "algorithm")
# Names that an expression can start with, by where it stands.
ROOTS: dict[Where, tuple[str, ...]] = {
    Where.ARGUMENT: (*_RUN_TIME, "outputs", "volumes", *COMPILED),
    Where.FLAG: (*_RUN_TIME, "outputs", "volumes", *COMPILED),
    Where.ENV: (*_RUN_TIME, "outputs", "volumes", "secrets", *COMPILED),
    Where.INPUT: (*_RUN_TIME, *COMPILED),
    Where.CACHE_KEY: (*_RUN_TIME, *COMPILED),
    Where.AMOUNT: (*_RUN_TIME, *COMPILED),
    Where.WHEN: (*_RUN_TIME, *COMPILED),
    Where.FOREACH: ("params", "steps", "each"),
    Where.OUTPUT: ("params", "steps"),
    Where.COMPILE_TIME: COMPILED,
}
ALL_ROOTS = (
    "params",
    "inputs",
    "steps",
    "each",
    "outputs",
    "volumes",
    "secrets",
    "run",
    "git",
    "algorithm",
)
GIT_FIELDS = ("commit", "short_commit", "branch")


class Git(Struct, frozen=True):
    """The checkout that a spec is compiled from; `branch` is empty on a detached head."""

    commit: str
    branch: str

    def field(self, name: str) -> str:
        return {"commit": self.commit, "short_commit": self.commit[:8], "branch": self.branch}[name]


class Signature(Struct, frozen=True):
    """What others can take from a step: outputs by name, None for a type that is broken.

    Types are those that the step itself declares; `home` are the loops around it, from the
    outermost, its own included, over which users outside of them collect. A group has no outputs.
    `items` is what `steps.NAME.items` stands for, where the step or group has lists to loop over
    and all of that is known; `loops` says that it has some. `values` is what the outputs of a used
    algorithm come to: outputs of its steps. `places` are where outputs are declared.
    """

    outputs: dict[str, ex.Type | None]
    span: Span
    broken: frozenset[str] = frozenset()
    home: tuple[str, ...] = ()
    is_group: bool = False
    loops: bool = False
    items: ex.Expr | None = None
    values: dict[str, ex.Expr] | None = None
    places: dict[str, Span] = field(default_factory=dict)


class Everything(frozenset[str]):
    """Contains every name: a whole mapping is broken, so nothing can be said to be missing."""

    def __contains__(self, name: object) -> bool:
        return True

    def __or__(self, other: Set[object]) -> Everything:
        return self

    __ror__ = __or__


EVERYTHING = Everything()


class Item(Struct, frozen=True):
    """What `each.NAME` is: an item of the loop called `loop`. `fields` are the types of its
    fields where these are known, for objects."""

    loop: str
    type: ex.ValueType
    fields: dict[str, ex.ValueType] | None = None
    span: Span | None = None


class Scope(Struct):
    """The names that expressions of one spec can use; those of one step are set by `inside`.

    `git` is None outside a git checkout. Filled on the way: `used_git` the fields that were asked
    for, `flawed` names the steps with something wrong in them.

    `removed` tells where entries of a base were taken out, by key (`steps`, `params`, `inputs`) and
    name. `items_used` tells where the `items` of which steps were asked for since it was emptied.

    `level` names the loops around what is bound now and `each` their items, `each_inside` those of
    a loop while the condition beside its `foreach` is bound. In `finally`,
    `steps` are those of `finally` and `main_steps` those that it can't take anything from.

    In an algorithm that is used as a step, `prefix` comes before the names of its steps and loops
    (`train.`), and `given` is what its caller gives for its params and inputs, by name: this stands
    for `params.NAME` and `inputs.NAME`. `root` is the scope of the algorithm that is compiled,
    which gets `added_inputs`: those that a used algorithm has defaults for and is not given.

    `reads` is what expressions of the file name, as `(key, step, name)`: `("params", "", NAME)`,
    `("inputs", STEP, NAME)` with no step for those of the file, `("outputs", STEP, NAME)`, and
    `("paths", STEP, NAME)` for a step's own outputs, of which it is told the paths; of loops
    `("each", LOOP, NAME)`, and `("items", LOOP, "")` for `steps.LOOP.items`.
    `misspelt` are outputs that are nearly there.

    `rounds` counts the combinations of literal lists that loops of the file have.

    In a component `component_params` are the types of its params, which are inputs of the one step
    there. What its caller sets over it stands in other files than `file`, and sees `caller`.
    """

    algorithm: str
    params: dict[str, Param]
    inputs: dict[str, ex.ArtifactType]
    steps: dict[str, Signature]
    git: Git | None
    diagnostics: list[Diagnostic] = field(default_factory=list)
    used_git: set[str] = field(default_factory=set)
    broken: dict[str, frozenset[str]] = field(default_factory=dict)
    rounds: int = 0
    removed: dict[str, dict[str, Span]] = field(default_factory=dict)
    flawed: set[str] = field(default_factory=set)
    level: tuple[str, ...] = ()
    each: dict[str, Item] = field(default_factory=dict)
    each_inside: dict[str, Item] = field(default_factory=dict)
    main_steps: frozenset[str] | None = None
    prefix: str = ""
    given: dict[str, ex.Expr] = field(default_factory=dict)
    root: Scope | None = None
    added_inputs: dict[str, PipelineInput] = field(default_factory=dict)
    component_params: dict[str, ex.ValueType] = field(default_factory=dict)
    file: SourceFile | None = None
    caller: Scope | None = None
    items_used: dict[str, Span] = field(default_factory=dict)
    reads: set[Read] = field(default_factory=set)
    input_spans: dict[str, Span] = field(default_factory=dict)
    misspelt: list[Misspelt] = field(default_factory=list)
    step: str | None = None
    step_inputs: dict[str, ex.Type | None] = field(default_factory=dict)
    step_values: dict[str, ex.Expr] = field(default_factory=dict)
    step_outputs: dict[str, ex.Type | None] = field(default_factory=dict)
    step_volumes: frozenset[str] = frozenset()

    @property
    def is_used(self) -> bool:
        """Whether a caller's values stand for params and inputs here."""
        return bool(self.prefix) or self.caller is not None

    def taken_out(self, key: str, name: str) -> tuple[Related, ...]:
        """Where a null took out the entry of a base that a name would mean."""
        span = self.removed.get(key, {}).get(name)
        return (Related(f"`{name}` of the base is taken out here", span),) if span else ()

    def of(self, node: Scalar) -> Scope:
        """The scope of what is written in the file of a node."""
        if self.caller is not None and node.file is not self.file:
            return self.caller
        return self

    def inside(
        self,
        step: str,
        inputs: dict[str, ex.Type | None],
        outputs: dict[str, ex.Type | None],
        volumes: frozenset[str],
        values: dict[str, ex.Expr] | None = None,
    ) -> None:
        """Enter a step. `values` is what its inputs are bound to, which stands for them in
        conditions and under operators."""
        self.step, self.step_inputs = step, inputs
        self.step_outputs, self.step_volumes = outputs, volumes
        self.step_values = values or {}
