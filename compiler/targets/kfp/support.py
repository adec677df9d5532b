"""How each field of the language fares on KFP (server 2.17): what `explain` lists.

A rule for each field; what a pipeline does not use is not listed.
"""

from __future__ import annotations

from collections.abc import Iterator

from compiler.diagnostics import Span, listing
from compiler.expr import Literal, RunRef, walk
from compiler.ir import (
    Command,
    Flag,
    Limits,
    Param,
    Pipeline,
    PipelineInput,
    Python,
    Required,
    Retry,
    Script,
    Step,
)
from compiler.launch import Launch, OutputPathOf, PathOf
from compiler.settings import TargetSettings
from compiler.targets import NO_IMAGE, Support
from compiler.targets.kfp.carrying import MOST_PARAMETER_BYTES, altered, unwritable
from compiler.targets.kfp.containers import container, has_shell, needs_shell
from compiler.targets.kfp.executorspec import container_bytes
from compiler.targets.kfp.flowsupport import of_flow
from compiler.targets.kfp.names import input_names
from compiler.targets.kfp.plan import Container
from compiler.targets.kfp.planning import Draft, importable
from compiler.targets.kfp.podsupport import of_pod, of_resources, of_volumes
from compiler.targets.kfp.schedules import of_schedules
from compiler.targets.kubelet import is_exposed
from compiler.targets.uses import emulated, exact, impossible, refused, weaker
from compiler.values import to_text

# The driver gets a container as JSON in one argument, of which Linux allows 128 KiB; what the
# driver makes of it has to fit again, with values in it.
MOST_CONTAINER_BYTES = 100_000
# etcd takes 1.5 MiB, of which the run's status needs its share. What the backend adds to a step's
# container was measured on its compiler.
MOST_WORKFLOW_BYTES = 1_000_000
_BYTES_ADDED_BY_STEP = 2_000
_FORMS = {Command: "command", Script: "script", Python: "python"}


def of_pipeline(pipeline: Pipeline, settings: TargetSettings, draft: Draft) -> list[Support]:
    """How each field fares, given what was planned."""
    planned = {
        task.step: task.container for task in draft.plan.root.containers() if not task.is_helper
    }
    containers = {s.name: planned.get(s.name) or _alone(s, draft) for s in pipeline.steps}
    sizes = {name: container_bytes(found) for name, found in containers.items()}
    return [
        *_of_texts(pipeline),
        *(use for param in pipeline.params for use in _of_param(param)),
        *_of_constraints(pipeline.params),
        *(use for given in pipeline.inputs for use in _of_input(given, pipeline.params)),
        *(
            use
            for step in pipeline.steps
            for use in _of_step(step, draft.launches[step.name], sizes[step.name])
        ),
        *of_flow(pipeline, draft),
        *draft.refused,
        *of_schedules(pipeline, settings),
        *_of_limits(pipeline.limits),
        *_of_size(pipeline, sum(sizes.values())),
    ]


def _of_texts(pipeline: Pipeline) -> Iterator[Support]:
    for field, given in (
        ("owner", pipeline.owner),
        ("tags", pipeline.tags),
        ("labels", pipeline.labels),
    ):
        if given:
            yield emulated(field, "the algorithm", pipeline.span, "in the pipeline's description")


def _of_param(param: Param) -> Iterator[Support]:
    where = f"param {param.name}"
    if param.nullable:
        yield emulated("params", where, param.span, "a text, of which the empty one is null")
    else:
        yield exact("params", where, param.span)
    if not isinstance(param.default, Required):
        found = altered(param.default)
        if found:
            reason = f"KFP would alter {found} in a parameter; put the text into the step"
            yield impossible("params.default", where, param.span, reason)
        size = len(to_text(param.default).encode())
        if size > MOST_PARAMETER_BYTES:
            reason = (
                f"{size} bytes; KFP stores at most {MOST_PARAMETER_BYTES} of a run's parameters; "
                "put the text into a file, or into the step"
            )
            yield impossible("params.default", where, param.span, reason)
    if param.enum:
        found = next(filter(None, map(altered, param.enum)), None)
        if found:
            reason = f"KFP would alter {found} in a parameter"
            yield impossible("params.enum", where, param.span, reason)
        else:
            yield exact("params.enum", where, param.span, "checked by the server, from 2.17")


def _of_constraints(params: tuple[Param, ...]) -> Iterator[Support]:
    """One line for all: KFP checks types and enums of what its UI sends, nothing more."""
    found = [param for param in params if _is_constrained(param)]
    if found:
        where = (
            f"params {listing(p.name for p in found)}"
            if len(found) > 1
            else f"param {found[0].name}"
        )
        reason = "checked by mlc only, not in runs that are started in KFP's UI"
        yield weaker("params.constraints", where, found[0].span, reason)


def _is_constrained(param: Param) -> bool:
    bounds = (param.minimum, param.maximum, param.exclusive_minimum, param.exclusive_maximum)
    lengths = (param.min_length, param.max_length)
    return any(limit is not None for limit in (*bounds, *lengths, param.pattern, param.items))


def _of_input(given: PipelineInput, params: tuple[Param, ...]) -> Iterator[Support]:
    where, field = f"input {given.name}", "inputs"
    if any(given.name == param.name for param in params):
        reason = "on KFP it is a parameter, and a param has the same name; rename one of them"
        yield impossible(field, where, given.span, reason)
    if given.default is None or importable(given.default, given.type.kind):
        yield exact(field, where, given.span, "a parameter for its URI, and an importer task")
    elif "://" not in given.default:
        reason = "the default is a path on this machine; on KFP a URI has to be given"
        yield weaker("inputs.default", where, given.span, reason)
    else:
        scheme, kind = given.default.partition("://")[0], given.type.kind
        reason = f"KFP can't import a {kind} from {scheme}://; copy it to gs:// or s3://"
        yield impossible("inputs.default", where, given.span, reason)
    if given.default is not None and altered(given.default):
        reason = f"KFP would alter {altered(given.default)} in a parameter"
        yield impossible("inputs.default", where, given.span, reason)


def _of_step(step: Step, launch: Launch, size: int) -> Iterator[Support]:
    where = f"step {step.name}"
    if step.description:
        reason = "KFP's IR has no place for it; it is in the DSL source"
        yield emulated("description", where, step.span, reason)
    yield from _of_program(step, launch, size)
    yield from _of_shell(step, launch)
    for capture in launch.captures:
        if isinstance(capture.ref, RunRef) and capture.ref.field == "scheduled_at":
            reason = "in a run that was not scheduled, the time at which it was made"
            yield emulated("run.scheduled_at", where, capture.ref.span, reason)
    if step.needs:
        yield exact("needs", where, step.span)
    if step.image is None:
        yield impossible("image", where, step.span, NO_IMAGE)
    else:
        yield exact("image", where, step.span)
    yield from of_resources(step)
    yield from of_volumes(step)
    yield from of_pod(step)
    if step.retry:
        yield from _of_retry(step.retry, where)
    if step.timeout:
        yield exact("timeout", where, step.timeout.span)
    yield from _of_cache(step)


def _of_program(step: Step, launch: Launch, size: int) -> Iterator[Support]:
    where, form = f"step {step.name}", _FORMS[type(step.program)]
    yield exact(form, where, step.span)
    if size > MOST_CONTAINER_BYTES:
        reason = (
            f"its container takes {size} bytes, and KFP can pass on {MOST_CONTAINER_BYTES}; put "
            "long texts into the image or an input"
        )
        yield impossible(form, where, step.span, reason)
    if any(isinstance(slot, (PathOf, OutputPathOf)) for slot in launch.argv[0]):
        reason = "KFP fills in paths in arguments only, not in the name of the program"
        yield impossible(form, where, step.span, reason)
    if any(map(is_exposed, launch.argv)):
        reason = (
            "a value that ends in `$` would run into the `$`, `(` or `{` after it; put something "
            "between them"
        )
        yield weaker(form, where, step.span, reason)
    for field, span, text in _literals(step):
        found = unwritable(text)
        if found:
            reason = f"KFP can't carry the character {found}; leave it out"
            yield impossible(field, where, span, reason)
        elif "{{$" in text:
            reason = "KFP's launcher would take `{{$` for a placeholder of its own; leave it out"
            yield impossible(field, where, span, reason)


def _alone(step: Step, draft: Draft) -> Container:
    """The container of a step that there was no way to plan."""
    launch = draft.launches[step.name]
    names = input_names((c.name for c in launch.captures), (o.name for o in step.outputs))
    return container(step, launch, names)


def _literals(step: Step) -> Iterator[tuple[str, Span, str]]:
    """The literal texts that get into the step's container, with their field and place."""
    if isinstance(step.program, Script):
        yield "script", step.span, step.program.source
    arguments = step.program.arguments if isinstance(step.program, Command) else ()
    for argument in arguments:
        if isinstance(argument, Flag):
            yield "command", step.span, argument.name
    values = (
        *(("command", argument.value) for argument in arguments),
        *(("inputs", given.value) for given in step.inputs),
        *(("env", variable.value) for variable in step.env),
    )
    for field, value in values:
        for part in walk(value):
            if isinstance(part, Literal):
                yield field, part.span, to_text(part.value)
    if step.workdir:
        yield "workdir", step.span, step.workdir


def _of_shell(step: Step, launch: Launch) -> Iterator[Support]:
    """Fields for which the command is wrapped in a shell, and those that do without."""
    where, needed = f"step {step.name}", needs_shell(step, launch)
    spans = {
        **{f"inputs.{i.name}": i.span for i in step.inputs},
        **{f"outputs.{o.name}": o.span for o in step.outputs},
        **{f"env.{e.name}": e.span for e in step.env},
    }
    for field in dict.fromkeys((*spans, *needed)):
        span = spans.get(field, step.span)
        if field.startswith("env.MLC_"):
            reason = "names that begin with MLC_ are mlc's own; rename it"
            yield impossible(field, where, span, reason)
        elif field not in needed:
            yield exact(field, where, span)
        elif has_shell(step):
            yield emulated(field, where, span, "by a small /bin/sh wrapper around the command")
        else:
            reason = "KFP needs /bin/sh in the image for it, which `shell: none` rules out"
            yield impossible(field, where, span, reason)


def _of_retry(retry: Retry, where: str) -> Iterator[Support]:
    yield exact("retry", where, retry.span)
    if retry.max_backoff is None:
        return
    longest = retry.backoff * retry.factor ** (retry.max - 1)
    if longest <= retry.max_backoff:
        yield exact("retry.max_backoff", where, retry.span, f"no wait is over {longest}s")
    else:
        reason = f"KFP can't cap a wait: the last would be {longest}s; lower `factor` or `backoff`"
        yield refused("retry.max_backoff", where, retry.span, reason)


def _of_cache(step: Step) -> Iterator[Support]:
    where, span = f"step {step.name}", step.cache.span
    if span is None:
        return
    yield exact("cache", where, span)
    if step.cache.key is not None:
        yield emulated("cache.key", where, span, "as inputs of the task, which are in KFP's key")
    if step.cache.max_age is not None:
        reason = "KFP reuses results of any age; put a date into `cache.key`"
        yield refused("cache.max_age", where, span, reason)


def _of_limits(limits: Limits) -> Iterator[Support]:
    for key, span in limits.spans:
        if key == "parallel":
            reason = "KFP has no limit for the steps of a run, only for a loop's items"
            yield refused("limits.parallel", "the algorithm", span, reason)
        elif key == "ttl" and limits.ttl == 0:
            yield emulated("limits.ttl", "the algorithm", span, "1s: KFP reads 0 as no limit")
        else:
            yield exact(f"limits.{key}", "the algorithm", span)


def _of_size(pipeline: Pipeline, containers: int) -> Iterator[Support]:
    # The workflow holds them as text in JSON, whose quotes and newlines are escaped once more.
    size = containers * 6 // 5 + _BYTES_ADDED_BY_STEP * len(pipeline.steps)
    if size > MOST_WORKFLOW_BYTES:
        reason = (
            f"the workflow that KFP makes of it takes about {size // 1000} kB, and with its status "
            "has to stay under 1.5 MB; split the algorithm, or put long texts into the image"
        )
        yield weaker("steps", "the algorithm", pipeline.span, reason)
