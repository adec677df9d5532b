"""What a script says by itself: variables that nothing gives, text that Python or `sh` can't read,
lines that YAML joins."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection

from compiler import mending
from compiler.binding import Scope, place
from compiler.diagnostics import Edit, Fix, Span, listing, nearest, short, warning
from compiler.nodes import Mapping, Scalar, mapping, text

# `$INPUT_X`, `${INPUT_X}`, `environ["INPUT_X"]`; not `${INPUT_X:-…}`, which knows that it may lack.
_IN_SHELL = re.compile(r"(?<!\\)\$(?:\{((?:INPUT|OUTPUT)_\w+)\}|((?:INPUT|OUTPUT)_\w+))")
_IN_PYTHON = re.compile(r"""environ\[\s*["']((?:INPUT|OUTPUT)_\w+)["']()""")
_MOST_TOLD = 20
_LONGEST = 200_000
# Most scripts have none of these, and are not read for what bash alone knows.
_OF_BASH = ("pipefail", "[[", "<<<", "<(", "=(", "function ", "function\t", "source ", "source\t")
# Their /bin/sh is BusyBox, and there is no bash.
_BUSYBOX = r"(?:\A|[/:-])(?:alpine|busybox)(?![a-z])"


def check_script(source: Scalar, node: Mapping, shell: str, scope: Scope) -> None:
    """Warn of variables for inputs and outputs that the step does not have, and of Python that is
    none. What a used file's script says is told in that file."""
    if scope.is_used or "${{" in source.text or len(source.text) > _LONGEST:
        return
    if "shell" in node.broken:
        return  # it is not known who reads it
    if source.style == ">":
        _joined(source, shell, scope)
    if shell == "python":
        _read(source, scope)
    elif shell == "sh" and any(word in source.text for word in _OF_BASH):
        _of_bash(source, node, scope)
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
        if source.style == ">":
            hint = "`>` makes one line of several: write `|`"
        scope.diagnostics.append(warning("MLC460", message, span, hint=hint))
    except (ValueError, RecursionError, MemoryError):
        return


def _joined(source: Scalar, shell: str, scope: Scope) -> None:
    """Warn of commands of which YAML makes one line."""
    from compiler.programs import posix

    file, start, end = source.file, source.start.index, source.end.index
    written = [line.rstrip() for line in file.text[start:end].split("\n")[1:]]
    indents = [len(line) - len(line.lstrip(" ")) for line in written if line]
    lines = [line[min(indents, default=0) :] for line in written]
    found = None if shell == "python" else posix.joined_commands(lines)
    if found is None or file.text[start] != ">":
        return
    before, line = found
    message = f"`>` makes one line of this script: `{short(before)} {short(line)}`"
    # What goes on in the next line would be a command of its own.
    one_way = not any(posix.goes_on(line) for line in lines)
    fix = mending.replaced(file, start, start + 1, "|") if one_way else None
    hint = "write `|`, which leaves each command its line"
    hint += "" if one_way else ", and `\\` at the end of a line that goes on"
    place = file.span(start, start + 1)
    scope.diagnostics.append(warning("MLC466", message, place, hint=hint, fix=fix))


def _of_bash(source: Scalar, node: Mapping, scope: Scope) -> None:
    """Warn of what `sh` does not know, in a script that it reads."""
    from compiler.programs import posix

    busybox = re.search(_BUSYBOX, text(node.get("image")) or "") is not None
    found = posix.bash_word(source.text, busybox=busybox)
    if found is None:
        return
    word = source.text[slice(*found)].rstrip()
    span = in_script(source, found[0], found[0] + len(word))
    message = f"`{short(word)}` is bash's, and `sh`, which reads this script, does not know it"
    hint = "write `shell: bash` beside the script"
    if busybox:
        hint = "the image has no bash: say it in the words of `sh`, or take another image"
    fix = None if busybox else _with_bash(source, node)
    scope.diagnostics.append(warning("MLC465", message, span, hint=hint, fix=fix))


def _with_bash(source: Scalar, node: Mapping) -> Fix | None:
    shell = node.entries.get("shell")
    if shell is not None:
        if not isinstance(shell.value, Scalar) or shell.value.file != source.file:
            return None
        return mending.rewritten(shell.value, "bash")
    file, at = source.file, node.entries["script"].key.start.index
    line = file.starts[file.position(at)[0] - 1]
    indent = file.text[line:at]
    if not indent.strip(" "):
        # Of a step in `{ }` over several lines the one before ends in a comma.
        in_block = source.style == "|" or not file.text[:line].rstrip().endswith(("{", ","))
        added = f"shell: bash\n{indent}" if in_block else ""
    else:
        added = "shell: bash, " if indent.rstrip(" ").endswith(("{", ",")) else ""
    return Fix("add `shell: bash`", (Edit(file.span(at, at), added),)) if added else None


def in_script(source: Scalar, start: int, end: int) -> Span:
    """The place of a part of a script that lies on one line."""
    before = source.text[:start]
    column = start - before.rfind("\n") - 1
    return _in_line(source, before.count("\n"), column, column + end - start)


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
