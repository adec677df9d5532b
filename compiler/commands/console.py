"""What every command shares: where things are printed, and how specs and findings get there."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from pathlib import Path

from compiler import frontend
from compiler.diagnostics import Diagnostic, Severity, in_order
from compiler.nodes import Mapping, SourceFile
from compiler.reports import REPORTS

OK, FAILED, USAGE, ENVIRONMENT, INTERRUPTED = 0, 1, 2, 3, 130


def coloured(stream_is_terminal: bool) -> bool:
    """Whether to colour: on a terminal, unless NO_COLOR or --no-color is set (no-color.org)."""
    return (
        stream_is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )


def report(
    diagnostics: Sequence[Diagnostic], sources: Dictionary[str, SourceFile], style: str = "text"
) -> None:
    """Show findings: text goes to stderr, other formats are data and go to stdout."""
    stream = sys.stderr if style == "text" else sys.stdout
    text = REPORTS[style](in_order(diagnostics), sources, coloured(stream.isatty()))
    if text:
        stream.write(text)


def tally(diagnostics: Sequence[Diagnostic]) -> str:
    """`2 errors and 1 warning`, or the empty text."""
    parts = []
    for severity in (Severity.ERROR, Severity.WARNING):
        count = sum(d.severity is severity for d in diagnostics)
        if count:
            parts.append(f"{count} {severity}{'s' if count > 1 else ''}")
    return " and ".join(parts)


def document(spec: str) -> frontend.Document:
    """The spec of a path; `-` reads standard input."""
    if spec == "-":
        return frontend.read(Path.cwd() / "stdin", "<stdin>", sys.stdin.buffer.read())
    return frontend.read(Path(spec))


def values_file(path: str | None) -> tuple[Mapping | None, list[Diagnostic], SourceFile | None]:
    """Parameter values of a `--params` file, YAML or JSON; `-` reads standard input."""
    if path is None:
        return None, [], None
    from compiler.source import parse_bytes, read

    if path == "-":
        root, file, found = parse_bytes(sys.stdin.buffer.read(), "<stdin>")
    else:
        root, file, found = read(Path(path), path)
    return root, found, file


def print_json(data: object) -> None:
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
