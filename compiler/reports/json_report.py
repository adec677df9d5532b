"""Findings as JSON: an array, one object each; its shape is `schemas/diagnostics.schema.json`."""

from __future__ import annotations

import json
from collections.abc import Iterable

from compiler.diagnostics import Diagnostic, Span
from compiler.reports.findings import Findings


def render_json(findings: Findings) -> str:
    return as_json(as_data(findings.diagnostics))


def as_json(data: object) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def as_data(diagnostics: Iterable[Diagnostic]) -> list[dict[str, object]]:
    """The findings as JSON data; lines and columns count from 1, columns in characters, ends
    are exclusive."""
    return [_finding(d) for d in diagnostics]


def _finding(diagnostic: Diagnostic) -> dict[str, object]:
    finding: dict[str, object] = {
        "code": diagnostic.code,
        "severity": str(diagnostic.severity),
        "message": diagnostic.message,
        **_place(diagnostic.span),
    }
    if diagnostic.label:
        finding["label"] = diagnostic.label
    if diagnostic.hint:
        finding["hint"] = diagnostic.hint
    if diagnostic.related:
        finding["related"] = [{"message": r.message, **_place(r.span)} for r in diagnostic.related]
    if diagnostic.fix:
        edits = [{**_place(edit.span), "text": edit.text} for edit in diagnostic.fix.edits]
        finding["fix"] = {"title": diagnostic.fix.title, "edits": edits}
    return finding


def _place(span: Span) -> dict[str, object]:
    return {
        "file": span.path,
        "line": span.line,
        "column": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
