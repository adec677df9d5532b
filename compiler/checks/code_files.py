"""Files of code that a step's command or script names and the project lacks.

On this machine a step starts in the project's root. What an image holds is not known, so only
relative paths count, of steps without a folder of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from compiler.diagnostics import Diagnostic, Span, nearest, warning
from compiler.expr import Literal
from compiler.ir import Command, Script, Step, Word
from compiler.nodes import SourceFile
from compiler.settings import Project

# What runs a file, and how the names of such files end.
_ENDINGS = {
    **dict.fromkeys(("python", "python3"), ".py"),
    **dict.fromkeys(("sh", "bash", "dash", "zsh"), ".sh"),
    **{"Rscript": ".R", "node": ".js", "perl": ".pl", "ruby": ".rb", "julia": ".jl"},
}
_RELATIVE = re.compile(r"(?:\./)?[\w-][\w.-]*(?:/[\w-][\w.-]*)*")
# A file that is started by itself has a folder in its name.
_STARTED = r"(?:\./[\w-]|[\w-][\w.-]*/)[\w./-]*\.(?:sh|py|R|js|pl|rb|jl)"
_STARTED_IN_SCRIPT = rf"(?m)^[ \t]*(?:exec +)?({_STARTED})(?=\s|\Z)"
_LINE = re.compile(r"^[ \t]*(?:exec +)?([\w]+)((?: +-[A-Za-z]+)*) +((?:\./)?[\w][\w./-]*)", re.M)
# Options after which there is no file.
_NO_FILE = re.compile(r"-\w*[cm]\w*")
# A script that changes its folder, or gets files, may have what the project has not.
_MAY_HAVE = re.compile(r"\b(?:cd|pushd|git|curl|wget|unzip|tar|cp|mv|ln|aws|gsutil|pip)\b|<<")


def code_files(
    step: Step, project: Project, sources: Mapping[str, SourceFile]
) -> Iterator[Diagnostic]:
    """A file that a step starts and that is not where it is started."""
    if step.workdir is not None:
        return
    program = step.program
    named: tuple[str, Span | tuple[int, int]] | None = None
    if isinstance(program, Command):
        named = _of_command(program)
    elif isinstance(program, Script) and program.shell != "python":
        named = _of_script(program.source)
    if named is None or (project.root / named[0]).exists():
        return
    path, place = named
    span = place if isinstance(place, Span) else step.span
    if isinstance(program, Script) and not isinstance(place, Span):
        from compiler.checks.places import part_of  # what few scripts need

        span = part_of(program, *place, sources) or span
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
            if "/" in text and text[0] != "/" and re.fullmatch(_STARTED, text):
                return text, value.span
            ending = _ENDINGS.get(text)
        elif ending is not None and not text.startswith("-"):
            is_file = text.endswith(ending) and _RELATIVE.fullmatch(text)
            return (text, value.span) if is_file else None
        if ending is None or text in ("-W", "-X"):
            return None
    return None


def _of_script(source: str) -> tuple[str, tuple[int, int]] | None:
    """The first such file and where it is named."""
    if not any(ending in source for ending in _ENDINGS.values()):
        return None
    named = []
    for found in _LINE.finditer(source):
        name, options, path = found.groups()
        ending = _ENDINGS.get(name)
        if ending and path.endswith(ending) and not _NO_FILE.search(options):
            named.append((found.start(3), path))
    if "/" in source:
        own = re.finditer(_STARTED_IN_SCRIPT, source)
        named += [(found.start(1), found[1]) for found in own]
    if not named or _MAY_HAVE.search(source):
        return None
    from compiler.programs import posix  # what few scripts need

    bare = posix.unquoted(source)
    for at, path in sorted(named):
        # What is named again may be made by the script itself.
        once = source.count(path.rpartition("/")[2]) == 1
        if once and bare is not None and bare[at : at + len(path)] == path:
            return path, (at, at + len(path))
    return None
