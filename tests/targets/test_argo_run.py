"""What Argo would run: every word arrives as it was meant, in the order that was meant.

Manifests are run by the model of Argo in argo_model and compared with the pipeline itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from argo_cases import SETTINGS, chain, everything, fan, many_templates, pipelines, tangle, values
from argo_model import Argo, Leaf, ModelError, Result, evaluate
from builders import (
    Given,
    command,
    concat,
    literal,
    output_of,
    output_path,
    param,
    param_ref,
    pipeline,
    pipeline_input,
    pipeline_input_ref,
    step,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compiler import graph
from compiler.expr import ParamRef, PipelineInputRef, RunRef, StepOutputRef, ValueType
from compiler.ir import Cache, Pipeline, Step
from compiler.launch import ArgumentWord, Capture, PathOf, Text, ValueOf, launch
from compiler.ordering import in_order
from compiler.settings import TargetSettings
from compiler.targets import argo
from compiler.targets.argo.names import task_names
from compiler.targets.argo.template import DIALECT
from compiler.values import to_text

NONE = TargetSettings()
RUN = {"id": "0c5a9f8e", "name": "doc-type-x7k2p", "scheduled_at": "2026-11-23T20:00:00Z"}


def upstream(made: Pipeline) -> dict[str, tuple[str, ...]]:
    """What each step waits for, where nothing is in a loop."""
    waits = graph.Graph(made.nodes).waits()
    return {name: wait.all for name, wait in waits.items()}


@dataclass
class Watched:
    """Plays a pipeline's containers: checks what each gets, and fails the steps it is told to."""

    pipeline: Pipeline
    arguments: dict[str, str]
    failing: frozenset[str] = frozenset()
    ran: dict[str, Leaf] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = task_names(s.name for s in self.pipeline.steps)
        self.steps = {s.name: s for s in self.pipeline.steps}
        self.step_of = {names[s.name]: s for s in self.pipeline.steps}
        self.task_of = names
        self.waits = upstream(self.pipeline)

    def play(self, project: TargetSettings = NONE) -> str:
        return Argo(argo.emit(self.pipeline, project)).run(self.arguments, self.act)

    def act(self, leaf: Leaf) -> Result | None:
        step = self.step_of[leaf.task]
        assert step.name not in self.ran, "a step runs twice"
        self.ran[step.name] = leaf
        waits = {self.task_of[other] for other in self.waits[step.name]}
        assert waits <= leaf.before
        self.check(step, leaf)
        if step.name in self.failing:
            return None
        return Result(
            {**{o.name: self.output(step.name, o.name) for o in step.outputs}, **shown(step)},
            {o.name: self.output(step.name, o.name) for o in step.outputs},
        )

    def check(self, step: Step, leaf: Leaf) -> None:
        wanted = launch(step, DIALECT)
        captures = {capture.name: capture for capture in wanted.captures}

        def plain(word: ArgumentWord) -> str:
            return "".join(self.text(slot, captures) for slot in word)

        assert leaf.container["command"] == [plain(word) for word in wanted.argv]
        variables = leaf.container["env"]
        assert {name: variables[name] for name, _ in wanted.env} == {
            name: plain(word) for name, word in wanted.env
        }
        for capture in wanted.captures:
            if isinstance(capture.ref, StepOutputRef) and capture.name in leaf.artifacts:
                made = self.output(capture.ref.step, capture.ref.output)
                assert leaf.artifacts[capture.name] == made

    def text(self, slot: object, captures: dict[str, Capture]) -> str:
        match slot:
            case Text(text=text):
                return text
            case ValueOf(capture=name):
                type_ = captures[name].type
                found = self.value(captures[name])
                is_text = isinstance(type_, ValueType) and type_.kind == "string"
                return found if is_text else found.strip()
            case PathOf(capture=name):
                return f"/mlc-in/{name}"
        return f"/mlc/{getattr(slot, 'output')}"  # noqa: B009 the only slot left

    def value(self, capture: Capture) -> str:
        match capture.ref:
            case ParamRef(name=name):
                default = next(p.default for p in self.pipeline.params if p.name == name)
                return self.arguments.get(name, to_text(default))  # type: ignore[arg-type]
            case StepOutputRef(step=step, output=name):
                return self.output(step, name)
            case RunRef(field=name):
                return RUN[name]
            case PipelineInputRef():
                raise AssertionError("an artifact has no text")

    def output(self, step: str, name: str) -> str:
        """What a step writes: in text, all that Kubernetes and Argo act on, but no tag."""
        made = self.steps[step].output(name).type
        kind = made.kind if isinstance(made, ValueType) else None
        if kind in PLAIN:
            return PLAIN[kind]
        return f' {step}.{name} $ $$ $(MLC_D) $(MLC_E) {{ " \\ \x01\x7f\n'


PLAIN = {"integer": " 7\n", "number": "0.5\n", "boolean": "true \n"}


def shown(step: Step) -> dict[str, str]:
    return {f"{o.name}_json": "{}" for o in step.outputs}


GIVEN = {"title": "{$(HOME) $$ $", "older": "gs://b/k", "local": "s3://b/local"}


@pytest.mark.parametrize("project", [SETTINGS, TargetSettings(memoize="results")])
def test_everything_arrives(project: TargetSettings) -> None:
    watched = Watched(everything(), GIVEN)
    assert watched.play(project) == "Succeeded"
    assert len(watched.ran) == len(watched.pipeline.nodes)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pipelines(), values)
def test_nasty_texts_arrive(made: Pipeline, text: str) -> None:
    watched = Watched(made, {"text": text})
    assert watched.play() == "Succeeded"
    assert len(watched.ran) == len(made.nodes)


@given(st.text(st.sampled_from("{}$()=aAMLC_DE ")))
def test_two_values_in_a_row(text: str) -> None:
    word = concat(param_ref("a"), param_ref("b"))
    made = pipeline(step("s", command("run", word)), params=[param("a", ""), param("b", "")])
    for cut in range(len(text) + 1):
        halves = {"a": text[:cut], "b": text[cut:]}
        if "{{" not in halves["a"] and "{{" not in halves["b"]:
            assert Watched(made, halves).play() == "Succeeded"


def test_a_value_that_looks_like_a_tag_is_never_altered() -> None:
    made = pipeline(step("s", command("run", param_ref("a"))), params=[param("a", "")])
    with pytest.raises(ModelError):
        Watched(made, {"a": "{{workflow.name}}"}).play()


GRAPHS: list[tuple[str, Callable[[int], Pipeline]]] = [
    ("chain", chain),
    ("fan", fan),
    ("tangle", lambda count: tangle(count, seed=count)),
    ("loose", lambda n: pipeline(*(step(f"s{i}", command("run")) for i in range(n)))),
]


@pytest.mark.parametrize("count", [1, 199, 200, 201, 1000])
@pytest.mark.parametrize(("shape", "make"), GRAPHS, ids=[name for name, _ in GRAPHS])
def test_large_graphs(shape: str, make: Callable[[int], Pipeline], count: int) -> None:
    if shape == "fan" and count < 3:
        count = 3
    made = make(count)
    watched = Watched(made, {})
    assert watched.play() == "Succeeded"
    assert len(watched.ran) == count
    model = Argo(argo.emit(made, NONE))
    dags = [t["dag"]["tasks"] for t in model.templates.values() if "dag" in t]
    assert max(map(len, dags)) <= 200
    assert (len(dags) == 1) == (count <= 200)


def test_beyond_two_hundred_parts() -> None:
    """200 parts of 200 steps and one more: parts of parts."""
    made = pipeline(*(step(f"s{n}", command("run")) for n in range(40_001)), name="huge")
    model = Argo(argo.emit(made, NONE))
    seen: list[str] = []

    def act(leaf: Leaf) -> Result:
        seen.append(leaf.task)
        return Result()

    assert model.run({}, act) == "Succeeded"
    assert len(seen) == len(set(seen)) == 40_001
    assert all(len(t["dag"]["tasks"]) <= 200 for t in model.templates.values() if "dag" in t)


def test_many_templates_are_joined_by_reference() -> None:
    made = many_templates(450)
    model = Argo(argo.emit(made, NONE))
    names = [document["metadata"]["name"] for document in model.documents]
    assert names == ["large.1", "large.2", "large"]
    known: set[str] = set()
    for document in model.documents:
        known.add(document["metadata"]["name"])
        templates = document["spec"]["templates"]
        assert len(templates) <= 200
        for template in templates:
            for task in template.get("dag", {}).get("tasks", []):
                if "templateRef" in task:
                    assert task["templateRef"]["name"] in known
    watched = Watched(made, {})
    assert watched.play() == "Succeeded"
    assert len(watched.ran) == 450


def test_steps_called_like_parts() -> None:
    made = pipeline(*(step(f"part_{n}", command("run", str(n))) for n in range(401)))
    watched = Watched(made, {})
    assert watched.play() == "Succeeded"
    assert len(watched.ran) == 401


def test_parts_wait_for_no_more_than_they_must() -> None:
    """Chains that know nothing of each other share no border."""
    edges = {f"c{c}_{n}": [f"c{c}_{n - 1}"] if n else [] for c in range(30) for n in range(20)}
    made = pipeline(*(step(name, command("run"), needs=before) for name, before in edges.items()))
    watched = Watched(made, {})
    assert watched.play() == "Succeeded"
    for name, leaf in watched.ran.items():
        mine = name.partition("_")[0]
        assert {task.partition("-")[0] for task in leaf.before} <= {mine}


def test_a_wide_layer_is_not_slowed_down() -> None:
    """300 steps after one start together, though no DAG may hold them all."""
    watched = Watched(fan(302), {})
    assert watched.play() == "Succeeded"
    assert all(watched.ran[f"s{n}"].before == {"s0"} for n in range(1, 301))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sets(st.integers(0, 249), max_size=4))
def test_what_depends_on_a_failure_never_runs(seed: int, failing: set[int]) -> None:
    made = tangle(250, seed)
    watched = Watched(made, {}, frozenset(f"s{n}" for n in failing))
    phase = watched.play()
    lost: set[str] = set()
    ups = upstream(made)
    for name in in_order(ups):
        if any(other in lost or other in watched.failing for other in ups[name]):
            lost.add(name)
    assert not lost & watched.ran.keys()
    assert phase == ("Failed" if failing else "Succeeded")


@pytest.mark.parametrize("count", [150])
def test_in_one_dag_other_branches_run_on(count: int) -> None:
    made = tangle(count, seed=3)
    watched = Watched(made, {}, frozenset({"s3", "s40"}))
    assert watched.play() == "Failed"
    steps = {s.name: s for s in made.nodes}
    lost: set[str] = set()
    ups = upstream(made)
    for name in in_order(ups):
        if any(other in lost or other in watched.failing for other in ups[name]):
            lost.add(name)
    assert watched.ran.keys() == steps.keys() - lost


def fetched(uri: str, default: str, project: TargetSettings = SETTINGS) -> object:
    made = pipeline(
        step("s", command("run", pipeline_input_ref("data"))),
        inputs=[pipeline_input("data", default)],
    )
    seen: list[Leaf] = []

    def act(leaf: Leaf) -> Result:
        seen.append(leaf)
        return Result()

    Argo(argo.emit(made, project)).run({"data": uri}, act)
    return seen[0].artifacts["data"]


MINIO = {
    "endpoint": "minio.storage:9000",
    "region": "eu-west-3",
    "insecure": True,
    "accessKeySecret": {"name": "minio", "key": "user"},
    "secretKeySecret": {"name": "minio", "key": "password"},
}
GCS = {"serviceAccountKeySecret": {"name": "gcs", "key": "key.json"}}


@pytest.mark.parametrize(
    ("uri", "default", "wanted"),
    [
        ("s3://b/k", "s3://x/y", {"s3": {"bucket": "b", "key": "k", **MINIO}}),
        ("s3://b/a b/ç$'\"/", "s3://x/y", {"s3": {"bucket": "b", "key": "a b/ç$'\"", **MINIO}}),
        ("gs://b/k/l/", "gs://x/y", {"gcs": {"bucket": "b", "key": "k/l/", **GCS}}),
        ("https://h/p?q", "http://x/y", {"http": {"url": "https://h/p?q"}}),
    ],
)
def test_locations(uri: str, default: str, wanted: object) -> None:
    assert fetched(uri, default) == wanted


@pytest.mark.parametrize("uri", ["", "s3://b", "s3://b/", "gs://b/k", "/data/x", "s3:///k"])
def test_another_scheme_is_never_fetched_from_the_wrong_place(uri: str) -> None:
    found = fetched(uri, "s3://x/y")
    assert isinstance(found, dict)
    assert found["s3"]["bucket"] == "not-an-s3-uri"
    assert found["s3"]["key"] == f"not-an-s3-uri: {uri}"


def test_s3_always_has_an_endpoint() -> None:
    """Without one, Argo would take the bucket of its own repository."""
    found = fetched("s3://b/k", "s3://x/y", NONE)
    assert found == {
        "s3": {"bucket": "b", "key": "k", "endpoint": "s3.amazonaws.com", "useSDKCreds": True}
    }


def keys(made: Pipeline, arguments: dict[str, str]) -> dict[str, str | None]:
    watched = Watched(made, arguments)
    assert watched.play(TargetSettings(memoize="results")) == "Succeeded"
    return {name: leaf.memoize for name, leaf in watched.ran.items()}


def two(first: Step, *words: Given) -> Pipeline:
    second = step(
        "second",
        command("use", output_of("first", "data"), *words, output_path("out")),
        outputs={"out": "Model"},
    )
    return pipeline(first, second, params=[param("x", "1"), param("y", "1")])


def first(cache: Cache | None = None, word: str = "make") -> Step:
    return step("first", command(word, param_ref("x")), outputs={"data": "Dataset"}, cache=cache)


def test_keys_tell_apart_what_differs() -> None:
    base = keys(two(first(), param_ref("y")), {})
    assert base == keys(two(first(), param_ref("y")), {})
    assert len({*base.values()}) == 2
    other_x = keys(two(first(), param_ref("y")), {"x": "2"})
    assert other_x["first"] != base["first"]
    assert other_x["second"] != base["second"], "its artifact came about in another way"
    other_y = keys(two(first(), param_ref("y")), {"y": "2"})
    assert other_y["first"] == base["first"]
    assert other_y["second"] != base["second"]
    other_word = keys(two(first(word="build"), param_ref("y")), {})
    assert other_word["first"] != base["first"]
    assert other_word["second"] != base["second"]
    other_key = keys(two(first(Cache(True, key=param_ref("y")))), {})
    assert (
        other_key["first"] != keys(two(first(Cache(True, key=param_ref("y")))), {"y": "2"})["first"]
    )


def test_the_text_of_a_key_counts() -> None:
    found = [keys(two(first(Cache(True, key=literal(text)))), {}) for text in ("v1", "v2", "v1")]
    assert found[0] == found[2]
    assert found[0]["first"] != found[1]["first"]


def test_what_follows_from_an_uncached_step_is_reused_in_no_other_run() -> None:
    made = two(first(Cache(False)))
    (document,) = Argo(argo.emit(made, TargetSettings(memoize="results"))).documents
    outputs = {t["name"]: t.get("outputs") for t in document["spec"]["templates"]}
    assert {"name": "mlc-key", "value": "{{=workflow.uid+'/first'}}"} in outputs["first"][
        "parameters"
    ]
    assert keys(made, {})["first"] is None
    assert keys(made, {})["second"] is not None


def test_nothing_is_memoised_unless_the_project_says_so() -> None:
    assert "memoize" not in argo.emit(two(first()), NONE)


def test_the_model_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ModelError):
        evaluate("trim(inputs.parameters['y'])", {"inputs": {"parameters": {"x": "1"}}})
    text = argo.emit(chain(3), NONE)
    for found, put in (
        ("s0.Succeeded", "s9.Succeeded"),
        ("s0.Succeeded", "s0"),
        ("s0.Succeeded", "s2.Succeeded"),
        ("tasks['s1']", "tasks['s2']"),
        ("inputs.parameters['seed']", "input.parameters['seed']"),
    ):
        assert found in text
        with pytest.raises((ModelError, NameError, KeyError)):
            Argo(text.replace(found, put, 1)).run({}, Watched(chain(3), {}).act)
