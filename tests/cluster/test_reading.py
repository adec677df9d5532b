"""What is read of runs: metrics, what Kubernetes says of a spec's needs, marks and nodes."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from cluster.servers.kubernetes import Kubernetes, write_kubeconfig
from cluster.servers.wire import Server
from cluster.servers.workflows import Cluster
from cluster.world import MARKS, QUICK, SPEC, World
from local import loaded, pipeline_of
from msgspec.structs import replace

from compiler.cluster import compiled, connect, marks
from compiler.cluster.answers import Garbled, read
from compiler.cluster.argo.nodes import Nodes
from compiler.cluster.argo.reading import run as argo_run
from compiler.cluster.argo.shapes import OBJECTS
from compiler.cluster.errors import EngineError
from compiler.cluster.kfp import shapes
from compiler.cluster.kfp.reading import Tasks
from compiler.cluster.kfp.reading import run as kfp_run
from compiler.cluster.kfp.specs import TaskOf
from compiler.cluster.records import Marks, Needs
from compiler.ir import Pipeline
from compiler.settings import EngineSettings
from compiler.slugs import slug


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    path = tmp_path_factory.mktemp("spec") / "doc_type.yaml"
    path.write_text(SPEC)
    return pipeline_of(loaded(path))


def test_metrics_of_kfp_come_from_its_files(kfp: Server, pipeline: Pipeline) -> None:
    engine = connect(EngineSettings("training", "kfp", kfp.url), patience=QUICK)
    app: Any = kfp.app
    app.script.metrics["*/train-it"] = {"f1": 0.9, "loss": 0.25}
    one = World(engine, kfp, app.finish).submit(pipeline)
    assert engine.metrics(one) == {}
    app.finish(one.id)
    assert engine.metrics(one) == {"train_it.metrics": {"f1": 0.9, "loss": 0.25}}


@pytest.mark.parametrize("road", ["server", "kubernetes"])
def test_metrics_of_argo_come_from_its_files(
    argo: Server,
    kubernetes: Server,
    cluster: Cluster,
    pipeline: Pipeline,
    tmp_path: Path,
    road: str,
) -> None:
    """Straight to Kubernetes the Argo Server that `artifacts` names serves them."""
    settings = EngineSettings("training", "argo", argo.url, namespace="ia")
    if road == "kubernetes":
        settings = replace(kubernetes_settings(kubernetes, tmp_path), artifacts=argo.url)
    engine = connect(settings, patience=QUICK)
    cluster.script.metrics["*/train-it"] = {"f1": 0.9, "loss": 0.25}
    one = World(engine, argo, str).submit(pipeline)
    assert engine.metrics(one) == {}
    cluster.finish("ia", one.id)
    assert engine.metrics(one) == {"train_it.metrics": {"f1": 0.9, "loss": 0.25}}
    assert argo.count("^GET /artifact-files/") == 1
    cluster.files.clear()
    assert engine.metrics(one) == {}


def test_a_step_of_argo_that_left_no_metrics_is_not_asked_for_them(
    argo: Server, cluster: Cluster, pipeline: Pipeline
) -> None:
    """The server answers 500 for an artifact that is not there."""
    engine = connect(EngineSettings("training", "argo", argo.url, namespace="ia"), patience=QUICK)
    cluster.script.outcomes["*/train-it"] = "Failed"
    one = World(engine, argo, str).submit(pipeline)
    cluster.finish("ia", one.id)
    assert engine.metrics(one) == {}
    assert argo.count("^GET /artifact-files/") == 0


def kubernetes_settings(server: Server, folder: Path) -> EngineSettings:
    path = write_kubeconfig(folder / "config", server.url, namespace="ia")
    return EngineSettings("laptop", "argo", via="kubernetes", kubeconfig=str(path))


NEEDS = Needs(
    secrets={"hub": frozenset({"token"}), "gone": frozenset({"x"})},
    config_maps={"words": frozenset({"stop"})},
    claims=frozenset({"data"}),
    service_accounts=frozenset({"trainer"}),
    gpus=(("nvidia.com/gpu", (("gpu", "t4"),), 2),),
    cpu=8.0,
    memory=2.0**33,
)


def test_everything_that_is_missing_is_told_at_once(
    kubernetes: Server, cluster: Cluster, tmp_path: Path
) -> None:
    app = kubernetes.app
    assert isinstance(app, Kubernetes)
    app.add("secrets", "ia", "hub", data={"user": "eA=="})
    app.add("configmaps", "ia", "words", data={"stop": "a"})
    app.add("nodes", "", "n1", status={"allocatable": {"nvidia.com/gpu": "1"}})
    cluster.all[("nodes", "", "n1")]["metadata"]["labels"] = {"gpu": "t4"}
    app.add("resourcequotas", "ia", "team", status={"hard": {"requests.cpu": "4"}})
    engine = connect(kubernetes_settings(kubernetes, tmp_path), patience=QUICK)
    survey = engine.survey(NEEDS)
    assert survey.missing == (
        "there is no secret `gone` in the namespace ia",
        "the secret `hub` has no key `token`; it has `user`",
        "there is no persistent volume claim `data` in the namespace ia",
        "there is no service account `trainer` in the namespace ia",
        "there is no node of 2 nvidia.com/gpu among those with gpu=t4; the most is 1",
        "the quota `team` allows 4 of requests.cpu in all, and one step wants 8",
    )
    assert survey.unknown == ()


def test_what_can_not_be_asked_is_not_missing(kubernetes: Server, tmp_path: Path) -> None:
    app = kubernetes.app
    assert isinstance(app, Kubernetes)
    app.denied |= {("get", "secrets"), ("list", "nodes"), ("create", "workflows")}
    engine = connect(kubernetes_settings(kubernetes, tmp_path), patience=QUICK)
    survey = engine.survey(replace(NEEDS, config_maps={}, claims=frozenset(), cpu=0, memory=0))
    assert "no right to read the secret hub" in survey.unknown
    assert "no right to list nodes" in survey.unknown
    assert not [m for m in survey.missing if "secret" in m or "node" in m]
    health = engine.check(["submit"])
    assert health.missing == ("no right to create workflows in the namespace ia",)
    bare = connect(EngineSettings("a", "argo", "http://127.0.0.1:9"))
    assert not bare.survey(NEEDS).is_asked


@pytest.mark.parametrize("kind", ["kfp", "argo"])
def test_what_a_spec_needs_is_asked_for_as_all_else_is(
    kfp: Server, kubernetes: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """As often as one is patient, and told of."""
    settings = kubernetes_settings(kubernetes, tmp_path)
    if kind == "kfp":
        settings = replace(settings, kind="kfp", via="server", url=kfp.url)
    engine = connect(settings, verbose=True, patience=QUICK)
    kubernetes.faults.add("500", "^GET ", times=10**6)
    with pytest.raises(EngineError):
        engine.survey(NEEDS)
    assert kubernetes.count("^GET ") == QUICK.tries
    assert capsys.readouterr().err.count(f"GET {kubernetes.url}/api/v1/") == QUICK.tries


def test_a_kubeconfig_that_is_none(tmp_path: Path) -> None:
    settings = EngineSettings("a", "argo", via="kubernetes", kubeconfig=str(tmp_path / "gone"))
    with pytest.raises(EngineError, match=r"engine `a`: can't read .*gone") as caught:
        connect(settings)
    assert caught.value.reason == "configuration"


def test_a_password_in_the_address_of_kubernetes_is_sent_and_not_shown(
    kubernetes: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []
    kubernetes.watch(lambda _, request, __: seen.append(request.headers["authorization"]))
    address = kubernetes.url.replace("http://", "http://me:s3cr%21t@")
    path = write_kubeconfig(tmp_path / "config", address)
    settings = EngineSettings("a", "argo", via="kubernetes", kubeconfig=str(path))
    engine = connect(settings, verbose=True, patience=QUICK)
    engine.check()
    assert set(seen) == {f"Basic {base64.b64encode(b'me:s3cr!t').decode()}"}
    kubernetes.faults.add("500", "^GET ", times=10**6)
    with pytest.raises(EngineError) as caught:
        engine.find_experiment("x", "ia")
    kubernetes.faults.clear()
    kubernetes.faults.add("drop", "^GET ", times=10**6)
    with pytest.raises(EngineError, match="connection") as broken:
        engine.find_experiment("x", "ia")
    said = "".join((str(caught.value), str(broken.value), *capsys.readouterr()))
    assert f"GET {kubernetes.url}/apis" in said and "s3cr" not in said


@pytest.mark.parametrize(
    "text",
    [
        "users: [{token: s3cr3t", "[]", "3", "", "\0", "current-context: gone", "contexts: [3]",
        "current-context: x\ncontexts: [{name: x, context: 3}]",
    ],
)  # fmt: skip
def test_a_kubeconfig_that_is_broken_is_no_traceback(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(EngineError, match="can't read") as caught:
        connect(EngineSettings("a", "argo", via="kubernetes", kubeconfig=str(path)))
    assert "s3cr3t" not in str(caught.value)


def test_a_token_for_a_server_is_not_shown_to_kubernetes(
    kfp: Server, kubernetes: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor are its cookies and its certificates those of Kubernetes."""
    monkeypatch.setenv("KFP_TOKEN", "of-kfp-alone")
    monkeypatch.setenv("KFP_COOKIES", "session=of-kfp-alone")
    seen: list[str] = []
    kubernetes.watch(lambda _, request, __: seen.append(json.dumps(dict(request.headers))))
    path = write_kubeconfig(tmp_path / "config", kubernetes.url, token="of-kubernetes")
    settings = EngineSettings(
        "training", "kfp", kfp.url, token_env="KFP_TOKEN", cookies_env="KFP_COOKIES",
        kubeconfig=str(path),
    )  # fmt: skip
    survey = connect(settings, patience=QUICK).survey(NEEDS)
    assert survey.missing and seen
    assert all("of-kfp-alone" not in one and "of-kubernetes" in one for one in seen)


def test_certificates_for_a_server_are_not_those_of_kubernetes(
    kfp: Server, kubernetes: Server, tmp_path: Path
) -> None:
    path = write_kubeconfig(tmp_path / "config", kubernetes.url)
    settings = EngineSettings(
        "a", "kfp", kfp.url, ca_file="ca.pem", proxy="http://127.0.0.1:9", kubeconfig=str(path)
    )
    assert connect(settings, patience=QUICK).survey(NEEDS).missing


@pytest.mark.parametrize("branch", ["master", "IA-1742-doc-type", "é" * 80, "a b/c\nd" * 9])
def test_marks_are_read_as_they_were_written(branch: str) -> None:
    own = replace(MARKS, branch=branch, key="k" * 16, schedule="nightly")
    text = marks.description("[IA-1742] DOC TYPE\nlong " * 30, own)
    assert len(text) <= 255
    said, found = marks.of_description(text)
    assert found is not None and found.project == "ia" and found.key == "k" * 16
    assert own.commit.startswith(found.commit) and len(found.commit) == 12
    assert said.startswith("[IA-1742]") or len(branch) > 20
    assert all(len(k) <= 63 and len(v) <= 63 and "." not in k for k, v in marks.tags(own).items())
    tagged = marks.of_tags(marks.tags(own))
    assert tagged is not None and tagged.digest == own.digest
    assert marks.same("branch", tagged.branch, branch)
    assert marks.same("branch", found.branch, branch)
    metadata = {"labels": marks.labels(own), "annotations": marks.notes(own)}
    assert marks.of_metadata(metadata) == own
    assert all(len(v) <= 63 for v in marks.labels(own).values())
    assert marks.of_description("made by hand")[1] is None and marks.of_tags({}) is None
    assert marks.of_metadata({"labels": {"app": "x"}}) is None


def test_branches_have_names_of_their_own() -> None:
    """No two of them the same, and all of them names for Kubernetes."""
    names = ["IA-1742", "ia-1742", "ia/1742", "ia_1742", "a" * 60, "a" * 61, "-", "é"]
    found = [slug(name, 20) for name in names]
    assert len(set(found)) == len(names)
    assert all(len(f) <= 20 and f.strip("-") == f and f == f.lower() for f in found)


def test_the_marks_of_another_project_are_not_ours() -> None:
    assert not marks.same("project", "ia-test", "ia")
    assert marks.same("project", marks.cut("x" * 99, 63), "x" * 99)
    assert not marks.same("project", marks.cut("x" * 99, 63), "x" * 98)


@pytest.mark.parametrize("name", ["project", "algorithm", "branch", "schedule"])
def test_a_name_is_not_the_longer_one_that_it_begins(name: str) -> None:
    """Of a commit the beginning will do, of nothing else."""
    whole = "a_name_that_is_of_some_length"
    assert marks.same(name, whole, whole)
    for length in range(1, len(whole)):
        assert not marks.same(name, whole[:length], whole)
    assert marks.same("commit", "0123456789ab", "0123456789abcdef")


def test_marks_of_the_project_itself() -> None:
    assert marks.of_tags(marks.tags(Marks("ia"))) == Marks("ia")


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        (
            b'{"f1": 0.5, "n": 3, "nan": NaN, "inf": -Infinity, "large": 1e999}',
            {"f1": 0.5, "n": 3.0},
        ),
        (b'{"flag": true, "text": "1", "none": null}', {}),
        (b"[1]", {}),
        (b"no JSON", {}),
        (None, {}),
    ],
)
def test_metrics_are_finite_numbers(content: bytes | None, numbers: dict[str, float]) -> None:
    """No gate passes by another, and JSON has no word for it."""
    assert compiled.numbers(content) == numbers


def node(name: str, kind: str = "Pod", phase: str = "Succeeded", **more: Any) -> dict[str, Any]:
    return {"displayName": name, "type": kind, "phase": phase, "templateName": "fit", **more}


def test_rounds_tries_and_unknown_words_of_argo() -> None:
    nodes = {
        "w-1": node("each(0:a)", "DAG"),
        "w-2": node("fit", "Retry", "Running", boundaryID="w-1", children=["w-3", "w-4"]),
        "w-3": node("fit(0)", phase="Failed", boundaryID="w-1", nodeFlag={"retried": True}),
        "w-4": node("fit(1)", phase="Running", boundaryID="w-1", nodeFlag={"retried": True}),
        "w-5": node("load", phase="Sleeping", memoizationStatus={"hit": True}),
        "w-6": node("keep", memoizationStatus={"hit": True}),
        "w-7": node("mlc-helper"),
    }
    packed = base64.b64encode(gzip.compress(json.dumps(nodes).encode())).decode()
    steps = {"load": "load", "each": "each", "fit": "fit", "keep": "keep"}
    for status in ({"nodes": nodes}, {"compressedNodes": packed}):
        read = Nodes({"metadata": {"name": "w"}, "status": status}, steps)
        assert [(s.name, s.state, s.tries) for s in read.states()] == [
            ("load", "unknown", 1), ("fit.0", "retrying", 2), ("keep", "cached", 1),
        ]  # fmt: skip
        (_, fit, _) = read.places()
        assert read.pods(fit) == [("w-fit-3", "w-3"), ("w-fit-4", "w-4")]


def test_rounds_of_kfp_by_either_way_it_tells_them() -> None:
    known = {"fit": TaskOf("fit_it", 1, ())}
    tasks = [
        {"task_id": "a", "display_name": "iteration(2:x)", "child_tasks": [{"task_id": "b"}]},
        {"task_id": "b", "display_name": "fit", "state": "SUCCEEDED"},
        {"task_id": "c", "display_name": "fit", "state": "NEW_WORD", "parent_task_id": "d"},
        {"task_id": "d", "display_name": "iteration(1:x)"},
    ]
    read = Tasks({"run_details": {"task_details": tasks}}, known)
    assert [(s.name, s.state) for s in read.steps()] == [
        ("fit_it.1", "unknown"), ("fit_it.2", "succeeded"),
    ]  # fmt: skip


@pytest.mark.parametrize("data", [{}, {"status": None, "spec": None, "error": None, "x": 3}])
def test_what_is_left_out_does_no_harm(data: dict[str, Any]) -> None:
    of_kfp = read(shapes.RUN, {"run_id": "1", **data})
    of_argo = read(OBJECTS["workflows"], {"metadata": {"name": "w"}, **data})
    assert kfp_run(of_kfp, "").state == "waiting"
    assert argo_run(of_argo, "", "ia").state == "waiting"
    for never in ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "today"):
        assert kfp_run({**of_kfp, "finished_at": never}, "").ended is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "it is a list, where a mapping has to be"),
        ({"runs": {}}, "`runs` is a mapping, where a list has to be"),
        ({"runs": [{}]}, "`runs[0].run_id` is left out, where a name has to be"),
        ({"runs": [{"run_id": ""}]}, "`runs[0].run_id` is empty, where a name has to be"),
        (
            {"runs": [{"run_id": "1"}, {"run_id": "2", "error": {"message": 3}}]},
            "`runs[1].error.message` is a number, where a",
        ),
        (
            {"runs": [{"run_id": "1", "state": True}]},
            "`runs[0].state` is true or false, where a",
        ),
        ({"runs": [None]}, "`runs[0]` is null, where a mapping has to be"),
    ],
)
def test_what_is_garbled_is_told_by_its_place(data: Any, said: str) -> None:
    with pytest.raises(Garbled) as caught:
        read(shapes.PAGES["runs"], data)
    assert str(caught.value).startswith(said)
