"""The order of a run: what waits for what, what goes on after a failure, retries and limits."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

from bench import Bench, Outcome
from builders import (
    command,
    literal,
    output_of,
    output_path,
    param,
    param_ref,
    retry,
    script,
    step,
    timeout,
)

from compiler.engine.events import RunEnded, RunStarted, StepChanged
from compiler.ir import REQUIRED, Limits, Step


def test_values_and_files_go_from_step_to_step(bench: Bench) -> None:
    done = bench.run(
        step(
            "write",
            script('echo 3 >"$OUTPUT_ROWS"; mkdir "$OUTPUT_DATA"; echo hello >"$OUTPUT_DATA/a"'),
            outputs={"rows": "integer", "data": "Dataset"},
        ),
        step(
            "read",
            command("sh", "-c", 'echo "$1 rows"; cat "$2/a"', "sh",
                    output_of("write", "rows", "integer"), output_of("write", "data")),
        ),
    )  # fmt: skip
    assert done.status == "succeeded"
    assert done.value("write", "rows") == 3
    assert done.log("read") == "3 rows\nhello\n"
    assert done.changes("write") == ["running", "succeeded"]
    assert isinstance(done.events[0], RunStarted)
    assert isinstance(done.events[-1], RunEnded)


def test_a_failure_stops_what_depends_on_it_and_nothing_else(bench: Bench) -> None:
    done = bench.run(
        step("bad", script("echo so it ends; exit 3")),
        step("after", command("true"), needs=["bad"]),
        step("later", command("true"), needs=["after"]),
        step("other", command("sleep", "0.2")),
        step("last", command("true"), needs=["other"]),
    )
    assert done.status == "failed"
    assert done.result.reason == "bad failed"
    assert done.steps == {
        "bad": "failed",
        "after": "omitted",
        "later": "omitted",
        "other": "succeeded",
        "last": "succeeded",
    }
    assert done.reason("bad") == "exit code 3"
    assert done.reason("later") == "needs bad, which failed"
    assert done.log("bad") == "so it ends\n"


def stamped(name: str, *needs: str) -> Step:
    source = 'date +%s.%N >"$OUTPUT_AT"; sleep 0.4; date +%s.%N >>"$OUTPUT_AT"'
    return step(name, script(source), outputs={"at": "Artifact"}, needs=needs)


def spans(done: Outcome, *names: str) -> list[tuple[float, float]]:
    read = [done.path(name, "at").read_text().split() for name in names]
    return sorted((float(start), float(end)) for start, end in read)


def test_the_arms_of_a_diamond_run_side_by_side(bench: Bench) -> None:
    done = bench.run(
        stamped("top"),
        stamped("left", "top"),
        stamped("right", "top"),
        stamped("bottom", "left", "right"),
        jobs=2,
    )
    (top,), (bottom,) = spans(done, "top"), spans(done, "bottom")
    first, second = spans(done, "left", "right")
    assert top[1] < first[0]
    assert second[0] < first[1], "both arms run at once"
    assert max(first[1], second[1]) < bottom[0]


def test_no_more_steps_at_once_than_the_limit(bench: Bench) -> None:
    names = [f"s{number}" for number in range(4)]
    steps = [stamped(name) for name in names]
    done = bench.run(*steps, jobs=4, limits=Limits(parallel=1))
    assert all(a[1] <= b[0] for a, b in pairwise(spans(done, *names)))
    done = bench.run(*steps, jobs=4, use_cache=False)
    assert any(b[0] < a[1] for a, b in pairwise(spans(done, *names)))


def test_a_retry_has_a_folder_of_its_own_and_may_succeed(bench: Bench) -> None:
    marks = bench.root / "tries"
    source = 'echo x >>"$1"; echo try; [ "$(wc -l <"$1")" -ge 3 ] && echo done >"$2"'
    done = bench.run(
        step(
            "flaky",
            command("sh", "-c", source, "sh", str(marks), output_path("out")),
            outputs={"out": "Artifact"},
            retry=retry(4),
        ),
        step("after", command("true"), needs=["flaky"]),
    )
    assert done.status == "succeeded"
    assert done.changes("flaky") == [
        "running", "retrying", "running", "retrying", "running", "succeeded",
    ]  # fmt: skip
    assert done.result.steps["flaky"].tries == 3
    assert done.path("flaky", "out").parts[-3:] == ("3", "outputs", "out")
    assert done.log("flaky") == "try\n"


def test_waits_between_tries_grow_up_to_the_cap(bench: Bench) -> None:
    before = time.monotonic()
    done = bench.run(step("bad", command("false"), retry=retry(2, 1, 9, max_backoff=1)))
    assert 2 <= time.monotonic() - before < 6
    assert done.steps == {"bad": "failed"}
    assert done.result.steps["bad"].tries == 3


def test_other_steps_run_while_one_waits_for_its_next_try(bench: Bench) -> None:
    before = time.monotonic()
    done = bench.run(
        step("bad", command("false"), retry=retry(1, 1)), step("good", command("true")), jobs=1
    )
    assert done.steps == {"bad": "failed", "good": "succeeded"}
    ends = [e for e in done.events if isinstance(e, StepChanged)]
    order = [e.step for e in ends if e.status in ("failed", "succeeded")]
    assert order == ["good", "bad"]
    assert time.monotonic() - before < 4


def test_a_program_that_is_not_there_is_not_tried_again(bench: Bench) -> None:
    done = bench.run(step("bad", command("no-such-program"), retry=retry(3, 60)))
    assert done.steps == {"bad": "failed"}
    assert done.reason("bad") == "no program `no-such-program` on this machine"


def test_a_file_that_is_no_program(bench: Bench) -> None:
    bench.write("notes.txt", "not a program")
    done = bench.run(step("bad", command("./notes.txt")))
    assert done.reason("bad") == "`./notes.txt` is no program that may be run"
    (bench.root / "notes.txt").chmod(0o755)
    done = bench.run(step("bad", command("./notes.txt")))
    assert "no `#!` line" in done.reason("bad")


def test_the_run_has_a_time_limit(bench: Bench) -> None:
    before = time.monotonic()
    done = bench.run(
        step("long", command("sleep", "60"), retry=retry(5)),
        step("never", command("true"), needs=["long"]),
        step("done", command("true")),
        limits=Limits(timeout=1),
        jobs=2,
    )
    assert time.monotonic() - before < 10
    assert done.status == "failed"
    assert done.result.reason == "stopped at the run's limit of 1s"
    assert done.reason("long") == "stopped at the run's limit of 1s"
    assert done.steps == {"long": "failed", "never": "omitted", "done": "succeeded"}


def test_steps_that_wait_in_line_do_not_start_once_the_run_stops(bench: Bench) -> None:
    done = bench.run(
        step("long", command("sleep", "60")),
        step("next", command("touch", "next")),
        step("last", command("touch", "last")),
        limits=Limits(timeout=1),
        jobs=1,
    )
    assert done.steps == {"long": "failed", "next": "omitted", "last": "omitted"}
    assert not {"next", "last"} & {path.name for path in bench.root.iterdir()}


def test_a_step_that_waits_for_its_next_try_ends_with_the_run(bench: Bench) -> None:
    done = bench.run(
        step("bad", command("false"), retry=retry(1, 3600)),
        step("never", command("true"), needs=["bad"]),
        limits=Limits(timeout=1),
    )
    assert done.steps == {"bad": "failed", "never": "omitted"}
    assert done.reason("bad") == "exit code 1"


def test_a_timeout_is_a_failed_try(bench: Bench) -> None:
    done = bench.run(step("slow", command("sleep", "60"), timeout=timeout(1), retry=retry(1)))
    assert done.steps == {"slow": "failed"}
    assert done.reason("slow") == "killed after 1s timeout"
    assert done.result.steps["slow"].tries == 2


def test_a_step_that_ends_well_when_told_to_stop_has_still_timed_out(bench: Bench) -> None:
    source = 'trap "exit 0" TERM; echo 1 >"$OUTPUT_N"; sleep 60 & wait'
    tidy = step("tidy", script(source), outputs={"n": "integer"}, timeout=timeout(1))
    assert bench.run(tidy).reason("tidy") == "killed after 1s timeout"
    assert bench.run(tidy).steps == {"tidy": "failed"}, "what it left was not cached"


def test_required_parameters_have_to_be_given(bench: Bench) -> None:
    echo = step("echo", command("echo", param_ref("who"), param_ref("other")))
    params = (param("who", REQUIRED), param("other", REQUIRED))
    done = bench.run(echo, params=params, values={"who": "me"})
    assert done.status == "refused"
    assert done.codes == ["MLC801"]
    assert "`other`" in done.result.diagnostics[0].message
    assert not (bench.root / ".mlc/runs").exists()
    assert bench.run(echo, params=params, values={"who": "a", "other": "b"}).log("echo") == "a b\n"


def test_where_steps_run(bench: Bench) -> None:
    (bench.root / "sub").mkdir()
    done = bench.run(
        step("root", command("pwd")),
        step("sub", command("pwd"), workdir="sub"),
        step("image", command("pwd"), workdir="/app/of/the/image"),
    )
    assert done.log("root") == f"{bench.root}\n"
    assert done.log("sub") == f"{bench.root}/sub\n"
    assert done.log("image") == f"{bench.root}\n"
    assert done.notes == [
        f"image: `/app/of/the/image` is a folder of its image; here it runs in {bench.root}"
    ]
    assert bench.run(step("none", command("pwd"), workdir="nowhere")).codes == ["MLC806"]


def test_a_failing_listener_leaves_no_process_behind(bench: Bench) -> None:
    pid_file = bench.root / "pid"

    def listener(event: object) -> None:
        if getattr(event, "step", "") == "quick" and getattr(event, "status", "") == "succeeded":
            raise ValueError("no more")

    try:
        bench.run(
            step("long", script(f"echo $$ >{pid_file}; exec sleep 60")),
            step("quick", script(f"while ! [ -s {pid_file} ]; do sleep 0.05; done")),
            jobs=2,
            listener=listener,
        )
    except ValueError as problem:
        assert str(problem) == "no more"
    else:
        raise AssertionError("the listener's error is lost")
    assert not Path(f"/proc/{pid_file.read_text().strip()}").exists()


def test_literals_may_be_null(bench: Bench) -> None:
    assert bench.run(step("say", command("echo", "a", literal(None), "b"))).log("say") == "a  b\n"
