"""The IR: parsed strictly by KFP's own messages, loaded by its SDK, and run as far as one can."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from builders import (
    SPAN,
    command,
    concat,
    flag,
    gpu,
    literal,
    output_of,
    output_path,
    param,
    param_ref,
    pipeline,
    pipeline_input,
    pipeline_input_ref,
    python,
    retry,
    script,
    secret,
    step,
    timeout,
    volume,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from kfp_cases import awkward_names, everything, texts, twins
from kfp_spec import Written, assert_read, delivered, executor, read
from msgspec.structs import replace

import compiler
from compiler.expr import RunRef
from compiler.ir import (
    Amount,
    Cache,
    Limits,
    Pipeline,
    Pod,
    Resources,
    Security,
    Step,
)
from compiler.settings import TargetSettings
from compiler.targets import Level, Support, kfp

ROOT = Path(__file__).resolve().parents[2]
NONE = TargetSettings()
SHIPPED = sorted((ROOT / "algorithms").glob("*.yaml"))
CASES = [everything(), twins(), awkward_names()]


def emitted(*steps: Step, **more: Any) -> Written:
    return read(kfp.emit(pipeline(*steps, **more), NONE))


def task(written: Written, name: str) -> dict[str, Any]:
    found: dict[str, Any] = written.spec["root"]["dag"]["tasks"][name]
    return found


def settings_of(written: Written, name: str) -> dict[str, Any]:
    """What the platform document says of a task."""
    config = written.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    found: dict[str, Any] = config[f"exec-{name}"]
    return found


def use(given: Pipeline, field: str) -> Support:
    (found,) = {u.reason: u for u in kfp.explain(given, NONE) if u.field == field}.values()
    return found


@pytest.mark.parametrize("given", CASES, ids=lambda p: p.name)
def test_kfp_reads_it(given: Pipeline, tmp_path: Path) -> None:
    assert_read(kfp.emit(given, NONE), tmp_path)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_kfp_reads_the_shipped_algorithms(path: Path, tmp_path: Path) -> None:
    loaded = compiler.load(path)
    assert loaded.pipeline is not None, loaded.diagnostics
    assert not [u for u in kfp.explain(loaded.pipeline, NONE) if u.level is Level.REFUSED]
    assert_read(kfp.emit(loaded.pipeline, NONE), tmp_path)


@pytest.mark.parametrize("given", CASES, ids=lambda p: p.name)
def test_every_input_of_a_task_is_passed(given: Pipeline) -> None:
    """2.17.0 fails on a default in a component (#14175), and never resolves `Concat` (#9486)."""
    written = read(kfp.emit(given, NONE))
    for name, component in written.spec["components"].items():
        for port in component.get("inputDefinitions", {}).get("parameters", {}).values():
            assert set(port) == {"parameterType"}, name
    for name in written.spec["root"]["dag"]["tasks"]:
        container = executor(written, name).get("container", {})
        for word in (*container.get("command", ()), *container.get("args", ())):
            assert not word.lstrip().startswith(('{"Concat"', '{"IfPresent"'))


def test_containers_that_are_the_same_are_told_apart() -> None:
    """The backend knows a component by its container's hash alone, and would mix these up."""
    written = read(kfp.emit(twins(), NONE))
    one, two = (executor(written, name)["container"] for name in ("one", "two"))
    assert one != two
    differing = {key for key in one if one[key] != two[key]}
    assert differing <= {"env", "command", "args"}
    assert one["env"] == [{"name": "MLC_STEP", "value": "one"}]


def test_params_keep_their_types() -> None:
    written = read(kfp.emit(everything(), NONE))
    params = written.spec["root"]["inputDefinitions"]["parameters"]
    assert {name: p["parameterType"] for name, p in params.items()} == {
        "max_documents": "NUMBER_INTEGER",
        "solver": "STRING",
        "rate": "NUMBER_DOUBLE",
        "warm": "BOOLEAN",
        "max_steps": "STRING",
        "depths": "LIST",
        "extra": "STRUCT",
        "title": "STRING",
        "reports": "STRING",
        "older": "STRING",
        "unused": "STRING",
    }
    assert params["solver"]["literals"] == ["lbfgs", "saga"]
    assert params["max_steps"]["literals"] == ["", "1", "2"]
    assert params["max_steps"]["defaultValue"] == ""
    assert params["rate"]["defaultValue"] == 1e-5
    assert params["title"] == {"parameterType": "STRING"}
    assert params["older"] == {"parameterType": "STRING"}
    # A step's inputs have the type of what they are bound to.
    taken = written.spec["components"]["comp-fetch-dataset"]["inputDefinitions"]["parameters"]
    assert taken["max_documents"] == {"parameterType": "NUMBER_INTEGER"}
    assert taken["max_steps"] == {"parameterType": "STRING"}


def test_inputs_of_the_algorithm_are_imported() -> None:
    written = read(kfp.emit(everything(), NONE))
    tasks = written.spec["root"]["dag"]["tasks"]
    assert {name for name in tasks if "importer" in executor(written, name)} == {
        "import-reports",
        "import-older",
    }
    assert executor(written, "import-reports")["importer"] == {
        "artifactUri": {"runtimeParameter": "uri"},
        "typeSchema": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"},
        "metadata": {"input": "reports"},
    }
    # The importer knows its task by the name that is shown (component/importer_launcher.go).
    assert task(written, "import-older")["taskInfo"]["name"] == "import-older"
    assert "import-reports" in task(written, "fetch-dataset")["dependentTasks"]


def test_what_the_pod_gets() -> None:
    written = read(kfp.emit(everything(), NONE))
    assert settings_of(written, "build-and-fit") == {
        "emptyDirMounts": [
            {
                "volumeName": "mlc-shm",
                "mountPath": "/dev/shm",
                "medium": "Memory",
                "sizeLimit": "2Gi",
            }
        ],
        "nodeSelector": {"labels": {"gpu": "t4", "pool": "ml"}},
        "tolerations": [
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
            {
                "key": "spot",
                "operator": "Equal",
                "value": "true",
                "effect": "NoExecute",
                "tolerationSeconds": "60",
            },
        ],
        "podMetadata": {
            "labels": {"team": "ia"},
            "annotations": {"why": 'because: "it\'s" #1'},
        },
        "imagePullPolicy": "Always",
        "imagePullSecret": [
            {"secretName": name, "secretNameParameter": {"runtimeValue": {"constant": name}}}
            for name in ("registry", "mirror")
        ],
        "securityContext": {"runAsUser": "1000", "runAsGroup": "0", "runAsNonRoot": True},
    }
    fetched = settings_of(written, "fetch-dataset")
    assert fetched["activeDeadlineSeconds"] == "7200"
    assert fetched["secretAsEnv"][0]["keyToEnv"] == [{"secretKey": "token", "envVar": "TOKEN"}]
    assert fetched["pvcMount"][0]["subPath"] == "v1"
    assert fetched["emptyDirMounts"] == [
        {"volumeName": "mlc-empty-scratch", "mountPath": "/scratch", "sizeLimit": "5Gi"}
    ]
    assert written.platform["platforms"]["kubernetes"]["pipelineConfig"] == {
        "activeDeadlineSeconds": 86400,
        "resourceTtlOnCompletion": 3600,
    }


def test_resources_are_spelled_as_kubernetes_and_the_sdk_read_them() -> None:
    written = read(kfp.emit(everything(), NONE))
    assert executor(written, "build-and-fit")["container"]["resources"] == {
        "resourceCpuRequest": "500m",
        "resourceCpuLimit": "4",
        "resourceMemoryLimit": "1536Mi",
        "accelerator": {"resourceType": "nvidia.com/gpu", "resourceCount": "2"},
    }


@pytest.mark.parametrize(
    ("kind", "given", "written"),
    [
        ("cpu", "4", "4"),
        ("cpu", "500m", "500m"),
        ("cpu", ".5", ".5"),
        ("cpu", "2e-1", "0.2"),
        ("cpu", "1k", "1000"),
        ("memory", "8Gi", "8Gi"),
        ("memory", "1.5G", "1500M"),
        ("memory", "1.5Gi", "1536Mi"),
        ("memory", "100k", "100000"),
        ("memory", "1e9", "1G"),
        ("memory", "1500m", "2"),
        ("memory", "0", "0"),
    ],
)
def test_spelling_of_amounts(kind: str, given: str, written: str) -> None:
    resources = Resources(**{kind: Amount(given, given, SPAN)})
    found = executor(emitted(step("one", command("x"), resources=resources)), "one")
    name = f"resource{kind.title()}"
    assert found["container"]["resources"] == {f"{name}Request": written, f"{name}Limit": written}


def test_retries_have_all_four_fields() -> None:
    """Without `backoffMaxDuration` the backend reads no time left, and never tries again."""
    written = emitted(step("one", command("x"), retry=retry(3, 30, 2)), step("two", command("y")))
    assert task(written, "one")["retryPolicy"] == {
        "maxRetryCount": 3,
        "backoffDuration": "30s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": "31536000s",
    }
    assert "retryPolicy" not in task(written, "two")


def key_of(given: Step) -> str | None:
    taken = task(emitted(given, params=[param("text", "x")]), "one")["inputs"]["parameters"]
    key = taken.get("mlc_key")
    return None if key is None else str(key["runtimeValue"]["constant"])


def test_what_kfp_leaves_out_of_its_cache_key_is_an_input() -> None:
    made = step("one", command("x", param_ref("text")), outputs={"out": "Dataset"})
    assert key_of(made) is None
    assert not key_of(replace(made, cache=Cache(False, key=literal("v1"))))
    variants = [
        step("one", made.program, outputs={"out": "Dataset"}, env=env, cache=cache)
        for env in ({"A": "1"}, {"A": "2"}, {"B": "1"}, {"A": secret("s", "k")})
        for cache in (Cache(True), Cache(True, key=literal("v1")), Cache(True, key=literal("v2")))
    ]
    keys = [key_of(variant) for variant in variants]
    assert None not in keys
    assert len(set(keys)) == len(variants)


def test_run_time_values_of_a_cache_key_are_inputs() -> None:
    key = concat("v", param_ref("text"), RunRef("id", SPAN))
    made = step("one", command("x"), outputs={"out": "Dataset"}, cache=Cache(True, key=key))
    taken = task(emitted(made, params=[param("text", "x")]), "one")["inputs"]["parameters"]
    assert taken["text"] == {"componentInputParameter": "text"}
    assert taken["run_id"] == {"runtimeValue": {"constant": "{{$.pipeline_job_uuid}}"}}
    assert set(taken) == {"text", "run_id", "mlc_key"}


def test_caching_is_off_where_the_spec_says_so() -> None:
    written = emitted(
        step("one", command("x"), outputs={"out": "Dataset"}),
        step("two", command("x"), outputs={"out": "Dataset"}, cache=Cache(False)),
    )
    assert task(written, "one")["cachingOptions"] == {"enableCache": True}
    assert task(written, "two")["cachingOptions"] == {}


def test_order_and_data_make_dependencies() -> None:
    written = emitted(
        step("z", command("x", output_of("b", "out")), needs=["c", "b"]),
        step("b", command("x"), outputs={"out": "Dataset"}),
        step("c", command("x")),
    )
    assert task(written, "z")["dependentTasks"] == ["b", "c"]


def test_names_keep_clear_of_what_the_backend_adds() -> None:
    written = read(kfp.emit(awkward_names(), NONE))
    assert set(written.spec["root"]["dag"]["tasks"]) == {
        "import",
        "importer-s",
        "dsl",
        "list",
        "t",
        "t-driver-s",
        "not-s",
        "a-b",
        "a-b-2",
        "wrapper",
        "evaluate",
        "import-a-b",
        "import-t",
    }
    # One namespace for the inputs and outputs of a component, and names that Python can say.
    taken = written.spec["components"]["comp-evaluate"]["inputDefinitions"]["parameters"]
    assert set(taken) == {"dsl_2", "mlc_key", "mlc_key_2", "t_evaluate"}


def echo(*arguments: Any, **more: Any) -> Step:
    """A step that writes down its arguments and environment."""
    program = "import json,os,sys;json.dump([sys.argv[2:],dict(os.environ)],open(sys.argv[1],'w'))"
    words = (sys.executable, "-c", program, output_path("out"), *arguments)
    return step("one", command(*words), outputs={"out": "Artifact"}, **more)


def run(written: Written, folder: Path, values: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Arguments and environment of `echo`, really run, as KFP would start it."""
    out = folder / "out"
    out.unlink(missing_ok=True)
    argv, env = delivered(written, "one", values, {"out": str(out)})
    subprocess.run(argv, env={"PATH": os.environ["PATH"], **env}, check=True)
    arguments, environment = json.loads(out.read_text(encoding="utf-8"))
    return arguments, environment


@settings(max_examples=40, deadline=None)
@given(st.lists(texts, max_size=4), texts, texts)
def test_literals_arrive_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, arguments: list[str], variable: str, text: str
) -> None:
    """Through twofold expansion, in a command and in the environment, beside run-time values."""
    around = concat(text, param_ref("text"), text)
    given = echo(*arguments, around, env={"LITERAL": variable, "AROUND": around})
    found, environment = run(
        emitted(given, params=[param("text", "x")]),
        tmp_path_factory.mktemp("run"),
        {"text": "va lue"},
    )
    assert found == [*arguments, f"{text}va lue{text}"]
    assert environment["LITERAL"] == variable
    assert environment["AROUND"] == f"{text}va lue{text}"


def test_a_working_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a 'folder' $(HOME)"
    folder.mkdir()
    program = "import os;open(os.environ['OUT'],'w').write(os.getcwd())"
    made = step(
        "one",
        command(sys.executable, "-c", program),
        workdir=str(folder),
        env={"OUT": str(tmp_path / "out")},
    )
    argv, env = delivered(emitted(made), "one", {}, {})
    subprocess.run(argv, env=env, check=True)
    assert (tmp_path / "out").read_text() == str(folder)


def test_metrics_are_handed_over_beside_the_artifacts(tmp_path: Path) -> None:
    made = step(
        "one",
        script('printf \'{"accuracy": 0.5}\' > "$OUTPUT_METRICS"\nprintf 3 > "$OUTPUT_ROWS"\n'),
        outputs={"metrics": "Metrics", "rows": "integer"},
    )
    files = {"metrics": str(tmp_path / "metrics"), "rows": str(tmp_path / "rows")}
    argv, env = delivered(emitted(made), "one", {}, files)
    subprocess.run(argv, env={"PATH": os.environ["PATH"], **env}, check=True)
    assert json.loads((tmp_path / "output_metadata.json").read_text()) == {
        "artifacts": {"metrics": {"artifacts": [{"metadata": {"accuracy": 0.5}}]}}
    }


def one(program: Any = None, **more: Any) -> Pipeline:
    return pipeline(step("one", program or command("run"), **more))


def of_pod(**fields: Any) -> Pipeline:
    return one(pod=Pod(**fields, spans=tuple((key, SPAN) for key in fields)))


def of_param(**fields: Any) -> Pipeline:
    return pipeline(step("one", command("run")), params=[param("p", **fields)])


EXACT, EMULATED, WEAKER, REFUSED = Level.EXACT, Level.EMULATED, Level.WEAKER, Level.REFUSED
DISK = Resources(disk=Amount("1Gi", "1Gi", SPAN))
GPU = replace(gpu(1, "t4"), node_selector=(("gpu", "t4"),))
NO_SHELL = command("run", has_shell=False)
PATH_FIRST = command(pipeline_input_ref("i"))


@pytest.mark.parametrize(
    ("field", "level", "acceptable", "given"),
    [
        ("params", EXACT, True, of_param(default=1)),
        ("params", EMULATED, True, of_param(default=None, kind="integer")),
        ("params.enum", EXACT, True, of_param(default="a", enum=("a", "b"))),
        ("params.enum", REFUSED, False, of_param(default="a", enum=("a", "$(b)"))),
        ("params.default", REFUSED, False, of_param(default="{{x}}")),
        ("params.default", REFUSED, False, of_param(default="$$")),
        ("params.default", REFUSED, False, of_param(default=["$(x)"])),
        ("params.default", REFUSED, False, of_param(default="\x7f")),
        ("params.default", REFUSED, False, of_param(default="\U000e0001")),
        ("params.default", REFUSED, False, of_param(default="/kfp-workspace/x")),
        ("params.default", REFUSED, False, of_param(default="[[CurrentTime]]")),
        ("params.default", REFUSED, False, of_param(default="x" * 10_001)),
        ("image", REFUSED, False, one(image=None)),
        ("env.A", EXACT, True, one(env={"A": "x"})),
        ("env.A", EXACT, True, one(env={"A": secret("s", "k")})),
        ("env.A", EMULATED, True, one(env={"A": param_ref("p")})),
        ("env.A", EMULATED, True, one(env={"A": "$$"})),
        ("env.A", REFUSED, False, one(NO_SHELL, env={"A": param_ref("p")})),
        ("env.MLC_D", REFUSED, False, one(env={"MLC_D": "x"})),
        ("run.scheduled_at", EMULATED, True, one(command(RunRef("scheduled_at", SPAN)))),
        ("command", REFUSED, False, one(command("run", flag("--\x7f", 1)))),
        ("outputs.o", EMULATED, True, one(outputs={"o": "Dataset"})),
        ("outputs.o", REFUSED, False, one(NO_SHELL, outputs={"o": "Metrics"})),
        ("outputs.o", EXACT, True, one(NO_SHELL, outputs={"o": "integer"})),
        ("workdir", EMULATED, True, one(workdir="/srv")),
        ("workdir", REFUSED, False, one(NO_SHELL, workdir="/srv")),
        ("resources.disk", REFUSED, True, one(resources=DISK)),
        ("resources.gpu", EXACT, True, one(resources=Resources(gpu=GPU))),
        ("volumes.v", EXACT, True, one(volumes=[volume("v")])),
        ("volumes.read_only", REFUSED, True, one(volumes=[volume("v", read_only=True)])),
        (
            "volumes.sub_path",
            REFUSED,
            False,
            one(volumes=[volume("v", "/v", "secret", sub_path="a")]),
        ),
        ("pod.labels", EXACT, True, of_pod(labels=(("a", "b"),))),
        ("pod.annotations", REFUSED, False, of_pod(annotations=(("a", "{{b}}"),))),
        ("pod.service_account", REFUSED, True, of_pod(service_account="x")),
        ("pod.priority_class", REFUSED, True, of_pod(priority_class="x")),
        ("pod.security", EXACT, True, of_pod(security=Security(run_as_user=1))),
        ("pod.security.privileged", REFUSED, True, of_pod(security=Security(privileged=True))),
        ("retry", EXACT, True, one(retry=retry(3, 30))),
        ("retry.max_backoff", EXACT, True, one(retry=retry(3, 10, 2, 40))),
        ("retry.max_backoff", REFUSED, True, one(retry=retry(3, 10, 2, 39))),
        ("timeout", EXACT, True, one(timeout=timeout(5))),
        ("cache", EXACT, True, one(cache=Cache(False, span=SPAN))),
        ("cache.key", EMULATED, True, one(cache=Cache(True, key=literal("x"), span=SPAN))),
        ("cache.max_age", REFUSED, True, one(cache=Cache(True, max_age=60, span=SPAN))),
        ("python", EXACT, True, one(python("a.b:c"))),
        ("script", REFUSED, False, one(script("echo \x7f"))),
        ("script", REFUSED, False, one(script("echo '{{$}}'"))),
        ("script", REFUSED, False, one(script("x" * 110_000))),
        ("command", WEAKER, True, one(command("run", concat(param_ref("p"), "(x)")))),
    ],
)
def test_what_becomes_of_a_field(
    field: str, level: Level, acceptable: bool, given: Pipeline
) -> None:
    found = [u for u in kfp.explain(given, NONE) if u.field == field]
    worst = max(found, key=lambda use: list(Level).index(use.level))
    assert (worst.level, worst.acceptable) == (level, acceptable)
    assert worst.level is EXACT or worst.reason


def test_constraints_are_one_loss() -> None:
    params = [replace(param(name, 5), minimum=1) for name in ("a", "b")]
    found = use(pipeline(step("one", command("run")), params=params), "params.constraints")
    assert (found.level, found.where) == (WEAKER, "params `a` and `b`")


@pytest.mark.parametrize(
    ("default", "kind", "level"),
    [
        ("s3://b/k", "Dataset", EXACT),
        ("gs://b/k", "Dataset", EXACT),
        ("oci://r/m:1", "Model", EXACT),
        ("oci://r/m:1", "Dataset", REFUSED),
        ("https://h/x.csv", "Dataset", REFUSED),
        ("data/local.csv", "Dataset", WEAKER),
    ],
)
def test_what_can_be_imported(default: str, kind: str, level: Level) -> None:
    given = pipeline(step("one", command("run")), inputs=[pipeline_input("i", default, kind)])
    found = [u for u in kfp.explain(given, NONE) if u.where == "input i"]
    assert [u.level for u in found] == [level]
    if level is WEAKER:
        parameters = read(kfp.emit(given, NONE)).spec["root"]["inputDefinitions"]["parameters"]
        assert "defaultValue" not in parameters["i"]


def test_a_param_and_an_input_of_one_name() -> None:
    given = pipeline(
        step("one", command("run")), params=[param("x", 1)], inputs=[pipeline_input("x")]
    )
    assert [u.where for u in kfp.explain(given, NONE) if u.level is REFUSED] == ["input x"]


def test_a_path_is_no_name_of_a_program() -> None:
    given = pipeline(step("one", PATH_FIRST), inputs=[pipeline_input("i")])
    assert [u.field for u in kfp.explain(given, NONE) if u.level is REFUSED] == ["command"]


@pytest.mark.parametrize(
    "volumes",
    [
        [volume("v.w", "/v", "secret")],
        [volume("v", "/v", "secret"), volume("v", "/w", "config_map")],
    ],
)
def test_volumes_that_kfp_can_not_name(volumes: Any) -> None:
    found = [u for u in kfp.explain(one(volumes=volumes), NONE) if u.level is REFUSED]
    assert len(found) == 1


def test_limits_of_a_run() -> None:
    spans = tuple((key, SPAN) for key in ("parallel", "timeout", "ttl"))
    given = pipeline(step("one", command("run")), limits=Limits(2, 60, 0, spans))
    found = {u.field: u.level for u in kfp.explain(given, NONE) if u.field.startswith("limits")}
    assert found == {
        "limits.parallel": REFUSED,
        "limits.timeout": EXACT,
        "limits.ttl": EMULATED,
    }
    config = read(kfp.emit(given, NONE)).platform["platforms"]["kubernetes"]["pipelineConfig"]
    assert config == {"activeDeadlineSeconds": 60, "resourceTtlOnCompletion": 1}


def test_all_of_everything_is_carried() -> None:
    assert not [u for u in kfp.explain(everything(), NONE) if u.level is REFUSED]


def test_a_workflow_that_is_too_large_for_kubernetes() -> None:
    steps = [step(f"s{i}", script("x" * 90_000)) for i in range(12)]
    (found,) = [u for u in kfp.explain(pipeline(*steps), NONE) if u.level is WEAKER]
    assert found.field == "steps"
    assert "1.5 MB" in found.reason


def test_descriptions_come_through_argo_beneath() -> None:
    given = pipeline(
        step("one", command("run")), params=[param("p", 1, description="a {{{b}} \x7f c\x01")]
    )
    params = read(kfp.emit(given, NONE)).spec["root"]["inputDefinitions"]["parameters"]
    assert params["p"]["description"] == "a { { {b}} \ufffd c\ufffd"


PROGRAM = """
import sys
sys.path[:0] = [{tests!r}, {here!r}]
from kfp_cases import awkward_names, everything
from compiler import targets
from compiler.settings import TargetSettings
for name in {names!r}:
    for given in (everything(), awkward_names()):
        sys.stdout.write(targets.target(name).emit(given, TargetSettings()))
sys.stderr.write(" ".join(sorted({{"kfp", "jinja2", "kubernetes", "google"}} & sys.modules.keys())))
"""


def in_a_process(names: tuple[str, ...], seed: str) -> tuple[str, str]:
    """What targets write in a process of their own, and which libraries they load."""
    here = Path(__file__).parent
    program = PROGRAM.format(tests=str(here.parent), here=str(here), names=names)
    env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, env=env, text=True
    )
    return done.stdout, done.stderr


def test_the_same_bytes_under_every_hash_seed() -> None:
    texts = {in_a_process(("kfp", "kfp-dsl"), seed)[0] for seed in ("0", "1", "4242")}
    assert len(texts) == 1


def test_the_target_kfp_needs_neither_the_sdk_nor_jinja() -> None:
    assert in_a_process(("kfp",), "0")[1] == ""
    assert in_a_process(("kfp", "kfp-dsl"), "0")[1] == "jinja2"


def test_the_documents_are_yaml_for_any_reader() -> None:
    text = kfp.emit(everything(), NONE)
    assert text == kfp.emit(everything(), NONE)
    assert [set(d) for d in yaml.safe_load_all(text)] == [
        {"pipelineInfo", "schemaVersion", "sdkVersion", "root", "components", "deploymentSpec"},
        {"platforms"},
    ]
