"""Conditions, loops, last steps and schedules on Argo, run by the model of it.

What runs, and with which values, is compared with what the language says (argo_meaning).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import expr_lang
import pytest
from argo_flows import (
    HAND_MADE,
    MAYBE,
    NEVER,
    PARAMS,
    STATUS,
    each,
    flow,
    join,
    loop,
    out,
    random_flow,
    schedule,
    worker,
)
from argo_flows import NONE as NONE_LIST
from argo_meaning import Meaning, made
from argo_model import Argo, Leaf, Result
from builders import (
    SPAN,
    command,
    gpu,
    param,
    param_ref,
    pipeline_input_ref,
    python,
    step,
)
from go_programs import go_program
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from compiler.expr import ArtifactType, Expr, OutputPath, ValueType
from compiler.ir import Amount, Cache, Pipeline, Resources
from compiler.launch import Capture, captures
from compiler.runtime import shim_spec, shim_text
from compiler.settings import ObjectStore, TargetSettings
from compiler.targets import Level, argo
from compiler.targets.argo.names import task_names
from compiler.values import to_text

NONE = TargetSettings()


def play(
    pipeline: Pipeline,
    failing: frozenset[str] = frozenset(),
    project: TargetSettings = NONE,
    params: dict[str, Any] = PARAMS,
    *,
    outputs_of_skipped: bool = True,
) -> tuple[Argo, Meaning]:
    """Run it on the model, and hold each container and the result against the meaning."""
    refusals = [u for u in argo.explain(pipeline, project) if u.level is Level.REFUSED]
    assert refusals == []
    meaning = Meaning(pipeline, params, failing)
    by_task = {task: name for name, task in task_names(_names(pipeline)).items()}
    steps = {step.name: step for step in pipeline.steps}
    ran: dict[str, Leaf] = {}

    def act(leaf: Leaf) -> Result | None:
        step = steps[by_task[leaf.task]]
        instance = ".".join((step.name, *map(str, leaf.rounds)))
        assert instance not in ran, "it runs twice"
        ran[instance] = leaf
        assert instance in meaning.taken, f"{instance} should not run"
        wanted = list(zip(step.expressions(), meaning.taken[instance], strict=True))
        words = leaf.container["command"][-len(wanted) :]
        for word, (expression, value) in zip(words, wanted, strict=True):
            if not isinstance(expression.type, ArtifactType):
                check(word, value, expression, instance)
        for capture in captures(step):
            if isinstance(capture.type, ArtifactType):
                assert artifact(leaf, capture) == value_of(capture.ref, wanted), instance
        if instance in failing:
            return None
        outputs = {o.name: made(o, instance) for o in step.outputs}
        # As a file has it: with a newline at its end, but for text.
        values = {n: v if isinstance(v, str) else to_text(v) + "\n" for n, v in outputs.items()}
        return Result(values, outputs)

    model = Argo(argo.emit(pipeline, project), outputs_of_skipped=outputs_of_skipped)
    given = {n: to_text(v) for n, v in params.items()}
    phase = model.run(given, act)
    assert ran.keys() == meaning.taken.keys()
    assert phase == meaning.status.replace("succ", "Succ").replace("fail", "Fail")
    assert model.outputs.keys() == meaning.outputs.keys()
    for output in pipeline.outputs:
        if phase == "Succeeded":
            found = model.outputs[output.name]
            if isinstance(output.type, ArtifactType):
                assert found == meaning.outputs[output.name]
            else:
                check(found, meaning.outputs[output.name], output.value, output.name)
    return model, meaning


def artifact(leaf: Leaf, capture: Capture) -> Any:
    """What a container finds; a list of artifacts is a folder with one for each round."""
    found = leaf.artifacts.get(capture.name)
    if isinstance(capture.type, ArtifactType) and capture.type.is_list:
        return [one for _, one in sorted((found or {}).items(), key=lambda item: int(item[0]))]
    return found


def value_of(ref: Expr, wanted: list[tuple[Expr, Any]]) -> Any:
    return next(value for expression, value in wanted if expression == ref)


def check(text: str, value: Any, given: Expr, where: str) -> None:
    """A value is text on Argo; of what is no string the spelling is free."""
    if isinstance(given, OutputPath):
        return
    assert isinstance(given.type, ValueType)
    kind = given.type.kind
    if value is None:
        assert text.strip() == "", where
    elif kind == "string" or (kind is None and isinstance(value, str)):
        assert text == value, where
    else:
        assert json.loads(text) == value, where


def _names(pipeline: Pipeline) -> list[str]:
    def walk(nodes: Any) -> list[str]:
        return [n for node in nodes for n in (node.name, *walk(getattr(node, "body", ())))]

    return walk((*pipeline.nodes, *pipeline.finally_nodes))


@pytest.mark.parametrize("outputs_of_skipped", [True, False])
@pytest.mark.parametrize("case", HAND_MADE)
def test_by_hand(case: str, outputs_of_skipped: bool) -> None:
    play(HAND_MADE[case], outputs_of_skipped=outputs_of_skipped)


@pytest.mark.parametrize("case", HAND_MADE)
def test_each_step_may_fail(case: str) -> None:
    _, whole = play(HAND_MADE[case])
    for instance in whole.taken:
        play(HAND_MADE[case], frozenset([instance]))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**6), st.integers(0, 8), st.booleans())
def test_random_flows(seed: int, threshold: int, outputs_of_skipped: bool) -> None:
    pipeline = random_flow(seed)
    params = {**PARAMS, "threshold": threshold}
    _, whole = play(pipeline, params=params, outputs_of_skipped=outputs_of_skipped)
    if whole.taken:
        failing = sorted(whole.taken)[seed % len(whole.taken)]
        play(pipeline, frozenset([failing]), params=params)


S3 = TargetSettings(s3=ObjectStore(endpoint="minio:9000"))


def gathering() -> Pipeline:
    """Lists of artifacts: of one loop, of an empty one, and of an inner loop in each round."""
    taker = python("train:join")
    inner = loop("inner", {"j": [1, 2]}, worker("part", each("inner", "j")))
    joined = step("joined", taker, inputs={"parts": out("part", "d", 1)}, outputs={"d": "Dataset"})
    return flow(
        worker("a"),
        loop("outer", {"i": [1, 2, 3]}, inner, joined),
        loop("empty", {"k": NONE_LIST}, worker("never")),
        step("all", taker, inputs={"parts": out("joined", "d", 1), "one": out("a", "d")}),
        step("none", taker, inputs={"parts": out("never", "d", 1)}),
    )


def test_lists_of_artifacts() -> None:
    model, _ = play(gathering(), project=S3)
    assert model.store["0c5a9f8e/part/d/2/1"] == "part.2.1/d"
    play(gathering(), project=TargetSettings(gcs=ObjectStore()))
    play(gathering(), frozenset(["part.1.0"]), S3)


def test_the_shim_reads_a_folder_of_rounds_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "def join(parts, none):\n    print([p.read_text() for p in parts], none)\n"
    )
    folder = tmp_path / "parts"
    folder.mkdir()
    for number in range(12):
        (folder / str(number)).write_text(str(number))
    inputs = {"parts": out("part", "d", 1), "none": out("never", "d", 1)}
    spec = shim_spec(step("s", python("train:join"), inputs=inputs))
    words = ["parts", f"{folder}/*", "none", f"{tmp_path}/none/*"]
    found = subprocess.run(
        [sys.executable, "-c", shim_text(), "train:join", spec, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == f"{[str(n) for n in range(12)]} []\n"


def test_memoised_steps_in_loops_are_told_apart_by_their_rounds() -> None:
    """What an uncached step made in one round is not taken for what it made in another."""
    use = step("use", command("use", out("make", "d")), outputs={"o": "Model"})
    make = replace(worker("make"), cache=Cache(False))
    pipeline = flow(worker("a"), loop("l", {"k": [1, 2, 3]}, make, use))
    keys: dict[str, str | None] = {}

    def act(leaf: Leaf) -> Result:
        keys[leaf.instance] = leaf.memoize
        outputs = {p["name"]: "1" for p in leaf.template.get("outputs", {}).get("parameters", [])}
        return Result(outputs, {"d": "d", "o": "o"})

    text = argo.emit(pipeline, TargetSettings(memoize="results"))
    assert Argo(text).run({}, act) == "Succeeded"
    assert keys["a"] is not None
    assert len({keys[f"use.{n}"] for n in range(3)}) == 3
    assert keys["make.0"] is None


def test_steps_whose_artifacts_are_gathered_are_not_memoised() -> None:
    project = replace(S3, memoize="results")
    made_ = gathering()
    (document,) = Argo(argo.emit(made_, project)).documents
    memoised = {t["name"] for t in document["spec"]["templates"] if "memoize" in t}
    assert memoised == {"a"}


@pytest.mark.parametrize(
    ("gpus", "shm", "limits"),
    [("2", "1Gi", "2"), (" 4\n", "500Mi", "4"), ('1"}', "1Gi", "not-a-quantity")],
)
def test_amounts_that_a_run_gives(gpus: str, shm: str, limits: str) -> None:
    size = param_ref("shm")
    wanted = Resources(
        cpu=Amount("500m", param_ref("cpu", "number"), SPAN),
        memory=Amount("1Gi", "1Gi", SPAN),
        shm=Amount(size, size, SPAN),
        gpu=replace(gpu(1), count=join(MAYBE, param_ref("gpus", "integer"))),
    )
    params = [param(n, "1") for n in ("gpus", "cpu", "shm")]
    made_ = flow(step("s", command("run"), resources=wanted))
    made_ = replace(made_, params=(*made_.params, *params))
    (use,) = [use for use in argo.explain(made_, NONE) if use.field == "resources"]
    assert use.level is Level.EMULATED
    seen: list[Leaf] = []
    model = Argo(argo.emit(made_, NONE))
    given = {"gpus": gpus, "cpu": "1.5", "shm": shm}
    model.run(given, lambda leaf: seen.append(leaf) or Result())  # type: ignore[func-returns-value]
    (leaf,) = seen
    assert leaf.container["resources"] == {
        "requests": {"cpu": "500m", "memory": "1Gi"},
        "limits": {"memory": "1Gi"},
    }
    main = {"name": "main", "resources": {"limits": {"cpu": "1.5", "nvidia.com/gpu": limits}}}
    volume = {"name": "mlc-shm", "emptyDir": {"medium": "Memory", "sizeLimit": shm}}
    assert leaf.patch == {"containers": [main], "volumes": [volume]}
    assert {"name": "mlc-shm", "emptyDir": {"medium": "Memory"}} in leaf.template["volumes"]


def scheduled(**changes: Any) -> Pipeline:
    return replace(flow(worker("a")), schedules=(schedule("weekly_run", **changes),))


def test_schedules() -> None:
    changes = {
        "timezone": "Europe/Paris",
        "params": (("threshold", 5), ("word", "saga"), ("many", [1.0, "a"])),
        "overlap": "forbid",
        "enabled": False,
    }
    made_ = replace(scheduled(**changes), labels=(("team", "ia"),))
    (cron,) = Argo(argo.emit(made_, NONE)).crons
    assert cron == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "CronWorkflow",
        "metadata": {"name": "flow--weekly-run", "labels": {"team": "ia"}},
        "spec": {
            "schedules": ["0 3 * * 1"],
            "timezone": "Europe/Paris",
            "concurrencyPolicy": "Forbid",
            "suspend": True,
            "workflowSpec": {
                "workflowTemplateRef": {"name": "flow"},
                "arguments": {
                    "parameters": [
                        {"name": "threshold", "value": "5"},
                        {"name": "word", "value": "saga"},
                        {"name": "many", "value": '[1.0,"a"]'},
                    ]
                },
            },
        },
    }


def test_names_of_schedules_leave_room() -> None:
    long = "a_schedule_with_a_name_that_is_as_long_as_names_get"
    made_ = replace(flow(worker("a")), schedules=(schedule(f"{long}_1"), schedule(f"{long}_2")))
    names = [c["metadata"]["name"] for c in Argo(argo.emit(made_, NONE)).crons]
    assert len(set(names)) == 2
    assert all(len(name) <= 52 for name in names)


def refusals(pipeline: Pipeline, project: TargetSettings = NONE) -> dict[str, str]:
    found = argo.explain(pipeline, project)
    return {use.field: use.reason for use in found if use.level is Level.REFUSED}


TAGGED = {"k": ["{{x"]}
DATA = pipeline_input_ref("data")


@pytest.mark.parametrize(
    ("pipeline", "field", "reason"),
    [
        (scheduled(sets_steps=True, profile="toy"), "schedules.profile", "`toy` sets more"),
        (scheduled(catch_up=True), "schedules.catch_up", "last missed run"),
        (scheduled(params=(("word", "{{x"),)), "schedules.params", "`word`"),
        (flow(loop("l", TAGGED, worker("a"))), "foreach.k", "`{{`"),
        (flow(worker("a", when=NEVER), worker("b", join(out("a", "s"), "{{"))), "??", "`{{`"),
        (flow(worker("a", when=NEVER), worker("b", join(out("a", "d"), DATA))), "??", "outside"),
        (
            flow(
                worker("a", when=NEVER),
                worker("b"),
                loop("l", {"k": [1]}, worker("c", join(out("a", "d"), out("b", "d")))),
            ),
            "??",
            "before the loop",
        ),
        (gathering(), "inputs", "[targets.argo.s3]"),
        (
            flow(loop("l", {"k": [1]}, worker("a")), worker("b", out("a", "d", 1))),
            "inputs",
            "`python:`",
        ),
        (
            flow(loop("l", {"k": [1]}, worker("a")), models=out("a", "d", 1)),
            "outputs",
            "can't leave a run",
        ),
        (flow(worker("a", when=NEVER), o=join(out("a", "s"), "{{")), "outputs", "`{{`"),
    ],
)
def test_what_is_refused(pipeline: Pipeline, field: str, reason: str) -> None:
    found = refusals(pipeline)
    assert found.keys() == {field}
    assert reason in found[field]


def test_a_missed_run_may_be_accepted() -> None:
    (use,) = [u for u in argo.explain(scheduled(catch_up=True), NONE) if u.level is Level.REFUSED]
    assert use.acceptable


def test_what_is_told() -> None:
    def told(case: str) -> dict[tuple[str, str], Level]:
        return {(u.field, u.where): u.level for u in argo.explain(HAND_MADE[case], NONE)}

    inner = told("loops in loops")
    assert inner["foreach", "loop inner"] is Level.EMULATED
    assert inner["foreach.parallel", "loop inner"] is Level.EXACT
    assert inner["when", "loop inner"] is Level.EXACT
    assert inner["when", "step d"] is Level.EXACT
    assert told("a loop")["foreach", "loop fit"] is Level.EMULATED
    assert ("steps", "the algorithm") not in told("a loop")
    assert told("last steps")["finally", "the algorithm"] is Level.EMULATED
    assert told("last steps")["run.status", "the algorithm"] is Level.EXACT
    assert told("outputs")["outputs", "output model"] is Level.EXACT
    assert told("a choice")["??", "step d"] is Level.EXACT
    weekly = {(u.field, u.where): u.level for u in argo.explain(scheduled(), NONE)}
    assert weekly["schedules", "schedule weekly_run"] is Level.EXACT


def many(count: int, *, when: Expr | None = None) -> Pipeline:
    """So many steps, of which the middle one may be skipped, in a row."""
    steps = [worker("s0")]
    for n in range(1, count):
        taken = out(f"s{n - 1}", "s")
        skipped = n - 1 == count // 2 and when is not None
        word = join(taken, "none") if skipped else taken
        steps.append(worker(f"s{n}", word, when=when if n == count // 2 else None))
    return flow(*steps, last=[worker("tell", STATUS)], end=out(f"s{count - 1}", "s"))


def test_large_graphs_with_all_around() -> None:
    play(many(450))
    body = [worker(f"b{n}", out(f"b{n - 1}", "s")) if n else worker("b0") for n in range(230)]
    within = flow(worker("a"), loop("l", {"k": [1, 2]}, *body), worker("z", out("b229", "s", 1)))
    play(within)


def test_conditions_hold_where_a_graph_is_cut_elsewhere() -> None:
    play(many(250, when=NEVER))
    # A wide layer after a step that may be skipped can't share its part.
    wide = [worker(f"w{n}", join(out("s", "n"), 1)) for n in range(300)]
    found = refusals(flow(worker("s", when=NEVER), *wide))
    assert "`s`" in found["steps"]


def test_long_names_of_steps_that_algorithms_bring_along() -> None:
    """Five algorithms deep, with names as long as they get, that differ at the end alone."""
    deep = ".".join(["a" * 50] * 4)
    pipeline = flow(*(worker(f"{deep}.{'b' * 49}{n}", str(n)) for n in range(3)))
    play(pipeline)
    model = Argo(argo.emit(pipeline, NONE))
    names = [t["name"] for t in model.templates["flow", "main"]["dag"]["tasks"]]
    assert all(len(name) <= 128 for name in [*names, *(name for _, name in model.templates)])
    assert len(set(names)) == 3


def test_a_pipeline_of_many_templates() -> None:
    loops = [
        loop(f"l{n}", {"k": [n]}, worker(f"w{n}", str(n), each(f"l{n}", "k"))) for n in range(120)
    ]
    pipeline = flow(*loops, last=[worker("tell", STATUS, "x")], first=out("w0", "s", 1))
    text = argo.emit(pipeline, NONE)
    assert len(Argo(text).documents) == 2
    play(pipeline)


def test_what_waits_for_nothing_needs_no_schedule() -> None:
    """Names of tasks and templates never clash, whatever nodes are called."""
    names = ["main", "finally", "run", "round", "item", "status", "part", "part_1"]
    steps = [loop(f"{n}", {"k": [1]}, worker(f"{n}.in", each(n, "k"))) for n in names]
    steps += [worker(f"{n}_loop") for n in names] + [worker(f"{n}_round") for n in names]
    last = [loop("last", {"status": [1]}, worker("last.in", STATUS, each("last", "status")))]
    play(flow(*steps, last=last))


def test_expr_lang_itself_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the model evaluated has the same value there, or is an error there too."""
    asked: list[dict[str, Any]] = []
    found: list[Any] = []
    plain = expr_lang.evaluate

    def noted(expression: str, env: Any) -> Any:
        asked.append({"language": "expr", "text": expression, "env": env})
        found.append(None)
        found[-1] = value = plain(expression, env)
        return value

    monkeypatch.setattr(expr_lang, "evaluate", noted)
    for pipeline in (*HAND_MADE.values(), *map(random_flow, range(40))):
        play(pipeline)
    lines = "\n".join(map(json.dumps, asked))
    told = subprocess.run(
        [go_program("expressions")], input=lines, capture_output=True, text=True, check=True
    )
    answers = [json.loads(line) for line in told.stdout.splitlines()]
    assert len(answers) == len(asked) > 1000
    for question, value, answer in zip(asked, found, answers, strict=True):
        assert answer == {"value": value}, question
