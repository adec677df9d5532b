"""Real git checkouts for tests, with a bare repository on disk for a remote."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from textwrap import dedent

# Names that CI, or whoever runs the tests, may have set.
TOLD = ("CI_", "GITHUB_", "MLC_GIT", "GIT_", "CHANGE_", "BRANCH_", "BITBUCKET_", "CIRCLE_")


class Checkout:
    """A checkout: `write` files, then `commit`. Files are given as path and text."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=variables(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    def write(self, **files: str) -> None:
        """As `write_all`, where names are without folders and end in `.py`."""
        self.write_all({f"{name}.py": text for name, text in files.items()})

    def write_all(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))

    def commit(self, message: str = "Change") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


def make(folder: Path, *, remote: bool = True) -> Checkout:
    """A checkout on `main` with one commit, which its bare remote has too."""
    work = folder / "work"
    work.mkdir(parents=True)
    checkout = Checkout(work)
    checkout.git("init", "--quiet", "--initial-branch=main")
    checkout.write_all({"README.md": "A project.\n"})
    checkout.commit("Begin")
    if remote:
        bare = folder / "remote.git"
        subprocess.run(
            ["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True
        )
        checkout.git("remote", "add", "origin", bare.as_uri())
        checkout.git("push", "--quiet", "--set-upstream", "origin", "main")
        checkout.git("remote", "set-head", "origin", "--auto")
    return checkout


def clone(source: Checkout, folder: Path, *options: str) -> Checkout:
    """A clone of the remote of a checkout, as CI makes it with these options."""
    url = source.git("remote", "get-url", "origin")
    subprocess.run(["git", "clone", "--quiet", *options, url, str(folder)], check=True)
    return Checkout(folder)


def variables() -> dict[str, str]:
    """What git and mlc are told for one author, and nothing of this machine's configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(TOLD)}
    who = {"NAME": "A. Author", "EMAIL": "author@example.com"}
    own = {
        f"GIT_{role}_{key}": text for role in ("AUTHOR", "COMMITTER") for key, text in who.items()
    }
    return kept | own | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
