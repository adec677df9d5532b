"""What a spec declares and nothing takes. Only for specs without errors: a name that is misspelt
where it is used would be told twice.

What stands in other files (bases, components, algorithms that are used) is for these to say, since
others may take it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from compiler.binding.scope import Read
from compiler.checks.shell_signs import variables
from compiler.diagnostics import Diagnostic, Span, warning
from compiler.graph import uses
from compiler.ir import Command, Loop, Node, Pipeline, Python, Script, Step, steps_of

# Results by themselves, which people look at or deploy, whoever else takes them: figures too, since
# every engine shows them.
_RESULTS = {"Model", "Metrics", "HTML", "Markdown", "integer", "number"}
# What a step makes for other steps; one that stands alone makes it for nobody.
_DATA = {"Dataset", "Artifact"}
# The name of a variable is put together: `INPUT_$name`, `"INPUT_" + name`.
_PUT_TOGETHER = re.compile(r"INPUT_(?!\w)")

# What may read an environment, in Python and in a shell: also by modules of which nothing is known.
# Compiled where it is asked for, which is seldom.
_ENVIRONMENT = (
    r"(?m)environ|getenv|OUTPUT_(?!\w)|import_|importlib|runpy|subprocess|\.system|popen|spawn|exec"
    r"|^\s*(?:from|import)\s+(?!(?:json|os|sys|re|math|csv|time|random|pathlib|datetime|pickle"
    r"|numpy|pandas|collections|itertools|statistics|shutil|hashlib|glob|io|logging)\b[^,;\n]*$)"
)
_ENVIRONMENT_OF_SHELL = r"\b(?:env|printenv|compgen|eval|declare)\b|OUTPUT_(?!\w)|\$\{!"


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
        missed = [i for i in step.inputs if i.name not in used and _is_own(i.span, pipeline)]
        asked = variables(step) if missed else ()
        for given in missed:
            if f"INPUT_{given.name.upper()}" in asked:
                continue  # `shell_signs` tells how to write that
            message = f"step `{step.name}` never uses its input `{given.name}`"
            yield warning("MLC343", message, given.span, hint=_hint(step, given.name))


def untaken_outputs(pipeline: Pipeline, reads: Set[Read]) -> Iterator[Diagnostic]:
    """Data and values that nothing takes, of a step that others take something from or wait for.

    A step that nobody waits for is an end of the pipeline: what it writes is what the run is for.
    But data of a step that stands beside the others, at both ends, is for none of them.
    """
    taken = {(step, name) for key, step, name in reads if key == "outputs"}
    waited_for = {step for step, _ in taken}
    waited_for.update(_needed((*pipeline.nodes, *pipeline.finally_nodes)))
    others = {node.name: node for node in pipeline.nodes} if len(pipeline.nodes) > 1 else {}
    for step in pipeline.steps:
        is_end = step.name not in waited_for
        if is_end and not _is_start(others.get(step.name)):
            continue
        for output in step.outputs:
            kind = output.type.kind
            if (step.name, output.name) in taken or kind in _RESULTS:
                continue
            if is_end and kind not in _DATA:
                continue
            if _is_own(output.span, pipeline):
                message = f"nothing takes the output `{output.name}` of step `{step.name}`"
                hint = "take it in a step, hand it on under the algorithm's `outputs`, or drop it"
                yield warning("MLC342", message, output.span, hint=hint)


def untold_outputs(pipeline: Pipeline, reads: Set[Read]) -> Iterator[Diagnostic]:
    """Outputs of a command that no word of it and no variable gives the path of."""
    for step in pipeline.steps:
        if not isinstance(step.program, Command):
            continue
        missed = [
            output
            for output in step.outputs
            if ("paths", step.name, output.name) not in reads and _is_own(output.span, pipeline)
        ]
        asked = variables(step) if missed else ()
        for output in missed:
            if f"OUTPUT_{output.name.upper()}" in asked:
                continue
            message = f"the command of `{step.name}` is not told where to write `{output.name}`"
            hint = f"hand it `${{{{ outputs.{output.name} }}}}` in `args` or `env`"
            yield warning("MLC360", message, output.span, hint=hint)


def unwritten_outputs(pipeline: Pipeline, reads: Set[Read]) -> Iterator[Diagnostic]:
    """Outputs whose path a script never asks for, and no program that it starts could."""
    for step in pipeline.steps:
        script = step.program
        if not isinstance(script, Script) or not step.outputs:
            continue
        missed = [
            output
            for output in step.outputs
            if f"OUTPUT_{output.name.upper()}" not in script.source
            and ("paths", step.name, output.name) not in reads
            and _is_own(output.span, pipeline)
        ]
        if missed and _asks_for_no_other(script):
            for output in missed:
                name = f"OUTPUT_{output.name.upper()}"
                message = f"the script of `{step.name}` never writes the output `{output.name}`"
                hint = f'write it to "${name}", or take it out'
                if script.shell == "python":
                    hint = f'write it to os.environ["{name}"], or take it out'
                elif "GITHUB_OUTPUT" in script.source:
                    hint = f'write only the value, to "${name}"'
                yield warning("MLC364", message, output.span, hint=hint)


def unread_lists(pipeline: Pipeline, reads: Set[Read]) -> Iterator[Diagnostic]:
    """Lists of loops whose items no round looks at."""
    for loop in _loops((*pipeline.nodes, *pipeline.finally_nodes)):
        if ("items", loop.name, "") in reads:
            continue
        for axis in loop.axes:
            if ("each", loop.name, axis.name) not in reads and _is_own(axis.span, pipeline):
                message = f"nothing in `{loop.name}` reads `each.{axis.name}`: its rounds are alike"
                hint = f"use `${{{{ each.{axis.name} }}}}` in it, or take the list out"
                yield warning("MLC363", message, axis.span, hint=hint)


def _asks_for_no_other(script: Script) -> bool:
    """Whether a script surely reads no variables but those that it names."""
    if script.shell == "python":
        return not re.search(_ENVIRONMENT, script.source)
    from compiler.programs import posix

    if re.search(_ENVIRONMENT_OF_SHELL, script.source):
        return False
    return "GITHUB_OUTPUT" in script.source or posix.starts_only_simple(script.source)


def _is_start(node: Node | None) -> bool:
    return node is not None and not node.needs and not any(uses(node))


def _loops(nodes: tuple[Node, ...]) -> Iterator[Loop]:
    for node in nodes:
        if isinstance(node, Loop):
            yield node
            yield from _loops(node.body)


def _needed(nodes: tuple[Node, ...]) -> Iterator[str]:
    """The steps that `needs` of some nodes name, on each level."""
    named = {node.name: node for node in nodes}
    for node in nodes:
        for name in node.needs:
            yield from (step.name for step in steps_of((named[name],)))
        if isinstance(node, Loop):
            yield from _needed(node.body)


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
