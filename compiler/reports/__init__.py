"""How diagnostics are shown: one function per format, chosen by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from compiler.diagnostics import Diagnostic
from compiler.nodes import SourceFile
from compiler.reports.json_report import render_json
from compiler.reports.text_report import render_text

Report = Callable[[Sequence[Diagnostic], Mapping[str, SourceFile], bool], str]

REPORTS: dict[str, Report] = {"text": render_text, "json": render_json}
