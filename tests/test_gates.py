"""Gates: what they may say, and what they say of metrics."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from compiler import frontend, gates
from compiler.commands.gate import _gates, verdicts
from compiler.git import UNKNOWN
from compiler.ir import Gate

SPEC = """\
apiVersion: mlc/v1
kind: Algorithm
name: gated
image: registry.example.com/ia:1
steps:
  evaluate:
    command: [evaluate, "${{ outputs.metrics }}"]
    outputs: {metrics: Metrics}
gates:
"""
METRICS = {"evaluate.metrics": {"f1": 0.8, "loss": 2.0, "none": 0.0}}
BEFORE = {"evaluate.metrics": {"f1": 0.801, "loss": 1.0}}


def gate(tmp_path: Path, text: str) -> Gate:
    path = tmp_path / "gated.yaml"
    path.write_text(f"{SPEC}  - '{text}'\n")
    loaded = frontend.load(path, git=UNKNOWN)
    assert loaded.pipeline is not None, [d.message for d in loaded.diagnostics]
    (found,) = loaded.pipeline.gates
    return found


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("f1 >= 0.8", "passed"),
        ("f1 > 0.8", "failed"),
        ("0.7 < evaluate.metrics.f1", "passed"),
        ("f1 >= baseline.f1 - 0.005", "passed"),
        ("f1 >= baseline.f1", "failed"),
        ("evaluate.metrics.f1 >= baseline.evaluate.metrics.f1 - .005", "passed"),
        ("loss <= baseline.loss * 2", "passed"),
        ("loss <= baseline.loss * (1 + 1e-1)", "failed"),
        ("-loss < 1 - 2 - 0.5", "passed"),
        ("loss / 4 * 2 <= 1", "passed"),
        ("1 / none > 0", "failed"),
        ("recall > 0", "failed"),
        ("f1 >= baseline.recall", "open"),
        ("recall >= baseline.recall", "failed"),
    ],
)
def test_verdicts(tmp_path: Path, text: str, state: str) -> None:
    found = gate(tmp_path, text)
    verdict = gates.judge(found.text, found.comparison, METRICS, BEFORE)
    assert verdict.state == state, verdict


def test_the_first_run_has_nothing_to_compare_with(tmp_path: Path) -> None:
    found = gate(tmp_path, "f1 >= baseline.f1 - 0.005")
    verdict = gates.judge(found.text, found.comparison, METRICS, None)
    assert verdict == gates.Verdict(
        "f1 >= baseline.f1 - 0.005",
        "open",
        (("evaluate.metrics.f1", 0.8), ("baseline.evaluate.metrics.f1", None)),
        "there is no run to compare with",
    )


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("", 0, "a metric or a number is missing"),
        ("f1 >=", 5, "a metric or a number is missing"),
        ("f1 >= 1 2", 8, "`2` is one too many"),
        ("f1 ≥ 1", 3, "`≥` has no place"),
        ("f1 == 1", 3, "`==` has no place"),
        ("(" * 60 + "f1" + ")" * 60 + " > 1", 50, "it is too deep"),
    ],
)
def test_what_is_no_gate(text: str, at: int, message: str) -> None:
    with pytest.raises(gates.GateError) as caught:
        gates.parse(text)
    assert message in str(caught.value) and caught.value.start == at


def test_gates_make_no_other_version(tmp_path: Path) -> None:
    from compiler.submission.key import spec_digest

    path = tmp_path / "gated.yaml"
    digests = set()
    for text in ("f1 > 0", "f1 > 0.5"):
        path.write_text(f"{SPEC}  - {text}\n")
        pipeline = frontend.load(path, git=UNKNOWN).pipeline
        assert pipeline is not None
        digests.add(spec_digest(pipeline))
    assert len(digests) == 1


LOCAL = """\
apiVersion: mlc/v1
kind: Algorithm
name: gated
params: {f1: 0.8}
steps:
  evaluate:
    env: {F1: "${{ params.f1 }}"}
    script: printf '{"f1":%s}' "$F1" > "$OUTPUT_METRICS"
    outputs: {metrics: Metrics}
gates: ["f1 >= baseline.f1 - 0.005", f1 > 0.5]
"""


def test_runs_of_this_machine(tmp_path: Path) -> None:
    """Each beside the last good run before it."""
    (tmp_path / "mlc.toml").write_text('name = "gated"\n')
    (tmp_path / "algorithms").mkdir()
    (tmp_path / "algorithms" / "gated.yaml").write_text(LOCAL)

    def mlc(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "compiler", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    for value, code, baseline in ((0.8, 0, None), (0.798, 0, 0.8), (0.7, 1, 0.798), (0.1, 1, 0.7)):
        ran = mlc("run", "algorithms/gated.yaml", "-p", f"f1={value}")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        done = mlc("gate", "last", "--format", "json")
        assert done.returncode == code, done.stdout + done.stderr
        first, second = json.loads(done.stdout)["gates"]
        numbers = first["numbers"]
        assert numbers == {"evaluate.metrics.f1": value, "baseline.evaluate.metrics.f1": baseline}
        assert first["state"] == (
            "open" if baseline is None else "passed" if not code else "failed"
        )
        assert second["state"] == ("passed" if value > 0.5 else "failed")
    done = mlc("gate", "last")
    assert "FAILED  f1 > 0.5  (evaluate.metrics.f1 = 0.1; 0.1 > 0.5 is not so)" in done.stdout
    spec = tmp_path / "algorithms" / "gated.yaml"
    spec.write_text(LOCAL + "profiles:\n  toy: {params: {f1: 0.9}}\n")
    assert mlc("run", "algorithms/gated.yaml", "--profile", "toy").returncode == 0
    done = mlc("gate", "last")
    assert done.returncode == 3 and "gates are of runs without profiles" in done.stderr


def test_the_spec_of_a_name_is_built_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "algorithms"
    folder.mkdir()
    (tmp_path / "mlc.toml").write_text('name = "gated"\n')
    for name in ("a", "b", "gated", "z"):
        (folder / f"{name}.yaml").write_text(LOCAL.replace("name: gated", f"name: {name}"))
    monkeypatch.chdir(tmp_path)
    built: list[object] = []
    build = frontend.build

    def count(*given: Any, **named: Any) -> Any:
        built.append(given)
        return build(*given, **named)

    monkeypatch.setattr(frontend, "build", count)
    found = _gates("gated")
    assert found is not None and len(found) == 2 and len(built) == 1


def test_what_cannot_be_told_has_not_passed(tmp_path: Path) -> None:
    gates_ = [gate(tmp_path, "f1 >= baseline.f1"), gate(tmp_path, "f1 > 0.5")]
    found = verdicts(gates_, METRICS, None, "it can't be read")
    assert [(v.state, v.why) for v in found] == [("failed", "it can't be read"), ("passed", "")]
