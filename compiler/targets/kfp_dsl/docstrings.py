"""Docstrings of the DSL source, written so that the SDK reads back what was meant.

The SDK takes the descriptions of parameters and outputs from the sections `Args:` and `Returns:`
of a function's docstring (kfp/dsl/component_factory.py), so white space in them is folded.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

from compiler.targets.kfp_dsl.source import WIDTH, Source, escaped

# Once there is a section of this name the SDK replaces the word wherever it stands.
_OUTPUTS = "Returns:"
# What begins a section or a field in one of the styles that the SDK's reader knows.
_MARKUP = re.compile(r"[:@].*|.*:|[-=~^`]+")


def folded(text: str) -> str:
    """Text on one line."""
    return " ".join(text.split())


def survives(description: str) -> bool:
    """Whether the SDK gives back an output's description as it was written, but for line breaks."""
    return _OUTPUTS not in folded(description)


def arguments(descriptions: Iterable[tuple[str, str]]) -> list[str]:
    """The section with the descriptions of parameters; empty where none has one."""
    return _section("Args:", descriptions)


def outputs(descriptions: Iterable[tuple[str, str]]) -> list[str]:
    """The section with the descriptions of outputs; empty where none has one."""
    return _section(_OUTPUTS, descriptions)


def paragraph(text: str) -> list[str]:
    """Running text in lines; empty where a reader of sections would take it for something else."""
    lines = _wrapped(folded(text), 4, "")
    return [] if any(map(_MARKUP.fullmatch, lines)) or _OUTPUTS in text else lines


def comment(text: str) -> Source:
    """Text as lines of comment."""
    printable = "".join(c if c.isprintable() else " " for c in folded(text))
    return Source("\n".join(f"# {line}" for line in _wrapped(folded(printable), 2, "")))


def docstring(paragraphs: Iterable[list[str]], indent: int) -> Source | None:
    """The docstring of some paragraphs, `indent` columns in; None where all are empty."""
    lines: list[str] = []
    for paragraph in filter(None, paragraphs):
        lines += ["", *paragraph] if lines else paragraph
    if not lines:
        return None
    margin = " " * indent
    if len(lines) == 1:
        return Source(f'"""{_edges(lines[0], last=True)}"""')
    first, *others = lines
    body = "".join(f"\n{margin}{_quotable(line)}" if line else "\n" for line in others)
    return Source(f'"""{_edges(first, last=False)}{body}\n{margin}"""')


def _section(title: str, descriptions: Iterable[tuple[str, str]]) -> list[str]:
    lines = [
        line
        for name, description in descriptions
        if description.strip()
        for line in _wrapped(f"{name}: {folded(description)}", 8, "    ")
    ]
    return [title, *lines] if lines else []


def _wrapped(text: str, indent: int, margin: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH - indent + len(margin),
        initial_indent=margin,
        subsequent_indent=margin + "    " if margin else "",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _quotable(line: str) -> str:
    return escaped(line, "").replace('"""', '""\\"')


def _edges(line: str, *, last: bool) -> str:
    """The first line; a quote at its beginning, or at the very end, would join the delimiter."""
    head = '\\"' if line.startswith('"') else ""
    line = line[1:] if head else line
    tail = '\\"' if last and line.endswith('"') else ""
    return f"{head}{_quotable(line[:-1] if tail else line)}{tail}"
