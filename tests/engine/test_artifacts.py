"""The digest of an artifact is that of its contents and names, and of nothing else."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from compiler.engine.artifacts import ArtifactError, read_artifact
from compiler.engine.digests import read_indexed
from compiler.engine.store import open_store


def make(root: Path) -> Path:
    (root / "sub").mkdir(parents=True)
    (root / "b").write_text("b")
    (root / "sub/a ü").write_text("a")
    (root / "sub.txt").write_text("")
    return root


def test_digests_are_those_of_sha256sum(tmp_path: Path) -> None:
    folder = make(tmp_path / "x")
    listed = subprocess.run(
        "LC_ALL=C find . -type f -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum",
        shell=True, cwd=folder, capture_output=True, check=True,
    ).stdout  # fmt: skip
    total = subprocess.run(["sha256sum"], input=listed, capture_output=True, check=True).stdout
    found = read_artifact(folder)
    assert found.digest == total.split()[0].decode()
    assert [f.name for f in found.files] == ["b", "sub.txt", "sub/a ü"]
    assert found.size == 2
    one = read_artifact(folder / "b")
    assert f"{one.digest}  b" in listed.decode()
    assert one.identity != read_artifact(make(tmp_path / "y") / "sub").identity


def test_modes_times_and_empty_folders_do_not_count(tmp_path: Path) -> None:
    one, two = make(tmp_path / "1"), make(tmp_path / "2")
    (two / "empty").mkdir()
    (two / "b").chmod(0o700)
    os.utime(two / "b", (1, 1))
    assert read_artifact(one).digest == read_artifact(two).digest
    (two / "b").rename(two / "c")
    assert read_artifact(one).digest != read_artifact(two).digest


def test_links_are_followed_but_not_for_ever(tmp_path: Path) -> None:
    real = make(tmp_path / "real")
    link = tmp_path / "link"
    link.symlink_to(real)
    assert read_artifact(link).digest == read_artifact(real).digest
    (real / "again").symlink_to(real)
    (real / "dangling").symlink_to("nowhere")
    (real / "b2").symlink_to("b")
    names = [f.name for f in read_artifact(real).files]
    assert names == ["b", "b2", "sub.txt", "sub/a ü"]


def test_names_that_are_no_text(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).write_text("x")
    assert read_artifact(folder).files[0].name == "\udcff"


def test_what_is_no_artifact(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nothing is there"):
        read_artifact(tmp_path / "x")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArtifactError, match="neither a file nor a folder"):
        read_artifact(tmp_path / "pipe")
    with pytest.raises(ArtifactError, match="`pipe` in it is neither"):
        read_artifact(tmp_path)


def test_only_what_changed_is_read_again(tmp_path: Path) -> None:
    folder = make(tmp_path / "x")
    connection = open_store(tmp_path)
    first = read_indexed(connection, folder)
    assert first == read_artifact(folder)
    # A file changed a moment ago may change again without a new time.
    assert connection.execute("SELECT count(*) FROM digests").fetchone() == (0,)
    time.sleep(2.1)
    assert read_indexed(connection, folder) == first
    assert connection.execute("SELECT count(*) FROM digests").fetchone() == (3,)
    connection.execute("UPDATE digests SET digest = 'remembered' WHERE name LIKE '%/b'")
    connection.commit()
    assert read_indexed(connection, folder).files[0].digest == "remembered"
    (folder / "b").write_text("c")
    (folder / "sub.txt").unlink()
    third = read_indexed(connection, folder)
    assert third == read_artifact(folder)
    assert third.digest != first.digest
    assert connection.execute("SELECT count(*) FROM digests").fetchone() == (1,)
    connection.close()
