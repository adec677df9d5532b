"""Text from a run in the text of a program: what a user types would be read as code.

A value is safe by its type (a number, a boolean), by its origin (a literal of the spec, a path or
an identity that the engine makes), but not by an `enum` or a `pattern`: engines do not check these
for what is typed into their own pages.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from compiler import expr as ex
from compiler.binding import place
from compiler.diagnostics import Diagnostic, Fix, Related, Span, error
from compiler.ir import Command, Flag, Loop, Node, Pipeline, Step
from compiler.nodes import SourceFile
from compiler.programs import (
    EXPRESSION,
    Text,
    moved,
    program_texts,
    quotings,
    read_as_code,
    scalar_at,
    variable_name,
)
from compiler.values import to_text

_SAFE_KINDS = ("integer", "number", "boolean")
# Of `run`, only its name is chosen by people; the others are made by the engine.
_SAFE_FIELDS = ("id", "scheduled_at", "status")

AS_DATA = "hand it over as a word of its own, in a file, or by a small Python step"
_SWITCH = ex.ValueType("boolean")
_BRANCH = re.compile(r"\bgit\.branch\b|\bgit\[['\"]branch['\"]\]")


class _Word(Struct, frozen=True):
    """A word with its expressions; `lead` is how much of the text is not of `whole`, as the name of
    a flag."""

    text: str
    whole: ex.Expr | None
    lead: int = 0

    def expressions(self) -> Iterator[tuple[int, ex.Expr]]:
        """Each with its place in the text."""
        at = self.lead
        for part in _parts(self.whole) if self.whole is not None else ():
            if not isinstance(part, ex.Literal):
                yield at, part
            at += len(_text(part))


def injection(
    step: Step, pipeline: Pipeline, sources: Mapping[str, SourceFile]
) -> Iterator[Diagnostic]:
    """Values from outside that are pasted into a program text of a command."""
    if not isinstance(step.program, Command):
        return
    words = list(_words(step.program))
    for text in program_texts([word.text for word in words]):
        word = words[text.word]
        for at, part in word.expressions():
            outside = from_outside(part, step, pipeline)
            if outside is not None and at >= text.start:
                yield _finding(text, word, at, part, outside, step, pipeline, sources)
        if word.whole is not None:
            yield from _branches(text, word.whole, sources)


def _words(program: Command) -> Iterator[_Word]:
    for argument in program.arguments:
        value = argument.value
        if type(argument) is not Flag:
            yield _Word(_text(value), value)
        elif argument.joined:
            lead = f"{argument.name}="
            yield _Word(lead + _text(value), value, len(lead))
        else:
            yield _Word(argument.name, None)
            if value.type != _SWITCH:
                yield _Word(_text(value), value)


def _text(value: ex.Expr) -> str:
    if type(value) is ex.Literal:
        return to_text(value.value) if value.value is not None else ""
    return "".join(map(_text, value.parts)) if type(value) is ex.Concat else EXPRESSION


def _parts(value: ex.Expr) -> tuple[ex.Expr, ...]:
    return value.parts if isinstance(value, ex.Concat) else (value,)


def from_outside(found: ex.Expr, step: Step, pipeline: Pipeline) -> ex.Expr | None:
    """What of an expression is text that comes from outside of the spec."""
    if _is_safe(found.type):
        return None
    match found:
        case ex.ParamRef() | ex.PipelineInputRef():
            return found
        case ex.StepOutputRef():
            return None if isinstance(found.type, ex.ArtifactType) else found
        case ex.RunRef(field=field):
            return None if field in _SAFE_FIELDS else found
        case ex.InputRef(name=name):
            return from_outside(step.input(name).value, step, pipeline)
        case ex.EachRef(loop=name):
            loop = _loop(name, (*pipeline.nodes, *pipeline.finally_nodes))
            axes = loop.axes if loop else ()
            items = next((axis.items for axis in axes if axis.name == found.name), None)
            if isinstance(items, ex.Literal):
                return None
            inner = from_outside(items, step, pipeline) if items is not None else found
            return found if inner is not None else None
    for part in ex.walk(found):
        if part is not found:
            outside = from_outside(part, step, pipeline)
            if outside is not None:
                return outside
    return None


def _is_safe(kind: ex.Type) -> bool:
    """Whether no value of a type can hold more than a number or a boolean."""
    if isinstance(kind, ex.ArtifactType):
        return False
    return kind.kind in _SAFE_KINDS or (
        kind.kind == "array" and kind.items is not None and _is_safe(kind.items)
    )


def _loop(name: str, nodes: tuple[Node, ...]) -> Loop | None:
    for node in nodes:
        if isinstance(node, Loop):
            found = node if node.name == name else _loop(name, node.body)
            if found is not None:
                return found
    return None


def reads_it(how: str, name: str) -> str:
    """How a program in a language (`Language.reads`) reads a variable."""
    return how.format(name=name).replace("${" + name + "}", f"${name}")


def _finding(
    text: Text,
    word: _Word,
    at: int,
    part: ex.Expr,
    outside: ex.Expr,
    step: Step,
    pipeline: Pipeline,
    sources: Mapping[str, SourceFile],
) -> Diagnostic:
    shown = _shown(part.span, sources)
    related: tuple[Related, ...] = ()
    if isinstance(outside, ex.ParamRef):
        spans = [p.span for p in pipeline.params if p.name == outside.name]
        related = tuple(Related("a run can give any text for it", span) for span in spans)
    message = f"{_called(shown)} is pasted into a program: `{text.how}` reads it as code"
    fix = None
    if word.text[text.start :].strip() == EXPRESSION:
        hint = "write the program here, and let it take values from `env`"
    else:
        hint = _hint(text, shown, word.text, word.text[:at].count(EXPRESSION))
        file = sources.get(part.span.path)
        if file is not None:
            taken = frozenset(variable.name for variable in step.env)
            fix = _fix(file, part.span, text, taken)
    return error("MLC440", message, part.span, hint=hint, related=related, fix=fix)


def _fix(file: SourceFile, span: Span, text: Text, taken: frozenset[str]) -> Fix | None:
    if text.start:
        return None
    index = file.starts[span.line - 1] + span.column - 1
    # Names that stand in the file's own `env` may be the very ones to use.
    return moved(file, index, text.language.dialect, taken)


def _branches(
    text: Text, whole: ex.Expr, sources: Mapping[str, SourceFile]
) -> Iterator[Diagnostic]:
    """The name of the branch is known when the spec is compiled, and chosen by whoever pushes."""
    file = sources.get(whole.span.path)
    if file is None or not _names_branch(file):
        return
    scalar = scalar_at(file, file.starts[whole.span.line - 1] + whole.span.column - 1)
    if scalar is None:
        return
    for found in _BRANCH.finditer(scalar.text):
        before = scalar.text[: found.start()]
        if before.rfind("${{") > before.rfind("}}"):
            message = f"`git.branch` is pasted into a program: `{text.how}` reads it as code"
            hint = _hint(text, "git.branch")
            fix = None if text.start else moved(file, scalar.start.index, text.language.dialect)
            yield error("MLC440", message, place(scalar, *found.span()), hint=hint, fix=fix)


@functools.lru_cache(maxsize=16)
def _names_branch(file: SourceFile) -> bool:
    return _BRANCH.search(file.text) is not None


def _hint(text: Text, shown: str, whole: str = "", number: int = 0) -> str:
    name = variable_name(shown)
    if not text.language.reads:
        return AS_DATA
    given = f"give it a name under `env`, `{name}: ${{{{ {shown} }}}}`, and"
    if text.language.dialect == "shell" and whole and not text.start:
        code, quoting = read_as_code(whole).get(number), quotings(whole)[number]
        if code is not None:
            if code.language.reads:
                reads = reads_it(code.language.reads, name)
                return f"{given} let `{code.how}` take it by itself, in single quotes: {reads}"
            return f"`{code.how}` reads a variable in its place as code too: {AS_DATA}"
        pieces = whole.split(EXPRESSION)
        if quoting == "double":
            return f"{given} write ${name}, in the quotes that are there"
        if quoting == "single" and not pieces[number].endswith("'"):
            return f"{given} write '\"${name}\"', with these quotes inside of the others"
    return f"{given} write {reads_it(text.language.reads, name)}"


def _called(shown: str) -> str:
    return f"`{shown}`" if len(shown) <= 60 else "an expression"


def _shown(span: Span, sources: Mapping[str, SourceFile]) -> str:
    """The text of a place that lies on one line."""
    file = sources.get(span.path)
    if file is None or span.line != span.end_line:
        return "…"
    start = file.starts[span.line - 1]
    found = file.text[start + span.column - 1 : start + span.end_column - 1]
    inner = re.search(r"\$\{\{(.*?)\}\}", found)
    return inner[1].strip() if inner else found
