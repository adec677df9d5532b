"""How each field fares in the SDK's DSL: as on KFP, less what the SDK (2.17) can't say."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator

from compiler.diagnostics import Span
from compiler.ir import Pipeline, Required, Step
from compiler.targets import Level, Support
from compiler.targets.kfp.names import dashed
from compiler.targets.kfp.plan import Plan
from compiler.targets.kfp_dsl.docstrings import folded, survives
from compiler.targets.kfp_dsl.flow import of_expressions, of_plan
from compiler.targets.uses import emulated, impossible, weaker
from compiler.values import JsonValue

# Names that the SDK, or Python, gives another meaning in the function of a pipeline.
_TAKEN = frozenset({"Output", "dsl", "kubernetes"})
# The SDK writes defaults into comments of its YAML, unquoted: these would end one, or make the file
# unreadable.
_UNFIT_FOR_COMMENT = re.compile(
    r"[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)


def of_pipeline(pipeline: Pipeline, plan: Plan, on_kfp: list[Support]) -> list[Support]:
    """How each field fares, given what was planned for KFP and how that fares there."""
    own = [
        *_of_pipeline_name(pipeline),
        *(
            use
            for name, where, span in _parameters(pipeline)
            for use in _of_name(name, where, span)
        ),
        *_of_params(pipeline),
        *_of_descriptions(pipeline),
        *(use for step in pipeline.steps for use in _of_step(step)),
        *of_expressions(pipeline),
    ]
    # What the DSL leaves out is in nobody's way.
    lost = {use.span for use in own if use.field == "params.enum"}
    kept = [use for use in on_kfp if use.field != "params.enum" or use.span not in lost]
    if not any(map(_is_fatal, (*kept, *own))):
        own += of_plan(pipeline, plan)
    # What KFP can do, and the SDK can't say.
    worse = {(use.field, use.span) for use in own if use.level is Level.REFUSED}
    return [use for use in kept if (use.field, use.span) not in worse] + own


def _is_fatal(use: Support) -> bool:
    return use.level is Level.REFUSED and not use.acceptable


def _of_pipeline_name(pipeline: Pipeline) -> Iterator[Support]:
    name = dashed(pipeline.name)
    if name != pipeline.kubernetes_name:
        yield emulated("name", "the algorithm", pipeline.span, f"the SDK makes it `{name}`")


def _parameters(pipeline: Pipeline) -> Iterator[tuple[str, str, Span]]:
    yield from ((p.name, f"param {p.name}", p.span) for p in pipeline.params)
    yield from ((i.name, f"input {i.name}", i.span) for i in pipeline.inputs)


def _of_name(name: str, where: str, span: Span) -> Iterator[Support]:
    field = "params" if where.startswith("param") else "inputs"
    if keyword.iskeyword(name):
        reason = f"`{name}` is a word of Python, and can't be a parameter in the DSL; rename it"
        yield impossible(field, where, span, reason)
    elif name in _TAKEN:
        reason = f"`{name}` means something else in the DSL; rename it"
        yield impossible(field, where, span, reason)
    elif name.startswith("_"):
        yield impossible(field, where, span, "the SDK wants a letter at the beginning; rename it")


def _of_params(pipeline: Pipeline) -> Iterator[Support]:
    for param in pipeline.params:
        where = f"param {param.name}"
        if param.enum:
            reason = "the SDK can't write enums: checked by mlc only; the target kfp keeps them"
            yield weaker("params.enum", where, param.span, reason)
        if isinstance(param.default, Required):
            continue
        if isinstance(param.default, (list, dict)) and _holds_null(param.default):
            reason = "the SDK takes no null inside a default; leave it out"
            yield impossible("params.default", where, param.span, reason)
        if isinstance(param.default, str) and _UNFIT_FOR_COMMENT.search(param.default):
            reason = (
                "the SDK writes defaults into comments, which a line break or a control character "
                "would break; put the text into the step, or use the target kfp alone"
            )
            yield impossible("params.default", where, param.span, reason)


def _of_descriptions(pipeline: Pipeline) -> Iterator[Support]:
    described = [
        *((f"param {p.name}", p.description, p.span) for p in pipeline.params),
        *((f"input {i.name}", i.description, i.span) for i in pipeline.inputs),
        *(
            (f"output {s.name}.{o.name}", o.description, o.span)
            for s in pipeline.steps
            for o in s.outputs
        ),
    ]
    for where, description, span in described:
        if folded(description) != description:
            yield emulated("description", where, span, "on one line, in a docstring")


def _of_step(step: Step) -> Iterator[Support]:
    where = f"step {step.name}"
    for output in step.outputs:
        field = f"outputs.{output.name}"
        if keyword.iskeyword(output.name) or output.name in _TAKEN:
            reason = f"`{output.name}` can't be the name of a parameter in the DSL; rename it"
            yield impossible(field, where, output.span, reason)
        if not survives(output.description):
            reason = "left out: the SDK's reader of docstrings would break it"
            yield weaker(f"{field}.description", where, output.span, reason)


def _holds_null(value: JsonValue) -> bool:
    match value:
        case list():
            return any(map(_holds_null, value))
        case dict():
            return any(map(_holds_null, value.values()))
    return value is None
