"""Artifacts that come from outside: a path on this machine, or anything that fsspec opens.

What is remote is brought here once for each state that it is seen in, into `.mlc/cache/inputs`.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import tempfile
import urllib.parse
from pathlib import Path
from typing import Any


class InputError(Exception):
    """An input can't be had; the message says why and what to do."""


def fetch(uri: str, root: Path, cache: Path) -> Path:
    """The path on this machine of what `uri` names; relative paths start at `root`.

    Raises:
        InputError: nothing is there, or it can't be reached.
    """
    path = local_path(uri, root)
    if path is None:
        return _fetch_remote(uri, cache)
    if not path.exists():
        raise InputError(f"there is no file or folder `{uri}`")
    return path


def local_path(uri: str, root: Path) -> Path | None:
    """The path that a URI names on this machine, there or not; None for any other kind of URI."""
    scheme, separator, _ = uri.partition("://")
    if not separator:
        return Path(os.path.normpath(root / Path(uri).expanduser()))
    if scheme == "file":
        return Path(urllib.parse.unquote(urllib.parse.urlsplit(uri).path))
    return None


def _fetch_remote(uri: str, cache: Path) -> Path:
    scheme, _, rest = uri.partition("://")
    try:
        fsspec = importlib.import_module("fsspec")
    except ImportError:
        raise InputError(
            f"`{uri}` is not on this machine, and the package that reads {scheme}:// is not "
            "installed: pip install fsspec, with what it needs for this kind of store (s3fs for "
            "s3://, gcsfs for gs://); or give a path on this machine"
        ) from None
    name = Path(rest.rstrip("/")).name or "content"
    try:
        files, base = fsspec.core.url_to_fs(uri)
        state = _state(files, base)
        folder = cache / "inputs" / hashlib.sha256(f"{uri}\n{state}".encode()).hexdigest()[:32]
        if not folder.exists():
            _download(files, base, folder, name)
    except Exception as problem:  # fsspec's stores raise errors of their own libraries
        raise InputError(f"`{uri}` can't be read: {_first_line(problem)}") from problem
    return folder / name


def _state(files: Any, base: str) -> str:
    """What tells one state of a store's files from another: their sizes, times and tags."""
    if not files.exists(base):
        raise FileNotFoundError("nothing is there")
    return json.dumps(files.find(base, detail=True), sort_keys=True, default=str)


def _download(files: Any, base: str, folder: Path, name: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".draft-"))
    try:
        files.get(base, str(draft / name), recursive=files.isdir(base))
        try:
            draft.rename(folder)
        except OSError:  # another run was faster
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _first_line(problem: Exception) -> str:
    return (str(problem).strip() or type(problem).__name__).splitlines()[0]
