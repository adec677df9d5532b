"""The git checkout that a spec is compiled from, and the one way to ask git.

CI checks out a detached commit, so its variables name the branch there; MLC_GIT_COMMIT and
MLC_GIT_BRANCH overrule everything.
"""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

from compiler.binding import Git

# Stands in where a spec is checked or run, and nothing compiled depends on it.
UNKNOWN = Git(commit="0" * 40, branch="unknown")
# What CI checked out, so what its server has.
CI_COMMIT = ("MLC_GIT_COMMIT", "CI_COMMIT_SHA", "GITHUB_SHA")
# In a pipeline of a merge request GITHUB_REF_NAME is `12/merge`, so the branch's own name is first.
_CI_BRANCH = (
    *("MLC_GIT_BRANCH", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_REF_NAME"),
    *("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CHANGE_BRANCH", "BRANCH_NAME", "BITBUCKET_BRANCH"),
    "CIRCLE_BRANCH",
)


_QUIET = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}


class Answer(Struct, frozen=True):
    """What git said. `text` is its output as it is, `problem` why there is none."""

    text: str
    problem: str = ""

    @property
    def line(self) -> str:
        return "" if self.problem else self.text.strip()


def checkout(folder: Path) -> Git | None:
    """The commit and branch of a folder, None where it is in no checkout with a commit."""
    commit = os.environ.get("MLC_GIT_COMMIT") or ask(folder, "rev-parse", "HEAD").line
    commit = commit or first_of(CI_COMMIT)
    if not commit:
        return None
    branch = os.environ.get("MLC_GIT_BRANCH") or ask(folder, "symbolic-ref", "--short", "HEAD").line
    return Git(commit, branch or first_of(_CI_BRANCH))


def first_of(names: tuple[str, ...]) -> str:
    """The first of some environment variables that says something, or the empty text."""
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def ask(folder: Path, *arguments: str, seconds: int = 10) -> Answer:
    """Run git in a folder. It answers in English, asks for no password and takes no locks; paths
    that are not UTF-8 come as surrogates."""
    # Here, since `mlc validate` asks no git and has to start fast.
    import subprocess

    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            stdin=subprocess.DEVNULL,
            env={"GIT_SSH_COMMAND": "ssh -o BatchMode=yes", **os.environ, **_QUIET},
            check=False,
            timeout=seconds,
        )
    except FileNotFoundError:
        return Answer("", "git is not installed")
    except subprocess.TimeoutExpired:
        return Answer("", f"git did not answer in {seconds} s")
    except OSError as problem:
        return Answer("", f"git can't be started: {problem.strerror}")
    if done.returncode:
        return Answer("", done.stderr.strip() or f"git ended with {done.returncode}")
    return Answer(done.stdout)
