"""What every command shares: where things are printed, and how specs and findings get there."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Dictionary
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.diagnostics import Diagnostic, Severity
from compiler.nodes import Mapping, SourceFile

if TYPE_CHECKING:
    from compiler import frontend

# How messages call what is read from standard input.
STDIN = "<stdin>"
OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def coloured(stream_is_terminal: bool) -> bool:
    """Whether to colour: on a terminal or with FORCE_COLOR (force-color.org), unless NO_COLOR or
    --no-color is set (no-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream_is_terminal and os.environ.get("TERM") != "dumb"


def report(
    diagnostics: Sequence[Diagnostic],
    sources: Dictionary[str, SourceFile],
    style: str = "text",
    checked: Iterable[str] = (),
) -> None:
    """Show findings: text goes to stderr, other formats are data and go to stdout.

    `checked` are the specs that were asked for; some formats name those without findings too.
    """
    if style == "text" and not diagnostics:
        return
    from compiler.reports import REPORTS, gather  # what a sound spec can do without

    stream = sys.stderr if style == "text" else sys.stdout
    if style != "text" and isinstance(stream, io.TextIOWrapper):
        # What reads it expects UTF-8, whatever the terminal's language is.
        stream.reconfigure(encoding="utf-8")
    colour = style == "text" and coloured(stream.isatty())
    text = REPORTS[style](gather(diagnostics, sources, checked, colour=colour))
    if text:
        stream.write(text)


def tally(diagnostics: Sequence[Diagnostic]) -> str:
    """`2 errors and 1 warning`, or the empty text."""
    parts = []
    for severity in Severity:
        count = sum(d.severity is severity for d in diagnostics)
        if count:
            parts.append(f"{count} {severity}{'s' if count > 1 else ''}")
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def pointer(diagnostics: Iterable[Diagnostic]) -> str:
    """Where to read more of the errors among these, as a line; empty without errors."""
    codes = list(dict.fromkeys(d.code for d in diagnostics if d.severity is Severity.ERROR))
    if not codes:
        return ""
    which = "this error" if len(codes) == 1 else "an error, for instance"
    return f"more about {which}: mlc explain {codes[0]}\n"


def fixable(diagnostics: Sequence[Diagnostic]) -> str:
    """How many of these `--fix` may mend, as a line; empty for none."""
    count = sum(d.fix is not None for d in diagnostics)
    return f"--fix can mend {count} of these, --diff shows how\n" if count else ""


def document(spec: str, unsaved: Dictionary[Path, str] | None = None) -> frontend.Document:
    """The spec of a path; `-` reads standard input. See `frontend.read` for `unsaved`."""
    from compiler import frontend  # what shows runs reads no specs

    if spec == "-":
        data = sys.stdin.buffer.read()
        return frontend.read(Path.cwd() / "stdin", STDIN, data, unsaved)
    return frontend.read(Path(spec), unsaved=unsaved)


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
