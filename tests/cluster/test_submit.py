"""`mlc submit` from outside: real git repositories, real processes, real HTTP to servers that keep
to the engines' contracts."""

from __future__ import annotations

import itertools
import re
import signal
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from cluster.scenario import TOKEN, Project
from cluster.servers.wire import Answer, Request

from compiler import frontend
from compiler.cluster import EngineError, Patience, connect
from compiler.cluster.records import Marks
from compiler.submission.submit import Submission, submit

pytestmark = pytest.mark.usefixtures("contracts")
BRANCH = "IA-1742-doc-type"
RUNS = 200
# As often as ever, without pauses.
AT_ONCE = Patience(pause=0.0)
# At one run.
LOOK = "^GET .*(/runs/[^/]+|/workflows/(default/)?doc-type[^/]+)$"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def change_the_base(there: Project) -> None:
    there.checkout.git("switch", "--quiet", "-c", BRANCH)
    base = there.checkout.folder / "bases/common.yaml"
    base.write_text(base.read_text().replace("cpu: 1", "cpu: 2"))
    there.checkout.commit("More cores")
    there.checkout.git("push", "--quiet", "--set-upstream", "origin", BRANCH)


def test_from_a_branch_to_a_run_and_back(there: Project) -> None:
    """Submit, wait, compare, prune: what a changed base touches runs in the branch's experiment."""
    there.script.metrics["*/evaluate"] = {"accuracy": 0.8125}
    first = there.data("submit", "algorithms/doc_type.yaml", "--wait")
    assert [one["run"]["status"] for one in first] == ["succeeded"]
    change_the_base(there)
    there.script.metrics["*/evaluate"] = {"accuracy": 0.875}
    (plan,) = there.data("submit", "--branch", "--dry-run")
    assert (plan["spec"], plan["experiment"]) == ("algorithms/doc_type.yaml", BRANCH)
    done = there.mlc("submit", "--branch", "--wait", "--summary", "summary.md", "-p", "epochs=5")
    assert done.returncode == 0, done.stderr
    assert "doc_type: changed" in done.stderr
    assert "bases/common.yaml" in done.stderr
    assert "other" not in done.stderr
    summary = (there.checkout.folder / "summary.md").read_text()
    assert BRANCH in summary
    assert "| `epochs` | `5` | `3` |" in summary
    runs = there.data("runs", "--engine", "training")
    assert [(run["algorithm"], run["branch"]) for run in runs] == [
        ("doc_type", BRANCH),
        ("doc_type", "main"),
    ]
    assert {run["experiment"] for run in runs} == {BRANCH, "main"}
    shown = there.data("show", runs[0]["name"].rpartition("-")[2][:8], "--engine", "training")
    assert shown["experiment"] == BRANCH
    assert [step["name"] for step in shown["steps"]] == ["fit", "evaluate"]
    compared = there.mlc("compare", runs[0]["name"], runs[1]["name"], "--engine", "training")
    assert "epochs" in compared.stdout, compared.stderr
    # Straight to Kubernetes nothing serves files.
    if there.kind != "kubernetes":
        assert "| `evaluate.metrics accuracy` | 0.875 | 0.8125 | +0.0625 |" in summary
        (row,) = (one.split() for one in compared.stdout.splitlines() if "accuracy" in one)
        assert row == ["evaluate.metrics", "accuracy", "0.875", "0.8125"]
    there.checkout.git("switch", "--quiet", "main")
    there.checkout.git("push", "--quiet", "origin", "--delete", BRANCH)
    # It is here still, and may be of work that was never pushed.
    assert there.data("experiments", "prune", "--engine", "training") == []
    there.checkout.git("branch", "--quiet", "-D", BRANCH)
    pruned = there.mlc("experiments", "prune", "--yes", "--engine", "training")
    assert pruned.returncode == 0, pruned.stderr
    assert BRANCH in pruned.stdout
    assert there.data("experiments", "prune", "--engine", "training") == []


def test_what_is_told_of_a_run_says_of_what(there: Project) -> None:
    """A line for each change, each with a name; what the target does less well is told by
    `compile`, and here where one asks for it."""
    file = there.checkout.folder / "mlc.toml"
    file.write_text(file.read_text().replace("accept =", "# accept ="))
    done = there.mlc("submit", "algorithms/doc_type.yaml", "--wait")
    assert done.returncode == 0, done.stderr
    assert "MLC702" not in done.stderr
    assert "doc_type  waiting" in done.stderr.splitlines()
    assert not [line for line in done.stderr.splitlines() if len(line.split()) < 2]
    done = there.mlc("submit", "algorithms/doc_type.yaml", "--dry-run", "--verbose")
    assert "MLC702" in done.stderr


def test_where_there_is_nothing_the_next_step_is_told(there: Project) -> None:
    done = there.mlc("submit", "--branch")
    assert (done.returncode, done.stdout) == (0, "")
    assert "this is main, so nothing is changed" in done.stderr
    assert "name a SPEC, or --against a commit" in done.stderr
    there.checkout.git("switch", "--quiet", "-c", BRANCH)
    done = there.mlc("submit", "--branch")
    assert f"{BRANCH} changes no algorithm of main; name a SPEC" in done.stderr
    done = there.mlc("runs", "--engine", "training")
    assert done.stderr == "training has no such run of this project; start one with mlc submit\n"
    _ = there.mlc("submit", "algorithms/other.yaml")
    again = there.mlc("submit", "algorithms/")
    assert again.stderr.count("--new submits it once more") == 1
    last = there.mlc("submit", "algorithms/")
    assert last.stderr.count("--new submits them once more") == 1


def test_the_same_again_is_the_run_that_was_made(there: Project) -> None:
    (first,) = there.data("submit", "algorithms/doc_type.yaml")
    (second,) = there.data("submit", "algorithms/doc_type.yaml")
    assert (first["new"], second["new"]) == (True, False)
    assert first["run"]["id"] == second["run"]["id"]
    (other,) = there.data("submit", "algorithms/doc_type.yaml", "-p", "epochs=4")
    (again,) = there.data("submit", "algorithms/doc_type.yaml", "--new")
    assert (other["new"], again["new"], again["attempt"]) == (True, True, 2)
    assert len(there.run_names()) == 3


def test_nothing_is_made_of_what_is_wrong(there: Project) -> None:
    """Values, options and specs are checked before the engine is told of anything."""
    for arguments, said in (
        (("-p", "epochs=0"), "MLC505"),
        (("-p", "epoch=4"), "epochs"),
        (("-p", "solver=adam"), "lbfgs"),
        (("--profile", "toy"), "MLC312"),
    ):
        done = there.mlc("submit", "algorithms/doc_type.yaml", *arguments)
        assert done.returncode == 1
        assert said in done.stderr
    assert there.mlc("submit", "--engine", "trainin").returncode == 3
    assert there.mlc("submit", "--summary", "x.md").returncode == 2
    assert there.mlc("submit", "--wait", "--summary", "nowhere/x.md").returncode == 3
    dry = there.mlc("submit", "algorithms/doc_type.yaml", "--dry-run")
    assert (dry.returncode, dry.stdout.count("would submit doc_type")) == (0, 1), dry.stderr
    assert there.run_names() == []
    assert not there.server.count(
        "^(POST|PUT|PATCH|DELETE) .*(pipelines|experiments|runs|workflows)"
    )


NEEDY = """\
apiVersion: mlc/v1
kind: Algorithm
name: needy
description: Wants what is not there.
image: registry.example.com/ia:1
steps:
  fit:
    command: [fit, LONG]
    env: {TOKEN: "${{ secrets.hub.token }}", KEY: "${{ secrets.store.key }}"}
    resources: {cpu: 64, memory: 1Gi, gpu: 2}
    volumes:
      models: {claim: model-store, mount: /models}
      words: {config_map: stop-words, mount: /words}
    pod: {node_selector: {pool: large}}
"""


def test_all_that_is_missing_is_told_at_once_and_nothing_is_made(there: Project) -> None:
    """Kubernetes is asked beside a server, too, where the settings lead there."""
    spec = there.checkout.folder / "algorithms/needy.yaml"
    # A spec is small, and in JSON each of these becomes two characters.
    words = ["'%s'" % ('"' * 50_000)] * (11 if there.kind == "kubernetes" else 0)
    spec.write_text(NEEDY.replace("LONG", ", ".join(["hard", *words])))
    there.checkout.commit("Need much")
    there.checkout.git("push", "--quiet")
    file = there.checkout.folder / "mlc.toml"
    table = "[engines.training]\n"
    file.write_text(file.read_text().replace(table, f'{table}service_account = "trainer"\n'))
    cluster, server = there.kubernetes()
    with server:
        kubernetes = server.app
        kubernetes.add("secrets", "default", "hub", data={"user": "eA=="})
        kubernetes.add("nodes", "", "n1", status={"allocatable": {"nvidia.com/gpu": "1"}})
        cluster.all[("nodes", "", "n1")]["metadata"]["labels"] = {"pool": "large"}
        kubernetes.add("resourcequotas", "default", "team", status={"hard": {"cpu": "8"}})
        kubernetes.denied.add(("create", "workflows"))
        done = there.mlc("submit", "algorithms/needy.yaml")
    assert done.returncode == 1, done.stderr
    told = [line.strip() for line in done.stderr.splitlines()]
    assert "training lacks what this needs; nothing was made:" in told, done.stderr[-1500:]
    start = told.index("training lacks what this needs; nothing was made:")
    of_argo = [
        "no right to create workflows in the namespace default",
        "the manifest of needy has much, and the engine takes at most 1024: put long texts "
        "into the image, or split the algorithm",
    ]
    told = [re.sub(r"has \d+ KiB", "has much", line) for line in told[start + 1 :]]
    assert sorted(told) == sorted(
        [
            "the secret `hub` has no key `token` (needy: `fit`); it has `user`",
            "there is no secret `store` in the namespace default (needy: `fit`)",
            "there is no config map `stop-words` in the namespace default (needy: `fit`)",
            "there is no persistent volume claim `model-store` in the namespace default "
            "(needy: `fit`)",
            "there is no service account `trainer` in the namespace default",
            "there is no node of 2 nvidia.com/gpu among those with pool=large (needy: `fit`); "
            "the most is 1",
            "the quota `team` allows 8 of cpu in all, and one step wants 64 (needy: `fit`)",
            *(of_argo if there.kind == "kubernetes" else []),
        ]
    )
    assert there.run_names() == []
    changing = "^(POST|PUT|PATCH|DELETE) .*(pipelines|experiments|runs|workflow)"
    assert not there.server.count(changing)


def test_an_image_of_the_commit_is_of_what_is_pushed(there: Project) -> None:
    spec = there.checkout.folder / "algorithms/other.yaml"
    spec.write_text(spec.read_text().replace("ia:1", "ia:${{ git.short_commit }}"))
    done = there.mlc("submit", "algorithms/other.yaml")
    assert (done.returncode, "--allow-dirty" in done.stderr) == (1, True)
    there.checkout.commit("Follow the commit")
    done = there.mlc("submit", "algorithms/other.yaml")
    assert (done.returncode, "git push" in done.stderr) == (1, True)
    assert there.mlc("submit", "algorithms/other.yaml", "--allow-dirty").returncode == 0
    there.checkout.git("push", "--quiet")
    assert there.mlc("submit", "algorithms/other.yaml").stderr.count("warning") == 0


def test_a_step_that_fails_fails_the_command(there: Project) -> None:
    there.script.outcomes["*/fit"] = "FAILED" if there.kind == "kfp" else "Failed"
    there.script.logs["*/fit"] = "reading\nout of memory\n"
    done = there.mlc("submit", "algorithms/doc_type.yaml", "--wait", "--summary", "summary.md")
    assert done.returncode == 1
    assert "fit failed" in done.stderr
    assert "out of memory" in done.stderr
    assert "failed" in (there.checkout.folder / "summary.md").read_text()
    for arguments in (("show", "nope"), ("logs", "nope"), ("compare", "nope", "last")):
        unknown = there.mlc(*arguments, "--engine", "training")
        told = "mlc: there is no run nope of this project; mlc runs --engine lists them\n"
        assert (unknown.returncode, unknown.stderr) == (3, told)
    unknown = there.mlc("logs", "last", "fitt", "--engine", "training")
    assert unknown.returncode == 3 and "has no step fitt; did you mean fit?" in unknown.stderr
    slip = there.mlc("runs", "--algorithm", "doc_typ", "--engine", "training")
    assert slip.returncode == 3 and "did you mean doc_type?" in slip.stderr, slip.stderr
    logs = there.mlc("logs", "last", "fit", "--engine", "training")
    assert "out of memory" in logs.stdout, logs.stderr


def test_a_wait_outlives_the_engines_hiccups(there: Project) -> None:
    there.script.pace = 1
    for kind in ("503", "drop", "truncated", "429", "unknown-field"):
        there.server.faults.add(kind, LOOK, skip=3, times=2)
    done = there.mlc("submit", "algorithms/doc_type.yaml", "--wait")
    assert done.returncode == 0, done.stderr
    assert there.server.faults.happened


def test_a_wait_for_a_run_that_is_deleted_ends_and_says_so(there: Project) -> None:
    there.script.pace = 0

    def delete(_: object, request: Request, answer: Answer) -> None:
        if answer.status == 200 and re.search(LOOK, f"{request.method} {request.path}"):
            there.server.watchers.clear()
            there.delete_runs()

    there.server.watch(delete)
    done = there.mlc("submit", "algorithms/doc_type.yaml", "--wait", "--summary", "summary.md")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == (
        "doc_type  deleted: it is on the engine no more: someone deleted it, or its time to live "
        "was over, before it was seen to end"
    )
    assert "deleted" in (there.checkout.folder / "summary.md").read_text()


def test_interrupting_a_wait_leaves_the_run_alone(there: Project) -> None:
    there.script.pace = 0
    for option, cancelled in (("--quiet", False), ("--cancel-on-interrupt", True)):
        looks = there.server.count(LOOK)
        process = there.start("submit", "algorithms/doc_type.yaml", "--wait", option)
        try:
            wait_for(lambda looks=looks: there.server.count(LOOK) > looks + 3)  # type: ignore[misc]
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == 130, err
        stops = there.server.count("terminate|stop|shutdown|^PATCH|^PUT")
        assert bool(stops) == cancelled, there.server.log


def test_a_kill_at_any_request_makes_neither_two_runs_nor_none(there: Project) -> None:
    """Each request in turn is the last one: the command is killed when the engine has acted on it,
    and run again."""
    for number in itertools.count(1):
        arguments = ("submit", "algorithms/doc_type.yaml", "-p", f"epochs={number + 10}")
        process = there.fork(*arguments)
        requests = itertools.count(1)

        def kill(*_: object, process=process, requests=requests, number=number) -> None:
            if next(requests) == number:
                process.kill()

        there.server.watch(kill)
        process.join(timeout=60)
        there.server.watchers.clear()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        again = there.fork(*arguments)
        again.join(timeout=60)
        assert again.exitcode == 0, there.said.read_text()
        assert len(there.run_names()) == number
    assert number > 5


def test_two_hundred_submissions_through_faults_are_two_hundred_runs(
    there: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is dropped, lost, cut or refused on the way, each is made once; a submission that
    gave up is made again, as its error says."""
    monkeypatch.setenv("ENGINE_TOKEN", TOKEN)
    folder = there.checkout.folder
    found = frontend.load(folder / "algorithms/doc_type.yaml")
    assert found.pipeline is not None
    target = found.project.target("kfp" if there.kind == "kfp" else "argo")
    there.server.faults.at_random(seed=1, rate=0.15)
    gave_up = 0
    for number in range(RUNS):
        marks = Marks("ia-algorithms", "doc_type", "v1", "c" * 40, BRANCH, "d" * 32, "1", "")
        values = {"epochs": number + 1, "solver": "saga"}
        while True:
            try:
                engine = connect(found.project.engines["training"], patience=AT_ONCE)
                with closing(engine):
                    manifest = engine.compiled(found.pipeline, target, BRANCH)
                    wanted = Submission(manifest, marks, values, BRANCH, "")
                    submit(engine, wanted)
                    break
            except EngineError:
                gave_up += 1
                assert gave_up < 10 * RUNS
    there.server.faults.clear()
    assert len(there.server.faults.happened) > RUNS // 2
    names = there.run_names()
    assert (len(names), len(set(names))) == (RUNS, RUNS)
