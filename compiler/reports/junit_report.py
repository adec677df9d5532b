"""Findings as JUnit XML: a test suite with a case for each file, failed where it has errors."""

from __future__ import annotations

import re

from msgspec.structs import replace

from compiler.diagnostics import Diagnostic, Severity
from compiler.reports.findings import Findings, files
from compiler.reports.text_report import blocks

# What XML 1.0 can't have in it, not even as a reference (section 2.2).
# A class of all Unicode takes 4 ms to compile, so it is compiled where it is used.
_NO_XML = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


def render_junit(findings: Findings) -> str:
    """One `failure` in a failed case with all its errors, since readers differ on several; what
    is no error is in `system-out`."""
    # Here, since few runs want it.
    import xml.etree.ElementTree as ET

    found: dict[str, list[Diagnostic]] = {path: [] for path in files(findings)}
    for diagnostic in findings.diagnostics:
        found[diagnostic.span.path].append(diagnostic)
    suite = ET.Element("testsuite", name="mlc")
    failures = 0
    for path, own in found.items():
        case = ET.SubElement(suite, "testcase", name=_allowed(path), classname="mlc", time="0")
        errors = [d for d in own if d.severity is Severity.ERROR]
        if errors:
            failures += 1
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            said = _allowed(errors[0].message + more)
            failure = ET.SubElement(case, "failure", message=said, type=errors[0].code)
            failure.text = _shown(errors, findings)
        others = [d for d in own if d.severity is not Severity.ERROR]
        if others:
            ET.SubElement(case, "system-out").text = _shown(others, findings)
    counts = {"tests": len(found), "failures": failures, "errors": 0, "skipped": 0}
    for name, count in counts.items():
        suite.set(name, str(count))
    suite.set("time", "0")
    whole = ET.Element("testsuites", {name: str(count) for name, count in counts.items()})
    whole.append(suite)
    ET.indent(whole)
    text = ET.tostring(whole, "unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _shown(diagnostics: list[Diagnostic], findings: Findings) -> str:
    shown = replace(findings, diagnostics=tuple(diagnostics), colour=False)
    return _allowed("\n".join(blocks(shown)))


def _allowed(text: str) -> str:
    return re.sub(_NO_XML, "\N{REPLACEMENT CHARACTER}", text)
