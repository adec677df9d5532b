"""Artifacts from outside: paths, URIs, and what is said where they can't be had."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench import Bench
from builders import command, pipeline_input, pipeline_input_ref, step

from compiler.engine.inputs import InputError, fetch

SHOW = step("show", command("sh", "-c", 'find "$1" -type f | sort | xargs cat; echo "$1"', "sh",
                            pipeline_input_ref("data")))  # fmt: skip


@pytest.mark.parametrize(
    "form", ["in/a.txt", "./in/../in/a.txt", "{root}/in/a.txt", "file://{root}/in/a.txt"]
)
def test_a_path_or_file_uri(bench: Bench, form: str) -> None:
    bench.write("in/a.txt", "hello\n")
    uri = form.format(root=bench.root)
    done = bench.run(SHOW, inputs=(pipeline_input("data", uri),))
    assert done.log("show") == f"hello\n{bench.root}/in/a.txt\n"


def test_a_folder_and_another_than_the_default(bench: Bench) -> None:
    bench.write("in/a.txt", "a\n")
    bench.write("in/b/b.txt", "b\n")
    inputs = (pipeline_input("data", "s3://bucket/key"),)
    done = bench.run(SHOW, inputs=inputs, given={"data": "in"})
    assert done.log("show") == f"a\nb\n{bench.root}/in\n"
    home = bench.run(SHOW, inputs=inputs, given={"data": "~/in"}, env={"HOME": "/nowhere"})
    assert home.codes == ["MLC803"]


def test_a_missing_input_is_found_before_anything_starts(bench: Bench) -> None:
    first = step("first", command("touch", "started"))
    done = bench.run(first, SHOW, inputs=(pipeline_input("data", "in/nowhere"),))
    assert done.status == "refused"
    assert [d.message for d in done.result.diagnostics] == [
        "the input `data` can't be had: there is no file or folder `in/nowhere`"
    ]
    assert done.result.diagnostics[0].hint == "give another: -p data=PATH"
    assert not (bench.root / "started").exists()
    assert bench.run(SHOW, inputs=(pipeline_input("data"),)).codes == ["MLC802"]
    unused = bench.run(first, inputs=(pipeline_input("data", "in/nowhere"),))
    assert unused.status == "succeeded", "no step reads it"


def test_all_that_is_missing_is_said_at_once(bench: Bench) -> None:
    both = step("both", command("cat", pipeline_input_ref("a"), pipeline_input_ref("b")))
    done = bench.run(both, inputs=(pipeline_input("a", "nix"), pipeline_input("b")))
    assert done.codes == ["MLC803", "MLC802"]


def test_without_the_package_for_remote_stores_it_is_said_how_to_get_it(tmp_path: Path) -> None:
    # -S leaves out site-packages, and with them fsspec.
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from compiler.engine.inputs import InputError, fetch\n"
        "try:\n    fetch('s3://bucket/key', Path('.'), Path('.'))\n"
        "except InputError as problem:\n    print(problem)\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-S", "-c", program, str(root)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "`s3://bucket/key` is not on this machine" in done.stdout
    assert "pip install fsspec" in done.stdout


def test_a_remote_artifact_is_fetched_once_for_each_state(bench: Bench) -> None:
    fsspec = pytest.importorskip("fsspec", reason="remote inputs need fsspec")
    store = fsspec.filesystem("memory")
    store.pipe("/reports/2026-11/a.csv", b"one\n")
    store.pipe("/reports/2026-11/sub/b.csv", b"two\n")
    inputs = (pipeline_input("data", "memory://reports/2026-11"),)
    done = bench.run(SHOW, inputs=inputs)
    *lines, path = done.log("show").split("\n")[:-1]
    assert lines == ["one", "two"]
    assert Path(path).name == "2026-11"
    assert bench.run(SHOW, inputs=inputs).log("show") == done.log("show"), "not fetched again"
    store.pipe("/reports/2026-11/a.csv", b"three\n")
    later = bench.run(SHOW, inputs=inputs).log("show")
    assert later.startswith("three\ntwo\n")
    assert later != done.log("show")
    single = bench.run(SHOW, inputs=inputs, given={"data": "memory://reports/2026-11/a.csv"})
    assert single.log("show").startswith("three\n")
    assert single.log("show").endswith("/a.csv\n")


def test_what_a_store_can_not_give_is_said(tmp_path: Path) -> None:
    pytest.importorskip("fsspec", reason="remote inputs need fsspec")
    with pytest.raises(InputError, match="can't be read: nothing is there"):
        fetch("memory://nowhere/x", tmp_path, tmp_path)
    with pytest.raises(InputError, match="can't be read: Protocol not known: nosuch"):
        fetch("nosuch://x", tmp_path, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_record_names_what_was_read(bench: Bench) -> None:
    bench.write("in.txt", "x")
    done = bench.run(SHOW, inputs=(pipeline_input("data", "in.txt"),))
    from compiler.engine.history import find, open_history

    history = open_history(bench.root)
    assert history is not None
    assert json.dumps(find(history, str(done.result.run)).inputs) == '{"data": "in.txt"}'
    history.close()
