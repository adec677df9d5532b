"""What a spec declares and nothing takes. Only for specs without errors: a name that is misspelt
where it is used would be told twice.

What stands in other files (bases, components, algorithms that are used) is for these to say, since
others may take it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from compiler.binding.scope import Read
from compiler.diagnostics import Diagnostic, Span, warning
from compiler.ir import Pipeline, Python, Script, Step

# Results by themselves, which people look at or deploy, whoever else takes them: figures too, since
# every engine shows them.
_RESULTS = {"Model", "Metrics", "HTML", "Markdown", "integer", "number"}
# The name of a variable is put together: `INPUT_$name`, `"INPUT_" + name`.
_PUT_TOGETHER = re.compile(r"INPUT_(?!\w)")


def unread_params(pipeline: Pipeline, reads: Set[Read]) -> Iterator[Diagnostic]:
    """Parameters and inputs of an algorithm that no expression names."""
    for param in pipeline.params:
        if ("params", "", param.name) not in reads and _is_own(param.span, pipeline):
            message = f"nothing reads the parameter `{param.name}`"
            hint = f"use `${{{{ params.{param.name} }}}}` in a step, or take it out"
            yield warning("MLC340", message, param.span, hint=hint)
    for given in pipeline.inputs:
        if ("inputs", "", given.name) not in reads and _is_own(given.span, pipeline):
            message = f"nothing reads the input `{given.name}` of the algorithm"
            hint = f"use `${{{{ inputs.{given.name} }}}}` in a step, or take it out"
            yield warning("MLC341", message, given.span, hint=hint)


def unread_inputs(pipeline: Pipeline, reads: Set[Read]) -> Iterator[Diagnostic]:
    """Inputs of a step that its program can't see or never asks for.

    A function is held against its signature elsewhere. A script that names none of its inputs may
    leave them to a program that it starts.
    """
    for step in pipeline.steps:
        used = None if isinstance(step.program, Python) else _used(step, reads)
        if used is None:
            continue
        for given in step.inputs:
            if given.name not in used and _is_own(given.span, pipeline):
                message = f"step `{step.name}` never uses its input `{given.name}`"
                yield warning("MLC343", message, given.span, hint=_hint(step, given.name))


def untaken_outputs(pipeline: Pipeline, reads: Set[Read]) -> Iterator[Diagnostic]:
    """Data and values that nothing takes, of a step that others take something from.

    A step that nobody takes from is an end of the pipeline: what it writes is what the run is for.
    """
    taken = {(step, name) for key, step, name in reads if key == "outputs"}
    sources = {step for step, _ in taken}
    for step in pipeline.steps:
        if step.name not in sources:
            continue
        for output in step.outputs:
            if output.type.kind in _RESULTS or (step.name, output.name) in taken:
                continue
            if _is_own(output.span, pipeline):
                message = f"nothing takes the output `{output.name}` of step `{step.name}`"
                hint = "take it in a step, hand it on under the algorithm's `outputs`, or drop it"
                yield warning("MLC342", message, output.span, hint=hint)


def _is_own(span: Span, pipeline: Pipeline) -> bool:
    return span.path == pipeline.source


def _used(step: Step, reads: Set[Read]) -> set[str] | None:
    """The inputs that a step uses; None where that can't be told."""
    used = {given.name for given in step.inputs if ("inputs", step.name, given.name) in reads}
    if not isinstance(step.program, Script):
        return used
    source = step.program.source
    named = {
        given.name
        for given in step.inputs
        if re.search(rf"\bINPUT_{re.escape(given.name.upper())}\b", source)
    }
    return None if not named or _PUT_TOGETHER.search(source) else used | named


def _hint(step: Step, name: str) -> str:
    if isinstance(step.program, Script):
        return f'use "$INPUT_{name.upper()}" in the script, or take it out; for order, `needs`'
    return f"use `${{{{ inputs.{name} }}}}` in its words, or take it out; for order, `needs`"
