"""Findings as workflow commands, which GitHub Actions shows beside the lines of a pull request.

What has to be escaped: github.com/actions/toolkit, packages/core/src/command.ts.
"""

from __future__ import annotations

from compiler.codes import CODES
from compiler.diagnostics import Diagnostic, Severity, Span
from compiler.reports.findings import Findings, told

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render_github(findings: Findings) -> str:
    """A line for each finding."""
    return "".join(f"{_command(diagnostic)}\n" for diagnostic in findings.diagnostics)


def _command(diagnostic: Diagnostic) -> str:
    title = f"{diagnostic.code}: {CODES.get(diagnostic.code, '')}"
    properties = {"file": diagnostic.span.path, **_place(diagnostic.span), "title": title}
    written = ",".join(f"{name}={_property(text)}" for name, text in properties.items())
    return f"::{_COMMANDS[diagnostic.severity]} {written}::{_data(told(diagnostic))}"


def _place(span: Span) -> dict[str, str]:
    # GitHub counts the last column in, and takes columns only within one line.
    if span.end_line != span.line:
        return {"line": str(span.line), "endLine": str(span.end_line)}
    last = max(span.column, span.end_column - 1)
    return {"line": str(span.line), "col": str(span.column), "endColumn": str(last)}


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
