"""Conditions, loops, `??`, `finally`, outputs and schedules in KFP's IR, read and played."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from builders import (
    SPAN,
    collected,
    command,
    concat,
    each,
    gpu,
    list_of,
    loop,
    looped,
    op,
    output_of,
    output_path,
    param,
    param_ref,
    pipeline,
    pipeline_input,
    pipeline_input_ref,
    pipeline_output,
    python,
    step,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from kfp_flows import flow, predict
from kfp_model import run
from kfp_spec import (
    PLACEHOLDER,
    Flat,
    Written,
    assert_read,
    dangling,
    delivered,
    flat,
    flat_outputs,
    read,
)
from msgspec.structs import replace

from compiler.expr import Expr, RunRef
from compiler.ir import Amount, Cache, Node, Pipeline, Resources, Schedule, Step
from compiler.settings import TargetSettings
from compiler.targets import Level, Support, kfp

NONE = TargetSettings()
STATUS = RunRef("status", SPAN)


def made(name: str, *words: Any, **more: Any) -> Step:
    """A step with an output of each kind."""
    outputs = {"n": "integer", "s": "string", "l": "array", "m": "Model"}
    return step(name, command("run", *words), outputs=outputs, **more)


def when(node: Any, test: Expr) -> Any:
    return replace(node, when=test)


def number(of: str) -> Expr:
    return output_of(of, "n", "integer")


def of(*nodes: Node, last: tuple[Node, ...] = (), **more: Any) -> Pipeline:
    params = [param("two", 2), param("xs", [1, 2]), param("maybe", None, "integer")]
    return replace(pipeline(*nodes, params=params), finally_nodes=last, **more)


def written(*nodes: Node, **more: Any) -> Written:
    found = read(kfp.emit(of(*nodes, **more), NONE))
    assert not dangling(found)
    return found


def refusals(given: Pipeline, project: TargetSettings = NONE) -> list[Support]:
    return [use for use in kfp.explain(given, project) if use.level is Level.REFUSED]


FIRST = made("first")
MANY = op(number("first"), ">", 1)


def everything() -> Pipeline:
    """Each word of the flow that KFP has a way for."""
    sometimes = when(made("sometimes", number("first")), MANY)
    rounds = looped(
        made("rounds", each("rounds", "lr", kind="number"), each("rounds", "o", "a", "b")),
        {"lr": [0.1, 1], "o": [{"a": {"b": "$$ {{x}}"[:1]}}]},
        parallel=2,
    )
    inner = looped(
        made("fit.inner", each("outer", "x"), each("fit.inner", "k"), number("sometimes")),
        {"k": output_of("first", "l", "array")},
    )
    outer = loop("outer", {"x": param_ref("xs", "array"), "y": ["u", "v"]}, made("prep"), inner)
    last = made(
        "last",
        op(number("sometimes"), "??", 3),
        op(output_of("sometimes", "m", "Model"), "??", output_of("first", "m", "Model")),
        op(param_ref("maybe", "integer", nullable=True), "??", 5),
        collected("fit.inner", "n", "integer", 2),
        collected("rounds", "s"),
        pipeline_input_ref("data"),
        resources=Resources(
            cpu=Amount(param_ref("two", "integer"), "4", SPAN),
            memory=Amount(concat(number("first"), "Gi"), None, SPAN),
            gpu=replace(gpu(1), count=number("first")),
        ),
    )
    notify = step("notify", command("tell", STATUS, pipeline_input_ref("data")), cache=Cache(False))
    cleanup = when(step("cleanup", command("rm"), needs=["notify"]), op(STATUS, "==", "failed"))
    return replace(
        of(FIRST, sometimes, rounds, outer, last, last=(notify, cleanup)),
        inputs=(pipeline_input("data", "s3://b/k"),),
        outputs=(
            pipeline_output("best", op(number("sometimes"), "??", number("first")), "integer"),
            pipeline_output("model", output_of("last", "m", "Model"), "Model"),
        ),
    )


@pytest.mark.parametrize("given", [everything(), *map(flow, range(0, 60, 6))])
def test_kfp_reads_it(given: Pipeline, tmp_path: Path) -> None:
    if not refusals(given):
        assert_read(kfp.emit(given, NONE), tmp_path)


def test_all_of_everything_is_carried() -> None:
    assert not refusals(everything())


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 1_000_000))
def test_a_run_goes_as_the_language_says(seed: int) -> None:
    """Random pipelines, played through by a model of the backend, against the semantics."""
    given = flow(seed)
    uses = kfp.explain(given, NONE)
    if any(use.level is Level.REFUSED for use in uses):
        return
    document = read(kfp.emit(given, NONE))
    assert not dangling(document)
    wanted = predict(given)
    found = run(document, {p.name: p.default for p in given.params})
    assert found.status == wanted.status
    assert found.outputs == wanted.result
    ran = Counter(_told(name, state, outputs) for name, state, outputs in found.containers)
    steps = {s.name for s in given.steps}
    expected = Counter(
        _told(re.sub(r"(\.\d+)+$", "", name), state, wanted.outputs.get(name, {}))
        for name, state in wanted.states.items()
        if state in ("succeeded", "failed") and re.sub(r"(\.\d+)+$", "", name) in steps
    )
    # A step waits for what stands for its output, and does not run if that has failed.
    less = any(use.field == "??" and use.level is Level.WEAKER for use in uses)
    assert ran <= expected if less and wanted.status == "failed" else ran == expected


def _told(name: str, state: str, outputs: dict[str, Any]) -> str:
    return f"{name} {state} {json.dumps(outputs, sort_keys=True)}"


def test_few_random_pipelines_are_refused() -> None:
    """So that the test above has something to look at."""
    refused = [seed for seed in range(200) if refusals(flow(seed))]
    assert len(refused) < 60


def test_a_condition_is_the_tasks_own() -> None:
    found = flat(written(FIRST, when(made("a"), MANY), made("b", needs=["a"])))
    assert found["a"].tests == found["b"].tests == {"<first.n> > 1.0"}
    assert found["b"].after == {"first", "a"}


def test_what_is_tested_is_an_input_once() -> None:
    document = written(FIRST, when(made("a", number("first")), MANY))
    ports = document.spec["components"]["comp-a"]["inputDefinitions"]["parameters"]
    assert set(ports) == {"first_n"}


def test_a_skipped_step_and_what_stands_for_it() -> None:
    nodes = [
        FIRST,
        when(made("a"), MANY),
        made("b", op(number("a"), "??", 7)),
        made("c", op(number("a"), "??", 8), number("a")),
    ]
    found = flat(written(*nodes))
    assert found["else-a"].tests == {"!(<first.n> > 1.0)"}
    assert found["b"] == Flat(
        {"parameter a_n": "first of a.n, else-a.n"},
        frozenset(),
        (),
        frozenset({"first", "a", "else-a", "else-a-2"}),
    )
    assert found["c"].inputs["parameter a_n"] == "first of a.n, else-a-2.n"
    # It takes the step's output strictly too, so it is skipped with the step.
    assert found["c"].tests == {"<first.n> > 1.0"}


def test_choices_of_files_are_copied() -> None:
    model = op(output_of("a", "m", "Model"), "??", output_of("first", "m", "Model"))
    document = written(FIRST, when(made("a"), MANY), made("b", model))
    assert flat(document)["else-a"].inputs["artifact first_m"] == "first.m"


def test_a_helper_really_writes_what_it_is_told(tmp_path: Path) -> None:
    """Values, a folder and an empty file, by the shell that its image has."""
    text = 'a $(HOME) $$ {{x}} "b"\n'
    nodes = [
        FIRST,
        when(made("a"), MANY),
        made(
            "b",
            op(output_of("a", "s", "string"), "??", text),
            op(output_of("a", "m", "Model"), "??", output_of("first", "m", "Model")),
            number("a"),
        ),
    ]
    document = written(*nodes)
    inner = document.spec["components"]["comp-choose-a"]
    flattened = Written({**document.spec, "root": inner}, {})
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").write_text("w")
    files = {"first_m": str(folder), **{name: str(tmp_path / f"o-{name}") for name in "nsm"}}
    argv, variables = delivered(flattened, "else-a", {}, files)
    subprocess.run(argv, env={"PATH": os.environ["PATH"], **variables}, check=True)
    assert (tmp_path / "o-s").read_text() == text
    assert (tmp_path / "o-n").read_text() == "0"
    assert (tmp_path / "o-m" / "weights").read_text() == "w"


def test_lists_together_are_one_loop_and_others_loops_in_each_other() -> None:
    nodes = [
        FIRST,
        looped(made("a", each("a", "x")), {"x": [1, 2], "y": ["u", "v"]}, parallel=3),
        looped(made("b", each("b", "x")), {"x": [1, 2], "y": output_of("first", "l", "array")}),
        looped(made("c"), {"x": [1, 2], "y": param_ref("xs", "array")}, parallel=3),
    ]
    found = flat(written(*nodes))
    rows = [{"x": x, "y": y} for x in (1, 2) for y in ("u", "v")]
    assert found["a"].rounds == (f"{rows}, 3 at once",)
    assert found["a"].inputs == {
        "parameter each_x": f'parseJson(string_value)["x"] of item of {rows}'
    }
    assert found["b"].rounds == ("[1, 2], all at once", "first.l, all at once")
    assert found["c"].rounds == ("[1, 2], 3 at once", "param xs, 1 at once")


def test_the_list_of_a_round_is_kept_from_those_who_use_it_too() -> None:
    """A round does not see the input that its loop's list comes in as."""
    items = output_of("first", "l", "array")
    document = written(FIRST, looped(made("a", items, each("a", "x")), {"x": items}))
    task = document.spec["root"]["dag"]["tasks"]["for-a"]
    assert task["parameterIterator"]["items"]["inputParameter"] == "first_l"
    assert set(task["inputs"]["parameters"]) == {"first_l", "first_l_2"}


def test_the_list_of_an_item_is_picked_out_once() -> None:
    """The driver of a round evaluates the selectors of its loop a second time."""
    inner = looped(made("a", each("a", "x")), {"x": each("outer", "o", "xs", kind="array")})
    document = written(loop("outer", {"o": [{"xs": [1]}, {"xs": []}]}, inner))
    assert "if-a" in document.spec["components"]["comp-for-outer"]["dag"]["tasks"]
    assert flat(document)["a"].rounds[1].startswith('parseJson(string_value)["xs"] of item of ')


def test_collected_values() -> None:
    nodes = [
        FIRST,
        looped(made("a"), {"x": [1, 2]}),
        looped(made("b"), {"x": param_ref("xs", "array")}),
        loop("outer", {"y": [1]}, looped(made("c"), {"x": [1, 2]})),
        made(
            "d",
            collected("a", "n", "integer"),
            collected("b", "n", "integer"),
            collected("c", "n", "integer", 2),
        ),
    ]
    found = flat(written(*nodes))
    # A list known at compile time is never empty by surprise; KFP would flatten nested ones.
    assert found["d"].inputs == {
        "parameter a_n": "each of a.n",
        "parameter b_n": "first of collect-b.b_n, empty-b.b_n",
        "parameter c_n": "each of collect-c.c_n",
    }
    assert found["empty-b"].tests == {"!(size(<param xs>) > 0)"}


def test_finally_is_one_exit_task() -> None:
    document = written(FIRST, last=(step("tidy", command("rm"), needs=["tell"]), made("tell")))
    tasks = document.spec["root"]["dag"]["tasks"]
    assert tasks["finally"]["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    assert tasks["finally"]["dependentTasks"] == ["main"]
    assert flat(document)["tidy"].after == {"first", "tell"}


def test_the_runs_status_is_told_by_who_came_to_its_end() -> None:
    found = flat(written(FIRST, last=(step("tell", command("say", STATUS)),)))
    told = "first of run-succeeds.status, run-begins.status"
    assert found["tell"].inputs == {"parameter run_status": told}
    assert found["run-succeeds"].after == {"first"}
    assert found["run-begins"].after == set()


@pytest.mark.parametrize("last", [(), (step("tidy", command("rm")),), everything().finally_nodes])
def test_outputs_of_the_algorithm(last: tuple[Node, ...]) -> None:
    document = read(kfp.emit(replace(everything(), finally_nodes=last), NONE))
    assert not dangling(document)
    assert flat_outputs(document) == {
        "best": "first of sometimes.n, else-sometimes-2.n",
        "model": "last.m",
    }
    ports = document.spec["root"]["outputDefinitions"]
    assert ports["parameters"] == {"best": {"parameterType": "NUMBER_INTEGER"}}


def test_amounts_that_are_known_in_the_run() -> None:
    document = read(kfp.emit(everything(), NONE))
    label = "exec-last"
    found = document.spec["deploymentSpec"]["executors"][label]["container"]["resources"]
    assert found == {
        "resourceCpuRequest": "{{$.inputs.parameters['two']}}",
        "resourceCpuLimit": "4",
        "resourceMemoryRequest": "{{$.inputs.parameters['amount']}}",
        "accelerator": {
            "resourceType": "nvidia.com/gpu",
            "resourceCount": "{{$.inputs.parameters['first_n']}}",
        },
    }
    # A placeholder is filled in with text alone.
    ports = document.spec["components"]["comp-last"]["inputDefinitions"]["parameters"]
    for name in ("two", "amount", "first_n"):
        assert ports[name] == {"parameterType": "STRING"}
    assert flat(document)["last"].inputs["parameter amount"] == 'string_value + "Gi" of first.n'


def test_collected_files_are_read_from_all_that_kfp_tells(tmp_path: Path) -> None:
    """The launcher puts its own JSON in for `{{$}}`; the shim knows where it keeps the files."""
    (tmp_path / "code.py").write_text("def fn(models):\n    return ','.join(map(str, models))\n")
    fit = looped(made("fit", each("fit", "x")), {"x": [1, 2]})
    models = {"models": collected("fit", "m", "Model")}
    last = step("last", python("code:fn"), inputs=models, outputs={"text": "string"})
    document = written(fit, last)
    port = document.spec["components"]["comp-last"]["inputDefinitions"]["artifacts"]["models"]
    assert port["isArtifactList"] is True
    label = document.spec["components"]["comp-last"]["executorLabel"]
    container = document.spec["deploymentSpec"]["executors"][label]["container"]
    files = [{"uri": "gs://b/1/m"}, {"uri": "s3://b/2/m"}, {"uri": "s3://b/3", "customPath": "/x"}]
    given = json.dumps({"inputs": {"artifacts": {"models": {"artifacts": files}}}})
    argv = [
        PLACEHOLDER.sub(str(tmp_path / "text"), word.replace("{{$}}", given))
        for word in (*container["command"], *container["args"])
    ]
    subprocess.run([sys.executable, *argv[1:]], cwd=tmp_path, check=True)
    assert (tmp_path / "text").read_text() == "/gcs/b/1/m,/s3/b/2/m,/x"


def test_helpers_have_the_image_that_the_project_names() -> None:
    project = TargetSettings(helper_image="registry.example.com/tools:1")
    document = read(kfp.emit(everything(), project))
    images = {
        e["container"]["image"]
        for e in document.spec["deploymentSpec"]["executors"].values()
        if "container" in e
    }
    assert images == {"registry.example.com/ia/steps:1", "registry.example.com/tools:1"}


def schedule(**fields: Any) -> Schedule:
    usual: dict[str, Any] = {
        "name": "weekly",
        "cron": "0 3 * * 1",
        "timezone": None,
        "profile": None,
        "params": (("two", 3), ("maybe", None)),
        "enabled": True,
        "overlap": "forbid",
        "catch_up": False,
        "sets_steps": False,
        "span": SPAN,
    }
    return Schedule(**{**usual, **fields})


EXACT, EMULATED, WEAKER, REFUSED = Level.EXACT, Level.EMULATED, Level.WEAKER, Level.REFUSED
A = when(made("a"), MANY)
B = when(made("b"), op(number("first"), "<", 5))
LOOP = looped(made("r", each("r", "x")), {"x": param_ref("xs", "array")})
MAYBE = param_ref("maybe", "integer", nullable=True)
TWO = param_ref("two", "integer")
MODELS = collected("r", "m", "Model")
MODEL = op(output_of("a", "m", "Model"), "??", output_of("first", "m", "Model"))


def either(one: str, other: str) -> Expr:
    return op(number(one), "??", number(other))


def cpu(amount: Expr) -> Resources:
    return Resources(cpu=Amount(amount, None, SPAN))


@pytest.mark.parametrize(
    ("field", "level", "given"),
    [
        ("when", EXACT, of(FIRST, A)),
        ("when", EXACT, of(FIRST, when(LOOP, MANY))),
        ("foreach", EXACT, of(LOOP)),
        ("foreach", EMULATED, of(LOOP, made("c", collected("r", "n", "integer")))),
        ("foreach", EMULATED, of(looped(made("r"), {"x": [1], "y": param_ref("xs", "array")}))),
        ("foreach.parallel", EXACT, of(replace(LOOP, parallel=2))),
        (
            "foreach.parallel",
            WEAKER,
            of(looped(made("r"), {"x": [1], "y": param_ref("xs", "array")}, parallel=2)),
        ),
        ("foreach", REFUSED, of(looped(made("r", each("r", "x")), {"x": [1, None]}))),
        ("foreach", REFUSED, of(looped(made("r", each("r", "x")), {"x": ["$(a)"]}))),
        ("foreach", EXACT, of(looped(made("r", each("r", "x")), {"x": []}))),
        ("foreach", REFUSED, of(looped(made("r"), {"x": []}), made("c", collected("r", "n")))),
        (
            "foreach",
            REFUSED,
            of(LOOP, step("c", python("a:b"), inputs={"m": MODELS})),
        ),
        (
            "foreach",
            REFUSED,
            of(looped(made("r"), {"x": [1]}), made("c", MODELS)),
        ),
        ("??", EXACT, of(made("c", op(MAYBE, "??", 1)))),
        ("??", REFUSED, of(made("c", op(MAYBE, "??", TWO)))),
        ("??", REFUSED, of(FIRST, made("c", op(MAYBE, "??", number("first"))))),
        ("??", EMULATED, of(FIRST, A, made("c", op(number("a"), "??", 1)))),
        ("??", WEAKER, of(FIRST, A, made("c", MODEL))),
        (
            "??",
            REFUSED,
            of(
                FIRST,
                A,
                B,
                made("c", either("a", "b"), either("b", "a")),
            ),
        ),
        (
            "??",
            REFUSED,
            of(FIRST, A, loop("o", {"x": [1]}, made("c", op(number("a"), "??", each("o", "x"))))),
        ),
        ("expressions", EMULATED, of(FIRST, made("c", MANY))),
        (
            "expressions",
            REFUSED,
            of(looped(made("r"), {"x": list_of(1, TWO)})),
        ),
        ("finally", EXACT, of(FIRST, last=(step("t", command("x")),))),
        ("run.status", EMULATED, of(FIRST, last=(step("t", command("x", STATUS)),))),
        ("outputs", EXACT, everything()),
        (
            "resources",
            EXACT,
            of(FIRST, made("c", resources=cpu(number("first")))),
        ),
        (
            "resources",
            REFUSED,
            of(
                made(
                    "c",
                    resources=cpu(concat(MAYBE, TWO)),
                )
            ),
        ),
        (
            "resources.shm",
            REFUSED,
            of(made("c", resources=Resources(shm=Amount(TWO, None, SPAN)))),
        ),
        ("schedules", EMULATED, replace(of(FIRST), schedules=(schedule(),))),
        ("schedules.timezone", EXACT, replace(of(FIRST), schedules=(schedule(timezone="UTC"),))),
        (
            "schedules.timezone",
            REFUSED,
            replace(of(FIRST), schedules=(schedule(timezone="Europe/Paris"),)),
        ),
        ("schedules.profile", REFUSED, replace(of(FIRST), schedules=(schedule(sets_steps=True),))),
        ("schedules.overlap", WEAKER, replace(of(FIRST), schedules=(schedule(),))),
        (
            "schedules.params",
            REFUSED,
            replace(of(FIRST), schedules=(schedule(params=(("two", "$$"),)),)),
        ),
    ],
)
def test_what_becomes_of_a_field(field: str, level: Level, given: Pipeline) -> None:
    found = [u for u in kfp.explain(given, NONE) if u.field == field]
    worst = max(found, key=lambda use: list(Level).index(use.level))
    assert worst.level is level
    assert level is EXACT or worst.reason
    assert level is not REFUSED or not worst.acceptable
    if level is not REFUSED:
        assert not refusals(given)


def test_the_servers_time_zone_can_be_told() -> None:
    given = replace(of(FIRST), schedules=(schedule(timezone="Europe/Paris"),))
    assert not refusals(given, TargetSettings(timezone="Europe/Paris"))


def test_the_same_bytes_under_every_hash_seed() -> None:
    here = Path(__file__).parent
    program = (
        f"import sys; sys.path[:0] = [{str(here.parent)!r}, {str(here)!r}]\n"
        "from test_kfp_flow import NONE, everything, flow, kfp\n"
        "for given in (everything(), flow(3), flow(31)):\n"
        "    sys.stdout.write(kfp.emit(given, NONE))\n"
    )
    texts = set()
    for seed in ("0", "1", "4242"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(here.parents[1])}
        call = [sys.executable, "-c", program]
        texts.add(subprocess.run(call, capture_output=True, check=True, env=env).stdout)
    assert len(texts) == 1


def test_names_with_dots_and_names_that_meet() -> None:
    nodes = [
        made("a.b"),
        made("a_b"),
        made("for_c"),
        looped(made("c"), {"x": [1]}),
        when(made("else_c"), op(number("a.b"), ">", 1)),
        made("d", op(number("else_c"), "??", 1), number("a.b"), number("a_b")),
    ]
    document = written(*nodes)
    names = [name for _, dag in _dags(document) for name in dag["dag"]["tasks"]]
    assert len(names) == len(set(names))
    assert all(re.fullmatch("[a-z0-9]([-a-z0-9]*[a-z0-9])?", name) for name in names)
    assert flat(document)["d"].inputs["parameter a_b_n"] == "a.b.n"


def _dags(document: Written) -> list[tuple[str, Any]]:
    components = {"root": document.spec["root"], **document.spec["components"]}
    return [(name, found) for name, found in components.items() if "dag" in found]


def file(of_step: str) -> Expr:
    return output_of(of_step, "m", "Model")


def test_a_list_of_files_goes_into_no_dag() -> None:
    """The driver would drop all but one of them (metadata/client.go)."""
    rounds = looped(made("rounds"), {"x": [1, 2]})
    files = collected("rounds", "m", "Model")
    join = step("join", python("lists:join"), inputs={"parts": files}, outputs={"s": "string"})
    read_it = made("read", op(output_of("join", "s", "string"), "??", "nothing"))
    assert not refusals(of(FIRST, rounds, join))
    for nodes in ((when(join, MANY), read_it), (loop("again", {"y": [1]}, join),)):
        (found,) = refusals(of(FIRST, rounds, *nodes))
        assert found.field == "foreach"
        assert "drops the others" in found.reason


def test_what_may_be_one_artifact_is_not_taken_twice() -> None:
    """MLMD would refuse the second time: the driver fails."""
    sometimes, other = when(made("sometimes"), MANY), made("other")
    one = op(file("sometimes"), "??", file("first"))
    two = op(file("sometimes"), "??", file("other"))
    assert not refusals(of(FIRST, sometimes, other, made("last", one, one)))
    (found,) = refusals(of(FIRST, sometimes, other, made("last", one, two)))
    assert (found.field, found.where) == ("inputs", "step last")
    assert "`sometimes.m` may come into it twice" in found.reason


def test_what_writes_the_same_is_kept_apart_in_the_cache() -> None:
    """A step that takes both would take one artifact twice where one is found for the other."""

    def write(name: str) -> Step:
        words = command("sh", "-c", 'echo hi > "$1"', "sh", output_path("m"))
        return step(name, words, outputs={"m": "Model"})

    def keys(*nodes: Node) -> set[str]:
        tasks = written(*nodes).spec["root"]["dag"]["tasks"]
        taken = (t.get("inputs", {}).get("parameters", {}) for t in tasks.values())
        return {str(one["mlc_key"]) for one in taken if "mlc_key" in one}

    assert len(keys(write("a"), write("b"), made("last", file("a"), file("b")))) == 2
    assert not keys(write("a"), write("b"), made("last", file("a")))
    choices = [when(made(name), MANY) for name in ("a", "b")]
    last = made("last", *(op(file(name), "??", file("first")) for name in ("a", "b")))
    executors = written(FIRST, *choices, last).spec["deploymentSpec"]["executors"]
    programs = {
        label: e["container"]["command"][3] for label, e in executors.items() if "else" in label
    }
    assert programs == {"exec-else-a": "else-a", "exec-else-b": "else-b"}


def test_rounds_whose_files_are_collected_are_not_cached() -> None:
    rounds = looped(made("rounds"), {"x": [1, 1]})
    join = step("join", python("lists:join"), inputs={"parts": collected("rounds", "m", "Model")})
    found = written(rounds, join).spec["components"]["comp-for-rounds"]["dag"]["tasks"]["rounds"]
    assert found["cachingOptions"] in ({}, {"enableCache": False})
    values = written(rounds, made("last", collected("rounds", "n", "integer")))
    found = values.spec["components"]["comp-for-rounds"]["dag"]["tasks"]["rounds"]
    assert found["cachingOptions"] == {"enableCache": True}
