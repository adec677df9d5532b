"""What is said of text that is no YAML, in the words of a spec's author and not of a parser."""

from __future__ import annotations

import yaml

from compiler import mending
from compiler.diagnostics import Diagnostic, Related, error
from compiler.nodes import SourceFile


def forgotten_quotes(file: SourceFile, start: int, end: int) -> Diagnostic:
    message = "an expression inside `{ }` or `[ ]` needs quotes"
    hint = 'write "${{ … }}" with the quotes'
    fix = mending.quoted_expression(file, start)
    return error("MLC007", message, file.span(start, end), hint=hint, fix=fix)


def syntax_error(file: SourceFile, problem: yaml.MarkedYAMLError) -> Diagnostic:
    mark = problem.problem_mark or problem.context_mark
    index = min(mark.index, len(file.text)) if mark else len(file.text)
    before = file.text[file.starts[file.position(index)[0] - 1] : index]
    what = problem.problem or "can't be read as YAML"
    hint = ""
    opened = file.text.rfind("${{", 0, index + 3)
    if what.startswith("mapping values are not allowed"):
        what = "`: ` inside a plain value"
        hint = f"quote the value: '{before.partition(': ')[2].strip()}: …'"
        if "${{" in before:
            hint = 'quote the expression: "${{ … }}"'
    elif "found character '\\t'" in what or file.text[index : index + 1] == "\t":
        what = "a tab; YAML indents with spaces"
    elif (
        opened >= 0
        and file.text.count("\n", opened, index) <= 1
        and "flow" in (problem.context or "")
    ):
        return forgotten_quotes(file, opened, opened + 3)
    elif what.startswith("found character that cannot start any token"):
        what = f"`{file.text[index : index + 1]}` can't start a value"
        hint = "quote the value"
    elif what.startswith("could not find expected ':'"):
        what = "a key without `: ` and a value"
    if what == "found unexpected end of stream" and problem.context_mark:
        start = problem.context_mark.index
        message = "YAML: a quoted text that is never closed"
        return error("MLC002", message, file.span(start, start + 1), hint="close the quote")
    related: tuple[Related, ...] = ()
    if problem.context and problem.context_mark and problem.context_mark.index != index:
        at = problem.context_mark
        related = (Related(problem.context, file.span(at.index, at.index + 1)),)
    return error("MLC002", f"YAML: {what}", file.span(index, index + 1), hint=hint, related=related)
