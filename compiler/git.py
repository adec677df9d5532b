"""The git checkout that a spec is compiled from.

CI checks out a detached commit, so its variables name the branch there; MLC_GIT_COMMIT and
MLC_GIT_BRANCH overrule everything.
"""

from __future__ import annotations

import os
from pathlib import Path

from compiler.binding import Git

# Stands in where a spec is checked or run, and nothing compiled depends on it.
UNKNOWN = Git(commit="0" * 40, branch="unknown")
_CI_COMMIT = ("MLC_GIT_COMMIT", "CI_COMMIT_SHA", "GITHUB_SHA")
_CI_BRANCH = ("MLC_GIT_BRANCH", "CI_COMMIT_REF_NAME", "GITHUB_HEAD_REF", "GITHUB_REF_NAME")


def checkout(folder: Path) -> Git | None:
    """The commit and branch of a folder, None where it is in no checkout with a commit."""
    commit = os.environ.get("MLC_GIT_COMMIT") or _git(folder, "rev-parse", "HEAD")
    commit = commit or _first(_CI_COMMIT)
    if not commit:
        return None
    branch = os.environ.get("MLC_GIT_BRANCH") or _git(folder, "symbolic-ref", "--short", "HEAD")
    return Git(commit, branch or _first(_CI_BRANCH))


def _first(names: tuple[str, ...]) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def _git(folder: Path, *arguments: str) -> str:
    # Here, since `mlc validate` asks no git and has to start fast.
    import subprocess

    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
