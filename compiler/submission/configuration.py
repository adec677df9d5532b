"""The project's configuration at two commits: the parts that reach what is submitted."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from compiler.git import ask
from compiler.settings import Project
from compiler.submission.branch import Branch

# Keys of the configuration that reach what is submitted, and tables of which each entry counts.
_WHOLE = ("default_targets",)
_TABLES = ("targets",)
# What a target's table says to mlc alone.
_NOT_COMPILED = ("accept",)


def settings_changed(
    branch: Branch, base: str, project: Project, changed: Collection[Path]
) -> tuple[str, ...]:
    """The parts of the configuration that differ from a commit and reach what is submitted, as
    `gpus.t4`; `changed` are the files that differ."""
    root = project.root.resolve()
    files = [root / "mlc.toml", root / "pyproject.toml"]
    if not any(file in changed for file in files):
        return ()
    now = _settings([on_disk(file) for file in files])
    then = _settings([file_at(branch, base, file) for file in files])
    keys = [key for key in _WHOLE if now.get(key) != then.get(key)]
    for table in (*_TABLES, "gpus"):
        left, right = _table(now, table), _table(then, table)
        keys += [
            f"{table}.{name}"
            for name in sorted(left.keys() | right.keys())
            if _counted(left.get(name)) != _counted(right.get(name))
        ]
    return tuple(sorted(keys))


def _counted(settings: Any) -> Any:
    if not isinstance(settings, dict):
        return settings
    return {key: value for key, value in settings.items() if key not in _NOT_COMPILED} or None


def _table(settings: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = settings.get(key)
    return found if isinstance(found, dict) else {}


def _settings(texts: Sequence[str | None]) -> dict[str, Any]:
    """The configuration in an mlc.toml, else in a pyproject.toml."""
    own, shared = texts
    if own is not None:
        return _parsed(own)
    return _table(_table(_parsed(shared or ""), "tool"), "mlc")


def _parsed(toml: str) -> dict[str, Any]:
    try:
        return tomllib.loads(toml)
    except tomllib.TOMLDecodeError:
        return {}


def on_disk(path: Path) -> str | None:
    """The text of a file; None where there is none."""
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return None


def file_at(branch: Branch, base: str, path: Path) -> str | None:
    """A file as it was at a commit."""
    if not path.is_relative_to(branch.root):
        return None
    name = path.relative_to(branch.root).as_posix()
    answer = ask(branch.root, "show", f"{base}:{name}")
    return None if answer.problem else answer.text
