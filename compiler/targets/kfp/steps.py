"""A step as a task of its own."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from compiler.capture import identity, words_of
from compiler.expr import ArtifactType, Concat, Expr, Literal, Operation, RunTimeRef
from compiler.ir import Output, Python, Step
from compiler.launch import Launch
from compiler.targets.kfp import cachekey
from compiler.targets.kfp.carrying import plain
from compiler.targets.kfp.conditions import condition
from compiler.targets.kfp.containers import container
from compiler.targets.kfp.decisions import decided
from compiler.targets.kfp.levels import Path, UnfitError
from compiler.targets.kfp.names import TAKEN_BY_THE_SDK, input_names, unique
from compiler.targets.kfp.plan import (
    Around,
    ArtifactOutput,
    Constant,
    InputValue,
    ParameterInput,
    ParameterOutput,
    Task,
)
from compiler.targets.kfp.pods import platform
from compiler.targets.kfp.scopes import Frame, Inputs, order
from compiler.targets.kfp.sources import Context, Given, given, kind_of
from compiler.values import to_text


def step_task(
    context: Context,
    frame: Frame,
    step: Step,
    path: Path,
    tests: Sequence[Expr],
    needs: tuple[str, ...],
) -> Task:
    """The task of a step in a DAG, run if `tests` hold. Raises UnfitError."""
    launch = context.launches[step.name]
    outputs = tuple(map(_output, step.outputs))
    names = input_names((c.name for c in launch.captures), (o.name for o in outputs))
    inputs = Inputs({*TAKEN_BY_THE_SDK, *names.values(), *(o.name for o in outputs)})
    amounts = _Amounts(context, frame, step, path, launch, names, inputs)
    as_text = amounts.captures()
    for capture in launch.captures:
        value = _value(context, frame, step, capture.ref, path)
        if capture.name in as_text:
            value = value.of_type("STRING")
        inputs.put(value.port(names[capture.name]))
    contained = container(step, launch, names, amounts.input)
    # Rounds that are the same to the cache would give one artifact, which nobody can take twice.
    cached = step.cache.enabled and step.name not in context.part.listed
    digest = None
    if cached:
        digest = cachekey.digest(step, launch, is_twin=step.name in context.twins)
    if digest is not None:
        key = Constant(digest)
        inputs.add("mlc_key", lambda name: ParameterInput(name, "STRING", key))
    tested = condition(context, frame, inputs, tests, path)
    name = context.names.step(step.name)
    waited, after = order(inputs.ports.values(), needs)
    return Task(
        name=name,
        component=context.names.component(name),
        step=step.name,
        is_helper=False,
        description=step.description,
        inputs=tuple(inputs.ports.values()),
        outputs=outputs,
        container=contained,
        platform=platform(step, launch),
        retry=step.retry if step.retry and step.retry.max else None,
        cached=cached,
        condition=tested,
        needs=waited,
        after=after,
    )


def _value(
    context: Context, frame: Frame, step: Step, ref: RunTimeRef | Operation, path: Path
) -> Given:
    is_list = isinstance(ref.type, ArtifactType) and ref.type.is_list
    if is_list and not isinstance(step.program, Python):
        reason = "KFP tells the files of a list to `python:` steps only; read it in one"
        raise UnfitError(ref, reason, "foreach")
    plain_ref = context.part.plain(ref, path)
    if isinstance(plain_ref, Operation) and plain_ref.sign != "??":
        return decided(context, frame, plain_ref, path, step.name)
    return given(context, frame, plain_ref, path)


def _output(output: Output) -> ParameterOutput | ArtifactOutput:
    return kind_of(output.type).output(output.name, plain(output.description))


class _Amounts:
    """The inputs that amounts of resources come from; a placeholder has to be all of the text,
    and a text (driver/resolve.go)."""

    def __init__(
        self,
        context: Context,
        frame: Frame,
        step: Step,
        path: Path,
        launch: Launch,
        names: dict[str, str],
        inputs: Inputs,
    ) -> None:
        self.context, self.frame, self.step, self.path = context, frame, step, path
        self.words = words_of(step, launch.captures)
        self.launch, self.names, self.inputs = launch, names, inputs

    def captures(self) -> set[str]:
        """The captures that are amounts as they are."""
        return {
            capture.name
            for expression in self.step.resources.expressions()
            for capture in self.launch.captures
            if _same(capture.ref, self.words.resolve(expression))
        }

    def input(self, expression: Expr) -> InputValue:
        """The input of an amount, one of the captures or one more."""
        value = self.words.resolve(expression)
        for capture in self.launch.captures:
            if _same(capture.ref, value):
                return InputValue(self.names[capture.name])
        parts = (
            [self.words.resolve(part) for part in value.parts] if isinstance(value, Concat) else []
        )
        known = [part for part in parts if not isinstance(part, Literal)]
        if len(known) != 1 or not isinstance(known[0], RunTimeRef):
            reason = "KFP can put one value into an amount, with text around it, and no more"
            raise UnfitError(expression, reason, "resources")
        at = parts.index(known[0])
        before, after = (
            "".join(to_text(part.value) for part in side if isinstance(part, Literal))
            for side in (parts[:at], parts[at + 1 :])
        )
        inner = given(self.context, self.frame, known[0], self.path)
        if inner.selection is not None:
            reason = "KFP can put a field of an item into an amount only as it is"
            raise UnfitError(expression, reason, "resources")
        whole = replace(inner.of_type("STRING"), selection=Around(before, after))
        wanted = unique("amount", set(self.names.values()), "_")
        return InputValue(self.inputs.add(wanted, whole.port))


def _same(ref: Expr, value: Expr) -> bool:
    """Whether two expressions say the same, wherever they are written."""
    return isinstance(value, (RunTimeRef, Operation)) and identity(ref) == identity(value)
