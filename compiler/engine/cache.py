"""The cache, `.mlc/cache`: what a step wrote, found again by a key over all that it depends on.

`steps/` holds an entry per key, `objects/` the contents of artifacts by their SHA-256. What is
given out is checked against its digest, and is never the stored file itself, so that neither a
step that changes its input nor a person who changes a file can make the cache give out the wrong
thing: what does not match is thrown away and made again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from compiler.engine.artifacts import Artifact, File, hash_file
from compiler.engine.outputs import Written
from compiler.values import JsonValue

FORMAT = 1
# Smaller files are stored as copies. A larger one shares its blocks with the step's own file.
_SHARED = 64 * 2**20
_FICLONE = 0x40049409  # ioctl_ficlonerange(2): Linux, on btrfs, xfs and others


class Entry(Struct, frozen=True):
    """What a step wrote in an earlier run, and which run that was."""

    run: str
    created: float
    log: str
    written: Written


def key_of(parts: Mapping[str, JsonValue]) -> str:
    """The SHA-256 of what a step depends on, given as JSON data."""
    text = json.dumps({"format": FORMAT, **parts}, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def find(cache: Path, key: str) -> Entry | None:
    """The entry of a key; None where there is none, or none that can be read."""
    try:
        data = json.loads(_entry(cache, key).read_bytes())
        written = Written(
            data["values"],
            {name: _artifact(found) for name, found in data["artifacts"].items()},
            data["metrics"],
        )
        return Entry(data["run"], data["created"], data["log"], written)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def give_out(cache: Path, entry: Entry, outputs: Path) -> Written | None:
    """Put an entry's artifacts into a new folder `outputs`, as files of their own.

    None where something stored is gone or is not what it was: then there is no folder either.
    """
    outputs.mkdir(parents=True)
    artifacts: dict[str, Artifact] = {}
    for name, artifact in entry.written.artifacts.items():
        path = outputs / name
        try:
            files = _give_out(cache, artifact, path)
        except (OSError, ValueError):
            shutil.rmtree(outputs, ignore_errors=True)
            return None
        artifacts[name] = replace(artifact, path=str(path), files=files)
    return Written(entry.written.values, artifacts, entry.written.metrics)


def store(cache: Path, key: str, entry: Entry) -> None:
    """Keep what a step wrote. Two runs may store the same key at once: one of them stays."""
    for artifact in entry.written.artifacts.values():
        for file in artifact.files:
            _keep(cache, _inside(artifact, file), file)
    data = {
        "run": entry.run,
        "created": entry.created,
        "log": entry.log,
        "values": dict(entry.written.values),
        "metrics": {name: dict(found) for name, found in entry.written.metrics.items()},
        "artifacts": {
            name: {
                "folder": artifact.is_folder,
                "digest": artifact.digest,
                "files": [[file.name, file.digest, file.size] for file in artifact.files],
            }
            for name, artifact in entry.written.artifacts.items()
        },
    }
    path = _entry(cache, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _whole(path) as draft:
        draft.write_text(json.dumps(data))


def _artifact(data: Mapping[str, object]) -> Artifact:
    files = data["files"]
    assert isinstance(files, list)
    return Artifact(
        "", bool(data["folder"]), str(data["digest"]), tuple(File(*file) for file in files)
    )


def _entry(cache: Path, key: str) -> Path:
    return cache / "steps" / key[:2] / f"{key[2:]}.json"


def _object(cache: Path, digest: str) -> Path:
    return cache / "objects" / digest[:2] / digest[2:]


def _inside(artifact: Artifact, file: File) -> Path:
    return Path(artifact.path, file.name) if artifact.is_folder else Path(artifact.path)


def _keep(cache: Path, source: Path, file: File) -> None:
    kept = _object(cache, file.digest)
    if kept.exists():
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    with _whole(kept) as draft:
        if _clone(source, draft):
            return
        if file.size > _SHARED:
            draft.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # on another disk it has to be a copy
                os.link(os.path.realpath(source), draft)
                return
        shutil.copyfile(source, draft)


def _give_out(cache: Path, artifact: Artifact, path: Path) -> tuple[File, ...]:
    if artifact.is_folder:
        path.mkdir()
    files = []
    for file in artifact.files:
        target = path / file.name if artifact.is_folder else path
        target.parent.mkdir(parents=True, exist_ok=True)
        kept = _object(cache, file.digest)
        if not _clone(kept, target):
            shutil.copyfile(kept, target)
        if hash_file(str(target)) != file.digest:
            kept.unlink()
            raise ValueError(f"{file.digest} is not what it was")
        files.append(File(file.name, file.digest, file.size, target.stat().st_mtime_ns))
    return tuple(files)


def _clone(source: Path, target: Path) -> bool:
    """Make `target` share the blocks of `source` until one is changed, if the disk can do that."""
    if sys.platform != "linux":
        return False
    with source.open("rb") as origin, target.open("wb") as copy:
        try:
            fcntl.ioctl(copy.fileno(), _FICLONE, origin.fileno())
        except OSError:
            return False
    return True


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A draft beside `path` that takes its place at the end, or leaves no trace."""
    draft = path.with_name(f".draft-{secrets.token_hex(8)}")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
