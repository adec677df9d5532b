"""What expressions see of a run: parameters, artifacts from outside, other steps' outputs, items.

Each round of a loop has a scope of its own, inside of that where the loop stands. When a loop has
ended, the outputs of its steps stand in the scope around it as lists in the order of its items.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct, field

from compiler import evaluation
from compiler.engine.artifacts import Artifact
from compiler.engine.outputs import Written
from compiler.evaluation import SKIPPED, Skipped
from compiler.expr import (
    ArtifactType,
    EachRef,
    Expr,
    ParamRef,
    PipelineInputRef,
    RunField,
    RunRef,
    RunTimeRef,
    StepOutputRef,
)
from compiler.ir import Loop, steps_of
from compiler.values import JsonValue, to_text

# A tuple is a list of artifacts that a loop has collected.
Value: TypeAlias = "JsonValue | Artifact | tuple[Value, ...]"


class EvaluationError(Exception):
    """What an expression takes is not there, or not of its kind; the message is for the user."""


class Round(Struct, frozen=True):
    """One round of a loop: its items by the names of the axes.

    `repeats` tells rounds of equal items apart: how often each item stood in its list before.
    """

    loop: str
    items: Mapping[str, JsonValue]
    repeats: Mapping[str, int]


class Known(Struct, frozen=True):
    """A scope. `outputs` grows as steps end; its keys are a step and an output.

    A step that has ended without outputs there was skipped: nothing takes from a failed one.
    """

    params: Mapping[str, JsonValue]
    inputs: Mapping[str, Artifact]
    run: Mapping[RunField, str]
    outputs: dict[tuple[str, str], Value] = field(default_factory=dict)
    round: Round | None = None
    outer: Known | None = None

    def inside(self, round: Round) -> Known:
        """The scope of a round of a loop that stands in this one."""
        return Known(self.params, self.inputs, self.run, {}, round, self)

    def output(self, step: str, output: str) -> Value | Skipped:
        for scope in self._outwards():
            if (step, output) in scope.outputs:
                return scope.outputs[step, output]
        return SKIPPED

    def item(self, loop: str, axis: str) -> JsonValue:
        return next(r.items[axis] for r in self.rounds() if r.loop == loop)

    def rounds(self) -> Iterator[Round]:
        """The rounds around, from the innermost."""
        return (scope.round for scope in self._outwards() if scope.round is not None)

    def learn(self, step: str, written: Written) -> None:
        """A step of this scope has succeeded."""
        self.outputs.update({(step, name): value for name, value in written.values.items()})
        self.outputs.update({(step, name): found for name, found in written.artifacts.items()})

    def collect(self, loop: Loop, rounds: Iterable[Known]) -> None:
        """A loop of this scope has succeeded; `rounds` are the scopes of its rounds, in order."""
        scopes = tuple(rounds)
        for step in steps_of(loop.body):
            for output in step.outputs:
                key = (step.name, output.name)
                if not all(key in scope.outputs for scope in scopes):
                    continue  # skipped in a round: nothing takes all of these
                found = tuple(scope.outputs[key] for scope in scopes)
                is_artifact = isinstance(output.type, ArtifactType)
                self.outputs[key] = found if is_artifact else list(found)  # type: ignore[arg-type]

    def _outwards(self) -> Iterator[Known]:
        scope: Known | None = self
        while scope is not None:
            yield scope
            scope = scope.outer


def evaluate(expression: Expr, known: Known) -> Value:
    """The value of a condition, a list to loop over or an output of the algorithm.

    Raises:
        EvaluationError: what it takes is not there.
    """

    def value_of(part: Expr) -> Value | Skipped:
        assert isinstance(part, RunTimeRef), "only names known in the run stand here"
        return look_up(part, known)

    found = evaluation.evaluate(expression, value_of)
    assert not isinstance(found, Skipped), "what takes from a skipped step is skipped"
    return found


def look_up(reference: RunTimeRef, known: Known) -> Value | Skipped:
    """What a reference names, in a scope.

    Raises:
        EvaluationError: an item of a loop lacks a field that is taken from it.
    """
    match reference:
        case ParamRef(name=name):
            return known.params[name]
        case PipelineInputRef(name=name):
            return known.inputs[name]
        case StepOutputRef(step=step, output=output):
            return known.output(step, output)
        case RunRef(field=name):
            return known.run[name]
        case EachRef(loop=loop, name=name, path=path):
            value = known.item(loop, name)
            for place, key in enumerate(path):
                if not isinstance(value, dict) or key not in value:
                    shown = ".".join(("each", name, *path[:place]))
                    raise EvaluationError(f"`{shown}` has no field `{key}`: {to_text(value)[:80]}")
                value = value[key]
            return value
