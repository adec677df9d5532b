"""What an artifact on disk holds, and the digest that stands for it.

The engine reads every artifact that a step wrote, or that came from outside, once; steps get its
path, cache keys its digest. An artifact is file contents and names: modes, times, links and empty
folders are no part of it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

Hash: TypeAlias = Callable[[str, os.stat_result], str]


class ArtifactError(Exception):
    """A path can't be taken as an artifact; the message is for the user."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of an artifact: its `/`-separated name in the folder, SHA-256 and bytes.

    `modified` is the time of its last change in nanoseconds when it was read, None if not known.
    """

    name: str
    digest: str
    size: int
    modified: int | None = field(default=None, compare=False)


class Artifact(Struct, frozen=True):
    """A file or a folder with all that is in it, sorted by name.

    `digest` is a SHA-256: of the content for a file; for a folder of the lines
    `<digest>  <name>`, as sha256sum prints them.
    """

    path: str
    is_folder: bool
    digest: str
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def identity(self) -> str:
        return f"{'folder' if self.is_folder else 'file'}:{self.digest}"


def hash_file(path: str, _status: os.stat_result | None = None) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 - the hot path of big folders
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_artifact(path: Path, hashed: Hash = hash_file) -> Artifact:
    """Read what is at `path`; links are followed, as their contents are what a step sees.

    Raises:
        ArtifactError: nothing is there, or something that is neither a file nor a folder, or that
            can't be read.
    """
    try:
        return _read(path, hashed)
    except FileNotFoundError:
        raise ArtifactError("nothing is there") from None
    except OSError as problem:
        raise ArtifactError(f"`{problem.filename}` can't be read: {problem.strerror}") from None


def is_unchanged(artifact: Artifact) -> bool:
    """Whether an artifact is still what its digest says. Only what has another size or time of
    change than when it was read is read again.
    """
    known = {
        os.path.join(artifact.path, file.name) if artifact.is_folder else artifact.path: file  # noqa: PTH118
        for file in artifact.files
    }

    def hashed(path: str, status: os.stat_result) -> str:
        file = known.get(path)
        if file and (file.size, file.modified) == (status.st_size, status.st_mtime_ns):
            return file.digest
        return hash_file(path)

    try:
        return read_artifact(Path(artifact.path), hashed).identity == artifact.identity
    except ArtifactError:
        return False


def _read(path: Path, hashed: Hash) -> Artifact:
    text = str(path)
    status = path.stat()
    if stat.S_ISREG(status.st_mode):
        digest = hashed(text, status)
        return Artifact(text, False, digest, (_file(path.name, digest, status),))
    if not stat.S_ISDIR(status.st_mode):
        raise ArtifactError("it is neither a file nor a folder")
    files = tuple(
        _file(name, hashed(full, status), status)
        for name, full, status in sorted(walk(text), key=lambda found: os.fsencode(found[0]))
    )
    return Artifact(text, True, folder_digest(files), files)


def _file(name: str, digest: str, status: os.stat_result) -> File:
    return File(name, digest, status.st_size, status.st_mtime_ns)


def folder_digest(files: tuple[File, ...]) -> str:
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.digest}  ".encode() + os.fsencode(file.name) + b"\n")
    return total.hexdigest()


def walk(root: str) -> Iterator[tuple[str, str, os.stat_result]]:
    """Name inside `root`, full path and status of each file below it, links followed.

    A link to a folder that holds it is not followed a second time.
    """
    pending: list[tuple[str, str, frozenset[tuple[int, int]]]] = [("", root, frozenset())]
    while pending:
        prefix, folder, above = pending.pop()
        status = os.stat(folder)  # noqa: PTH116
        me = (status.st_dev, status.st_ino)
        if me in above:
            continue
        with os.scandir(folder) as entries:
            for entry in entries:
                name = prefix + entry.name
                try:
                    found = entry.stat()
                except FileNotFoundError:  # a link that points nowhere has no content
                    continue
                if stat.S_ISDIR(found.st_mode):
                    pending.append((name + "/", entry.path, above | {me}))
                elif stat.S_ISREG(found.st_mode):
                    yield name, entry.path, found
                else:
                    raise ArtifactError(f"`{name}` in it is neither a file nor a folder")
