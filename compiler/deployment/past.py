"""What a spec said at an earlier commit, read from git.

Engines have no room for specs, and git has them all. What git brings is held against the digest
that the engine's version carries, so that it is that spec and no other.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from compiler import frontend
from compiler.deployment.wanted import Wanted, want
from compiler.git import ask

# What a spec may be made of: itself, bases, components, settings, the code of `python:` steps.
_READ = (".yaml", ".yml", ".toml", ".py")
_LARGEST = 1_000_000
_SECONDS = 60


class Past:
    """The specs of earlier commits of one checkout; `with` it, for it keeps files for a while."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = tempfile.TemporaryDirectory(prefix="mlc-past-")
        self._trees: dict[str, Path | None] = {}
        self._found: dict[tuple[str, str, str], Wanted | None] = {}

    def __enter__(self) -> Past:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._folder.cleanup()

    def commit(self, name: str) -> str:
        """The whole name of a commit, empty where this clone has it not."""
        if not re.fullmatch(r"[0-9a-f]{7,40}", name):
            return ""
        return ask(self._root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").line

    def told(self, commit: str) -> str:
        """A commit for people: its name, date and subject."""
        line = ask(self._root, "log", "-1", "--format=%cs%x00%s", commit).line
        date, _, subject = line.partition("\0")
        shown = "".join(sign if sign.isprintable() else "?" for sign in subject)
        return f"the commit {commit[:8]} of {date}, `{shown}`"

    def is_within(self, commit: str, other: str) -> bool:
        """Whether one commit is the other or comes before it, as far as this clone knows them."""
        first, second = self.commit(commit), self.commit(other)
        return (
            bool(first and second)
            and first == ask(self._root, "merge-base", first, second, seconds=_SECONDS).line
        )

    def spec(self, commit: str, path: str, algorithm: str, digest: str = "") -> Wanted | None:
        """An algorithm as it was at a commit, None where that can't be told.

        `path` is where its spec is now. With `digest` it is that spec or none.
        """
        key = (commit, algorithm, digest)
        if key not in self._found:
            self._found[key] = self._spec(commit, path, algorithm, digest)
        return self._found[key]

    def changes(self, before: str, most: int = 500) -> Iterator[str]:
        """The commits before one, the newest first, along the branch itself."""
        options = ("--first-parent", f"--max-count={most + 1}")
        yield from ask(self._root, "rev-list", *options, before, seconds=_SECONDS).text.split()[1:]

    def is_renamed(self, path: str, algorithm: str, then: str, now: str) -> bool:
        """Whether the spec at `path` is, to git, one that was an algorithm's at a commit before."""
        first, last, own = self.commit(then), self.commit(now), Path(path).resolve()
        if not first or not last or not own.is_relative_to(self._root):
            return False
        place = own.relative_to(self._root).as_posix()
        options = ("--name-status", "-z", "--find-renames", "--diff-filter=R")
        words = ask(self._root, "diff", *options, first, last, seconds=_SECONDS).text.split("\0")
        before = dict(zip(words[2::3], words[1::3], strict=False)).get(place, place)
        return bool(_named(algorithm).search(ask(self._root, "show", f"{first}:{before}").text))

    def _spec(self, commit: str, path: str, algorithm: str, digest: str) -> Wanted | None:
        tree = self._tree(commit)
        if tree is None:
            return None
        for file in self._candidates(tree, path, algorithm):
            wanted, _ = want(path, frontend.held_to_no_policy(frontend.read(file, path)))
            if wanted is None or wanted.algorithm != algorithm:
                continue
            if not digest or wanted.digest == digest:
                return wanted
        return None

    def _candidates(self, tree: Path, path: str, algorithm: str) -> Iterator[Path]:
        """The same file, and others that have the name, for specs move."""
        own = Path(path).resolve()
        same = tree / own.relative_to(self._root) if own.is_relative_to(self._root) else None
        if same is not None and same.is_file():
            yield same
        named = _named(algorithm)
        for file in sorted((*tree.rglob("*.yaml"), *tree.rglob("*.yml"))):
            if file != same and named.search(file.read_text("utf-8", "replace")):
                yield file

    def _tree(self, commit: str) -> Path | None:
        if commit not in self._trees:
            self._trees[commit] = self._written(commit)
        return self._trees[commit]

    def _written(self, commit: str) -> Path | None:
        whole = self.commit(commit)
        if not whole:
            return None
        listed = ask(self._root, "ls-tree", "-r", "-z", "-l", whole, seconds=_SECONDS)
        blobs = []
        for entry in filter(None, listed.text.split("\0")):
            about, _, name = entry.partition("\t")
            mode, kind, blob, size = about.split()
            wanted = kind == "blob" and mode != "120000" and name.endswith(_READ)
            if wanted and int(size) <= _LARGEST:
                blobs.append((blob, name))
        tree = Path(self._folder.name) / whole
        tree.mkdir()
        # The root of a project without a configuration is its checkout.
        (tree / ".git").mkdir()
        for name, data in self._contents(blobs):
            file = tree / PurePosixPath(name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        return tree

    def _contents(self, blobs: list[tuple[str, str]]) -> Iterator[tuple[str, bytes]]:
        done = subprocess.run(
            ["git", "-C", str(self._root), "cat-file", "--batch"],
            input="".join(f"{blob}\n" for blob, _ in blobs).encode(),
            capture_output=True,
            env={**os.environ, "LC_ALL": "C", "GIT_NO_LAZY_FETCH": "1"},
            check=False,
            timeout=_SECONDS,
        )
        rest = done.stdout
        for _, name in blobs:
            head, found, rest = rest.partition(b"\n")
            words = head.split()
            if not found or len(words) != 3:
                continue
            size = int(words[2])
            yield name, rest[:size]
            rest = rest[size + 1 :]


def _named(algorithm: str) -> re.Pattern[str]:
    return re.compile(rf"^name:\s*[\"']?{re.escape(algorithm)}\b", re.MULTILINE)
