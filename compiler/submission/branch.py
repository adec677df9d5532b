"""The branch that is submitted: its name and commit, where it left the default branch, and what
of it nobody else can see yet."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from msgspec import Struct

from compiler.diagnostics import MlcError
from compiler.git import CI_COMMIT, Answer, ask, checkout, first_of

# Of a large checkout git has to read every file's state.
_PATIENCE = 60
_PATIENCE_FOR_REMOTES = 15
_SHOWN_FILES = 5


class Branch(Struct, frozen=True):
    """A checkout as it stands. Paths are from `root`, its top folder, sorted.

    `name` is empty where HEAD is detached and CI names no branch. `default` is the repository's
    default branch, None where nothing tells it. `dirty` are tracked files that differ from the
    commit, `untracked` those that git was told nothing of.
    """

    root: Path
    name: str
    commit: str
    default: str | None
    remote: str | None
    dirty: tuple[str, ...]
    untracked: tuple[str, ...]


def remote_branches(branch: Branch) -> tuple[str, ...]:
    """The branches that the remote has now; it is asked.

    Raises:
        MlcError: there is no remote, or it can't be asked.
    """
    if branch.remote is None:
        raise MlcError("this checkout has no remote, so which branches are gone can't be told")
    answer = ask(branch.root, "ls-remote", "--heads", branch.remote, seconds=_PATIENCE)
    if answer.problem:
        problem = answer.problem.removeprefix("fatal: ")
        raise MlcError(f"can't ask {branch.remote} for its branches: {problem}")
    refs = (line.partition("\t")[2] for line in answer.text.splitlines())
    return tuple(sorted(ref.removeprefix("refs/heads/") for ref in refs if ref))


def local_branches(branch: Branch) -> tuple[str, ...]:
    """The branches of this checkout, pushed or not; those that other worktrees of it have too."""
    answer = ask(branch.root, "for-each-ref", "--format=%(refname)", "refs/heads/")
    return tuple(sorted(ref.removeprefix("refs/heads/") for ref in answer.text.split()))


class MergeBase(Struct, frozen=True):
    """The commit where a branch left another, `against`."""

    commit: str
    against: str


class Concern(Struct, frozen=True):
    """Why what runs may not be what is here. One that is `refused` stops the submission."""

    kind: str
    message: str
    hint: str
    paths: tuple[str, ...]
    refused: bool


def read_branch(folder: Path) -> Branch:
    """The checkout that a folder is in.

    Raises:
        MlcError: there is none, it has no commit yet, or git can't be asked.
    """
    top = _told(ask(folder, "rev-parse", "--show-toplevel"), folder)
    root = Path(top.line).resolve()
    found = checkout(root)
    if found is None:
        raise MlcError(f"the git checkout {root} has no commit yet")
    remote = _remote(root)
    dirty, untracked = _unsaved(root)
    return Branch(
        root=root,
        name=found.branch,
        commit=found.commit,
        default=_default(root, remote),
        remote=remote,
        dirty=dirty,
        untracked=untracked,
    )


def merge_base(branch: Branch, against: str | None = None) -> MergeBase:
    """Where the branch left `against`, or the default branch. What the remote has of that counts
    more than a local copy, which may be old.

    Raises:
        MlcError: that can't be told. In clones of CI history is often cut off, and the message
            has the `git fetch` that mends it.
    """
    name = against or branch.default
    if name is None:
        raise MlcError(
            "can't tell the default branch of this checkout; name it with --against BRANCH"
            + (f", or run `git remote set-head {branch.remote} --auto`" if branch.remote else "")
        )
    is_shallow = ask(branch.root, "rev-parse", "--is-shallow-repository").line == "true"
    tip = _tip(branch, name)
    if tip is None:
        raise MlcError(f"this clone has no branch `{name}`{_fetch(branch, name, is_shallow)}")
    base = ask(branch.root, "merge-base", tip, "HEAD", seconds=_PATIENCE).line
    if base:
        return MergeBase(base, name)
    if is_shallow:
        raise MlcError(
            f"this clone is shallow, so where the branch left `{name}` can't be told"
            f"{_fetch(branch, name, is_shallow)}"
        )
    raise MlcError(f"the branch has no commit in common with `{name}`")


def is_pushed(branch: Branch) -> bool:
    """Whether a remote has the commit: CI got it from there, a remote branch known here holds it,
    or else the remote is asked for a branch that ends in it."""
    if branch.commit == first_of(CI_COMMIT):
        return True
    holds = ("for-each-ref", "--contains", branch.commit, "--count=1", "refs/remotes")
    if ask(branch.root, *holds, seconds=_PATIENCE).line:
        return True
    if branch.remote is None:
        return False
    # Clones of a single branch keep no note of what is pushed to another one.
    heads = ask(branch.root, "ls-remote", "--heads", branch.remote, seconds=_PATIENCE_FOR_REMOTES)
    return any(line.split("\t")[0] == branch.commit for line in heads.line.splitlines())


def concerns(
    branch: Branch,
    *,
    image_of_commit: bool,
    allow_dirty: bool = False,
    needed: Collection[str] = (),
) -> tuple[Concern, ...]:
    """What is here and not in the commit, or not on a remote.

    Where an image is named by git (`image_of_commit`) this is refused unless allowed, since that
    image was not made of what is here; elsewhere it is a warning. `needed` are the paths, from the
    top, that the submitted specs need: of these untracked files count too.
    """
    refused = image_of_commit and not allow_dirty
    paths = tuple(sorted({*branch.dirty, *set(branch.untracked).intersection(needed)}))
    found = []
    if paths:
        one = len(paths) == 1
        message = f"{_files(paths)} {'is' if one else 'are'} not committed as "
        message += f"{'it stands' if one else 'they stand'} here"
        if image_of_commit:
            message += f", and an image is named by the commit {branch.commit[:8]}"
        hint = "commit and push" + (", or pass --allow-dirty" if refused else "")
        found.append(Concern("dirty", message, hint, paths, refused))
    if not is_pushed(branch):
        message = f"no remote branch has the commit {branch.commit[:8]}"
        if image_of_commit:
            message += ", and an image is named by it"
        if branch.remote is None:
            hint = "push it: this checkout has no remote yet"
        else:
            hint = f"run `git push {branch.remote} HEAD`"
        hint += ", or pass --allow-dirty" if refused else ""
        found.append(Concern("unpushed", message, hint, (), refused))
    return tuple(found)


def _files(paths: tuple[str, ...]) -> str:
    shown = ", ".join(paths[:_SHOWN_FILES])
    more = len(paths) - _SHOWN_FILES
    return f"{shown} and {more} more" if more > 0 else shown


def _told(answer: Answer, folder: Path) -> Answer:
    """An answer that has to be there."""
    if not answer.problem:
        return answer
    if "dubious ownership" in answer.problem:
        raise MlcError(
            f"git refuses {folder}, which belongs to another user; "
            f"run `git config --global --add safe.directory {folder.resolve()}`"
        )
    if "not a git repository" in answer.problem:
        raise MlcError(f"{folder} is in no git checkout")
    raise MlcError(answer.problem.removeprefix("fatal: "))


def _remote(root: Path) -> str | None:
    remotes = ask(root, "remote").text.split()
    return "origin" if "origin" in remotes else min(remotes, default=None)


def _default(root: Path, remote: str | None) -> str | None:
    if remote is not None:
        head = ask(root, "symbolic-ref", "--short", f"refs/remotes/{remote}/HEAD").line
        if head:
            return head.removeprefix(f"{remote}/")
    told = first_of(("CI_DEFAULT_BRANCH", "GITHUB_BASE_REF"))
    if told:
        return told
    configured = ask(root, "config", "init.defaultBranch").line
    places = ["refs/heads/", *([f"refs/remotes/{remote}/"] if remote else [])]
    for name in filter(None, (configured, "main", "master")):
        if any(_commit(root, place + name) for place in places):
            return name
    return None


def is_commit_of(branch: Branch, name: str) -> bool:
    """Whether the commit that is checked out is one of the branch `name`, the remote's or this
    clone's, as far as the clone knows them."""
    places = [f"refs/remotes/{branch.remote}/{name}"] if branch.remote else []
    tips = (_commit(branch.root, ref) for ref in (*places, f"refs/heads/{name}"))
    return any(
        ask(branch.root, "merge-base", tip, branch.commit, seconds=_PATIENCE).line == branch.commit
        for tip in filter(None, tips)
    )


def _tip(branch: Branch, name: str) -> str | None:
    places = [f"refs/remotes/{branch.remote}/{name}"] if branch.remote else []
    found = (_commit(branch.root, ref) for ref in (*places, f"refs/heads/{name}", name))
    return next(filter(None, found), None)


def _commit(root: Path, name: str) -> str:
    if name.startswith("-"):
        return ""
    return ask(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").line


def _fetch(branch: Branch, name: str, is_shallow: bool) -> str:
    if branch.remote is None:
        return ""
    depth = "--unshallow " if is_shallow else ""
    ref = f"+refs/heads/{name}:refs/remotes/{branch.remote}/{name}"
    text = f"; run `git fetch {depth}{branch.remote} {ref}`"
    if is_shallow:
        text += ", or let CI clone all of it (GitLab: GIT_DEPTH: 0, GitHub: fetch-depth: 0)"
    return text


def _unsaved(root: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tracked files that differ from the commit, and those that are not tracked."""
    options = ("--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
    answer = _told(ask(root, "status", *options, seconds=_PATIENCE), root)
    dirty: set[str] = set()
    untracked: set[str] = set()
    for entry in filter(None, answer.text.split("\0")):
        (untracked if entry.startswith("??") else dirty).add(entry[3:])
    return tuple(sorted(dirty)), tuple(sorted(untracked))
