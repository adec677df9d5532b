"""Files of code that a step's command or script names and the project lacks.

On this machine a step starts in the project's root. What an image holds is not known, so only
relative paths count, of steps without a folder of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from compiler.diagnostics import Diagnostic, Span, nearest, warning
from compiler.expr import Literal
from compiler.ir import Command, Script, Step, Word
from compiler.settings import Project

# What runs a file, and how the names of such files end.
_ENDINGS = {
    **dict.fromkeys(("python", "python3"), ".py"),
    **dict.fromkeys(("sh", "bash", "dash", "zsh"), ".sh"),
    **{"Rscript": ".R", "node": ".js", "perl": ".pl", "ruby": ".rb", "julia": ".jl"},
}
_RELATIVE = re.compile(r"(?:\./)?[\w-][\w.-]*(?:/[\w-][\w.-]*)*")
_LINE = re.compile(r"^[ \t]*(?:exec +)?([\w]+)((?: +-[A-Za-z]+)*) +((?:\./)?[\w][\w./-]*)", re.M)
# Options after which there is no file.
_NO_FILE = re.compile(r"-\w*[cm]\w*")
# A script that changes its folder, or gets files, may have what the project has not.
_MAY_HAVE = re.compile(r"\b(?:cd|pushd|git|curl|wget|unzip|tar|cp|mv|ln|aws|gsutil|pip)\b|<<")


def code_files(step: Step, project: Project) -> Iterator[Diagnostic]:
    """A file that a step starts and that is not where it is started."""
    if step.workdir is not None:
        return
    named: tuple[str, Span] | None = None
    if isinstance(step.program, Command):
        named = _of_command(step.program)
    elif isinstance(step.program, Script) and step.program.shell != "python":
        named = _of_script(step.program.source, step.span)
    if named is None:
        return
    path, span = named
    if (project.root / path).exists():
        return
    folder = (project.root / path).parent
    names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    near = nearest(path.rpartition("/")[2], names)
    hint = "where only the image has it, write its whole path, or set `workdir`"
    if near:
        hint = f"did you mean `{path.rpartition('/')[0]}{'/' if '/' in path else ''}{near}`?"
    message = f"step `{step.name}` starts `{path}`, and there is no such file in the project"
    yield warning("MLC443", message, span, hint=hint)


def _of_command(program: Command) -> tuple[str, Span] | None:
    ending = None
    for number, argument in enumerate(program.arguments):
        value = argument.value
        if not isinstance(argument, Word) or not isinstance(value, Literal):
            return None
        text = value.value
        if not isinstance(text, str) or _NO_FILE.fullmatch(text):
            return None
        if number == 0:
            ending = _ENDINGS.get(text)
        elif ending is not None and not text.startswith("-"):
            is_file = text.endswith(ending) and _RELATIVE.fullmatch(text)
            return (text, value.span) if is_file else None
        if ending is None or text in ("-W", "-X"):
            return None
    return None


def _of_script(source: str, span: Span) -> tuple[str, Span] | None:
    if _MAY_HAVE.search(source):
        return None
    for found in _LINE.finditer(source):
        name, options, path = found.groups()
        ending = _ENDINGS.get(name)
        # What is named again may be made by the script itself.
        once = source.count(path.rpartition("/")[2]) == 1
        if ending and path.endswith(ending) and once and not _NO_FILE.search(options):
            return path, span
    return None
