"""Changes to the files of users: shown as a diff, or written, all of them or none."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from compiler import credentials, files, project
from compiler.diagnostics import MlcError
from compiler.settings import Project

# Where the text of standard input is kept among the files.
STDIN_PATH = Path("-")
BOM = "\ufeff"


class Change(NamedTuple):
    """A file before and after, as it is on disk; `shown` is how messages call it."""

    shown: str
    before: str
    after: str


def write(changes: Mapping[Path, Change]) -> None:
    """Write changed files by their real paths, all or none.

    Raises:
        MlcError: a file has changed since it was read, or can't be written.
    """
    for path, change in changes.items():
        if on_disk(path) != change.before:
            raise MlcError(f"{change.shown} has changed meanwhile; nothing was written")
    files.write_all({path: change.after for path, change in changes.items()})


def diff(changes: Mapping[Path, Change]) -> str:
    """The changes as a unified diff, as git and patch take it; credentials are masked."""
    parts: list[str] = []
    for shown, before, after in changes.values():
        # What must not be seen stands in the way of `patch` at the lines around it only.
        old, new = (_lines(credentials.masked(text)) for text in (before, after))
        lines = difflib.unified_diff(old, new, f"a/{shown}", f"b/{shown}")
        for line in lines:
            parts.append(line)
            if not line.endswith("\n"):
                parts.append("\n\\ No newline at end of file\n")
    return "".join(parts)


def leads_out(file: Path, belongs: Project) -> bool:
    """Whether a file is reached by a link that leaves the project of the file, or of the working
    folder."""
    real = file.resolve()
    here = project.find(Path.cwd())[0].root.resolve()
    named_here = Path(os.path.abspath(file)).is_relative_to(here)  # noqa: PTH100 - keeps links
    if named_here and not real.is_relative_to(here):
        return True
    return file.is_symlink() and not real.is_relative_to(belongs.root.resolve())


def on_disk(path: Path) -> str | None:
    """The text of a file with its byte order mark and line ends, None where it has none."""
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)
