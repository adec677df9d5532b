"""How each field of the language fares on Argo (3.7 to 4.1): what `explain` lists.

A rule for each field; what a pipeline does not use is not listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import msgspec

from compiler.diagnostics import listing
from compiler.expr import ArtifactType
from compiler.ir import Command, Limits, Param, Pipeline, PipelineInput, Required, Script, Step
from compiler.launch import Launch, Text
from compiler.settings import TargetSettings
from compiler.targets import NO_IMAGE, Support
from compiler.targets.argo import memo
from compiler.targets.argo.flowsupport import of_flow, of_parts, of_schedules
from compiler.targets.argo.locations import scheme
from compiler.targets.argo.parts import MOST_PARAMETERS
from compiler.targets.argo.plan import Data, Plan
from compiler.targets.argo.planning import gathered_outputs
from compiler.targets.argo.podsupport import of_pod, of_resources, of_volumes, unlabelled
from compiler.targets.argo.workflow import templates_of
from compiler.targets.kubelet import ESCAPES, MOST_WORD_BYTES
from compiler.targets.uses import emulated, exact, impossible, weaker
from compiler.values import to_text

# etcd takes objects of 1.5 MiB, Argo's own limit is 1 MiB; a workflow that runs holds its
# templates and the state of each step.
MOST_BYTES = 1024 * 1024
_BUDGET = 700 * 1024
_ALL = "the algorithm"


def of_pipeline(
    pipeline: Pipeline, launches: tuple[Launch, ...], settings: TargetSettings
) -> list[Support]:
    """How each field fares by itself; `launches` are those of the steps."""
    gathered = set(gathered_outputs(launches))
    return [
        *_of_texts(pipeline),
        *(use for param in pipeline.params for use in _of_param(param)),
        *_of_constraints(pipeline.params),
        *(use for given in pipeline.inputs for use in _of_input(given, pipeline, settings)),
        *(
            use
            for step, launch in zip(pipeline.steps, launches, strict=True)
            for use in _of_step(step, launch, settings, gathered)
        ),
        *of_flow(pipeline, settings),
        *of_schedules(pipeline),
        *_of_limits(pipeline.limits),
    ]


def _of_texts(pipeline: Pipeline) -> Iterator[Support]:
    for field, given in (
        ("description", pipeline.description),
        ("owner", pipeline.owner),
        ("tags", pipeline.tags),
    ):
        if given:
            yield exact(field, _ALL, pipeline.span, "an annotation")
    if pipeline.labels:
        found = unlabelled(pipeline.labels)
        if found:
            yield impossible("labels", _ALL, pipeline.span, found)
        else:
            yield exact("labels", _ALL, pipeline.span, "of the WorkflowTemplate and its runs")


def _of_param(param: Param) -> Iterator[Support]:
    where = f"param {param.name}"
    if param.nullable:
        yield emulated("params", where, param.span, "a text, of which the empty one is null")
    else:
        yield exact("params", where, param.span, "as text")
    if "{{" in param.description:
        reason = "written `{ {`: Argo looks for tags in it"
        yield emulated("params.description", where, param.span, reason)
    if not isinstance(param.default, Required) and "{{" in to_text(param.default):
        reason = "Argo would act on the `{{` in it; put the text into the step"
        yield impossible("params.default", where, param.span, reason)
    if any("{{" in to_text(value) for value in param.enum):
        yield impossible("params.enum", where, param.span, "Argo would act on the `{{` in it")
    elif param.enum:
        reason = "the choice of Argo's UI; what is submitted in other ways is checked by mlc only"
        yield weaker("params.enum", where, param.span, reason)


def _of_constraints(params: tuple[Param, ...]) -> Iterator[Support]:
    """One line for all, and one way to be rid of it: Argo checks none."""
    found = [
        param
        for param in params
        if any(
            constraint is not None
            for constraint in (
                *(param.minimum, param.maximum, param.exclusive_minimum, param.exclusive_maximum),
                *(param.pattern, param.min_length, param.max_length, param.items),
            )
        )
    ]
    if found:
        names = listing(param.name for param in found)
        where = f"params {names}" if len(found) > 1 else f"param {found[0].name}"
        reason = "checked by mlc only, not in runs that are started in Argo's UI"
        yield weaker("params.constraints", where, found[0].span, reason)


def _of_input(
    given: PipelineInput, pipeline: Pipeline, settings: TargetSettings
) -> Iterator[Support]:
    where, chosen = f"input {given.name}", scheme(given, settings)
    if any(given.name == param.name for param in pipeline.params):
        reason = "on Argo it is a parameter, and a param has the same name; rename one of them"
        yield impossible("inputs", where, given.span, reason)
    if chosen is None:
        reason = f"Argo fetches s3://BUCKET/KEY, gs://BUCKET/KEY and http, not `{given.default}`"
        yield impossible("inputs.default", where, given.span, reason)
        return
    if "{{" in (given.default or ""):
        yield impossible("inputs.default", where, given.span, "Argo would act on the `{{` in it")
    place = f"{chosen}:// URI"
    yield emulated(
        "inputs", where, given.span, f"a parameter for its {place}, fetched by each step"
    )
    if given.default is None:
        reason = f"without a default a {place} is expected; another scheme needs one to be known by"
        yield weaker("inputs.default", where, given.span, reason)
    elif "://" not in given.default:
        reason = f"the default is a path on this machine; on Argo a {place} has to be given"
        yield weaker("inputs.default", where, given.span, reason)
    store = settings.s3
    if chosen == "s3" and store and (store.access_key is None) != (store.secret_key is None):
        reason = "[targets.argo.s3] needs both `access_key` and `secret_key`, or neither"
        yield impossible("inputs", where, given.span, reason)


def _of_step(
    step: Step, launch: Launch, settings: TargetSettings, gathered: set[tuple[str, str]]
) -> Iterator[Support]:
    where = f"step {step.name}"
    if step.description:
        yield exact("description", where, step.span, "an annotation of the pod")
    yield from _of_program(step, launch)
    yield from _of_shell(step, launch)
    if step.needs:
        yield exact("needs", where, step.span)
    if step.image is None:
        yield impossible("image", where, step.span, NO_IMAGE)
    elif "{{" in step.image:
        yield impossible("image", where, step.span, "Argo would act on the `{{` in it")
    else:
        yield exact("image", where, step.span)
    if step.workdir:
        if "{{" in step.workdir:
            yield impossible("workdir", where, step.span, "Argo would act on the `{{` in it")
        else:
            yield exact("workdir", where, step.span)
    yield from of_resources(step)
    yield from of_volumes(step)
    yield from of_pod(step)
    if step.retry:
        yield exact("retry", where, step.retry.span)
        if step.retry.max_backoff is not None:
            yield exact("retry.max_backoff", where, step.retry.span, "`cap`, from Argo 3.7")
    if step.timeout:
        yield exact("timeout", where, step.timeout.span)
    yield from _of_cache(step, settings, gathered)


def _of_program(step: Step, launch: Launch) -> Iterator[Support]:
    where = f"step {step.name}"
    form = "python"
    if isinstance(step.program, Command):
        form = "command"
    elif isinstance(step.program, Script):
        form = "script"
    yield exact(form, where, step.span)
    longest = max((_text_bytes(word) for word in launch.argv), default=0)
    if longest >= MOST_WORD_BYTES:
        reason = (
            f"one argument has {longest} bytes, and Linux takes less than {MOST_WORD_BYTES}; put "
            "long texts into the image or an input"
        )
        yield impossible(form, where, step.span, reason)
    if len(launch.captures) > MOST_PARAMETERS:
        reason = f"Argo gives a template {MOST_PARAMETERS} parameters at most; use an array"
        yield impossible("inputs", where, step.span, reason)


def _text_bytes(word: tuple[object, ...]) -> int:
    return sum([_bytes(slot.text) for slot in word if type(slot) is Text])


# What mlc brings along is long, and the same in every step.
@lru_cache(maxsize=4096)
def _bytes(text: str) -> int:
    return len(text.encode())


def _of_shell(step: Step, launch: Launch) -> Iterator[Support]:
    """Fields for which the command is wrapped in a shell, and those that do without."""
    where = f"step {step.name}"
    own = {name for name, _ in ESCAPES}
    for variable in step.env:
        if variable.name in own:
            reason = f"{variable.name} is mlc's own; rename it"
            yield impossible(f"env.{variable.name}", where, variable.span, reason)
    spans = {
        **{f"inputs.{i.name}": i.span for i in step.inputs},
        **{f"outputs.{o.name}": o.span for o in step.outputs},
        **{f"env.{e.name}": e.span for e in step.env},
    }
    metrics = {
        f"outputs.{o.name}"
        for o in step.outputs
        if isinstance(o.type, ArtifactType) and o.type.kind == "Metrics"
    }
    has_shell = not isinstance(step.program, Command) or step.program.has_shell
    for field in dict.fromkeys((*spans, *launch.reasons)):
        span = spans.get(field, step.span)
        if field in launch.reasons and not has_shell:
            reason = "Argo needs /bin/sh in the image for it, which `shell: none` rules out"
            yield impossible(field, where, span, reason)
        elif field in metrics:
            yield emulated(field, where, span, "an artifact, and its text as a parameter")
        elif field in launch.reasons:
            yield emulated(field, where, span, "by a small /bin/sh wrapper around the command")
        else:
            yield exact(field, where, span)


def _of_cache(
    step: Step, settings: TargetSettings, gathered: set[tuple[str, str]]
) -> Iterator[Support]:
    where, span = f"step {step.name}", step.cache.span
    if span is None:
        return
    if memo.is_memoised(step, settings.memoize, gathered):
        reason = "memoised; artifacts are told apart by how they came about"
        yield emulated("cache", where, span, reason)
    elif step.cache.enabled and memo.is_memoised(step, settings.memoize, ()):
        reason = "not reused: artifacts of all rounds of a loop are taken from it as a list"
        yield weaker("cache", where, span, reason)
    elif step.cache.enabled:
        reason = "Argo never reuses results, unless [targets.argo] sets `memoize`"
        yield weaker("cache", where, span, reason)
    else:
        yield exact("cache", where, span)


def _of_limits(limits: Limits) -> Iterator[Support]:
    for key, span in limits.spans:
        yield exact(f"limits.{key}", _ALL, span, "counted in pods" if key == "parallel" else "")


def of_whole(pipeline: Pipeline, planned: Plan, found: list[Data]) -> Iterator[Support]:
    """The graphs and the size of the manifests, once nothing else stands in the way."""
    for root, flow in zip(planned.graphs, planned.flows, strict=True):
        yield from of_parts(root, flow, pipeline)
    yield from _of_templates(found, pipeline)
    size = sum(len(msgspec.json.encode(d)) for d in found)
    if size > _BUDGET:
        limit = "more than etcd stores" if size > MOST_BYTES else "near what etcd stores"
        reason = (
            f"{size // 1024} KiB as JSON, {limit} ({MOST_BYTES // 1024} KiB with the state of "
            "the run): put long scripts into the image, or split the algorithm"
        )
        yield weaker("size", _ALL, pipeline.span, reason)


def _of_templates(found: list[Data], pipeline: Pipeline) -> Iterator[Support]:
    """DAGs that take more values than a template may have parameters."""
    for template in templates_of(found):
        inputs = template.get("inputs") or {}
        assert isinstance(inputs, dict)
        values = inputs.get("parameters") or []
        assert isinstance(values, list)
        if "dag" in template and len(values) > MOST_PARAMETERS:
            reason = (
                f"what is in `{template['name']}` takes {len(values)} values from outside, and "
                f"Argo gives a template {MOST_PARAMETERS} parameters at most; use arrays"
            )
            yield impossible("foreach", _ALL, pipeline.span, reason)
