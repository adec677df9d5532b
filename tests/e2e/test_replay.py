"""The replay of cases on clusters, against servers that run them with the local engine."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import replay
from expectation import Case, Outcome, read_cases
from fake_clusters import CONTRACTS, Argo, Kfp, Run, serving
from local import copied, run_spec
from rest import Cluster
from rich.console import Console

from compiler import frontend
from compiler.git import UNKNOWN
from compiler.ir import Pipeline
from compiler.values import to_json

CASES = {case.name: case for case in read_cases()}
# One of each kind of node, name and value; all of them would take a minute.
CHOSEN = [
    "finally_after_failure",
    "group_nested",
    "loop_cross",
    "loop_empty_output",
    "loop_in_loop_in_condition",
    "loop_nested",
    "loop_retry",
    "loop_when",
    "outputs_of_each_type",
    "outputs_of_the_algorithm",
    "retry_in_vain",
    "use_algorithm_when",
    "values_given",
    "when_after_failure",
]
SERVERS: dict[str, Callable[[Run], Any]] = {"argo": Argo, "kfp": Kfp}

pytestmark = pytest.mark.skipif(
    not CONTRACTS, reason="MLC_ENGINE_CONTRACTS is unset: no contracts to check the wire against"
)


@contextmanager
def cluster_of(engine: str, case: Case, folder: Path) -> Iterator[Cluster]:
    spec = copied(case, folder)

    def run(params: Mapping[str, Any]) -> tuple[Pipeline, Outcome]:
        given = {n: v if isinstance(v, str) else to_json(v) for n, v in params.items()}
        found = frontend.load(spec, overrides=given, git=UNKNOWN)
        assert found.pipeline is not None, [d.message for d in found.diagnostics]
        return found.pipeline, run_spec(found)

    with serving(SERVERS[engine](run)) as address:
        yield Cluster(address, "ns", "somewhere/steps:1", "secret", False, False)


@pytest.mark.parametrize("engine", SERVERS)
@pytest.mark.parametrize("name", CHOSEN)
def test_a_case_goes_through(engine: str, name: str, tmp_path: Path) -> None:
    with cluster_of(engine, CASES[name], tmp_path) as cluster:
        verdict = replay.replay_case(CASES[name], engine, cluster, patience=30)
    assert (verdict.found, verdict.left_out) == ((), "")


@pytest.mark.parametrize("engine", SERVERS)
def test_what_goes_another_way_is_told(engine: str, tmp_path: Path) -> None:
    case = CASES["finally_after_failure"]
    steps = {**case.expected["steps"], "slow": "skipped", "after": "succeeded"}
    other = case._replace(expected={**case.expected, "run": "succeeded", "steps": steps})
    with cluster_of(engine, case, tmp_path) as cluster:
        verdict = replay.replay_case(other, engine, cluster, patience=30)
    unrun = {"argo": "not run", "kfp": "not there"}[engine]
    assert verdict.found == (
        "the run failed, and should have succeeded",
        f"after: {unrun}, should be succeeded",
        "slow: succeeded, should be skipped",
    )


def test_a_server_that_is_gone_is_told(tmp_path: Path) -> None:
    with cluster_of("argo", CASES["diamond"], tmp_path) as cluster:
        pass
    (found,) = replay.replay_case(CASES["diamond"], "argo", cluster, patience=1).found
    assert "refused" in found


def test_the_table() -> None:
    verdicts = [
        replay.Verdict("one", 1.2),
        replay.Verdict("two", 61.5, ("a tells: [1]",)),
        replay.Verdict("three", 0.0, left_out="only on local"),
    ]
    stream = io.StringIO()
    replay.show(verdicts, Console(file=stream, width=80))
    assert [line.split() for line in stream.getvalue().splitlines()[1:]] == [
        ["one", "ok", "1"],
        ["two", "differs", "62", "a", "tells:", "[1]"],
        ["three", "left", "out", "0", "only", "on", "local"],
    ]


def test_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay.main("argo", {}) == 2
    assert "MLC_E2E_SERVER is not set" in capsys.readouterr().err
    with cluster_of("argo", CASES["diamond"], tmp_path) as cluster:
        environment = {
            "MLC_E2E_SERVER": cluster.server,
            "MLC_E2E_NAMESPACE": "ns",
            "MLC_E2E_IMAGE": "somewhere/steps:1",
            "MLC_E2E_CASES": "^diamond$",
        }
        assert replay.main("argo", environment) == 0
    assert replay.main("argo", environment) == 1


def test_what_is_left_out() -> None:
    cluster = Cluster("", "ns", "x", "", False, False)
    reasons = {name: replay.left_out(case, "argo", cluster) for name, case in CASES.items()}
    assert reasons["retry_helps"] == "only on local"
    kfp = replay.left_out(CASES["numbers_spelling"], "kfp", cluster)
    assert (reasons["numbers_spelling"], kfp) == ("", "only on local, argo")
    assert reasons["python_values"] == "needs code in the image (MLC_E2E_CODE=1)"
    assert reasons["diamond"] == ""
