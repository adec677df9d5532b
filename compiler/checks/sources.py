"""Holds `sources` against the files that are there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from compiler.diagnostics import Diagnostic, warning
from compiler.globs import glob, plain_folder
from compiler.nodes import Mapping, Scalar, Sequence
from compiler.settings import Project

_NOT_SEARCHED = frozenset({"__pycache__", "node_modules"})


def unmatched_sources(spec: Mapping, project: Project) -> Iterator[Diagnostic]:
    """Globs of a spec's `sources` that match no file: they watch over nothing."""
    globs = spec.get("sources")
    for node in globs.items if isinstance(globs, Sequence) else ():
        if isinstance(node, Scalar) and not _matches(node.text, project):
            hint = "globs count from the project's root; `*` stays in a folder, `**` goes deeper"
            if _leaves(node.text):
                hint = "it leads out of the project; code beside it is found by `pythonpath`"
            elif (project.root / node.text).is_dir():
                folder = node.text.rstrip("/")
                hint = f"it is a folder; for the files in it write `{folder}/**`"
            yield warning("MLC351", f"`{node.text}` matches no file", node.span, hint=hint)


def _matches(pattern: str, project: Project) -> bool:
    if _leaves(pattern):
        return False
    wanted = glob(pattern)
    start = plain_folder(pattern)
    for root in code_folders(project):
        for folder, folders, files in os.walk(root / start):
            if "pyvenv.cfg" in files:
                folders.clear()
                continue
            prefix = Path(folder).relative_to(root).as_posix()
            prefix = "" if prefix == "." else f"{prefix}/"
            if any(wanted.fullmatch(prefix + name) for name in files):
                return True
            hidden = {name for name in folders if name.startswith(".")}
            folders[:] = sorted(set(folders) - hidden - _NOT_SEARCHED)
    return False


def _leaves(pattern: str) -> bool:
    return pattern.startswith("/") or ".." in pattern.split("/")


def code_folders(project: Project) -> tuple[Path, ...]:
    """Where globs count from: the project's root, and what `pythonpath` names outside of it."""
    root = project.root.resolve()
    others = ((root / name).resolve() for name in project.local.pythonpath)
    return (root, *(path for path in others if not path.is_relative_to(root)))
