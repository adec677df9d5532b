"""A step's process and all it started end together, and the run says why."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from bench import Bench
from builders import command, script, step, timeout

from compiler.engine.process import MAX_WORD, LaunchError, start


def pid_in(path: Path) -> int:
    until = time.monotonic() + 10
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < until, f"nothing in {path}"
        time.sleep(0.02)
    return int(path.read_text())


def is_running(pid: int) -> bool:
    """Whether a process does anything: one that is dead but not yet reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_gone(pid: int) -> None:
    until = time.monotonic() + 5
    while is_running(pid):
        assert time.monotonic() < until, f"process {pid} is still there"
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
def test_a_timeout_ends_grandchildren_that_ignore_it(bench: Bench) -> None:
    grandchild = bench.root / "grandchild"
    stubborn = f"trap '' TERM; echo $$ >{grandchild}; while :; do sleep 1; done"
    done = bench.run(
        step("slow", command("sh", "-c", 'sh -c "$1" & trap "" TERM; while :; do wait; done',
                             "sh", stubborn), timeout=timeout(1)),
    )  # fmt: skip
    assert done.reason("slow") == "killed after 1s timeout"
    wait_gone(pid_in(grandchild))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
def test_what_a_step_leaves_behind_ends_with_it(bench: Bench) -> None:
    left = bench.root / "left"
    done = bench.run(step("quick", script(f"sleep 300 & echo $! >{left}")))
    assert done.status == "succeeded"
    wait_gone(pid_in(left))


def test_a_step_told_to_stop_may_tidy_up(bench: Bench) -> None:
    done = bench.run(
        step(
            "tidy", script('trap "echo tidied; exit 9" TERM; sleep 60 & wait'), timeout=timeout(1)
        ),
        grace=30,
    )
    assert done.log("tidy") == "tidied\n"
    assert done.reason("tidy") == "killed after 1s timeout"


def test_how_a_step_ended_is_told(bench: Bench) -> None:
    done = bench.run(
        step("code", script("exit 42")),
        step("segv", script("kill -SEGV $$")),
        step("kill", script("kill -KILL $$")),
        step("real_time", script("kill -40 $$")),
    )
    assert {name: done.reason(name) for name in done.steps} == {
        "code": "exit code 42",
        "segv": "killed by SIGSEGV",
        "kill": "killed by SIGKILL (out of memory?)",
        "real_time": "killed by signal 40",
    }


def test_steps_read_nothing_and_print_to_their_log_in_order(bench: Bench) -> None:
    source = "read x; echo $?; for i in 1 2 3; do echo out $i; echo err $i >&2; done"
    done = bench.run(step("say", command("sh", "-c", source)))
    assert done.log("say") == "1\nout 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n"


def test_a_step_has_a_session_of_its_own(bench: Bench) -> None:
    done = bench.run(step("say", command("python", "-c", "import os; print(os.getsid(0))")))
    assert int(done.log("say")) != os.getsid(0)


def test_words_at_the_edge_of_what_the_system_takes(tmp_path: Path) -> None:
    log = tmp_path / "log"
    path = {"PATH": os.environ["PATH"]}
    assert start(["true", "x" * (MAX_WORD - 1)], path, tmp_path, log).wait() == 0
    with pytest.raises(LaunchError, match="131,072 bytes"):
        start(["true", "x" * MAX_WORD], path, tmp_path, log)
    name = "LONG"
    room = MAX_WORD - 1 - len(name) - 1
    assert start(["true"], path | {name: "é" * (room // 2)}, tmp_path, log).wait() == 0
    with pytest.raises(LaunchError, match="variable LONG"):
        start(["true"], path | {name: "é" * (room // 2 + 1)}, tmp_path, log)
    with pytest.raises(LaunchError, match="NUL"):
        start(["true", "a\0b"], path, tmp_path, log)
    with pytest.raises(LaunchError, match="half a character"):
        start(["true", "\ud800"], path, tmp_path, log)


def test_stopping_what_has_ended_does_nothing(tmp_path: Path) -> None:
    child = start(["true"], {"PATH": os.environ["PATH"]}, tmp_path, tmp_path / "log")
    assert child.wait() == 0
    child.stop(signal.SIGKILL, "too late")
    assert child.stopped == ""
