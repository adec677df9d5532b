"""`mlc run` and the commands that read its record, from outside: processes, signals, exit codes."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SPEC = """\
apiVersion: mlc/v1
kind: Algorithm
name: demo_run
image: registry.example.com/demo:1
params:
  text: hello
  rows: 3
inputs:
  data: {type: Dataset, default: in.txt}
steps:
  fetch:
    command: [sh, -c, 'cat "$1" > "$2"; printf "%s" "$4" > "$3"; echo fetched', sh]
    args: ["${{ inputs.data }}", "${{ outputs.data }}", "${{ outputs.rows }}", "${{ params.rows }}"]
    outputs: {data: Dataset, rows: integer}
  fit:
    python: steps:fit
    inputs:
      data: ${{ steps.fetch.outputs.data }}
      rows: ${{ steps.fetch.outputs.rows }}
      text: ${{ params.text }}
    outputs: {metrics: Metrics, model: Model}
  report:
    inputs: {metrics: "${{ steps.fit.outputs.metrics }}"}
    outputs: {page: HTML}
    script: |
      echo "<p>$(cat "$INPUT_METRICS")" > "$OUTPUT_PAGE"
"""
STEPS = """\
import json

def fit(data, rows, text, metrics, model):
    if text == "boom":
        print("about to fail")
        raise ValueError("no luck")
    print(f"fitting {rows} rows")
    model.mkdir()
    (model / "weights").write_text(text)
    metrics.write_text(json.dumps({"accuracy": 0.912345, "rows": rows}))
"""


def mlc(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "compiler", *arguments],
        cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr.replace("  | Traceback", ""), done.stderr
    return done


def start(folder: Path, spec: str) -> subprocess.Popen[str]:
    (folder / "spec.yaml").write_text(spec)
    return subprocess.Popen(
        [sys.executable, "-m", "compiler", "run", "spec.yaml"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for(path: Path) -> str:
    until = time.monotonic() + 20
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < until, f"nothing in {path}"
        time.sleep(0.02)
    return path.read_text().strip()


def last(folder: Path) -> dict[str, object]:
    found = json.loads(mlc(folder, "show", "last", "--format", "json").stdout)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mlc.toml").write_text("")
    (tmp_path / "in.txt").write_text("some data\n")
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "steps.py").write_text(STEPS)
    return tmp_path


def test_a_run_from_its_start_to_its_report(project: Path) -> None:
    done = mlc(project, "run", "spec.yaml", "-p", "text=it's")
    assert done.returncode == 0
    run = done.stderr.split()[1]
    assert re.fullmatch(r"demo-run-\d{8}-\d{6}-[a-z2-9]{3}", run)
    assert re.sub(r" in [0-9.]+m?s$", " in T", done.stderr, flags=re.MULTILINE) == (
        f"run {run}\n"
        "  fetch   started\n  fetch   done in T\n"
        "  fit     started\n  fit     done in T\n"
        "  report  started\n  report  done in T\n"
        "succeeded in T\n"
    )
    folder = f".mlc/runs/{run}"
    assert done.stdout == (
        "\nmetrics\n"
        "  fit.metrics  accuracy  0.912345\n"
        "               rows      3\n"
        "\noutputs\n"
        "  fetch.rows  3\n"
        "\nartifacts\n"
        f"  fetch.data   Dataset  10 B  {folder}/fetch/1/outputs/data\n"
        f"  fit.metrics  Metrics  33 B  {folder}/fit/1/outputs/metrics\n"
        f"  fit.model    Model    4 B   {folder}/fit/1/outputs/model\n"
        f"  report.page  HTML     37 B  {folder}/report.page.html\n"
    )
    assert (project / folder / "report.page.html").read_text().startswith("<p>{")
    again = mlc(project, "run", "spec.yaml", "-p", "text=it's")
    assert f"  fit     cached, from {run}\n" in again.stderr
    assert (project / ".mlc/.gitignore").read_text() == "*\n"

    shown = mlc(project, "show", run)
    assert shown.returncode == 0
    assert "params\n  text  it's\n  rows  3\n" in shown.stdout
    assert "inputs\n  data  in.txt\n" in shown.stdout
    assert re.search(r"^  fetch   succeeded  \S+$", shown.stdout, re.MULTILINE)
    cached = mlc(project, "show", "last").stdout
    assert re.search(rf"^  fit     cached  +from {run}$", cached, re.MULTILINE)

    logs = mlc(project, "logs", run).stdout
    assert logs == "==> fetch <==\nfetched\n==> fit <==\nfitting 3 rows\n==> report <==\n"
    assert mlc(project, "logs", run, "fit").stdout == "fitting 3 rows\n"
    assert mlc(project, "logs", "last", "fit").stdout == "fitting 3 rows\n"

    assert mlc(project, "get", "last", "fetch.rows").stdout == "3\n"
    assert mlc(project, "get", "last", "fetch.data").stdout == "some data\n"
    assert mlc(project, "get", "last", "fit.model").returncode == 1
    assert mlc(project, "get", "last", "fit.model", "-o", "copy").returncode == 0
    assert (project / "copy/weights").read_text() == "it's"
    assert mlc(project, "get", "last", "fit.model", "-o", "copy").returncode == 1
    missing = mlc(project, "get", "last", "fit.modell")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "it has `metrics` and `model`" in missing.stderr


def test_a_failed_run_says_what_failed_and_why(project: Path) -> None:
    done = mlc(project, "run", "spec.yaml", "-p", "text=boom")
    assert done.returncode == 1
    assert "  fit     failed after" in done.stderr
    assert "  report  not run: needs fit, which failed\n" in done.stderr
    assert "\nfit failed: exit code 1\n  | about to fail\n  | Traceback" in done.stderr
    assert "  | ValueError: no luck\n  its log: .mlc/runs/" in done.stderr
    assert "fetch.rows" in done.stdout
    shown = mlc(project, "show", "last").stdout
    assert re.search(r"^status +failed: fit failed$", shown, re.MULTILINE)
    assert re.search(r"^  fit +failed +\S+ +exit code 1$", shown, re.MULTILINE)


def test_a_run_as_data(project: Path) -> None:
    done = mlc(project, "run", "spec.yaml", "--format", "json", "-q", "-p", "rows=4")
    assert done.stderr == ""
    data = json.loads(done.stdout)
    assert data["status"] == "succeeded"
    assert data["params"] == {"text": "hello", "rows": 4}
    steps = {step["name"]: step for step in data["steps"]}
    assert steps["fit"]["metrics"] == {"metrics": {"accuracy": 0.912345, "rows": 4}}
    assert steps["fetch"]["outputs"] == {"rows": 4}
    assert Path(steps["report"]["artifacts"]["page"]["path"]).exists()
    assert steps["fit"]["tries"][0]["exit_code"] == 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", data["started"])
    assert json.loads(mlc(project, "show", data["id"], "--format", "json").stdout) == data
    assert json.loads(mlc(project, "runs", "--format", "json").stdout) == [data]


def test_quiet_says_nothing_but_failures(project: Path) -> None:
    done = mlc(project, "run", "spec.yaml", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = mlc(project, "run", "spec.yaml", "-q", "-p", "text=boom")
    assert done.stderr.startswith("\nfit failed: exit code 1\n")


def test_verbose_says_what_a_process_does_without(project: Path) -> None:
    assert "note: fit: a process on this machine does without image\n" in (
        mlc(project, "run", "spec.yaml", "-v").stderr
    )


def test_inputs_are_given_like_parameters(project: Path) -> None:
    (project / "other.txt").write_text("other\n")
    assert mlc(project, "run", "spec.yaml", "-p", "data=other.txt").returncode == 0
    assert mlc(project, "get", "last", "fetch.data").stdout == "other\n"
    (project / "values.yaml").write_text("data: in.txt\nrows: 9\n")
    assert mlc(project, "run", "spec.yaml", "--params", "values.yaml").returncode == 0
    assert last(project)["inputs"] == {"data": "in.txt"}
    refused = mlc(project, "run", "spec.yaml", "-p", "data=nowhere")
    assert refused.returncode == 1
    assert "error[MLC803]: the input `data` can't be had" in refused.stderr
    assert "spec.yaml:9:3" in refused.stderr


def test_the_list_of_runs(project: Path) -> None:
    assert mlc(project, "runs").stderr == "no runs yet; start one with mlc run SPEC\n"
    assert mlc(project, "show", "last").returncode == 3
    mlc(project, "run", "spec.yaml")
    (project / "other.yaml").write_text(SPEC.replace("demo_run", "other"))
    mlc(project, "run", "other.yaml", "-p", "text=boom")
    heading, *lines = mlc(project, "runs").stdout.splitlines()
    assert heading.split() == ["RUN", "STATUS", "STARTED", "TOOK", "METRICS"]
    assert [line.split()[1] for line in lines] == ["failed", "succeeded"]
    assert lines[1].endswith("accuracy=0.9123 rows=3")
    assert len(mlc(project, "runs", "--limit", "1").stdout.splitlines()) == 2
    for name in ("demo_run", "demo-run"):
        only = mlc(project, "runs", "--algorithm", name).stdout.splitlines()[1:]
        assert only == [re.sub("^", "", lines[1])]


def test_runs_side_by_side(project: Path) -> None:
    """Params and metrics, all of them or those that differ; what a run lacks is a dash."""
    for rows in ("3", "5"):
        assert mlc(project, "run", "spec.yaml", "-q", "-p", f"rows={rows}").returncode == 0
    second, first = (
        run["id"] for run in json.loads(mlc(project, "runs", "--format", "json").stdout)
    )
    shown = mlc(project, "compare", first, "last")
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert ["RUN", first, second] == lines[0]
    assert ["rows", "3", "5"] in lines
    assert ["text", "hello", "hello"] in lines
    assert ["fit.metrics", "rows", "3", "5"] in lines
    changed = mlc(project, "compare", first, "last", "--changed").stdout
    assert "rows" in changed and "text" not in changed and "accuracy" not in changed
    data = json.loads(mlc(project, "compare", first, second, "--format", "json").stdout)
    assert [one["metrics"]["fit.metrics"]["rows"] for one in data] == [3, 5]
    assert mlc(project, "compare", first, "nothing").returncode == 3


def test_a_run_is_found_by_its_beginning_or_end(project: Path) -> None:
    mlc(project, "run", "spec.yaml")
    mlc(project, "run", "spec.yaml")
    first, second = (line.split()[0] for line in mlc(project, "runs").stdout.splitlines()[1:])
    assert mlc(project, "show", first[-3:]).stdout.splitlines()[0].split() == ["run", first]
    assert mlc(project, "show", second).returncode == 0
    several = mlc(project, "show", "demo-run")
    assert several.returncode == 3
    assert several.stderr == f"mlc: `demo-run` could be any of 2 runs: {first}, {second}\n"
    none = mlc(project, "show", "nope")
    assert none.returncode == 3
    assert none.stderr == f"mlc: there is no run `nope`; the last one is {first}\n"
    assert (
        "has no step `nope`; it has fetch, fit, report"
        in mlc(project, "logs", "last", "nope").stderr
    )
    slip = mlc(project, "runs", "--algorithm", "demo_rum")
    near = "mlc: there is no algorithm demo_rum in this project; did you mean demo_run?\n"
    assert (slip.returncode, slip.stderr) == (3, near)
    assert mlc(project, "runs", "--algorithm", "another").returncode == 0


SLEEPER = """\
apiVersion: mlc/v1
kind: Algorithm
name: sleeper
image: registry.example.com/demo:1
steps:
  sleep: {script: "sleep 300 & echo $! > child; echo $$ > parent; wait"}
  after: {command: ["true"], needs: [sleep]}
"""


def running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_ends_its_processes_and_is_marked(
    project: Path, number: signal.Signals
) -> None:
    process = start(project, SLEEPER)
    child = wait_for(project / "child")
    parent = wait_for(project / "parent")
    process.send_signal(number)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    # The two are told in the order in which they are learnt of, which is left to chance.
    assert "  sleep  stopped\n" in stderr
    assert "  after  not run: the run was interrupted\n" in stderr
    assert not running(child)
    assert not running(parent)
    assert last(project)["status"] == "interrupted"
    steps = last(project)["steps"]
    assert isinstance(steps, list)
    assert [step["status"] for step in steps] == ["interrupted", "omitted"]


def test_a_second_interrupt_does_not_wait(project: Path) -> None:
    stubborn = SLEEPER.replace("sleep 300 &", "trap '' TERM; sleep 300 &").replace(
        "wait", "while :; do sleep 1; done"
    )
    process = start(project, stubborn)
    parent = wait_for(project / "parent")
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None, "the step has time to tidy up"
    before = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert time.monotonic() - before < 5
    assert process.returncode == 130
    assert not running(parent)


LAST = """\
finally:
  tell:
    env: {STATUS: "${{ run.status }}"}
    script: "echo $STATUS > told; [ -e slow ] && { trap '' TERM; echo $$ > teller; sleep 300; }; :"
"""


def test_an_interrupted_run_still_runs_finally(project: Path) -> None:
    process = start(project, SLEEPER + LAST)
    wait_for(project / "parent")
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert (project / "told").read_text() == "failed\n"
    assert re.search(r"^interrupted after \S+: the run was interrupted$", stderr, re.MULTILINE)
    data = last(project)
    assert (data["status"], data["reason"]) == ("interrupted", "the run was interrupted")
    assert [step["status"] for step in data["steps"]] == [  # type: ignore[attr-defined]
        "interrupted", "omitted", "succeeded",
    ]  # fmt: skip
    shown = mlc(project, "show", "last").stdout
    assert re.search(r"^finally\n  tell  succeeded", shown, re.MULTILINE)


def test_a_second_interrupt_ends_finally_too(project: Path) -> None:
    (project / "slow").touch()
    process = start(project, SLEEPER + LAST)
    wait_for(project / "parent")
    process.send_signal(signal.SIGINT)
    teller = wait_for(project / "teller")
    before = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert time.monotonic() - before < 5
    assert process.returncode == 130
    assert not running(teller)
    assert [step["status"] for step in last(project)["steps"]] == [  # type: ignore[attr-defined]
        "interrupted", "omitted", "interrupted",
    ]  # fmt: skip


def test_an_interrupt_while_finally_runs(project: Path) -> None:
    (project / "slow").touch()
    spec = SLEEPER.replace("sleep 300 & echo $! > child; echo $$ > parent; wait", ":")
    process = start(project, spec + LAST.replace("trap '' TERM; ", ""))
    teller = wait_for(project / "teller")
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert stderr.count("note: interrupted: what runs is told to end") == 1
    assert not running(teller)
    assert (project / "told").read_text() == "succeeded\n"
    data = last(project)
    assert data["status"] == "interrupted"
    assert [step["status"] for step in data["steps"]] == [  # type: ignore[attr-defined]
        "succeeded", "succeeded", "interrupted",
    ]  # fmt: skip


def test_two_interrupts_at_once_leave_finally_out(project: Path) -> None:
    stubborn = SLEEPER.replace("sleep 300 &", "trap '' TERM; sleep 300 &").replace(
        "wait", "while :; do sleep 1; done"
    )
    process = start(project, stubborn + LAST)
    wait_for(project / "parent")
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert not (project / "told").exists()
    steps = last(project)["steps"]
    assert isinstance(steps, list)
    assert (steps[-1]["status"], steps[-1]["finally"]) == ("omitted", True)


def test_an_interrupt_in_a_loop(project: Path) -> None:
    spec = SLEEPER.replace("  sleep: {", "  sleep: {foreach: {n: [1, 2, 3]}, parallel: 1, ")
    process = start(project, spec)
    parent = wait_for(project / "parent")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert not running(parent)
    steps = last(project)["steps"]
    assert isinstance(steps, list)
    assert [(step["name"], step["status"], step["loop"], step["rounds"]) for step in steps] == [
        ("sleep", "interrupted", None, 3),
        ("sleep.0", "interrupted", "sleep", None),
        ("after", "omitted", None, None),
    ]


LOOPS = """\
apiVersion: mlc/v1
kind: Algorithm
name: loops
image: registry.example.com/demo:1
params:
  numbers: {type: array, items: {type: integer}, default: [1, 2]}
  least: 0
steps:
  grid:
    foreach: {n: "${{ params.numbers }}"}
    steps:
      fit:
        inputs: {n: "${{ each.n }}"}
        outputs: {square: integer, model: Model}
        script: |
          echo "fitting $INPUT_N"
          [ "$INPUT_N" -ge 0 ]
          echo $((INPUT_N * INPUT_N)) | tee "$OUTPUT_SQUARE" > "$OUTPUT_MODEL"
      check:
        when: ${{ steps.fit.outputs.square > params.least }}
        command: [echo, checked, "${{ steps.fit.outputs.square }}"]
  all: {command: [echo, "${{ steps.fit.outputs.square }}"]}
outputs:
  squares: ${{ steps.fit.outputs.square }}
"""


def rows(text: str, heading: str) -> list[str]:
    """The lines under a heading, a space between columns; what a step took is left out."""
    found = text.split(f"\n{heading}\n")[1].split("\n\n")[0].splitlines()
    return [" ".join(re.sub(r" +[0-9.]+m?s(?= |$)", "", line).split()) for line in found]


def test_loops_in_what_is_shown(project: Path) -> None:
    (project / "spec.yaml").write_text(LOOPS)
    done = mlc(project, "run", "spec.yaml", "-p", "least=1")
    assert done.returncode == 0, done.stderr
    assert re.search("^  grid  2 rounds$", done.stderr, re.MULTILINE)
    assert re.search(r"^  check.0  skipped: `when` is false$", done.stderr, re.MULTILINE)
    shown = mlc(project, "show", "last").stdout
    assert rows(shown, "steps") == [
        "grid [2 rounds] succeeded",
        "fit.0 succeeded",
        "check.0 skipped `when` is false",
        "fit.1 succeeded",
        "check.1 succeeded",
        "all succeeded",
    ]
    assert re.search("^  grid .*\n    fit.0 ", shown, re.MULTILINE)
    assert rows(shown, "outputs") == ["squares [1,4]", "fit.0.square 1",
                                      "fit.1.square 4"]  # fmt: skip
    assert mlc(project, "get", "last", "squares").stdout == "[1,4]\n"
    assert mlc(project, "get", "last", "fit.1.square").stdout == "4\n"
    assert mlc(project, "get", "last", "fit.1.model").stdout == "4\n"
    refused = mlc(project, "get", "last", "fit.square")
    assert (refused.returncode, refused.stderr) == (1, "`fit` ran in rounds: fit.0, fit.1\n")
    fits = "==> fit.0 <==\nfitting 1\n==> fit.1 <==\nfitting 2\n"
    assert mlc(project, "logs", "last", "fit").stdout == fits
    assert mlc(project, "logs", "last", "fit.1").stdout == "fitting 2\n"
    grid = f"{fits}==> check.1 <==\nchecked 4\n"
    assert mlc(project, "logs", "last", "grid").stdout == grid
    assert last(project)["outputs"] == {"squares": [1, 4]}

    again = mlc(project, "run", "spec.yaml", "-p", "numbers=[2,3]")
    assert re.search("^  fit.0  cached, from loops-", again.stderr, re.MULTILINE)
    assert mlc(project, "logs", "last", "fit.0").stdout == "fitting 2\n", "that of another round"


def test_a_long_loop_is_shown_by_what_did_not_succeed(project: Path) -> None:
    (project / "spec.yaml").write_text(LOOPS)
    numbers = [*range(30), -1, -2]
    done = mlc(project, "run", "spec.yaml", "-p", f"numbers={numbers}")
    assert done.returncode == 1
    assert done.stderr.count("failed: exit code 1") == 2
    shown = mlc(project, "show", "last").stdout
    assert rows(shown, "steps") == [
        "grid [32 rounds] failed 2 of 32 rounds failed",
        "check.0 skipped `when` is false",
        "fit.30 failed exit code 1",
        "check.30 omitted needs fit.30, which failed",
        "fit.31 failed exit code 1",
        "check.31 omitted needs fit.31, which failed",
        "and 59 more succeeded",
        "all omitted needs grid, which failed",
    ]
    assert re.search(r"^status +failed: fit.30, fit.31 failed$", shown, re.MULTILINE)
    assert last(project)["outputs"] == {}


def test_a_run_whose_process_was_killed_is_shown_as_lost(project: Path) -> None:
    process = start(project, SLEEPER)
    parent, child = wait_for(project / "parent"), wait_for(project / "child")
    time.sleep(0.3)
    assert last(project)["status"] == "running"
    process.kill()
    process.communicate()
    try:
        assert mlc(project, "runs").stdout.splitlines()[1].split()[1] == "lost"
        shown = mlc(project, "show", "last").stdout
        assert re.search(r"^status +lost: its process is gone", shown, re.MULTILINE)
        assert re.search(r"^  sleep +lost$", shown, re.MULTILINE)
        assert re.search(r"^  after +waiting$", shown, re.MULTILINE)
    finally:
        for pid in (child, parent):
            os.kill(int(pid), signal.SIGKILL)


def test_several_runs_at_once(project: Path) -> None:
    spec = SPEC.replace("echo fetched", "sleep 0.3; echo fetched").replace(
        "    outputs: {data: Dataset, rows: integer}\n",
        "    outputs: {data: Dataset, rows: integer}\n    cache: false\n",
    )
    processes = [start(project, spec) for _ in range(4)]
    assert [p.communicate(timeout=60)[1].splitlines()[-1].split()[0] for p in processes] == (
        ["succeeded"] * 4
    )
    found = json.loads(mlc(project, "runs", "--format", "json").stdout)
    assert len({run["id"] for run in found}) == 4
    assert {run["status"] for run in found} == {"succeeded"}
    assert all(len(run["steps"]) == 3 for run in found)


def test_a_terminal_shows_the_steps_as_they_go(project: Path) -> None:
    progress = r'echo half way; sleep 0.6; printf "a\rat 90%%\r"; sleep 0.6'
    slow = SPEC.replace("echo fetched", progress)
    (project / "spec.yaml").write_text(slow)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project)
        os.environ.update(TERM="xterm-256color", COLUMNS="90", LINES="30")
        os.execv(sys.executable, [sys.executable, "-m", "compiler", "run", "spec.yaml"])
    shown = b""
    while select.select([terminal], [], [], 30)[0]:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not data:
            break
        shown += data
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert re.search(r"▶ fetch +\S+ half way", text)
    assert re.search(r"▶ fetch +\S+ at 90%", text), "a progress bar's last state"
    assert re.search(r"· report", text)
    assert re.search(r"✓ report", text)
    assert "succeeded in" in text
    assert "\x1b[?25h" in shown.decode(), "the cursor is back"


def test_a_pipe_needs_no_table_printer(project: Path) -> None:
    program = (
        "import sys\nfrom compiler.commands.run import run_spec\n"
        "assert run_spec('spec.yaml') == 0\nassert 'rich' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_disk_that_can_not_be_written_is_the_environments_fault(project: Path) -> None:
    (project / ".mlc").write_text("in the way")
    done = mlc(project, "run", "spec.yaml")
    assert done.returncode == 3
    assert done.stderr.startswith("mlc: can't open the record of runs in ")


def test_a_record_of_another_format_is_left_alone(project: Path) -> None:
    import sqlite3

    mlc(project, "run", "spec.yaml")
    connection = sqlite3.connect(project / ".mlc/runs.db")
    connection.execute("PRAGMA user_version = 99")
    connection.commit()
    connection.close()
    done = mlc(project, "runs")
    assert done.returncode == 3
    assert "the record of runs has format 99" in done.stderr
