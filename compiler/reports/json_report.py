"""Diagnostics for machines: a JSON array, one object per finding."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from compiler.diagnostics import Diagnostic, Span
from compiler.nodes import SourceFile


def render_json(
    diagnostics: Sequence[Diagnostic], _sources: Mapping[str, SourceFile], _colour: bool
) -> str:
    """A JSON array; places as file, line, column, endLine, endColumn, counted from 1."""
    return json.dumps(findings(diagnostics), indent=2, ensure_ascii=False) + "\n"


def findings(diagnostics: Sequence[Diagnostic]) -> list[dict[str, object]]:
    """The findings as JSON data."""
    return [_finding(d) for d in diagnostics]


def _finding(diagnostic: Diagnostic) -> dict[str, object]:
    finding: dict[str, object] = {
        "code": diagnostic.code,
        "severity": str(diagnostic.severity),
        "message": diagnostic.message,
        **_place(diagnostic.span),
    }
    if diagnostic.hint:
        finding["hint"] = diagnostic.hint
    if diagnostic.related:
        finding["related"] = [{"message": r.message, **_place(r.span)} for r in diagnostic.related]
    return finding


def _place(span: Span) -> dict[str, object]:
    return {
        "file": span.path,
        "line": span.line,
        "column": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
