"""Words and lines for people: nothing in a step's output can harm a terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import get_args

import pytest

from compiler.engine.events import (
    Note,
    RunEnded,
    RunResult,
    RunStarted,
    StepChanged,
    StepResult,
    StepStatus,
)
from compiler.engine.live import LiveProgress
from compiler.engine.masking import mask, mask_file
from compiler.engine.progress import PlainProgress, describe, failures, last_lines
from compiler.units import duration, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (0.0001, "1ms"), (0.042, "42ms"), (0.1, "0.1s"), (1, "1s"), (12.34, "12.3s"),
        (59.96, "1m"), (90, "1m30s"), (120, "2m"), (3600, "1h"), (5400, "1h30m"), (3601, "1h"),
        (86400 * 2 + 3600 * 5 + 59, "2d5h"), (86400 + 59, "1d"),
    ],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1234, "1.23 kB"), (187_400, "187 kB"),
        (999_600, "1 MB"), (3_400_000_000, "3.4 GB"), (5_000_000_000_000, "5.0 TB"),
    ],
)  # fmt: skip
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


def test_each_change_of_state_is_one_line() -> None:
    out = io.StringIO()
    progress = PlainProgress(out, verbose=False)
    for event in (
        RunStarted("r-1", "r", Path("x"), ("a", "longer")),
        Note("shown"),
        Note("not shown", detail=True),
        StepChanged("a", "running", 1),
        StepChanged("a", "retrying", 1, "exit code 3\nmore", 90),
        StepChanged("a", "running", 2),
        StepChanged("a", "retrying", 2, "exit code 3"),
        StepChanged("a", "failed", 3, "exit code 3\nmore", 2.5),
        StepChanged("longer", "cached", 0, cached_from="r-0"),
        StepChanged("longer", "omitted", 0, "needs a, which failed"),
        StepChanged("longer", "interrupted", 1, "the run was interrupted"),
        StepChanged("longer", "skipped", 0, "`when` is false"),
        StepChanged("loop", "running", 0, rounds=1),
        StepChanged("longest.10", "running", 1, loop="loop"),
        StepChanged("loop", "failed", 0, "1 of 1 rounds failed", 2, rounds=1),
        RunEnded(RunResult("failed", "r-1", "a failed", None, 3, {})),
    ):
        progress(event)
    assert out.getvalue() == (
        "run r-1\n"
        "note: shown\n"
        "  a       started\n"
        "  a       try 1 failed: exit code 3; trying again in 1m30s\n"
        "  a       started, try 2\n"
        "  a       try 2 failed: exit code 3; trying again\n"
        "  a       failed after 2.5s: exit code 3\n"
        "  longer  cached, from r-0\n"
        "  longer  not run: needs a, which failed\n"
        "  longer  stopped\n"
        "  longer  skipped: `when` is false\n"
        "  loop    1 round\n"
        "  longest.10  started\n"
        "  loop        failed after 2s: 1 of 1 rounds failed\n"
        "failed after 3s: a failed\n"
    )


def test_the_last_lines_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_lines(log, 3) == []
    log.write_bytes(
        b"first\n\n10%\r50%\r90%\r\n\x1b[31mred\x1b[0m \x1b]0;title\x07\x07bell\x1b[2J\n"
        b"tab\there \xff\xfe\r\nno newline"
    )
    assert last_lines(log, 9) == [
        "first", "90%", "red bell", "tab\there ��", "no newline",
    ]  # fmt: skip
    assert last_lines(log, 1) == ["no newline"]
    log.write_bytes(b"x" * 200_000 + b"\nend\n")
    assert last_lines(log, 1) == ["end"]


def test_failures_show_all_reasons_and_where_the_log_is(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("one\ntwo\n")
    result = RunResult(
        "failed",
        "r",
        "",
        None,
        1,
        {
            "a": StepResult("a", "failed", "output x: bad\noutput y: bad", 2, 1, log, None, None),
            "b": StepResult("b", "omitted", "", 0, 0, None, None, None),
            "c": StepResult("c", "failed", "no program `x`", 1, 0, tmp_path / "c", None, None),
        },
    )
    assert failures(result, tmp_path, 1) == (
        "\na failed (2 tries): output x: bad\n  output y: bad\n  | two\n"
        f"  its log: {log}\n\nc failed: no program `x`"
    )


def test_a_terminal_too_small_for_all_steps_shows_those_that_say_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("COLUMNS", "80")
    out = io.StringIO()
    live = LiveProgress(out, verbose=False, color=False)
    names = tuple(f"s{number:02}" for number in range(60))
    live(RunStarted("r", "r", Path("x"), names))
    live(StepChanged("s59", "failed", 1, "exit code 7"))
    live(StepChanged("s58", "running", 1))
    live.close()
    text = out.getvalue()
    assert "exit code 7" in text
    assert "s58" in text
    assert "s57" not in text
    assert "and 40 more" in text


def test_of_many_failures_the_first_are_shown(tmp_path: Path) -> None:
    steps = {
        name: StepResult(name, "failed", "exit code 1", 1, 1, tmp_path / name, None, None)
        for name in (f"s.{number}" for number in range(30))
    }
    steps["s"] = StepResult("s", "failed", "30 rounds", 0, 1, None, None, None, rounds=30)
    lines = failures(RunResult("failed", "r", "", None, 1, steps), tmp_path, 1).splitlines()
    assert lines[-1] == "and 20 more failed: mlc logs r STEP"
    assert [line for line in lines if "exit code" in line] == [
        f"s.{number} failed: exit code 1" for number in range(10)
    ]


def drawn(*events: StepChanged, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that a terminal ends with after these events of a run of `grid` and `after`."""
    monkeypatch.setenv("LINES", "30")
    monkeypatch.setenv("COLUMNS", "100")
    out = io.StringIO()
    live = LiveProgress(out, verbose=False, color=False)
    live(RunStarted("r", "r", Path("x"), ("grid", "after")))
    for event in events:
        live(event)
    live.close()
    last = out.getvalue().rpartition("run r")[2]
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", last)
    return [line.rstrip() for line in text.splitlines()[1:] if line.strip()]


def test_a_loop_is_one_line_and_those_of_what_runs_or_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changes = [StepChanged("grid", "running", 0, rounds=1000)]
    for number in range(900):
        name = f"fit.{number}"
        changes.append(StepChanged(name, "running", 1, loop="grid"))
        status = "failed" if number == 7 else "succeeded" if number < 898 else "running"
        changes.append(StepChanged(name, status, 1, "exit code 7", loop="grid"))  # type: ignore[arg-type]
    changes += [
        StepChanged("inner.899", "running", 0, loop="grid", rounds=2),
        StepChanged("deep.899.1", "running", 1, loop="inner.899"),
        StepChanged("deep.899.0", "skipped", 0, loop="inner.899"),
    ]
    lines = drawn(*changes, monkeypatch=monkeypatch)
    assert [re.sub(r" +[0-9.]+m?s", "", line).split(maxsplit=2) for line in lines] == [
        ["▶", "grid", "1000 rounds: 3 running, 1 failed, 897 succeeded"],
        ["✗", "fit.7", "failed after: exit code 7"],
        ["▶", "fit.898"],
        ["▶", "fit.899"],
        ["▶", "inner.899", "2 rounds: 1 running, 1 skipped"],
        ["▶", "deep.899.1"],
        ["·", "after"],
    ]
    assert lines[2].index("fit") - lines[0].index("grid") == 2
    ended = StepChanged("grid", "succeeded", 0, rounds=1000)
    assert "897 succeeded" in drawn(*changes, ended, monkeypatch=monkeypatch)[0]


def test_secrets_are_masked_longest_first(tmp_path: Path) -> None:
    assert mask("abc abcd ab", ["abc", "abcd", ""]) == "*** *** ab"
    log = tmp_path / "log"
    log.write_bytes(b"\xff token \xff")
    mask_file(log, ["", "none"])
    assert log.read_bytes() == b"\xff token \xff"
    mask_file(log, ["token"])
    assert log.read_bytes() == b"\xff *** \xff"


def test_every_state_has_words() -> None:
    for status in get_args(StepStatus):
        assert describe(StepChanged("a", status, 1))
