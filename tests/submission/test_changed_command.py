"""`mlc changed`, as a person and a script see it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from checkouts import Checkout, clone, make
from test_changed import FILES


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A branch that changed a base and a module, and deleted two algorithms."""
    made = make(tmp_path)
    made.write_all(FILES)
    made.commit("A project")
    made.git("push", "--quiet")
    made.git("switch", "--quiet", "--create", "IA-1742-doc-type")
    made.write_all({"src/doc_type/corpus.py": "WORDS = []\n"})
    made.git("rm", "--quiet", "algorithms/lines.yaml", "algorithms/all.yaml")
    made.commit()
    return made


def mlc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "compiler", "changed", *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_as_text(checkout: Checkout) -> None:
    done = mlc(checkout.folder)
    base = checkout.git("rev-parse", "main")[:8]
    assert done.returncode == 0
    assert done.stderr == f"3 algorithms changed; IA-1742-doc-type left main at {base}\n"
    assert done.stdout == (
        "all (deleted)  algorithms/all.yaml\n"
        "  deleted algorithms/all.yaml: the spec\n"
        "doc_type (changed)  algorithms/doc_type.yaml\n"
        "  modified src/doc_type/corpus.py: step `fit`, by way of src/doc_type/training.py\n"
        "lines (deleted)  algorithms/lines.yaml\n"
        "  deleted algorithms/lines.yaml: the spec\n"
    )


def test_as_data(checkout: Checkout) -> None:
    data = json.loads(mlc(checkout.folder, "--format", "json").stdout)
    assert data["branch"] == "IA-1742-doc-type"
    assert data["commit"] == checkout.git("rev-parse", "HEAD")
    assert (data["against"], data["merge_base"]) == ("main", checkout.git("rev-parse", "main"))
    assert data["algorithms"][1] == {
        "name": "doc_type",
        "spec": "algorithms/doc_type.yaml",
        "state": "changed",
        "reasons": [
            {
                "path": "src/doc_type/corpus.py",
                "kind": "code",
                "change": "modified",
                "detail": "step `fit`, by way of src/doc_type/training.py",
            }
        ],
    }


def test_as_paths_for_other_commands(checkout: Checkout) -> None:
    assert mlc(checkout.folder, "--format", "paths").stdout == "algorithms/doc_type.yaml\n"
    below = checkout.folder / "algorithms"
    assert mlc(below, "--format", "paths").stdout == "doc_type.yaml\n"


def test_only_some_specs(checkout: Checkout) -> None:
    checkout.write_all({"more/one.yaml": FILES["algorithms/lines.yaml"].replace("lines", "one", 1)})
    named = mlc(checkout.folder, "algorithms/doc_type.yaml").stdout
    assert named.startswith("doc_type (changed)")
    assert "deleted" not in named
    assert "all (deleted)" in mlc(checkout.folder, "algorithms").stdout
    assert mlc(checkout.folder, "more").stdout.startswith("one (new)  more/one.yaml\n")


def test_against_another_branch(checkout: Checkout) -> None:
    done = mlc(checkout.folder, "--against", "IA-1742-doc-type")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("no algorithm changed; this is IA-1742-doc-type, at ")
    done = mlc(checkout.folder, "--against", "other")
    assert done.returncode == 3
    assert "this clone has no branch `other`; run `git fetch origin" in done.stderr


def test_the_last_algorithms_are_deleted(checkout: Checkout) -> None:
    checkout.git("rm", "--quiet", "algorithms/doc_type.yaml")
    done = mlc(checkout.folder)
    assert done.stdout.count("(deleted)") == 3
    checkout.commit()
    checkout.git("push", "--quiet", "origin", "HEAD:main")
    done = mlc(checkout.folder)
    assert done.returncode == 3
    assert "there is no spec in algorithms" in done.stderr


def test_in_ci(checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A detached commit in a shallow clone, and again after the fetch that the message advises."""
    checkout.git("push", "--quiet", "origin", "HEAD")
    cut = clone(checkout, tmp_path / "ci", "--depth=1", "--branch=IA-1742-doc-type")
    cut.git("switch", "--quiet", "--detach")
    monkeypatch.setenv("CI_COMMIT_REF_NAME", "IA-1742-doc-type")
    monkeypatch.setenv("CI_DEFAULT_BRANCH", "main")
    done = mlc(cut.folder)
    assert done.returncode == 3
    subprocess.run(done.stderr.split("`")[3], shell=True, cwd=cut.folder, check=True)
    done = mlc(cut.folder)
    assert "IA-1742-doc-type left main at " in done.stderr
    assert done.stdout == mlc(checkout.folder).stdout


def test_outside_of_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    done = mlc(tmp_path)
    assert done.returncode == 3
    assert done.stderr.endswith("is in no git checkout\n")
