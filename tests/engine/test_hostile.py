"""Steps and disks that do what no one should: the run goes on, and nothing false is reused."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from bench import Bench
from builders import output_of, pipeline_input, pipeline_input_ref, script, step, volume

from compiler.diagnostics import MlcError
from compiler.engine import digests, store
from compiler.engine.digests import UntoldError, code_digest
from compiler.engine.events import Event, StepChanged
from compiler.engine.history import find, open_history
from compiler.ir import Step


@pytest.mark.parametrize(
    ("kind", "source", "reason"),
    [
        ("string", 'mkfifo "$OUTPUT_O"', "neither a file nor a folder"),
        ("Metrics", 'mkfifo "$OUTPUT_O"', "neither a file nor a folder"),
        ("integer", 'ln -s /dev/zero "$OUTPUT_O"', "neither a file nor a folder"),
        ("string", 'head -c 17000000 /dev/zero >"$OUTPUT_O"', "larger than 16 MiB"),
        ("string", 'ln -s o "$OUTPUT_O"', "can't be read"),
        ("Artifact", 'ln -s o "$OUTPUT_O"', "can't be read"),
        ("Artifact", 'mkdir "$OUTPUT_O"; ln -s x "$OUTPUT_O/x"', "can't be read"),
        ("string", "printf 'a\\000b' >\"$OUTPUT_O\"", "NUL"),
        ("array", """echo '["\\ud800"]' >"$OUTPUT_O\"""", "lone surrogate"),
        ("Metrics", """echo '{"\\ud800": 1}' >"$OUTPUT_O\"""", "lone surrogate"),
    ],
)
def test_a_bad_output_fails_its_step_alone(
    bench: Bench, kind: str, source: str, reason: str
) -> None:
    source = f"cat <<'END' >run.sh\n{source}\nEND\nsh run.sh"
    done = bench.run(step("bad", script(source), outputs={"o": kind}), step("good", script(":")))
    assert done.steps == {"bad": "failed", "good": "succeeded"}
    assert done.reason("bad").startswith("output o: ")
    assert reason in done.reason("bad")


def make(source: str = 'echo 1 >"$OUTPUT_O"', **keys: Any) -> Step:
    return step("make", script(source), outputs={"o": "Artifact"}, **keys)


def test_a_cache_that_takes_nothing_fails_no_step(bench: Bench) -> None:
    bench.write(".mlc/cache", "a file")
    done = bench.run(make())
    assert done.steps == {"make": "succeeded"}
    assert any(note.startswith("make: not kept for reuse: ") for note in done.notes)


def test_what_was_made_of_a_changed_input_is_not_kept(bench: Bench) -> None:
    data = bench.write("data", "0")
    use = 'cat "$INPUT_I" >"$OUTPUT_O"; echo 2 >>"$INPUT_I"'
    steps = [
        make(),
        step("use", script(use), inputs={"i": output_of("make", "o")}, outputs={"o": "Artifact"}),
        step("own", script(use), inputs={"i": pipeline_input_ref("d")}, outputs={"o": "Artifact"}),
    ]
    inputs = (pipeline_input("d", str(data)),)
    done = bench.run(*steps, inputs=inputs)
    assert sorted(note.partition(":")[0] for note in done.notes) == ["own", "use"]
    data.write_text("0")
    again = bench.run(*steps, inputs=inputs)
    assert again.steps == {"make": "cached", "use": "succeeded", "own": "succeeded"}


def test_what_a_volume_is_counts(bench: Bench) -> None:
    bench.write(".claims/v1/x", "")
    bench.write(".claims/v2/x", "")
    bench = bench.set(volumes={"models": ".claims"})

    def run(sub_path: str) -> str:
        use = make(volumes=[volume("models", sub_path=sub_path)])
        return bench.run(use).steps["make"]

    assert [run("v1"), run("v2"), run("v1")] == ["succeeded", "succeeded", "cached"]


def test_a_failure_of_mlc_leaves_no_step_running(bench: Bench) -> None:
    def fail(event: Event) -> None:
        if isinstance(event, StepChanged):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bench.run(step("a", script("sleep 5")), step("b", script(":"), needs=["a"]), listener=fail)
    with sqlite3.connect(store.database(bench.root)) as connection:
        found = dict(connection.execute("SELECT step, status FROM steps"))
        assert found == {"a": "interrupted", "b": "omitted"}
        assert connection.execute("SELECT status FROM runs").fetchone() == ("failed",)


def test_sources_that_match_nothing_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    connection = store.open_store(tmp_path)
    assert code_digest(connection, [tmp_path], (), "python", ["*.py"])
    with pytest.raises(UntoldError, match="sources match no file"):
        code_digest(connection, [tmp_path], (), "python", ["*.py", "src/**"])


def test_files_that_vanish_or_can_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.py").write_text("")
    (tmp_path / "b.py").write_text("")
    connection = store.open_store(tmp_path)

    def refuse(path: str) -> str:
        raise (FileNotFoundError if path.endswith("a.py") else PermissionError)(path)

    monkeypatch.setattr(digests, "hash_file", refuse)
    one = code_digest(connection, [tmp_path], (), "python")
    os.utime(tmp_path / "b.py", (1, 1))
    assert code_digest(connection, [tmp_path], (), "python") != one


def test_only_a_lock_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("")
    connection = sqlite3.connect(f"file:{tmp_path}/db?mode=ro", uri=True)
    begun = time.monotonic()
    with pytest.raises(sqlite3.OperationalError):
        store._in_wal_mode(connection)
    assert time.monotonic() - begun < 5


FORMAT_1 = """
CREATE TABLE steps (
  run TEXT NOT NULL, step TEXT NOT NULL, position INTEGER NOT NULL, status TEXT NOT NULL,
  reason TEXT NOT NULL, cached_from TEXT, started REAL, ended REAL,
  PRIMARY KEY (run, step)
) WITHOUT ROWID;
INSERT INTO steps VALUES ('new', 'fit', 0, 'cached', '', 'old', 2, 2);
PRAGMA user_version = 1;
"""


def test_a_record_of_an_earlier_format_is_brought_up_to_date(bench: Bench) -> None:
    done = bench.run(make())
    path = store.database(bench.root)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE steps")
        connection.executescript(FORMAT_1)
        connection.execute("UPDATE tries SET run = 'old', step = 'fit'")
        connection.execute("UPDATE runs SET id = 'new'")
        connection.commit()
    history = open_history(bench.root)
    assert history is not None
    (step,) = find(history, "new").steps
    history.close()
    assert (step.name, step.status, step.loop, step.rounds) == ("fit", "cached", None, None)
    assert step.cached_log == f".mlc/runs/{done.result.run}/make.1.log"
    assert bench.run(make()).steps == {"make": "cached"}
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.commit()
    with pytest.raises(MlcError, match="has format 99, this mlc writes 2"):
        bench.run(make())
