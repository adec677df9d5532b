"""Writes files whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from compiler.diagnostics import MlcError


def write_all(files: Mapping[Path, str]) -> None:
    """Write several files so that a failure before the last step leaves all of them as they were.

    Raises:
        MlcError: a file can't be written.
    """
    staged: list[tuple[Path, Path]] = []
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            staged.append((Path(name), path))
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
                stream.write(text)
            Path(name).chmod(0o666 & ~_umask())
        for temporary, path in staged:
            temporary.replace(path)
    except OSError as problem:
        for temporary, _ in staged:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        raise MlcError(
            f"can't write {problem.filename or 'the output'}: {problem.strerror}"
        ) from problem


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
