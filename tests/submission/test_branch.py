"""What a checkout tells of its branch, asked of real repositories."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkouts import Checkout, clone, make

from compiler.diagnostics import MlcError
from compiler.submission.branch import (
    Concern,
    MergeBase,
    concerns,
    is_pushed,
    merge_base,
    read_branch,
)


def kinds(found: tuple[Concern, ...]) -> list[tuple[str, bool]]:
    return [(concern.kind, concern.refused) for concern in found]


def branched(folder: Path) -> Checkout:
    checkout = make(folder)
    checkout.git("switch", "--quiet", "--create", "IA-1742-doc-type")
    checkout.write(train="x = 1\n")
    checkout.commit()
    return checkout


def test_a_pushed_branch_raises_no_concern(tmp_path: Path) -> None:
    checkout = branched(tmp_path)
    checkout.git("push", "--quiet", "origin", "HEAD")
    branch = read_branch(checkout.folder)
    assert branch.name == "IA-1742-doc-type"
    assert branch.commit == checkout.git("rev-parse", "HEAD")
    assert (branch.default, branch.remote) == ("main", "origin")
    assert (branch.dirty, branch.untracked) == ((), ())
    assert concerns(branch, image_of_commit=True) == ()


def test_an_unpushed_commit_is_refused_where_it_names_an_image(tmp_path: Path) -> None:
    branch = read_branch(branched(tmp_path).folder)
    assert kinds(concerns(branch, image_of_commit=True)) == [("unpushed", True)]
    assert kinds(concerns(branch, image_of_commit=False)) == [("unpushed", False)]
    found = concerns(branch, image_of_commit=True, allow_dirty=True)
    assert kinds(found) == [("unpushed", False)]
    assert branch.commit[:8] in found[0].message
    assert "git push origin HEAD" in found[0].hint


def test_a_dirty_tree_says_which_files(tmp_path: Path) -> None:
    checkout = branched(tmp_path)
    checkout.git("push", "--quiet", "origin", "HEAD")
    names = [f"step {n}.py" for n in range(7)]
    checkout.write_all(dict.fromkeys(names, "x = 1\n"))
    checkout.commit()
    checkout.git("push", "--quiet", "origin", "HEAD")
    checkout.write_all(dict.fromkeys(names, "x = 2\n"))
    checkout.git("add", "step 0.py")  # staged is not committed
    branch = read_branch(checkout.folder)
    assert branch.dirty == tuple(names)
    (found,) = concerns(branch, image_of_commit=True)
    assert found.refused
    assert found.message.startswith("step 0.py, step 1.py, ")
    assert "step 4.py and 2 more are not committed" in found.message
    assert "--allow-dirty" in found.hint
    (allowed,) = concerns(branch, image_of_commit=True, allow_dirty=True)
    assert not allowed.refused


def test_an_untracked_file_counts_where_it_is_needed(tmp_path: Path) -> None:
    checkout = make(tmp_path)
    checkout.write_all({"häufig/neu.py": "", ".gitignore": "*.log\n", "a.log": ""})
    checkout.git("add", ".gitignore")
    checkout.git("commit", "--quiet", "-m", "Ignore")
    checkout.git("push", "--quiet")
    branch = read_branch(checkout.folder)
    assert branch.untracked == ("häufig/neu.py",)
    assert concerns(branch, image_of_commit=True) == ()
    (found,) = concerns(branch, image_of_commit=True, needed={"häufig/neu.py", "README.md"})
    assert found.paths == ("häufig/neu.py",)


def test_without_a_remote_nothing_is_pushed(tmp_path: Path) -> None:
    branch = read_branch(make(tmp_path, remote=False).folder)
    assert (branch.remote, branch.default) == (None, "main")
    (found,) = concerns(branch, image_of_commit=False)
    assert "no remote" in found.hint


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"CI_COMMIT_REF_NAME": "feature/x"}, "feature/x"),
        ({"CI_COMMIT_REF_NAME": "y", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "x"}, "x"),
        ({"GITHUB_HEAD_REF": "x", "GITHUB_REF_NAME": "12/merge"}, "x"),
        ({"GITHUB_HEAD_REF": "", "GITHUB_REF_NAME": "x"}, "x"),
        ({"MLC_GIT_BRANCH": "mine", "GITHUB_HEAD_REF": "x"}, "mine"),
        ({}, ""),
    ],
    ids=str,
)
def test_ci_names_the_branch_of_a_detached_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str
) -> None:
    checkout = branched(tmp_path)
    checkout.git("switch", "--quiet", "--detach")
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    assert read_branch(checkout.folder).name == name


def test_what_ci_checked_out_is_pushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitLab fetches `refs/pipelines/N` for a merge request, and no remote branch."""
    checkout = branched(tmp_path)
    assert not is_pushed(read_branch(checkout.folder))
    monkeypatch.setenv("CI_COMMIT_SHA", checkout.git("rev-parse", "HEAD"))
    assert is_pushed(read_branch(checkout.folder))
    monkeypatch.setenv("CI_COMMIT_SHA", "1" * 40)
    assert not is_pushed(read_branch(checkout.folder))


def test_a_clone_of_one_branch_asks_the_remote(tmp_path: Path) -> None:
    checkout = make(tmp_path)
    single = clone(checkout, tmp_path / "single", "--single-branch", "--branch=main")
    single.git("switch", "--quiet", "--create", "topic")
    single.commit()
    assert not is_pushed(read_branch(single.folder))
    single.git("push", "--quiet", "origin", "topic")
    assert single.git("for-each-ref", "refs/remotes/origin/topic") == ""
    assert is_pushed(read_branch(single.folder))
    single.git("remote", "set-url", "origin", str(tmp_path / "nowhere"))
    assert not is_pushed(read_branch(single.folder))


def test_the_default_branch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = make(tmp_path)
    checkout.git("branch", "--move", "main", "trunk")
    checkout.git("push", "--quiet", "origin", "trunk")
    monkeypatch.setenv("GITHUB_BASE_REF", "release")
    assert read_branch(checkout.folder).default == "main"  # origin/HEAD
    checkout.git("remote", "set-head", "origin", "--delete")
    monkeypatch.setenv("CI_DEFAULT_BRANCH", "trunk")
    assert read_branch(checkout.folder).default == "trunk"
    monkeypatch.delenv("CI_DEFAULT_BRANCH")
    assert read_branch(checkout.folder).default == "release"
    monkeypatch.delenv("GITHUB_BASE_REF")
    assert read_branch(checkout.folder).default == "main"  # by its name
    checkout.git("config", "init.defaultBranch", "trunk")
    assert read_branch(checkout.folder).default == "trunk"
    checkout.git("config", "init.defaultBranch", "elsewhere")
    assert read_branch(checkout.folder).default == "main"


def test_a_default_branch_that_nothing_tells(tmp_path: Path) -> None:
    checkout = make(tmp_path, remote=False)
    checkout.git("branch", "--move", "main", "trunk")
    branch = read_branch(checkout.folder)
    assert branch.default is None
    with pytest.raises(MlcError, match="--against BRANCH"):
        merge_base(branch)
    assert merge_base(branch, "trunk").commit == branch.commit


def test_the_merge_base_is_with_what_the_remote_has(tmp_path: Path) -> None:
    checkout = make(tmp_path)
    old = checkout.git("rev-parse", "HEAD")
    new = checkout.commit("On main")
    checkout.git("push", "--quiet")
    checkout.git("switch", "--quiet", "--create", "topic")
    checkout.commit("On the branch")
    checkout.git("branch", "--force", "main", old)  # a local main that nobody pulled
    assert merge_base(read_branch(checkout.folder)) == MergeBase(new, "main")
    assert merge_base(read_branch(checkout.folder), old[:10]) == MergeBase(old, old[:10])


def test_a_shallow_clone_says_how_to_mend_it(tmp_path: Path) -> None:
    checkout = branched(tmp_path)
    for number in range(3):
        checkout.commit(f"More {number}")
    checkout.git("push", "--quiet", "origin", "HEAD")
    shallow = clone(checkout, tmp_path / "ci", "--depth=2", "--branch=IA-1742-doc-type")
    with pytest.raises(MlcError) as single:
        merge_base(read_branch(shallow.folder), "main")
    assert "this clone has no branch `main`" in str(single.value)
    mend(shallow, str(single.value))
    expected = checkout.git("merge-base", "main", "HEAD")
    assert merge_base(read_branch(shallow.folder), "main").commit == expected

    both = clone(checkout, tmp_path / "both", "--depth=1", "--no-single-branch")
    both.git("switch", "--quiet", "IA-1742-doc-type")
    with pytest.raises(MlcError, match="GIT_DEPTH: 0") as cut:
        merge_base(read_branch(both.folder))
    assert "this clone is shallow" in str(cut.value)
    mend(both, str(cut.value))
    assert merge_base(read_branch(both.folder)).commit == expected


def mend(checkout: Checkout, message: str) -> None:
    """Run the command that a message advises."""
    command = message.split("run `")[1].split("`")[0]
    subprocess.run(command, shell=True, cwd=checkout.folder, check=True, capture_output=True)


def test_histories_that_never_met(tmp_path: Path) -> None:
    checkout = make(tmp_path)
    checkout.git("switch", "--quiet", "--orphan", "other")
    checkout.commit()
    with pytest.raises(MlcError, match="no commit in common with `main`"):
        merge_base(read_branch(checkout.folder))
    with pytest.raises(MlcError, match="has no branch `--upload-pack=x`"):
        merge_base(read_branch(checkout.folder), "--upload-pack=x")


def test_no_checkout_no_commit_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(MlcError, match="is in no git checkout"):
        read_branch(empty)
    Checkout(empty).git("init", "--quiet")
    with pytest.raises(MlcError, match="has no commit yet"):
        read_branch(empty)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MlcError, match="git is not installed"):
        read_branch(empty)


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="gives files away")
def test_a_checkout_of_another_user(tmp_path: Path) -> None:
    folder = make(tmp_path).folder
    for path in (folder, folder / ".git"):
        os.chown(path, 12345, 12345)
    with pytest.raises(MlcError, match=r"safe\.directory"):
        read_branch(folder)
