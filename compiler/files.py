"""Writes files whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from compiler.diagnostics import MlcError


def write_all(files: Mapping[Path, str]) -> None:
    """Write several files, or leave all of them as they were. What holds its text already is not
    touched, so that it keeps its time.

    Raises:
        MlcError: a file can't be written.
    """
    staged: list[tuple[Path, Path]] = []
    replaced: list[tuple[Path, Path | None]] = []
    try:
        for path, text in files.items():
            if _holds(path, text):
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            staged.append((Path(name), path))
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
                stream.write(text)
            Path(name).chmod(_mode(path))
        for temporary, path in staged:
            replaced.append((path, _kept(path)))
            temporary.replace(path)
    except OSError as problem:
        for path, kept in reversed(replaced):
            _restore(path, kept)
        for temporary, _ in staged:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        what = problem.filename2 or problem.filename or "the output"
        raise MlcError(f"can't write {what}: {problem.strerror}") from problem
    for _, kept in replaced:
        if kept is not None:
            kept.unlink(missing_ok=True)


def _holds(path: Path, text: str) -> bool:
    try:
        return path.is_file() and path.read_bytes() == text.encode()
    except OSError:
        return False


def _kept(path: Path) -> Path | None:
    """Another name for what is there, to bring it back by; a copy where a file has but one."""
    if not path.is_file():
        return None
    kept = path.with_name(f".{path.name}.before")
    kept.unlink(missing_ok=True)
    try:
        kept.hardlink_to(path)
    except OSError:
        shutil.copy2(path, kept)
    return kept


def _restore(path: Path, kept: Path | None) -> None:
    with contextlib.suppress(OSError):
        if kept is not None:
            kept.replace(path)
        elif path.is_file():
            path.unlink()


def _mode(path: Path) -> int:
    """The permissions of a file that is replaced, else those of a new one."""
    return path.stat().st_mode & 0o777 if path.is_file() else 0o666 & ~_umask()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
