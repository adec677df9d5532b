"""Findings as a Code Quality report, which GitLab shows in merge requests.

The format: docs.gitlab.com/ci/testing/code_quality, "Code Quality report format".
"""

from __future__ import annotations

from compiler.diagnostics import Severity
from compiler.reports.findings import Findings, fingerprints
from compiler.reports.json_report import as_json

_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.NOTE: "info"}


def render_gitlab(findings: Findings) -> str:
    """A JSON array, one object for each finding; GitLab compares reports by `fingerprint`."""
    return as_json(
        [
            {
                "description": d.message + (f" ({d.hint})" if d.hint else ""),
                "check_name": d.code,
                "fingerprint": fingerprint,
                "severity": _SEVERITIES[d.severity],
                "location": {
                    "path": d.span.path,
                    "lines": {"begin": d.span.line, "end": d.span.end_line},
                },
            }
            for d, fingerprint in zip(findings.diagnostics, fingerprints(findings), strict=True)
        ]
    )
