"""The place of a part of a script, for checks that have only its text."""

from __future__ import annotations

from collections.abc import Mapping

from compiler.diagnostics import Span
from compiler.ir import Script
from compiler.lower.scripts import in_script
from compiler.nodes import SourceFile
from compiler.programs import scalar_at


def part_of(script: Script, start: int, end: int, sources: Mapping[str, SourceFile]) -> Span | None:
    """The place of a part that lies on one line; that of the whole script where the file does not
    tell, None where that is not known either."""
    if script.span is None:
        return None
    file = sources.get(script.span.path)
    source = scalar_at(file, file.index(script.span.line, script.span.column)) if file else None
    if source is None or source.text != script.source:
        return script.span
    return in_script(source, start, end)
