"""What a script says by itself: variables that nothing gives, and text that Python can't read."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection

from compiler import mending
from compiler.binding import Scope, place
from compiler.diagnostics import Span, listing, nearest, warning
from compiler.nodes import Mapping, Scalar, mapping

# `$INPUT_X`, `${INPUT_X}`, `environ["INPUT_X"]`; not `${INPUT_X:-…}`, which knows that it may lack.
_IN_SHELL = re.compile(r"(?<!\\)\$(?:\{((?:INPUT|OUTPUT)_\w+)\}|((?:INPUT|OUTPUT)_\w+))")
_IN_PYTHON = re.compile(r"""environ\[\s*["']((?:INPUT|OUTPUT)_\w+)["']()""")
_MOST_TOLD = 20
_LONGEST = 200_000


def check_script(source: Scalar, node: Mapping, shell: str, scope: Scope) -> None:
    """Warn of variables for inputs and outputs that the step does not have, and of Python that is
    none. What a used file's script says is told in that file."""
    if scope.is_used or "${{" in source.text or len(source.text) > _LONGEST:
        return
    if shell == "python":
        _read(source, scope)
    inputs, outputs = mapping(node.get("inputs")), mapping(node.get("outputs"))
    if {"inputs", "outputs"} & node.broken or (inputs and inputs.broken):
        return
    if outputs and outputs.broken:
        return
    given = [*(inputs.entries if inputs else ()), *scope.component_params]
    known = [f"INPUT_{name.upper()}" for name in given]
    known += [f"OUTPUT_{name.upper()}" for name in (outputs.entries if outputs else ())]
    env = mapping(node.get("env"))
    _variables(source, known, set(env.entries) if env else set(), shell, scope)


def _variables(
    source: Scalar, known: Collection[str], env: Collection[str], shell: str, scope: Scope
) -> None:
    told: set[str] = set()
    for number, line in enumerate(source.text.split("\n")):
        if "PUT_" not in line or line.lstrip().startswith("#"):
            continue
        for found in (_IN_PYTHON if shell == "python" else _IN_SHELL).finditer(line):
            name = found[1] or found[2]
            group = 1 if found[1] else 2
            if name in known or name in env or name in told or _is_set(name, source.text, shell):
                continue
            told.add(name)
            if len(told) > _MOST_TOLD:
                return
            side, _, wanted = name.partition("_")
            kind = side.lower()
            own = [other for other in known if other.startswith(side)]
            near = nearest(wanted, [other.partition("_")[2] for other in own])
            near = near and f"{side}_{near}"
            span = _in_line(source, number, found.start(group), found.end(group))
            hint = f"declare it under `{kind}s`, or take it out"
            if own:
                hint = f"variables of {kind}s are {listing(own)}"
            fix = None
            if near:
                hint = f"did you mean `{near}`?"
                # An output may be misspelt where it is declared: others say how it is called.
                if kind == "input" and mending.only_near(name, own) == near and span.path:
                    fix = mending.renamed(source.file, span, name, near)
            message = f"nothing gives `{name}`: the step has no {kind} `{wanted.lower()}`"
            scope.diagnostics.append(warning("MLC361", message, span, hint=hint, fix=fix))


def _is_set(name: str, text: str, shell: str) -> bool:
    """Whether the script itself seems to give the variable a value."""
    if shell == "python":
        return re.search(rf"environ\[\s*[\"']{name}[\"']\s*\]\s*=", text) is not None
    return re.search(rf"(?<![${{\w]){name}\b", text) is not None


def _read(source: Scalar, scope: Scope) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source.text)
    except SyntaxError as problem:
        line, column = (problem.lineno or 1) - 1, (problem.offset or 1) - 1
        span = _in_line(source, line, column, column + 1)
        message = f"Python can't read this script: {problem.msg}"
        hint = "mend it, or name another `shell`"
        scope.diagnostics.append(warning("MLC460", message, span, hint=hint))
    except (ValueError, RecursionError, MemoryError):
        return


def _in_line(source: Scalar, number: int, start: int, end: int) -> Span:
    """The place of a part of one line of a script."""
    lines = source.text.split("\n")
    line = lines[number] if number < len(lines) else ""
    if source.style != "|":
        before = sum(len(other) + 1 for other in lines[:number])
        return place(source, before + start, before + min(end, len(line)))
    file, head = source.file, source.file.position(source.start.index)[0]
    if head + number >= len(file.starts):
        return source.span
    first = file.starts[head + number]
    written = file.text[first:].partition("\n")[0].rstrip("\r")
    indent = len(written) - len(line)
    if indent < 0 or written[indent:] != line:
        return source.span
    return file.span(first + indent + start, first + indent + min(end, max(len(line), start)))
