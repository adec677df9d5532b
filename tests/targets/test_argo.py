"""Argo manifests: accepted by strict schemas, read back by hera, the same in every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from argo_cases import SETTINGS, chain, everything, fan, many_templates, pipelines, tangle
from argo_flows import HAND_MADE, random_flow, schedule
from argo_model import Argo
from builders import (
    SPAN,
    command,
    gpu,
    output_of,
    param,
    param_ref,
    pipeline,
    pipeline_input,
    script,
    step,
    volume,
)
from hera.workflows import CronWorkflow, WorkflowTemplate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import compiler
from compiler.ir import Amount, Cache, Pipeline, Pod, Resources
from compiler.settings import ObjectStore, SecretKey, TargetSettings
from compiler.targets import Level, argo

ROOT = Path(__file__).resolve().parents[2]
NONE = TargetSettings()
KINDS: dict[str, Any] = {"WorkflowTemplate": WorkflowTemplate, "CronWorkflow": CronWorkflow}
SHIPPED = sorted((ROOT / "algorithms").glob("*.yaml"))


@pytest.fixture(scope="session")
def check_schema() -> Any:
    """Checks one document against the strict schema of its CustomResourceDefinition."""
    contracts = os.environ.get("MLC_ENGINE_CONTRACTS")
    if not contracts:
        pytest.skip("MLC_ENGINE_CONTRACTS is unset, so there are no Argo schemas to check against")
    from jsonschema import Draft202012Validator

    folder = Path(contracts, "argo-4.1")
    validators = {
        kind: Draft202012Validator(json.loads((folder / f"{kind}.schema.json").read_text()))
        for kind in KINDS
    }

    def check(document: Any) -> None:
        errors = validators[document["kind"]].iter_errors(document)
        assert [e.message for e in errors] == []

    return check


def documents(text: str) -> list[dict[str, Any]]:
    return list(yaml.load_all(text, yaml.CSafeLoader))


def assert_sound(text: str, check: Any) -> None:
    """Argo's API server takes it, hera knows all of it, and every name in it is a name."""
    Argo(text)
    for document in documents(text):
        check(document)
        known: Any = KINDS[document["kind"]].from_dict(document)
        assert known.to_dict() == document
        longest = 63 if document["kind"] == "WorkflowTemplate" else 52
        assert len(document["metadata"]["name"]) <= longest


def refused(given: Pipeline, settings: TargetSettings = NONE) -> set[str]:
    found = argo.explain(given, settings)
    return {use.field for use in found if use.level is Level.REFUSED}


CASES = {
    "everything": (everything(), SETTINGS),
    "everything without settings": (everything(), NONE),
    "memoised": (everything(), replace(SETTINGS, memoize="mlc-results")),
    "chain": (chain(450), NONE),
    "fan": (fan(300), NONE),
    "tangle": (tangle(500, seed=7), NONE),
    "many templates": (many_templates(450), NONE),
    **{name: (made, SETTINGS) for name, made in HAND_MADE.items()},
    "memoised loops": (HAND_MADE["loops in loops"], replace(NONE, memoize="mlc-results")),
    "schedules": (
        replace(
            HAND_MADE["outputs"],
            schedules=(
                schedule("nightly", params=(("threshold", 5),), timezone="Europe/Paris"),
                schedule("often", cron="*/15 9-17 * jan,mar mon-fri", overlap="forbid"),
                schedule("paused", enabled=False),
            ),
        ),
        NONE,
    ),
    "amounts": (
        pipeline(
            step(
                "a",
                command("run"),
                resources=Resources(
                    memory=Amount(param_ref("memory"), param_ref("memory"), SPAN),
                    gpu=replace(gpu(1), count=param_ref("gpus", "integer")),
                ),
            ),
            params=[param("memory", "1Gi"), param("gpus", 1)],
        ),
        NONE,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_sound(case: str, check_schema: Any) -> None:
    made, project = CASES[case]
    assert refused(made, project) == set()
    assert_sound(argo.emit(made, project), check_schema)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_algorithms(path: Path, check_schema: Any) -> None:
    loaded = compiler.load(path)
    assert loaded.pipeline is not None, loaded.diagnostics
    project = loaded.project.target("argo")
    assert refused(loaded.pipeline, project) == set()
    text = argo.emit(loaded.pipeline, project)
    assert_sound(text, check_schema)
    (document,) = documents(text)
    known: Any = WorkflowTemplate.from_yaml(text)
    assert known.to_dict() == document


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.integers(0, 10**6))
def test_any_flow(check_schema: Any, seed: int) -> None:
    made = random_flow(seed)
    assert refused(made) == set()
    assert_sound(argo.emit(made, NONE), check_schema)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(pipelines())
def test_any_pipeline(check_schema: Any, made: Pipeline) -> None:
    assert refused(made) == set()
    assert_sound(argo.emit(made, NONE), check_schema)


def test_the_schema_can_fail(check_schema: Any) -> None:
    (document,) = documents(argo.emit(everything(), SETTINGS))
    document["spec"]["templates"][1]["contaner"] = {}
    with pytest.raises(AssertionError):
        check_schema(document)


def test_same_bytes_in_every_process() -> None:
    program = (
        "import argo_cases, argo_flows, hashlib\n"
        "from compiler.targets import argo\n"
        "cases = [argo_cases.everything(), argo_cases.tangle(500, seed=7)]\n"
        "cases += argo_flows.HAND_MADE.values()\n"
        "texts = [argo.emit(c, argo_cases.SETTINGS) for c in cases]\n"
        "texts += [repr(argo.explain(c, argo_cases.SETTINGS)) for c in cases]\n"
        "print(hashlib.sha256(repr(texts).encode()).hexdigest())\n"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)])
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(found) == 1


def template(made: Pipeline, name: str, settings: TargetSettings = NONE) -> dict[str, Any]:
    (document,) = documents(argo.emit(made, settings))
    found: dict[str, Any] = next(t for t in document["spec"]["templates"] if t["name"] == name)
    return found


def test_the_form_of_the_ui() -> None:
    (document,) = documents(argo.emit(everything(), SETTINGS))
    parameters = {p["name"]: p for p in document["spec"]["arguments"]["parameters"]}
    assert parameters["rate"] == {"name": "rate", "value": "0.00001"}
    assert parameters["solver"] == {
        "name": "solver",
        "value": "lbfgs",
        "enum": ["lbfgs", "saga"],
        "description": "Optimiser.",
    }
    assert parameters["max_steps"] == {"name": "max_steps", "value": "", "enum": ["", "1", "2"]}
    assert parameters["title"] == {"name": "title"}
    assert parameters["depths"]["value"] == '[1,2.5,{"a":[true]}]'
    assert parameters["braces"]["description"] == "Like { { {this}}."
    assert parameters["reports"] == {"name": "reports", "value": "s3://ia-data/reports/2026-11"}
    assert parameters["local"] == {"name": "local"}


def test_a_step_in_full() -> None:
    made = template(everything(), "build-and-fit", SETTINGS)
    container = made.pop("container")
    assert made == {
        "name": "build-and-fit",
        "inputs": {
            "parameters": [{"name": "solver"}, {"name": "depths"}, {"name": "extra"}],
            "artifacts": [
                {"name": "dataset", "path": "/mlc-in/dataset"},
                {"name": "reports", "path": "/mlc-in/reports"},
                {"name": "older", "path": "/mlc-in/older"},
            ],
        },
        "outputs": {
            "parameters": [
                {"name": "score", "valueFrom": {"path": "/mlc/score"}},
                {"name": "notes", "valueFrom": {"path": "/mlc/notes"}},
            ],
            "artifacts": [{"name": "model", "path": "/mlc/model", "archive": {"none": {}}}],
        },
        "activeDeadlineSeconds": 7200,
        "retryStrategy": {
            "limit": "2",
            "retryPolicy": "Always",
            "backoff": {"duration": "30s", "factor": "2", "cap": "60s"},
        },
        "metadata": {
            "labels": {"team": "ia"},
            "annotations": {"why": 'because: "it\'s" #1'},
        },
        "nodeSelector": {"pool": "ml", "gpu": "t4"},
        "tolerations": [
            {
                "key": "spot",
                "operator": "Equal",
                "value": "true",
                "effect": "NoExecute",
                "tolerationSeconds": 60,
            },
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
        ],
        "serviceAccountName": "trainer",
        "priorityClassName": "low",
        "volumes": [
            {"name": "mlc-shm", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}},
            {"name": "mlc-outputs", "emptyDir": {}},
        ],
    }
    assert container["resources"] == {
        "requests": {"cpu": "500m"},
        "limits": {
            "cpu": "4",
            "memory": "1.5Gi",
            "ephemeral-storage": "10Gi",
            "nvidia.com/gpu": "2",
        },
    }
    assert container["securityContext"] == {
        "runAsUser": 1000,
        "runAsGroup": 0,
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"add": ["SYS_NICE"], "drop": ["ALL"]},
    }
    assert container["imagePullPolicy"] == "Always"


def test_the_run() -> None:
    (document,) = documents(argo.emit(everything(), SETTINGS))
    assert document["metadata"] == {
        "name": "doc-type",
        "labels": {"tier": "gold"},
        "annotations": {
            "workflows.argoproj.io/description": 'Predicts "things".\nIt\'s {{good}}.',
            "mlc/owner": "team-ia",
            "mlc/tags": "nlp, text",
        },
    }
    spec = document["spec"]
    del spec["templates"], spec["arguments"]
    assert spec == {
        "entrypoint": "main",
        "serviceAccountName": "runner",
        "imagePullSecrets": [{"name": "registry"}, {"name": "mirror"}],
        "parallelism": 3,
        "activeDeadlineSeconds": 86400,
        "ttlStrategy": {"secondsAfterCompletion": 3600},
        "workflowMetadata": {"labels": {"tier": "gold"}},
    }


def test_metrics_are_shown_as_a_parameter_too() -> None:
    outputs = {"metrics": "Metrics", "metrics_json": "string"}
    made = pipeline(step("a", command("run"), outputs=outputs))
    assert template(made, "a")["outputs"]["parameters"] == [
        {"name": "metrics_json_", "valueFrom": {"path": "/mlc/metrics"}},
        {"name": "metrics_json", "valueFrom": {"path": "/mlc/metrics_json"}},
    ]


def test_equal_steps_share_a_template() -> None:
    call = command("run", param_ref("x"))
    steps = [step("one", call), step("two", call), step("three", command("walk"))]
    (document,) = documents(argo.emit(pipeline(*steps, params=[param("x", "1")]), NONE))
    main, *leaves = document["spec"]["templates"]
    assert [t["template"] for t in main["dag"]["tasks"]] == ["one", "one", "three"]
    assert [t["name"] for t in leaves] == ["one", "three"]


def test_long_names_leave_room_for_a_hostname() -> None:
    long = "predict_the_type_of_a_report"
    steps = [step(f"{long}_{n}", command("run", str(n))) for n in "ab"]
    (document,) = documents(argo.emit(pipeline(*steps, name="doc_type_of_reports"), NONE))
    main, *leaves = document["spec"]["templates"]
    names = [t["name"] for t in leaves]
    assert len(set(names)) == 2
    for name in names:
        # WORKFLOW-xxxxx-TEMPLATE-HASH
        assert len("doc-type-of-reports") + 6 + 1 + len(name) + 1 + 10 <= 63
    assert [t["name"] for t in main["dag"]["tasks"]] == [
        f"predict-the-type-of-a-report-{n}" for n in "ab"
    ]


DEPENDS_WORDS = ["and", "contains", "else", "false", "if", "in", "let", "matches", "nil", "or"]


def test_names_that_mean_something_to_argo() -> None:
    names = ["not", *DEPENDS_WORDS, "not_s", "main", "part_1", "true", "item", "tasks", "retries"]
    steps = [step(name, command("run", name), needs=names[:n]) for n, name in enumerate(names)]
    made = Argo(argo.emit(pipeline(*steps), NONE))
    tasks = [t["name"] for t in made.templates["an-algorithm", "main"]["dag"]["tasks"]]
    words = [f"{word}-s" for word in DEPENDS_WORDS]
    plain = ["not-s", "main", "part-1", "true-s", "item", "tasks", "retries"]
    assert tasks == ["not-s-2", *words, *plain]
    assert made.run({}, lambda _: None) == "Failed"


def levels(made: Pipeline, settings: TargetSettings = NONE) -> dict[tuple[str, str], Level]:
    return {(use.field, use.where): use.level for use in argo.explain(made, settings)}


def one(program: Any = None, **given: Any) -> Pipeline:
    return pipeline(step("a", program or command("run"), **given))


def test_explain_lists_what_is_used() -> None:
    found = levels(everything(), SETTINGS)
    assert found["command", "step fetch_dataset"] is Level.EXACT
    assert found["env.TOKEN", "step fetch_dataset"] is Level.EXACT
    assert found["outputs.rows", "step fetch_dataset"] is Level.EMULATED
    assert found["outputs.metrics", "step evaluate"] is Level.EMULATED
    assert found["params.enum", "param solver"] is Level.WEAKER
    assert found["params.description", "param braces"] is Level.EMULATED
    assert found["inputs", "input reports"] is Level.EMULATED
    assert found["inputs.default", "input local"] is Level.WEAKER
    assert found["limits.parallel", "the algorithm"] is Level.EXACT
    assert found["cache", "step evaluate"] is Level.EXACT
    assert found["pod.priority_class", "step build_and_fit"] is Level.EXACT
    assert found["resources.disk", "step build_and_fit"] is Level.EXACT


def test_explain_is_silent_on_what_is_not_used() -> None:
    assert set(levels(one())) == {("command", "step a"), ("image", "step a")}


def test_constraints_are_one_loss() -> None:
    bounded = [replace(param(name, 1), minimum=0) for name in ("x", "y")]
    found = levels(pipeline(step("a", command("run")), params=bounded))
    assert found["params.constraints", "params `x` and `y`"] is Level.WEAKER


def test_a_cache_that_never_hits_is_a_loss_where_it_was_asked_for() -> None:
    asked = one(outputs={"x": "Dataset"}, cache=Cache(True, span=SPAN))
    assert levels(asked)["cache", "step a"] is Level.WEAKER
    assert levels(asked, TargetSettings(memoize="m"))["cache", "step a"] is Level.EMULATED
    assert ("cache", "step a") not in levels(one(outputs={"x": "Dataset"}))


EMPTY = command("run", has_shell=False)


def test_no_shell_is_needed_for_what_argo_checks_itself() -> None:
    outputs = {"data": "Dataset", "page": "HTML"}
    assert refused(one(EMPTY, outputs=outputs, env={"A": param_ref("a")})) == set()


GIB = Amount("1Gi", "1Gi", SPAN)
T4 = replace(gpu(1, "t4"), node_selector=(("gpu", "t4"),))
GPU, NOTES = "resources.gpu", "pod.annotations"


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (one(image=None), "image"),
        (one(image="a:{{b}}"), "image"),
        (one(workdir="/{{x}}"), "workdir"),
        (one(EMPTY, outputs={"n": "integer"}), "outputs.n"),
        (one(env={"MLC_D": "x"}), "env.MLC_D"),
        (one(script("echo " + "x" * 140_000)), "script"),
        (one(command("run", "x" * 140_000)), "command"),
        (one(volumes=[volume("v", "/mlc/data")]), "volumes.v"),
        (one(volumes=[volume("v", "/")]), "volumes.v"),
        (one(volumes=[volume("v", "/dev/shm")], resources=Resources(shm=GIB)), "volumes.v"),
        (one(volumes=[volume("v", "/data", sub_path="{{x}}")]), "volumes.v"),
        (one(resources=Resources(gpu=T4), pod=Pod(node_selector=(("gpu", "a100"),))), GPU),
        (one(pod=Pod(labels=(("a b", "c"),), spans=(("labels", SPAN),))), "pod.labels"),
        (one(pod=Pod(labels=(("a", "b c"),), spans=(("labels", SPAN),))), "pod.labels"),
        (one(pod=Pod(annotations=(("a", "{{b"),), spans=(("annotations", SPAN),))), NOTES),
        (replace(one(), labels=(("team", "a" * 64),)), "labels"),
        (one(command("run", *(param_ref(f"p{n}") for n in range(501)))), "inputs"),
        (pipeline(step("a", EMPTY), params=[param("p", "{{x")]), "params.default"),
        (pipeline(step("a", EMPTY), params=[param("p", "x", enum=("x", "{{"))]), "params.enum"),
    ],
)
def test_refusals(made: Pipeline, field: str) -> None:
    uses = [use for use in argo.explain(made, NONE) if use.level is Level.REFUSED]
    assert [use.field for use in uses] == [field]
    assert not uses[0].acceptable
    assert uses[0].reason


@pytest.mark.parametrize(
    ("default", "level"),
    [
        ("s3://bucket/key", Level.EMULATED),
        ("gs://bucket/key", Level.EMULATED),
        ("https://example.com/a.csv", Level.EMULATED),
        ("data/reports.csv", Level.WEAKER),
        (None, Level.WEAKER),
        ("ftp://example.com/a.csv", Level.REFUSED),
        ("s3://bucket", Level.REFUSED),
        ("s3://bucket/{{x", Level.REFUSED),
    ],
)
def test_inputs_from_outside(default: str | None, level: Level) -> None:
    made = pipeline(step("a", command("run")), inputs=[pipeline_input("reports", default)])
    found = [use.level for use in argo.explain(made, NONE) if use.where == "input reports"]
    order = [Level.EXACT, Level.EMULATED, Level.WEAKER, Level.REFUSED]
    assert max(found, key=order.index) is level


def test_a_name_for_one_thing() -> None:
    given = pipeline(
        step("a", command("run")), params=[param("x", 1)], inputs=[pipeline_input("x", "s3://b/k")]
    )
    assert refused(given) == {"inputs"}


def test_half_of_a_key_pair_is_refused() -> None:
    given = pipeline(step("a", command("run")), inputs=[pipeline_input("x", "s3://b/k")])
    half = TargetSettings(s3=ObjectStore(access_key=SecretKey("s", "k")))
    assert refused(given, half) == {"inputs"}


def test_steps_that_pass_on_too_much_to_be_cut() -> None:
    """No two of the takers can share a part: its template would have 600 parameters."""
    names = [f"v{n}" for n in range(300)]
    steps = [step("start", command("run"))]
    for number in range(201):
        outputs = dict.fromkeys(names, "string")
        taken = [output_of(f"make_{number}", name, "string") for name in names]
        steps.append(step(f"make_{number}", command("run"), outputs=outputs, needs=["start"]))
        steps.append(step(f"take_{number}", command("run", *taken)))
    assert refused(pipeline(*steps[:201])) == set()
    assert refused(pipeline(*steps)) == {"steps"}


def test_a_large_manifest_warns() -> None:
    source = "# " + "x" * 40_000 + "\n"
    near = pipeline(*(step(f"s{n}", script(f"{source}{n}")) for n in range(20)))
    over = pipeline(*(step(f"s{n}", script(f"{source}{n}")) for n in range(30)))
    for made, text in ((near, "near what"), (over, "more than")):
        (use,) = [use for use in argo.explain(made, NONE) if use.field == "size"]
        assert use.level is Level.WEAKER
        assert text in use.reason


def test_parts_are_named() -> None:
    (use,) = [use for use in argo.explain(chain(450), NONE) if use.field == "steps"]
    assert use.level is Level.WEAKER
    loose = pipeline(*(step(f"s{n}", command("run")) for n in range(450)))
    (use,) = [use for use in argo.explain(loose, NONE) if use.field == "steps"]
    assert use.level is Level.EMULATED
    assert not [use for use in argo.explain(chain(200), NONE) if use.field == "steps"]
