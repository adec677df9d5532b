"""Digests of files that are read run after run: artifacts from outside, the project's own code.

A file whose size, times and inode are as at the last run is not read again. The remembered
digests are a table of the record of runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sqlite3
import stat
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from compiler.engine.artifacts import Artifact, hash_file, read_artifact
from compiler.globs import glob

# A file changed so lately could change again within the same tick of the file system's clock.
_SETTLED = 2 * 10**9
_Row = tuple[int, int, int, int, str]

# Made by tools, in any folder; and in a root itself: what is built and what is only read by people.
_IGNORED_FOLDERS = frozenset({"__pycache__", "node_modules"})
_IGNORED_ENDINGS = (".pyc", ".pyo", ".swp", "~")
_IGNORED_IN_ROOT = frozenset({"build", "dist", "README.md", "CHANGELOG.md", "LICENSE"})
_SPEC_ENDINGS = (".yaml", ".yml")
# Beyond this a file is data: told by its size and time, not by its content.
_LARGE = 8 * 2**20
MOST_FILES = 20_000


class UntoldError(Exception):
    """What the code is can't be told, so that nothing may be reused; the message says why."""


class DigestIndex:
    """Digests of the files below one root (a folder or a single file), remembered between runs."""

    def __init__(self, connection: sqlite3.Connection, root: str) -> None:
        self._connection = connection
        self._root = root
        self._known: dict[str, _Row] = {
            name: row
            for name, *row in connection.execute(
                "SELECT name, size, modified, changed, inode, digest FROM digests WHERE root = ?",
                (root,),
            )
        }
        self._seen: dict[str, _Row] = {}
        self._settled = time.time_ns() - _SETTLED

    def hash(self, path: str, status: os.stat_result) -> str:
        """The SHA-256 of a file's content, as `artifacts.Hash`."""
        mark = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        known = self._known.get(path)
        digest = known[4] if known and tuple(known[:4]) == mark else hash_file(path)
        if max(status.st_mtime_ns, status.st_ctime_ns) < self._settled:
            self._seen[path] = (*mark, digest)
        return digest

    def save(self) -> None:
        """Remember what was hashed, and forget what is gone."""
        if self._seen.keys() == self._known.keys() and all(
            self._seen[name] == tuple(row) for name, row in self._known.items()
        ):
            return
        with self._connection:
            self._connection.execute("DELETE FROM digests WHERE root = ?", (self._root,))
            self._connection.executemany(
                "INSERT INTO digests VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(self._root, name, *row) for name, row in self._seen.items()],
            )


def read_indexed(connection: sqlite3.Connection, path: Path) -> Artifact:
    """`artifacts.read_artifact`, reading only what changed since the last run."""
    index = DigestIndex(connection, str(path))
    found = read_artifact(path, index.hash)
    index.save()
    return found


def code_digest(
    connection: sqlite3.Connection,
    folders: Sequence[Path],
    data: Collection[str],
    python: str,
    sources: Sequence[str] = (),
) -> str:
    """What stands for the image of a step that runs on this machine: the code it can run.

    All files in the folders count, as a step can run or read any of them; but for what is hidden
    (`.env` aside), installed or built, and the specs, whose meaning is in the key already. `data`
    are paths that steps are told of, as inputs and volumes, so that these don't count either. Where
    the spec names its `sources`, only what these globs match counts. The interpreter `python` and
    the distributions installed for it do. Of what can't be read, name, size and time count.

    Raises:
        UntoldError: the folders hold more than `MOST_FILES` files, which is no project, or one of
            `sources` matches none.
    """
    found = _counted(folders, data, sources)
    version = sys.version if python == sys.executable else python
    total = hashlib.sha256(f"{platform.machine()} {version}\n".encode())
    for name in _distributions(python):
        total.update(f"{name}\n".encode())
    for root, files in zip(folders, found, strict=True):
        index = DigestIndex(connection, f"code {root}")
        for name, path, status in files:
            digest = f"{status.st_size} {status.st_mtime_ns}"
            if status.st_size <= _LARGE:
                try:
                    if name.endswith(_SPEC_ENDINGS) and _is_spec(path):
                        continue
                    digest = index.hash(path, status)
                except FileNotFoundError:  # gone since it was found
                    continue
                except OSError:
                    pass
            total.update(f"{digest} ".encode() + os.fsencode(name) + b"\0")
        index.save()
    return total.hexdigest()


_Found: TypeAlias = tuple[str, str, os.stat_result]


def _counted(
    folders: Sequence[Path], data: Collection[str], sources: Sequence[str]
) -> list[list[_Found]]:
    """The files that count, by folder, before any of them is read."""
    globs = {pattern: glob(pattern) for pattern in sources}
    unmatched = set(sources)
    count = 0
    found: list[list[_Found]] = []
    for root in folders:
        found.append([])
        for file in _code(str(root), data):
            matched = {pattern for pattern, wanted in globs.items() if wanted.fullmatch(file[0])}
            if globs and not matched:
                continue
            unmatched -= matched
            count += 1
            if count > MOST_FILES:
                raise UntoldError(
                    f"nothing is reused: {folders[0]} holds more than {MOST_FILES:,} files, too "
                    "many to tell whether the code changed. Put an mlc.toml beside the code"
                )
            found[-1].append(file)
    if unmatched:
        names = ", ".join(f"`{pattern}`" for pattern in sorted(unmatched))
        raise UntoldError(f"sources match no file: nothing is reused ({names})")
    return found


def _distributions(python: str) -> list[str]:
    if python == sys.executable:
        named = {p for p in sys.path if p.endswith(("site-packages", "dist-packages"))}
        folders = [Path(name) for name in named]
    else:
        folders = list(Path(python).parent.parent.glob("lib/python*/site-packages"))
    # The folders' names hold name and version; reading each one's metadata would take long.
    return sorted(
        entry.name for folder in folders if folder.is_dir() for entry in folder.glob("*.dist-info")
    )


def _code(root: str, data: Collection[str]) -> Iterator[_Found]:
    pending = [("", root)]
    while pending:
        prefix, folder = pending.pop()
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name, reverse=True)
        except FileNotFoundError:
            continue
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                yield prefix, folder, os.stat(folder)  # noqa: PTH116 - as in artifacts
            continue
        if any(entry.name == "pyvenv.cfg" for entry in entries):
            continue
        for entry in entries:
            if _is_ignored(entry.name, in_root=not prefix) or entry.path in data:
                continue
            try:
                status = entry.stat()
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield prefix + entry.name, entry.path, status
            elif entry.is_dir(follow_symlinks=False):
                pending.append((f"{prefix}{entry.name}/", entry.path))


def _is_ignored(name: str, *, in_root: bool) -> bool:
    return (
        (name.startswith(".") and name != ".env")
        or name in _IGNORED_FOLDERS
        or name.endswith((*_IGNORED_ENDINGS, ".egg-info"))
        or (in_root and name in _IGNORED_IN_ROOT)
    )


def _is_spec(path: str) -> bool:
    with open(path, "rb") as stream:  # noqa: PTH123 - as in artifacts
        head = stream.read(4096)
    return head.startswith(b"apiVersion: mlc/") or b"\napiVersion: mlc/" in head
