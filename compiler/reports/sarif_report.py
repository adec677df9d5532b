"""Findings as SARIF 2.1.0, the exchange format of static analysis (OASIS standard)."""

from __future__ import annotations

import re
from typing import Any

from compiler import __version__
from compiler.codes import CODES, WARNINGS
from compiler.diagnostics import Diagnostic, Fix, Severity, Span
from compiler.pages import page
from compiler.reports.findings import Findings, files, fingerprints, written
from compiler.reports.json_report import as_json

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_ROOT = "%SRCROOT%"
# `[text](target)` is a link in a message (section 3.11.6).
_LINK = re.compile(r"\[([^\[\]]*)\](?=\()")


def render_sarif(findings: Findings) -> str:
    """One run; its rules are the codes that were found, its artifacts the files looked at."""
    codes = sorted({d.code for d in findings.diagnostics})
    artifacts = {path: number for number, path in enumerate(files(findings))}
    results = [
        _result(d, codes.index(d.code), fingerprint, artifacts, findings)
        for d, fingerprint in zip(findings.diagnostics, fingerprints(findings), strict=True)
    ]
    run = {
        "tool": {
            "driver": {
                "name": "mlc",
                "semanticVersion": __version__,
                "version": __version__,
                "rules": [_rule(code) for code in codes],
            }
        },
        "columnKind": "unicodeCodePoints",
        "newlineSequences": ["\r\n", "\r", "\n"],
        "originalUriBaseIds": {
            _ROOT: {"description": {"text": "The folder in which mlc was started."}}
        },
        "artifacts": [_artifact(path, findings) for path in artifacts],
        "results": results,
    }
    return as_json({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(code: str) -> dict[str, Any]:
    about = CODES.get(code, code)
    name = "".join(re.findall(r"\w+", about.title()))
    return {
        "id": code,
        "name": name,
        "shortDescription": {"text": f"{about[:1].upper()}{about[1:]}."},
        "fullDescription": {"text": f"{about[:1].upper()}{about[1:]}; see `mlc explain {code}`."},
        "help": {"text": f"{page(code).why}\n\nExamples: `mlc explain {code}`."},
        "defaultConfiguration": {"level": "warning" if code in WARNINGS else "error"},
    }


def _artifact(path: str, findings: Findings) -> dict[str, Any]:
    artifact: dict[str, Any] = {"location": _at(path)}
    if path in findings.checked:
        artifact["roles"] = ["analysisTarget"]
    return artifact


def _result(
    diagnostic: Diagnostic,
    rule: int,
    fingerprint: str,
    artifacts: dict[str, int],
    findings: Findings,
) -> dict[str, Any]:
    said = [diagnostic.message, *([f"help: {diagnostic.hint}"] if diagnostic.hint else [])]
    location = _location(diagnostic.span, findings, diagnostic.label)
    place = location["physicalLocation"]["artifactLocation"]
    place["index"] = artifacts[diagnostic.span.path]
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": {Severity.NOTE: "note"}.get(diagnostic.severity, str(diagnostic.severity)),
        "message": _message("\n".join(said)),
        "locations": [location],
        "partialFingerprints": {"mlcFinding/v1": fingerprint},
    }
    if diagnostic.related:
        result["relatedLocations"] = [
            {"id": number, **_location(related.span, findings, related.message)}
            for number, related in enumerate(diagnostic.related, 1)
        ]
    if diagnostic.fix and diagnostic.fix.edits:
        result["fixes"] = [_fix(diagnostic.fix)]
    return result


def _location(span: Span, findings: Findings, message: str = "") -> dict[str, Any]:
    region = _region(span)
    snippet = written(findings, span)
    if snippet:
        region["snippet"] = {"text": snippet}
    location: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": _at(span.path), "region": region}
    }
    if message:
        location["message"] = _message(message)
    return location


def _region(span: Span) -> dict[str, Any]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def _at(path: str) -> dict[str, Any]:
    from urllib.parse import quote

    # As bytes, since a file's name may be no text.
    uri = quote(path.encode("utf-8", "surrogateescape"))
    return {"uri": f"file://{uri}"} if path.startswith("/") else {"uri": uri, "uriBaseId": _ROOT}


def _fix(fix: Fix) -> dict[str, Any]:
    changes: dict[str, list[dict[str, Any]]] = {}
    for edit in fix.edits:
        replacement: dict[str, Any] = {"deletedRegion": _region(edit.span)}
        if edit.text:
            replacement["insertedContent"] = {"text": edit.text}
        changes.setdefault(edit.span.path, []).append(replacement)
    return {
        "description": _message(fix.title),
        "artifactChanges": [
            {"artifactLocation": _at(path), "replacements": replacements}
            for path, replacements in changes.items()
        ],
    }


def _message(text: str) -> dict[str, str]:
    # Braces stay as they are: viewers fill in placeholders only where there are arguments, and
    # show doubled ones as they stand.
    return {"text": _LINK.sub(r"\\[\1\\]", text)}
