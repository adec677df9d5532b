"""How findings are shown: one function per format, chosen by name."""

from __future__ import annotations

from collections.abc import Callable

from compiler.reports.findings import Findings
from compiler.reports.findings import gather as gather
from compiler.reports.github_report import render_github
from compiler.reports.gitlab_report import render_gitlab
from compiler.reports.json_report import render_json
from compiler.reports.junit_report import render_junit
from compiler.reports.sarif_report import render_sarif
from compiler.reports.text_report import render_text

Report = Callable[[Findings], str]

REPORTS: dict[str, Report] = {
    "text": render_text,
    "json": render_json,
    "github": render_github,
    "gitlab": render_gitlab,
    "sarif": render_sarif,
    "junit": render_junit,
}
