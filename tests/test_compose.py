"""Bases, components and algorithms as steps: what they come to, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from msgspec import Struct
from msgspec.structs import asdict, astuple, replace

from compiler import expr as ex
from compiler import frontend, ir
from compiler.commands.resolve import printed
from compiler.diagnostics import Span
from compiler.git import UNKNOWN
from compiler.graph import Graph
from compiler.launch import Dialect, launch
from compiler.resolve import resolve
from compiler.targets import kfp

ROOT = Path(__file__).parent.parent
CASES = ROOT / "tests" / "conformance" / "cases"
HEAD = {
    kind: f"apiVersion: mlc/v1\nkind: {kind}\nname: demo\nimage: x:1\n"
    for kind in ("Algorithm", "Component")
} | {"Base": "apiVersion: mlc/v1\nkind: Base\n"}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "mlc.toml").touch()
    monkeypatch.chdir(folder)
    return folder


def write(name: str, kind: str, text: str) -> Path:
    path = Path.cwd() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD[kind] + dedent(text))
    return path


def load(text: str, *profiles: str) -> frontend.Loaded:
    return frontend.load(write("spec.yaml", "Algorithm", text), profiles, git=UNKNOWN)


def build(text: str, *profiles: str) -> ir.Pipeline:
    loaded = load(text, *profiles)
    assert loaded.pipeline is not None, loaded.diagnostics
    # Most of these specs declare more than the one thing that they are about.
    assert not [d for d in loaded.diagnostics if not d.code.startswith("MLC34")]
    return loaded.pipeline


def told(text: str, *profiles: str) -> list[tuple[str, str]]:
    """Codes and places of what is found."""
    return [(d.code, f"{d.span.path}:{d.span.line}") for d in load(text, *profiles).diagnostics]


def nodes(pipeline: ir.Pipeline) -> dict[str, ir.Node]:
    return {node.name: node for node in pipeline.nodes}


def step(pipeline: ir.Pipeline, name: str) -> ir.Step:
    return next(step for step in pipeline.steps if step.name == name)


def shown(expression: ex.Expr | None) -> str:
    """An expression on one line, without places."""
    match expression:
        case None:
            return ""
        case ex.Literal(value=value):
            return repr(value)
        case ex.StepOutputRef(step=name, output=output):
            return f"{name}->{output}"
        case ex.Operation(sign=sign, operands=operands):
            return f"({f' {sign} '.join(map(shown, operands))})"
        case ex.Concat(parts=parts):
            return "+".join(map(shown, parts))
        case ex.EachRef(loop=loop, name=name):
            return f"each {loop}.{name}"
        case ex.ParamRef(name=name):
            return f"params.{name}"
        case ex.PipelineInputRef(name=name) | ex.InputRef(name=name):
            return f"inputs.{name}"
        case ex.RunRef(field=field):
            return f"run.{field}"
        case ex.OutputPath(name=name):
            return f"outputs.{name}"
    raise AssertionError(expression)


def words(step: ir.Step) -> list[str]:
    assert isinstance(step.program, ir.Command)
    return [shown(argument.value) for argument in step.program.arguments]


class TestExtends:
    def test_mappings_merge_and_all_else_replaces(self) -> None:
        write(
            "base.yaml",
            "Base",
            """
            name: base
            description: the base
            owner: team
            tags: [a, b]
            image: base:1
            env: {A: base, B: base}
            resources: {memory: 8Gi, gpu: 1}
            steps: {one: {command: [echo], retry: 1}}
            """,
        )
        pipeline = build(
            """
            extends: base.yaml
            tags: [c]
            env: {B: own}
            resources: {memory: {limit: 16Gi}}
            steps: {one: {retry: {backoff: 10s}}, two: {script: echo}}
            """
        )
        one, two = pipeline.steps
        assert (pipeline.name, pipeline.description, pipeline.owner) == ("demo", "", "team")
        assert pipeline.tags == ("c",)
        assert one.image == two.image == "x:1"
        assert {v.name: shown(v.value) for v in two.env} == {"A": "'base'", "B": "'own'"}
        assert one.retry and (one.retry.max, one.retry.backoff) == (1, 10)
        assert two.resources.memory and astuple(two.resources.memory)[:2] == ("8Gi", "16Gi")
        assert two.resources.gpu and two.resources.gpu.count == 1
        assert one.span.path == "base.yaml" and two.span.path == "spec.yaml"

    def test_another_form_replaces_all_of_the_form(self) -> None:
        write(
            "base.yaml",
            "Base",
            """
            steps:
              one: {command: [echo], args: [a], inputs: {n: 1}, outputs: {o: string}}
              two: {script: "print(1)", shell: python}
              three: {steps: {inner: {command: [echo]}}}
            """,
        )
        one, two, three = build(
            """
            extends: base.yaml
            steps:
              one: {script: echo}
              two: {command: [ls]}
              three: {steps: {other: {command: [ls]}}}
            """
        ).steps
        assert isinstance(one.program, ir.Script)
        assert (one.program.shell, one.program.source) == ("sh", "echo")
        assert [i.name for i in one.inputs] == ["n"] and one.outputs[0].name == "o"
        assert words(two) == ["'ls'"]
        assert three.name == "other"

    def test_arguments_alone_are_replaced_alone(self) -> None:
        write("base.yaml", "Base", "steps: {one: {command: [echo], args: [a, b]}}")
        (one,) = build("extends: base.yaml\nsteps: {one: {args: [c]}}").steps
        assert words(one) == ["'echo'", "'c'"]

    def test_null_takes_entries_out(self) -> None:
        write(
            "base.yaml",
            "Base",
            """
            params: {p: 1, q: 2}
            inputs: {i: {type: Dataset}, j: {default: here}}
            env: {A: a, B: b}
            volumes: {v: {claim: c, mount: /v}, w: {empty: true, mount: /w}}
            steps: {one: {command: [echo]}, two: {command: [echo]}}
            finally: {last: {command: [echo]}}
            outputs: {o: "${{ steps.none.outputs.o }}"}
            profiles: {toy: {retry: 1}, big: {retry: 2}}
            schedules: {daily: {cron: 0 0 * * *}, weekly: {cron: 0 0 * * 0}}
            """,
        )
        pipeline = build(
            """
            extends: base.yaml
            params: {p: null}
            inputs: {i: null}
            env: {A: null}
            volumes: {v: null}
            steps: {two: null}
            finally: {last: null}
            outputs: {o: null}
            profiles: {toy: null}
            schedules: {daily: null}
            """
        )
        (one,) = pipeline.steps
        assert [p.name for p in pipeline.params] == ["q"]
        assert [i.name for i in pipeline.inputs] == ["j"]
        assert [v.name for v in one.env] == ["B"]
        assert [v.name for v in one.volumes] == ["w"]
        assert not pipeline.finally_nodes and not pipeline.outputs
        assert [s.name for s in pipeline.schedules] == ["weekly"]
        assert frontend.read(Path.cwd() / "spec.yaml").profiles == ["big"]

    def test_a_param_without_default_is_no_null(self) -> None:
        write("base.yaml", "Base", "params: {p: {type: integer, minimum: 3}}")
        text = "extends: base.yaml\nparams: {p: %s}\nsteps: {one: {command: [echo]}}"
        (param,) = build(text % 5).params
        assert (param.default, param.minimum) == (5, 3)
        assert told(text % 1) == [("MLC505", "spec.yaml:6")]
        assert build(text % "null").params == ()

    def test_what_is_taken_out_is_missed_with_both_places(self) -> None:
        write(
            "base.yaml",
            "Base",
            """
            params: {p: 1}
            steps: {one: {command: [echo, "${{ params.p }}"], needs: [two]}, two: {script: ls}}
            """,
        )
        loaded = load("extends: base.yaml\nparams: {p: null}\nsteps: {two: null}")
        assert [(d.code, d.span.path, d.related[0].span.line) for d in loaded.diagnostics] == [
            ("MLC303", "base.yaml", 6),
            ("MLC301", "base.yaml", 7),
        ]

    def test_chains_and_paths_count_from_each_file(self) -> None:
        write("parts/fit.yaml", "Component", "command: [fit]")
        write("bases/deep/a.yaml", "Base", "steps: {fit: {use: ../../parts/fit.yaml}}\nretry: 1")
        write("bases/b.yaml", "Base", "extends: deep/a.yaml\nretry: {max: 2, backoff: 1s}")
        write("other.yaml", "Algorithm", "extends: bases/b.yaml\nsteps: {two: {command: [two]}}")
        fit, two, three = build("extends: other.yaml\nsteps: {three: {command: [three]}}").steps
        assert words(fit) == ["'fit'"]
        assert three.retry and (three.retry.max, three.retry.backoff) == (2, 1)
        assert two.span.path == "other.yaml"
        assert fit.retry is None

    def test_profiles_of_a_base(self) -> None:
        write(
            "base.yaml",
            "Base",
            "params: {n: 1}\nprofiles: {toy: {params: {n: 2}, resources: {gpu: 1}}}",
        )
        pipeline = build(
            """
            extends: base.yaml
            steps: {one: {command: [echo]}}
            profiles: {toy: {resources: {gpu: {count: 3}, cpu: 1}}}
            """,
            "toy",
        )
        assert pipeline.params[0].default == 2
        assert pipeline.steps[0].resources.gpu and pipeline.steps[0].resources.gpu.count == 3
        assert pipeline.steps[0].resources.cpu

    @pytest.mark.parametrize(
        ("path", "code"),
        [
            ("missing.yaml", "MLC330"),
            ("../outside.yaml", "MLC330"),
            ("link.yaml", "MLC330"),
            ("loop.yaml", "MLC330"),
            ("linked/outside.yaml", "MLC330"),
            ("/etc/hosts", "MLC330"),
            (".", "MLC330"),
            ("a:b.yaml", "MLC330"),
            ("a@1.yaml", "MLC330"),
            ("'x\\y.yaml'", "MLC330"),
            ("x" * 300, "MLC330"),
            ("part.yaml", "MLC332"),
            ("spec.yaml", "MLC331"),
            ("${{ git.commit }}", "MLC406"),
        ],
    )
    def test_files_that_can_not_be_extended(self, path: str, code: str, project: Path) -> None:
        (project.parent / "outside.yaml").write_text(HEAD["Base"])
        Path("link.yaml").symlink_to("../outside.yaml")
        Path("loop.yaml").symlink_to("loop.yaml")
        Path("linked").symlink_to("..")
        write("part.yaml", "Component", "command: [echo]")
        spec = f"extends: {path}\nsteps: {{one: {{command: [echo, '${{{{ params.p }}}}']}}}}"
        assert told(spec) == [(code, "spec.yaml:5")]

    def test_a_link_inside_of_the_project_is_fine(self) -> None:
        write("base.yaml", "Base", "retry: 3")
        Path("link.yaml").symlink_to("base.yaml")
        (one,) = build("extends: link.yaml\nsteps: {one: {command: [echo]}}").steps
        assert one.retry and one.retry.max == 3

    def test_circles(self) -> None:
        write("a.yaml", "Base", "extends: b.yaml")
        write("b.yaml", "Base", "extends: c/c.yaml")
        write("c/c.yaml", "Base", "extends: ../a.yaml")
        (found,) = load("extends: a.yaml\nsteps: {one: {command: [echo]}}").diagnostics
        assert (found.code, found.span.path) == ("MLC331", "c/c.yaml")
        assert [r.span.path for r in found.related] == ["a.yaml", "b.yaml"]

    def test_what_is_wrong_in_a_base_is_told_there(self) -> None:
        write("base.yaml", "Base", "imag: x\nresources: {memory: lots}")
        spec = "extends: base.yaml\nsteps: {one: {command: [echo]}}"
        assert told(spec) == [("MLC101", "base.yaml:3"), ("MLC201", "base.yaml:4")]
        Path("base.yaml").write_text("a: [")
        assert told(spec) == [("MLC002", "base.yaml:1")]


FIT = """
params: {depth: {type: integer, minimum: 1}, rate: 0.1, steps: {type: integer, default: null}}
inputs: {data: Dataset}
outputs: {model: Model, score: number}
command: [fit]
args:
  - --depth: ${{ params.depth }}
    --steps: ${{ params.steps }}
    --deep: ${{ params.depth > 3 }}
    --some: ${{ params.steps != null }}
    --least: ${{ params.steps ?? 1 }}
  - ${{ inputs.data }}
  - ${{ outputs.model }}
  - ${{ outputs.score }}
env: {RATE: "r${{ params.rate }}", NAME: part, ALGORITHM: "${{ algorithm.name }}"}
retry: {max: 2, backoff: 5s}
"""
DATA = """
params: {n: 3, on: true}
steps:
  data: {script: make, outputs: {data: Dataset, text: string, count: integer, all: array}}
"""


class TestComponents:
    @pytest.fixture(autouse=True)
    def component(self) -> None:
        write("parts/fit.yaml", "Component", FIT)

    def test_a_component_is_one_closed_step(self) -> None:
        pipeline = build(
            "env: {LEAK: x}\nretry: 7\nresources: {cpu: 1}\n"
            + DATA
            + """
  fit:
    use: parts/fit.yaml
    when: ${{ params.on }}
    inputs: {depth: "${{ params.n }}", data: "${{ steps.data.outputs.data }}"}
    env: {NAME: "${{ params.n }}"}
    retry: {max: 3}
    timeout: 5m
            """
        )
        fit = step(pipeline, "fit")
        assert {i.name: shown(i.value) for i in fit.inputs} == {
            "depth": "params.n",
            "rate": "0.1",
            "steps": "None",
            "data": "data->data",
        }
        assert words(fit) == [
            "'fit'",
            "inputs.depth",
            "inputs.steps",
            "(params.n > 3)",
            "False",
            "1",
            "inputs.data",
            "outputs.model",
            "outputs.score",
        ]
        assert {v.name: shown(v.value) for v in fit.env} == {
            "RATE": "'r'+inputs.rate",
            "NAME": "params.n",
            "ALGORITHM": "'demo'",
        }
        assert fit.retry and (fit.retry.max, fit.retry.backoff) == (3, 5)
        assert fit.timeout and fit.timeout.seconds == 300
        assert fit.resources == ir.Resources()
        assert shown(fit.when) == "params.on"

    def test_its_words_are_those_of_a_plain_step(self) -> None:
        pipeline = build(
            DATA
            + """
  fit: {use: parts/fit.yaml, inputs: {depth: 4, data: "${{ steps.data.outputs.data }}"}}
            """
        )
        dialect = Dialect(
            native_env=True,
            metrics_metadata=False,
            requires_artifacts=True,
            checks_values=True,
            keeps_newline=True,
            forbidden=(),
        )
        made = launch(step(pipeline, "fit"), dialect)
        assert [c.name for c in made.captures] == ["data"]

    def test_it_can_be_looped(self) -> None:
        pipeline = build(
            DATA
            + """
  fit:
    use: parts/fit.yaml
    foreach: {d: [1, 2]}
    inputs: {depth: "${{ each.d }}", data: "${{ steps.data.outputs.data }}"}
  best:
    python: best:best
    inputs: {m: "${{ steps.fit.outputs.model }}", s: "${{ steps.fit.outputs.score }}"}
            """
        )
        loop = nodes(pipeline)["fit"]
        assert isinstance(loop, ir.Loop) and [n.name for n in loop.body] == ["fit"]
        given = {i.name: i.type for i in step(pipeline, "best").inputs}
        assert given["m"] == ex.ArtifactType("Model", is_list=True)
        assert given["s"] == ex.ValueType("array", items=ex.ValueType("number"))

    @pytest.mark.parametrize(
        ("given", "problem"),
        [
            ("depth: 0", "less than 1"),
            ("depth: x", "not an integer"),
            ("depth: '${{ 0 }}'", "less than 1"),
            ("depth: '${{ null }}'", "null is not an integer"),
            ("depth: '${{ params.on }}'", "an integer, found a boolean"),
            ("depth: '${{ steps.data.outputs.text }}'", "an integer, found a string"),
            ("depth: 'a${{ params.n }}'", "an integer, found a string"),
            ("depth: '${{ steps.data.outputs.data }}'", "an integer, found a Dataset"),
            ("depth: '${{ each.any }}'", "known only in the run"),
            ("depth: '${{ params.none }}'", "may be null"),
            ("depth: 1, dept: 2", "no param or input `dept`"),
            ("rate: 1", "does not give the param `depth`"),
        ],
    )
    def test_what_it_does_not_take(self, given: str, problem: str) -> None:
        loaded = load(
            f"""
            params: {{n: 3, on: true, none: {{type: integer, default: null}}}}
            steps:
              data: {{command: [d], outputs: {{data: Dataset, text: string, all: array}}}}
              fit:
                use: parts/fit.yaml
                foreach: {{any: "${{{{ steps.data.outputs.all }}}}"}}
                inputs: {{{given}, data: "${{{{ steps.data.outputs.data }}}}"}}
            """
        )
        (found,) = loaded.diagnostics
        assert found.code == "MLC333" and problem in found.message
        assert found.span.path == "spec.yaml"
        assert {r.span.path for r in found.related[:1]} <= {"parts/fit.yaml"}
        assert {r.span.path for r in found.related[1:]} <= {"spec.yaml"}

    @pytest.mark.parametrize(
        "given",
        [
            "3",
            "'${{ params.n }}'",
            "'${{ steps.data.outputs.model }}'",
            "['${{ steps.data.outputs.data }}']",
        ],
    )
    def test_what_its_artifacts_do_not_take(self, given: str) -> None:
        loaded = load(
            f"""
            params: {{n: 3}}
            steps:
              data: {{command: [d], outputs: {{data: Dataset, model: Model}}}}
              fit: {{use: parts/fit.yaml, inputs: {{depth: 1, data: {given}}}}}
            """
        )
        assert [d.code for d in loaded.diagnostics] == ["MLC333"]

    def test_it_sees_nothing_of_its_caller(self) -> None:
        write(
            "parts/open.yaml",
            "Component",
            """
            params: {a: 1}
            inputs: {d: Artifact}
            command:
              - ${{ params.n }}
              - ${{ inputs.e }}
              - ${{ inputs.a }}
              - ${{ params.d }}
              - ${{ steps.data.outputs.count }}
              - ${{ each.x }}
            """,
        )
        found = told(
            DATA
            + """
  open:
    use: parts/open.yaml
    foreach: {x: [1]}
    inputs: {d: "${{ steps.data.outputs.data }}"}
            """
        )
        assert found == [
            ("MLC303", "parts/open.yaml:9"),
            ("MLC304", "parts/open.yaml:10"),
            ("MLC304", "parts/open.yaml:11"),
            ("MLC303", "parts/open.yaml:12"),
            ("MLC301", "parts/open.yaml:13"),
            ("MLC305", "parts/open.yaml:14"),
        ]

    def test_what_a_call_can_not_say(self) -> None:
        found = told(
            DATA
            + """
  fit:
    use: parts/fit.yaml
    image: other:1
    workdir: /x
    inputs: {depth: 1, data: "${{ steps.data.outputs.data }}"}
            """
        )
        assert found == [("MLC105", "spec.yaml:12"), ("MLC105", "spec.yaml:13")]

    def test_in_finally_it_is_not_cached(self) -> None:
        write(
            "parts/tell.yaml",
            "Component",
            """
            params: {status: {type: string}}
            outputs: {o: string}
            command: [tell, "${{ params.status }}", "${{ run.status }}"]
            """,
        )
        pipeline = build(
            DATA
            + """
finally:
  tell: {use: parts/tell.yaml, inputs: {status: "${{ run.status }}"}}
            """
        )
        (tell,) = pipeline.finally_nodes
        assert isinstance(tell, ir.Step) and not tell.cache.enabled
        assert words(tell) == ["'tell'", "inputs.status", "run.status"]

    @pytest.mark.parametrize(
        ("component", "line"),
        [
            ("params: {n: 1, N: 2}\nscript: echo $INPUT_N", 5),
            ("params: {d: 1}\ninputs: {d: Artifact}\ncommand: [x]", 6),
            ("params: {o: 1}\noutputs: {o: Dataset}\npython: a:b", 6),
            ("params: {n: 1}\ncommand: [x]\nscript: x", 7),
            ("params: {n: 1}", 3),
        ],
    )
    def test_what_is_wrong_in_it(self, component: str, line: int) -> None:
        path = write("parts/part.yaml", "Component", component)
        for loaded in (
            frontend.check_part(frontend.read(path), UNKNOWN),
            load("steps: {one: {use: parts/part.yaml}}"),
        ):
            places = [(d.code, d.span.path, d.span.line) for d in loaded.diagnostics]
            assert ("MLC105" if line in (3, 7) else "MLC311", "parts/part.yaml", line) in places

    def test_alone_it_is_checked_but_not_compiled(self) -> None:
        path = write(
            "parts/bad.yaml",
            "Component",
            "params: {n: 1}\ncommand: [x, '${{ params.m }}', '${{ params.n && true }}']",
        )
        for kind in (path, Path.cwd() / "parts/fit.yaml"):
            document = frontend.read(kind)
            codes = [d.code for d in frontend.check_part(document, UNKNOWN).diagnostics]
            assert codes == (["MLC303", "MLC409"] if kind is path else [])
            assert [d.code for d in frontend.build(document).diagnostics] == ["MLC332"]


TRAIN = """
params: {grid: [1, 2], least: 0.5, mode: {type: string, default: null}}
inputs: {data: {type: Dataset}, extra: {type: Dataset, default: s3://x/y}}
steps:
  one:
    foreach: {g: "${{ params.grid }}"}
    command: [one, "${{ each.g }}", "${{ inputs.data }}", "${{ inputs.extra }}"]
    outputs: {score: number, model: Model}
  best:
    when: ${{ params.least < 0.9 && params.mode != null }}
    python: best:best
    inputs: {scores: "${{ steps.one.outputs.score }}", models: "${{ steps.one.outputs.model }}"}
    outputs: {score: number}
outputs:
  score: ${{ steps.best.outputs.score ?? params.least }}
  scores: ${{ steps.one.outputs.score }}
  models: ${{ steps.one.outputs.model }}
limits: {parallel: 2}
profiles: {toy: {params: {least: 0.1}}}
schedules: {daily: {cron: 0 0 * * *}}
"""


class TestAlgorithms:
    @pytest.fixture(autouse=True)
    def algorithm(self) -> None:
        write("parts/train.yaml", "Algorithm", TRAIN)

    def test_its_steps_stand_among_the_callers(self) -> None:
        pipeline = build(
            DATA
            + """
  other: {command: [other]}
  train:
    use: parts/train.yaml
    when: ${{ params.on }}
    needs: [other]
    inputs: {data: "${{ steps.data.outputs.data }}", least: 0.25, mode: "m${{ params.n }}"}
  show: {command: [show, "${{ steps.train.outputs.score }}"]}
  join:
    python: join:join
    inputs: {m: "${{ steps.train.outputs.models }}", s: "${{ steps.train.outputs.scores }}"}
            """
        )
        found = nodes(pipeline)
        loop, best = found["train.one"], found["train.best"]
        assert isinstance(loop, ir.Loop) and isinstance(best, ir.Step)
        assert set(loop.needs) == set(best.needs) == {"other", "data"}
        assert shown(loop.when) == "params.on"
        assert shown(best.when) == "(params.on && True)"
        assert words(step(pipeline, "train.one")) == [
            "'one'",
            "each train.one.g",
            "data->data",
            "inputs.train_extra",
        ]
        assert words(step(pipeline, "show")) == ["'show'", "(train.best->score ?? 0.25)"]
        assert {i.name: (shown(i.value), str(i.type)) for i in step(pipeline, "join").inputs} == {
            "m": ("train.one->model", "list of Model"),
            "s": ("train.one->score", "array"),
        }
        assert [(i.name, i.default) for i in pipeline.inputs] == [("train_extra", "s3://x/y")]
        assert pipeline.limits == ir.Limits() and not pipeline.schedules
        graph = Graph(pipeline.nodes)
        assert graph.waits()["show"].lenient == ("train.best",)

    def test_twice_and_in_each_other(self) -> None:
        write(
            "parts/outer.yaml",
            "Algorithm",
            """
            inputs: {data: {type: Dataset}}
            params: {p: 1.5}
            steps:
              train:
                use: train.yaml
                inputs: {data: "${{ inputs.data }}", least: "${{ params.p }}"}
            outputs: {score: "${{ steps.train.outputs.score }}"}
            """,
        )
        pipeline = build(
            DATA
            + """
  train_extra: {command: [x]}
  a: {use: parts/outer.yaml, inputs: {data: "${{ steps.data.outputs.data }}"}}
  b: {use: parts/outer.yaml, inputs: {data: "${{ steps.data.outputs.data }}", p: 2}}
  show: {command: [show, "${{ steps.a.outputs.score }}", "${{ steps.b.outputs.score }}"]}
            """
        )
        assert [s.name for s in pipeline.steps] == [
            *("data", "train_extra", "a.train.one", "a.train.best"),
            *("b.train.one", "b.train.best", "show"),
        ]
        assert words(step(pipeline, "show"))[1:] == [
            "(a.train.best->score ?? 1.5)",
            "(b.train.best->score ?? 2)",
        ]
        assert [i.name for i in pipeline.inputs] == ["a_train_extra", "b_train_extra"]

    def test_inputs_of_the_pipeline_keep_clear_of_its_own(self) -> None:
        pipeline = build(
            "inputs: {train_extra: {default: here}}"
            + DATA.replace("params: {", "params: {train_extra_2: 1, ")
            + """
  train: {use: parts/train.yaml, inputs: {data: "${{ steps.data.outputs.data }}"}}
            """
        )
        assert [i.name for i in pipeline.inputs] == ["train_extra", "train_extra_3"]

    def test_in_a_loop(self) -> None:
        write(
            "parts/small.yaml",
            "Algorithm",
            """
            params: {n: {type: integer}, list: [1]}
            steps:
              first: {command: [f, "${{ params.n }}"], outputs: {o: integer, m: Model}}
              second:
                foreach: {x: "${{ params.list }}"}
                command: [s, "${{ each.x }}", "${{ steps.first.outputs.o }}"]
                outputs: {o: integer}
            outputs:
              o: ${{ steps.first.outputs.o }}
              all: ${{ steps.second.outputs.o }}
              m: ${{ steps.first.outputs.m }}
            """,
        )
        pipeline = build(
            """
            steps:
              many:
                use: parts/small.yaml
                foreach: {i: [1, 2]}
                inputs: {n: "${{ each.i }}"}
              show: {command: [x, "${{ steps.many.outputs.o }}", "${{ steps.many.outputs.all }}"]}
              join: {python: j:j, inputs: {m: "${{ steps.many.outputs.m }}"}}
            """
        )
        loop = nodes(pipeline)["many"]
        assert isinstance(loop, ir.Loop)
        assert [n.name for n in loop.body] == ["many.first", "many.second"]
        assert words(step(pipeline, "many.first")) == ["'f'", "each many.i"]
        show = step(pipeline, "show")
        assert isinstance(show.program, ir.Command)
        integers = ex.ValueType("array", items=ex.ValueType("integer"))
        assert [a.value.type for a in show.program.arguments[1:]] == [
            integers,
            ex.ValueType("array", items=integers),
        ]
        graph = Graph(pipeline.nodes)
        assert graph.collected("many.second", ()) == ("many", "many.second")

    @pytest.mark.parametrize(
        ("call", "code", "line"),
        [
            ("retry: 2", "MLC105", 12),
            ("env: {A: b}", "MLC105", 12),
            ("inputs: {grid: 3}", "MLC333", 12),
            ("inputs: {least: '${{ steps.data.outputs.count }}'}", "MLC334", 12),
        ],
    )
    def test_what_a_call_can_not_say(self, call: str, code: str, line: int) -> None:
        Path("parts/train.yaml").write_text(
            HEAD["Algorithm"] + TRAIN.replace("data: {type: Dataset}", "data: {default: x}")
        )
        found = told(
            DATA
            + f"""
  train:
    use: parts/train.yaml
    {call}
  show: {{command: [x, "${{{{ steps.train.outputs.score }}}}"]}}
            """
        )
        assert found == [(code, f"spec.yaml:{line}")]

    def test_fallbacks_are_not_collected(self) -> None:
        loaded = load(
            DATA
            + """
  train:
    use: parts/train.yaml
    foreach: {g: [0.5, 0.6]}
    inputs: {data: "${{ steps.data.outputs.data }}", least: "${{ params.n }}"}
  show: {command: [show, "${{ steps.train.outputs.score }}"]}
            """
        )
        assert [d.code for d in loaded.diagnostics] == ["MLC334"]

    def test_what_is_put_together_can_not_be_compared(self) -> None:
        write(
            "parts/when.yaml",
            "Algorithm",
            """
            params: {mode: x}
            steps: {one: {command: [a], when: "${{ params.mode == 'a' }}"}}
            """,
        )
        loaded = load(DATA + '\n  w: {use: parts/when.yaml, inputs: {mode: "a${{ params.n }}"}}\n')
        assert [(d.code, d.span.path) for d in loaded.diagnostics] == [
            ("MLC409", "parts/when.yaml")
        ]

    def test_null_is_tested_for_where_a_value_is_given(self) -> None:
        write(
            "parts/when.yaml",
            "Algorithm",
            """
            params: {n: {type: integer, default: null}}
            steps:
              one: {command: [a, "${{ params.n ?? 7 }}"], when: "${{ params.n != null }}"}
              two: {command: [a], when: "${{ (params.n ?? 1) > 2 }}"}
            """,
        )
        pipeline = build(
            DATA
            + """
  none: {use: parts/when.yaml}
  some: {use: parts/when.yaml, inputs: {n: 5}}
  own: {use: parts/when.yaml, inputs: {n: "${{ params.n }}"}}
  made: {use: parts/when.yaml, inputs: {n: "${{ steps.data.outputs.count }}"}}
            """
        )
        assert [(s.name, shown(s.when)) for s in pipeline.steps[1:]] == [
            ("none.one", "False"),
            ("none.two", "False"),
            ("some.one", "True"),
            ("some.two", "True"),
            ("own.one", "True"),
            ("own.two", "(params.n > 2)"),
            ("made.one", "True"),
            ("made.two", "((data->count ?? 1) > 2)"),
        ]

    def test_a_type_error_inside_is_told_there(self) -> None:
        write(
            "parts/bad.yaml",
            "Algorithm",
            """
            params: {n: 1}
            steps:
              data: {command: [a], outputs: {d: Dataset, l: array}}
              bad: {command: [a, "${{ steps.data.outputs.d > 1 }}"]}
              worse: {command: [a], when: "${{ steps.data.outputs.l }}"}
              number: {command: [a], when: "${{ params.n }}"}
            """,
        )
        found = told(DATA + '\n  b: {use: parts/bad.yaml, inputs: {n: "${{ params.n }}"}}\n')
        assert found == [
            ("MLC409", "parts/bad.yaml:9"),
            ("MLC412", "parts/bad.yaml:10"),
            ("MLC412", "parts/bad.yaml:11"),
        ]

    def test_circles_through_several_files(self) -> None:
        write("parts/a.yaml", "Algorithm", "steps: {b: {use: b.yaml}}")
        write("parts/b.yaml", "Algorithm", "steps: {a: {use: ../spec.yaml}}")
        (found,) = load("steps: {a: {use: parts/a.yaml}}").diagnostics
        assert (found.code, found.span.path) == ("MLC331", "parts/b.yaml")
        assert [r.span.path for r in found.related] == ["spec.yaml", "parts/a.yaml"]

    def test_calls_do_not_multiply_without_end(self) -> None:
        for number in range(8):
            calls = "".join(f"\n  s{n}: {{use: l{number + 1}.yaml}}" for n in range(10))
            write(f"l{number}.yaml", "Algorithm", f"steps:{calls}\n")
        write("l8.yaml", "Algorithm", "steps: {one: {command: [a]}}")
        assert {d.code for d in load("steps: {a: {use: l0.yaml}}").diagnostics} == {"MLC331"}

    def test_needs_and_groups_mean_all_of_its_steps(self) -> None:
        pipeline = build(
            DATA
            + """
  group:
    when: ${{ params.on }}
    steps:
      train: {use: parts/train.yaml, inputs: {data: "${{ steps.data.outputs.data }}"}}
  after: {command: [a], needs: [train]}
  last: {command: [a], needs: [group]}
            """
        )
        assert step(pipeline, "after").needs == ("train.one", "train.best")
        assert step(pipeline, "last").needs == ("train.one", "train.best")
        assert shown(nodes(pipeline)["train.one"].when) == "params.on"

    def test_it_compiles(self) -> None:
        pipeline = build(
            DATA
            + """
  train: {use: parts/train.yaml, inputs: {data: "${{ steps.data.outputs.data }}", mode: m}}
            """
        )
        project = frontend.read(Path.cwd() / "spec.yaml").project
        assert "train" in kfp.emit(pipeline, project.target("kfp"))


def mlc(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "compiler", *arguments], capture_output=True, text=True, check=False
    )


def without_places(value: object) -> object:
    """An IR value with every place and path taken out of it."""
    if isinstance(value, Span):
        return None
    if isinstance(value, Struct):
        fields = asdict(value).items()
        return [type(value).__name__, *((k, without_places(v)) for k, v in fields if k != "source")]
    if isinstance(value, (list, tuple)):
        return [without_places(item) for item in value]
    return value


class TestResolve:
    SPEC = """
    extends: bases/base.yaml
    params: {n: {maximum: 9}, gone: null}
    env: {A: null, "odd key": x}
    steps:
      two: {script: echo two}
      three:
        use: parts/fit.yaml
        inputs: {depth: 1, data: "${{ steps.one.outputs.o }}"}
        timeout: 1m
    profiles: {toy: {params: {n: 5}, steps: {one: {retry: 3}}}}
    schedules: {daily: {cron: "0 0 * * *", params: {n: 4}}}
    """.replace('"odd key": x', "C: 0644")
    BASE = r"""
    image: 1.10
    env: {A: a, B: "line\nbreak\n"}
    params: {n: 1, gone: 2, text: "a: b # c", odd: "\u2028\u0085\U0001F600", zero: "007"}
    volumes: {v: {empty: true, mount: /v}}
    steps:
      one:
        command: [echo, 1.10, "1.10", 'it''s', "${{ params.n }}"]
        args: [{--n: 0644, --flag=: null}]
        outputs: {o: Dataset}
      two: {command: [echo], args: [a], retry: 1}
      more:
        env: {G: g}
        steps:
          four:
            use: ../parts/tell.yaml
          five:
            script: |
              echo one

              if true; then
                echo two
              fi
          six: {script: "  indented\nline", volumes: {v: null}}
          seven: {script: "echo\n\n\n", foreach: {x: [1, 2.50], y: [{a: b, c: []}]}}
    """

    @pytest.fixture(autouse=True)
    def files(self) -> None:
        write("bases/base.yaml", "Base", self.BASE)
        write("parts/fit.yaml", "Component", FIT)
        write("parts/tell.yaml", "Component", "command: [tell]")
        write("spec.yaml", "Algorithm", self.SPEC)

    @pytest.mark.parametrize("profiles", [(), ("toy",)])
    def test_what_it_prints_means_the_same(self, profiles: tuple[str, ...]) -> None:
        options = [word for name in profiles for word in ("--profile", name)]
        done = mlc("resolve", "spec.yaml", *options)
        assert done.returncode == 0, done.stderr
        Path("printed.yaml").write_text(done.stdout)
        assert "extends" not in done.stdout
        first = frontend.load(Path.cwd() / "spec.yaml", profiles, git=UNKNOWN)
        again = frontend.load(Path.cwd() / "printed.yaml", git=UNKNOWN)
        assert first.pipeline and again.pipeline, (first.diagnostics, again.diagnostics)
        assert without_places(replace(again.pipeline, profiles=())) == without_places(
            replace(first.pipeline, profiles=())
        )
        twice = mlc("resolve", "printed.yaml")
        assert without_comments(twice.stdout) == without_comments(done.stdout)

    def test_it_says_where_lines_come_from(self) -> None:
        Path("values.yaml").write_text("text: given\n")
        done = mlc(
            *("resolve", "spec.yaml", "--profile", "toy"),
            *("--params", "values.yaml", "-p", "zero=1e3"),
        )
        assert done.returncode == 0, done.stderr
        origin = {
            line.partition(" #")[0].strip(): line.partition("  # ")[2]
            for line in reversed(done.stdout.splitlines())
        }
        assert origin["name: demo"] == ""
        assert origin["maximum: 9"] == ""
        assert origin["default: 5"] == "spec.yaml:15"
        assert origin["default: given"] == "values.yaml:1"
        assert origin['default: "1e3"'] == "-p"
        assert origin["max: 3"] == "spec.yaml:15"
        assert origin["script: |"] == "bases/base.yaml:20"
        assert origin["use: parts/tell.yaml"] == "bases/base.yaml:18"
        assert origin["use: parts/fit.yaml"] == ""
        columns = {line.index("  # ") for line in done.stdout.splitlines() if "  # " in line}
        assert len(columns) <= 2

    @pytest.mark.parametrize(
        "path",
        [*sorted((ROOT / "algorithms").glob("*.yaml")), *sorted(CASES.glob("*/spec.yaml"))],
        ids=lambda path: path.parent.name + "/" + path.stem,
    )
    def test_every_spec_means_the_same_when_printed(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(path.parent)
        document = frontend.read(path)
        first = frontend.build(document, git=UNKNOWN).pipeline
        assert first and document.root
        text = printed(resolve(document.root, ())[0])
        again = frontend.build(frontend.read(path, "printed", text.encode()), git=UNKNOWN)
        assert again.pipeline, again.diagnostics
        assert without_places(again.pipeline) == without_places(first)

    def test_a_wrong_spec_is_not_printed(self) -> None:
        write("spec.yaml", "Algorithm", "steps: {one: {command: [echo, '${{ params.n }}']}}")
        done = mlc("resolve", "spec.yaml")
        assert (done.returncode, done.stdout) == (1, "")
        assert "MLC303" in done.stderr

    def test_components_and_bases_can_be_shown(self) -> None:
        for path in ("parts/fit.yaml", "bases/base.yaml"):
            done = mlc("resolve", path)
            assert done.returncode == 0, done.stderr
            assert "kind: " in done.stdout


def without_comments(text: str) -> list[str]:
    return [line.partition("  # ")[0].rstrip() for line in text.splitlines()[1:]]
