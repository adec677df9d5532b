"""Variables with text from outside that a shell puts into the text of another program.

In quotes they are safe from the shell itself, but `eval`, `sh -c` and their like read what comes
of it once more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set

from compiler.checks.injection import AS_DATA, from_outside, reads_it
from compiler.diagnostics import Diagnostic, Span, warning
from compiler.expr import Literal
from compiler.ir import Command, Pipeline, Script, Step, Word
from compiler.nodes import SourceFile
from compiler.programs import EXPRESSION, Code, program_texts, read_as_code
from compiler.values import to_text

VARIABLE = re.compile(r"(?<!\\)\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")


def evaluated(
    step: Step, pipeline: Pipeline, sources: Mapping[str, SourceFile]
) -> Iterator[Diagnostic]:
    """Such variables of scripts, and of texts of a shell among the words of a command."""
    if isinstance(step.program, Script):
        yield from _of_script(step.program, step, pipeline, sources)
    elif isinstance(step.program, Command) and step.env:
        values = [a.value for a in step.program.arguments if isinstance(a, Word)]
        words = [to_text(v.value) if isinstance(v, Literal) else EXPRESSION for v in values]
        if any("$" in word for word in words):
            names = _given(step, pipeline)
            for text in program_texts(words) if names else ():
                if text.language.dialect == "shell":
                    for _, code, name in _evaluated(words[text.word][text.start :], names):
                        yield _of_variable(name, code, values[text.word].span)


def _given(step: Step, pipeline: Pipeline) -> set[str]:
    """The variables of a step whose values are text from outside."""
    names = {v.name for v in step.env if from_outside(v.value, step, pipeline) is not None}
    if isinstance(step.program, Script):
        for given in step.inputs:
            if from_outside(given.value, step, pipeline) is not None:
                names.add(f"INPUT_{given.name.upper()}")
    return names


def _of_script(
    script: Script, step: Step, pipeline: Pipeline, sources: Mapping[str, SourceFile]
) -> Iterator[Diagnostic]:
    if script.shell == "python" or "$" not in script.source:
        return
    if not (step.inputs or step.env) or not (names := _given(step, pipeline)):
        return
    for within, code, name in _evaluated(script.source, names):
        from compiler.checks.places import part_of  # what few scripts need

        span = part_of(script, *within, sources) or step.span
        yield _of_variable(name, code, span)


def _evaluated(text: str, names: Set[str]) -> Iterator[tuple[tuple[int, int], Code, str]]:
    """The variables of these names in a shell's text that reach another program as code."""
    unset = {name for name in names if f"{name}=" not in text}
    found = [v for v in VARIABLE.finditer(text) if (v[1] or v[2]) in unset]
    if not found:
        return
    pieces, at, number, numbers = [], 0, 0, {}
    for variable in found:
        pieces.append(text[at : variable.start()])
        number += pieces[-1].count(EXPRESSION)
        numbers[number] = variable
        number += 1
        at = variable.end()
    codes = read_as_code(EXPRESSION.join([*pieces, text[at:]]))
    for number, variable in numbers.items():
        code = codes.get(number)
        if code is not None and code.puts_in:
            yield variable.span(), code, variable[1] or variable[2]


def _of_variable(name: str, code: Code, span: Span) -> Diagnostic:
    message = f"the value of `${name}` becomes a part of a program: `{code.how}` reads it as code"
    if code.is_whole:
        hint = "write the program here, and let it take values by itself"
    elif code.how == "eval":
        hint = "leave `eval` out: the shell puts in variables by itself"
    elif code.language.reads:
        reads = reads_it(code.language.reads, name)
        hint = f"let the program take it by itself, in single quotes: {reads}"
    else:
        hint = AS_DATA
    return warning("MLC467", message, span, hint=hint)
