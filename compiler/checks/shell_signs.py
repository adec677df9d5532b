"""Signs and variables of a shell among the words of a command, which no shell reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compiler.checks.evaluated import VARIABLE
from compiler.diagnostics import Diagnostic, warning
from compiler.expr import Literal
from compiler.ir import Command, Step, Word
from compiler.programs import program_texts
from compiler.settings import Project

_SIGN = re.compile(r"&&|\|\|?|\|&|[0-9&]?>{1,2}(?:&[0-9]|/\S*)?|2>\S+|<")
# Behind an option these are separators and the like, as in `sort -t "|"`.
_MAY_BE_DATA = {"|", "||", ">", "<", ">>"}
# Compiled where a word starts so: a variable with a folder behind it, a command that a shell would
# put in, a name of the language.
_WITH_PATH = r"\$(?:\{[A-Za-z_]\w*\}|[A-Za-z_]\w*)/[\w./-]*"
_COMMAND = r"\$\([^()\0]+\)"
_NAME = r"\$((?:params|inputs|outputs|each|run|git)\.\w+|steps\.\w+\.outputs\.\w+)"
_SET_BEFORE = r"([A-Za-z_]\w*)=(\S*)"
# What any of these starts with; most commands have none.
_FIRST = tuple("|&<>$0123456789")
# To these a sign or a variable is a word like any other.
_OWN_USE = {"[", "awk", "envsubst", "expr", "find", "jq", "parallel", "test", "xargs"}


def shell_signs(step: Step, _: Project) -> Iterator[Diagnostic]:
    """The first sign of a shell, and each variable, that the program gets as they are."""
    told, before = False, ""
    yield from _set_before(step)
    for word, literal in _literals(step):
        variable = VARIABLE.fullmatch(word)
        if literal is not None and (hint := _longer(word)):
            message = f"no shell reads a command, so `{word}` stays as it is"
            yield warning("MLC464", message, literal.span, hint=hint)
            continue
        if literal is not None and variable:
            message = f"no shell reads a command, so `{word}` stays as it is"
            hint = _hint(variable[1] or variable[2], step)
            yield warning("MLC464", message, literal.span, hint=hint)
        elif literal is not None and not told and _SIGN.fullmatch(word):
            told = before[:1] != "-" or word not in _MAY_BE_DATA
            if told:
                message = f"no shell reads a command, so `{word}` is a word like any other"
                hint = "write it as a `script`, or make steps of what it joins"
                yield warning("MLC464", message, literal.span, hint=hint)
        before = word


def _longer(word: str) -> str:
    """What to write for a word that is more than one variable; "" where it is none."""
    if word[:1] != "$":
        return ""
    name = re.fullmatch(_NAME, word)
    if name is not None:
        return f"write `${{{{ {name[1]} }}}}`"
    if re.fullmatch(_WITH_PATH, word):
        return "write it as a `script`, or the whole path"
    return "write it as a `script`" if re.fullmatch(_COMMAND, word) else ""


def _set_before(step: Step) -> Iterator[Diagnostic]:
    """A variable that is set before the program, which a shell alone knows to do."""
    words = step.program.arguments if isinstance(step.program, Command) else ()
    first = words[0].value if len(words) > 1 and isinstance(words[0], Word) else None
    if not isinstance(first, Literal) or not isinstance(first.value, str) or "=" not in first.value:
        return
    found = re.fullmatch(_SET_BEFORE, first.value)
    if found is not None:
        message = f"no shell reads a command, so `{first.value}` is the name of the program"
        hint = f'set it in `env`: `env: {{{found[1]}: "{found[2]}"}}`'
        yield warning("MLC464", message, first.span, hint=hint)


def variables(step: Step) -> set[str]:
    """The names of variables that a command has for words, though no shell puts them in."""
    found = (VARIABLE.fullmatch(word) for word, _ in _literals(step))
    return {one[1] or one[2] for one in found if one}


def _literals(step: Step) -> list[tuple[str, Literal | None]]:
    """The words behind the program's name, with the literals that they are; none where they need
    no shell."""
    if not isinstance(step.program, Command):
        return []
    values = [a.value if isinstance(a, Word) else None for a in step.program.arguments]
    found: list[tuple[str, Literal | None]] = [
        (str(value.value), value) if isinstance(value, Literal) else ("", None) for value in values
    ]
    words = [word for word, _ in found]
    if not any(word.startswith(_FIRST) for word in words[1:]):
        return []
    if words[0].rpartition("/")[2] in _OWN_USE or any(program_texts(words)):
        return []
    return found[1:]


def _hint(name: str, step: Step) -> str:
    kind, _, own = name.partition("_")
    names = {
        "INPUT": [given.name for given in step.inputs],
        "OUTPUT": [output.name for output in step.outputs],
    }
    for one in names.get(kind, ()):
        if one.upper() == own:
            return f"write `${{{{ {kind.lower()}s.{one} }}}}`"
    return "write it as a `script`, or let the program read its environment"
