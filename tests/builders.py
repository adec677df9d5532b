"""Pipelines made by hand: IR values with all that a test does not care about left plain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from msgspec.structs import replace

from compiler import expr as ex
from compiler.diagnostics import Span
from compiler.expr import (
    ARTIFACT_KINDS,
    ArtifactType,
    Concat,
    Expr,
    InputRef,
    OutputPath,
    ParamRef,
    PipelineInputRef,
    SecretRef,
    StepOutputRef,
    Type,
    ValueType,
    VolumePath,
)
from compiler.ir import (
    REQUIRED,
    Argument,
    Axis,
    Cache,
    Command,
    EnvVar,
    Flag,
    Gpu,
    Input,
    Limits,
    Loop,
    Node,
    Output,
    Param,
    Pipeline,
    PipelineInput,
    PipelineOutput,
    Pod,
    Program,
    Python,
    Required,
    Resources,
    Retry,
    Script,
    Shell,
    Step,
    Timeout,
    Volume,
    Word,
)
from compiler.values import VALUE_KINDS, JsonValue, ValueKind, kind_of

SPAN = Span("spec.yaml", 1, 1, 1, 1)
BOOLEAN = ValueType("boolean")
Given: TypeAlias = "Expr | JsonValue"


def type_of(name: str, *, nullable: bool = False) -> Type:
    """`integer`, `Dataset`, … as in the language."""
    for artifact in ARTIFACT_KINDS:
        if name == artifact:
            return ArtifactType(artifact)
    kind = next(kind for kind in VALUE_KINDS if kind == name)
    return ValueType(kind, nullable)


def literal(value: JsonValue) -> ex.Literal:
    return ex.Literal(value, ValueType(kind_of(value)), SPAN)


def expr(given: Given) -> Expr:
    if isinstance(given, None | bool | int | float | str | list | dict):
        return literal(given)
    return given


def param_ref(name: str, kind: ValueKind = "string", *, nullable: bool = False) -> ParamRef:
    return ParamRef(name, ValueType(kind, nullable), SPAN)


def input_ref(name: str, kind: str = "string") -> InputRef:
    return InputRef(name, type_of(kind), SPAN)


def pipeline_input_ref(name: str, kind: str = "Dataset") -> PipelineInputRef:
    found = type_of(kind)
    assert isinstance(found, ArtifactType)
    return PipelineInputRef(name, found, SPAN)


def output_of(step: str, output: str, kind: str = "Dataset") -> StepOutputRef:
    return StepOutputRef(step, output, type_of(kind), SPAN)


def output_path(name: str) -> OutputPath:
    return OutputPath(name, SPAN)


def volume_path(name: str) -> VolumePath:
    return VolumePath(name, SPAN)


def secret(name: str, key: str) -> SecretRef:
    return SecretRef(name, key, SPAN)


def concat(*parts: Given) -> Concat:
    return Concat(tuple(map(expr, parts)), SPAN)


def flag(name: str, value: Given, *, joined: bool = False) -> Flag:
    return Flag(name, expr(value), joined)


def command(*words: Argument | Given, has_shell: bool = True) -> Command:
    arguments = tuple(word if isinstance(word, Word | Flag) else Word(expr(word)) for word in words)
    return Command(arguments, has_shell)


def script(source: str, shell: Shell = "sh") -> Script:
    return Script(shell, source)


def python(reference: str) -> Python:
    module, _, function = reference.partition(":")
    return Python(module, function)


def param(
    name: str,
    default: JsonValue | Required = REQUIRED,
    kind: ValueKind | None = None,
    *,
    nullable: bool = False,
    enum: tuple[JsonValue, ...] = (),
    description: str = "",
) -> Param:
    found = kind or (None if isinstance(default, Required) else kind_of(default)) or "string"
    return Param(
        name=name,
        kind=found,
        default=default,
        nullable=nullable or default is None,
        description=description,
        enum=enum,
        minimum=None,
        maximum=None,
        exclusive_minimum=None,
        exclusive_maximum=None,
        pattern=None,
        min_length=None,
        max_length=None,
        items=None,
        span=SPAN,
    )


def pipeline_input(name: str, default: str | None = None, kind: str = "Dataset") -> PipelineInput:
    found = type_of(kind)
    assert isinstance(found, ArtifactType)
    return PipelineInput(name, found, default, "", SPAN)


def volume(
    name: str,
    mount: str = "/data",
    kind: Literal["claim", "config_map", "secret", "empty"] = "claim",
    *,
    read_only: bool = False,
    sub_path: str | None = None,
) -> Volume:
    return Volume(name, kind, name, mount, read_only, sub_path, SPAN)


def gpu(count: int, kind: str | None = None) -> Gpu:
    return Gpu(count, kind, "nvidia.com/gpu", (), (), SPAN)


def retry(max: int, backoff: int = 0, factor: int = 1, max_backoff: int | None = None) -> Retry:
    return Retry(max, backoff, factor, max_backoff, SPAN)


def timeout(seconds: int) -> Timeout:
    return Timeout(seconds, SPAN)


def step(
    name: str,
    program: Program,
    *,
    inputs: Mapping[str, Given] | None = None,
    outputs: Mapping[str, str] | None = None,
    env: Mapping[str, Given] | None = None,
    needs: Iterable[str] = (),
    image: str | None = "registry.example.com/ia/steps:1",
    resources: Resources | None = None,
    volumes: Sequence[Volume] = (),
    pod: Pod | None = None,
    workdir: str | None = None,
    retry: Retry | None = None,
    timeout: Timeout | None = None,
    cache: Cache | None = None,
) -> Step:
    """A step. As in the language its cache is on by default, but without outputs."""
    given = {key: expr(value) for key, value in (inputs or {}).items()}
    written = outputs or {}
    return Step(
        name=name,
        program=program,
        inputs=tuple(Input(key, value.type, value, SPAN) for key, value in given.items()),
        outputs=tuple(Output(key, type_of(kind), "", SPAN) for key, kind in written.items()),
        needs=tuple(needs),
        image=image,
        env=tuple(EnvVar(key, expr(value), SPAN) for key, value in (env or {}).items()),
        resources=resources or Resources(),
        volumes=tuple(volumes),
        pod=pod or Pod(),
        workdir=workdir,
        retry=retry,
        timeout=timeout,
        cache=cache or Cache(bool(written)),
        description="",
        span=SPAN,
    )


def pipeline(
    *steps: Step,
    name: str = "an_algorithm",
    params: Iterable[Param] = (),
    inputs: Iterable[PipelineInput] = (),
    limits: Limits | None = None,
) -> Pipeline:
    return Pipeline(
        name=name,
        description="",
        owner="",
        tags=(),
        labels=(),
        params=tuple(params),
        inputs=tuple(inputs),
        nodes=steps,
        limits=limits or Limits(),
        profiles=(),
        git_commit=None,
        span=SPAN,
        source="spec.yaml",
    )


def each(loop: str, axis: str, *path: str, kind: ValueKind | None = None) -> ex.EachRef:
    return ex.EachRef(loop, axis, path, ValueType(kind), SPAN)


def collected(step: str, output: str, kind: str = "string", depth: int = 1) -> StepOutputRef:
    """What the rounds of `depth` nested loops have written."""
    found = type_of(kind)
    if isinstance(found, ArtifactType):
        return StepOutputRef(step, output, ArtifactType(found.kind, is_list=True), SPAN)
    for _ in range(depth):
        found = ValueType("array", items=found)
    return StepOutputRef(step, output, found, SPAN)


def op(left: Given, sign: ex.Sign, right: Given) -> ex.Operation:
    """An operation of two operands: boolean, but for `??`, which has the type of its right side."""
    operands = (expr(left), expr(right))
    return ex.Operation(sign, operands, operands[1].type if sign == "??" else BOOLEAN, SPAN)


def negation(of: Expr) -> ex.Operation:
    return ex.Operation("!", (of,), BOOLEAN, SPAN)


def list_of(*items: Given) -> ex.ListOf:
    return ex.ListOf(tuple(map(expr, items)), ValueType("array"), SPAN)


def loop(
    name: str,
    axes: Mapping[str, Given],
    *body: Node,
    parallel: int | None = None,
    when: Expr | None = None,
    needs: Iterable[str] = (),
) -> Loop:
    """A loop over lists; without a body yet, `looped` makes one of a step."""
    made = []
    for axis, given in axes.items():
        items = expr(given)
        values = given if isinstance(given, list) else [None]
        kinds = {kind_of(value) for value in values}
        item = ValueType(kinds.pop() if len(kinds) == 1 else None)
        made.append(Axis(axis, items, item, SPAN))
    return Loop(name, tuple(made), body, parallel, when, tuple(needs), "", SPAN)


def looped(step: Step, axes: Mapping[str, Given], **keys: Any) -> Loop:
    """A step with `foreach`: a loop of its name, which takes over what it needs."""
    keys.setdefault("needs", step.needs)
    return loop(step.name, axes, replace(step, needs=()), **keys)


def pipeline_output(name: str, value: Expr, kind: str = "string") -> PipelineOutput:
    return PipelineOutput(name, value, type_of(kind), "", SPAN)
