"""What a container runs, as words; and that real processes do by them what the step says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from builders import (
    SPAN,
    command,
    concat,
    flag,
    input_ref,
    literal,
    output_of,
    output_path,
    param_ref,
    pipeline_input_ref,
    python,
    script,
    secret,
    step,
    volume,
    volume_path,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.expr import ArtifactList, ArtifactType, Literal, RunRef, ValueType
from compiler.ir import Cache, Shell, Step
from compiler.launch import (
    ArgumentWord,
    Dialect,
    Launch,
    OutputPathOf,
    PathOf,
    Text,
    ValueOf,
    captures,
    launch,
)
from compiler.runtime import shim_spec, shim_text, wrapper_text
from compiler.values import JsonValue, to_text

# As on Kubeflow Pipelines and on Argo Workflows.
K = Dialect(
    native_env=False,
    metrics_metadata=True,
    requires_artifacts=False,
    checks_values=True,
    keeps_newline=True,
    forbidden=("{{", "$$", "$(", "\x7f"),
)
A = Dialect(
    native_env=True,
    metrics_metadata=False,
    requires_artifacts=True,
    checks_values=False,
    keeps_newline=False,
    forbidden=("{{",),
)
# `python3` in a container is the Python that runs the tests.
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
IMPORTS = os.pathsep.join(str(folder) for folder in list(Path(__file__).parents)[:2])
NULL = Literal(None, ValueType(None, nullable=True), SPAN)


def spelled(words: tuple[ArgumentWord, ...]) -> list[str]:
    """Words for people: `<value>`, `<path/>`, `<output!>`."""

    def one(word: ArgumentWord) -> str:
        return "".join(
            slot.text
            if isinstance(slot, Text)
            else f"<{slot.capture}>"
            if isinstance(slot, ValueOf)
            else f"<{slot.capture}/>"
            if isinstance(slot, PathOf)
            else f"<{slot.output}!>"
            for slot in word
        )

    return [one(word) for word in words]


def argv(one: Step, dialect: Dialect = A) -> list[str]:
    return spelled(launch(one, dialect).argv)


def wrapped(one: Step, dialect: Dialect) -> tuple[list[str], list[str]]:
    """The wrapper's directives and the command."""
    words = argv(one, dialect)
    assert words[:2] == ["/bin/sh", "-c"] and words[3] == "mlc"
    end = words.index("--")
    return words[4:end], words[end + 1 :]


def names(one: Step) -> dict[str, str]:
    return {c.name: type(c.ref).__name__ for c in captures(one)}


def test_captures_declared_inputs_first_each_reference_once() -> None:
    rows = output_of("fetch", "rows", "integer")
    one = step(
        "fit",
        command(param_ref("limit", "integer"), rows, param_ref("rate"), input_ref("count")),
        inputs={"count": rows, "again": rows, "rate": 0.5, "text": concat("a-", param_ref("tag"))},
        env={"WHEN": RunRef("scheduled_at", SPAN), "KEY": secret("s", "k")},
    )
    assert names(one) == {
        "count": "StepOutputRef",
        "tag": "ParamRef",
        "limit": "ParamRef",
        "rate": "ParamRef",
        "run_scheduled_at": "RunRef",
    }
    assert argv(one) == ["<limit>", "<count>", "<rate>", "<count>"]


def test_captures_have_names_of_their_own() -> None:
    one = step(
        "fit",
        command(
            param_ref("data"),
            param_ref("model"),
            param_ref("class"),
            param_ref("fetch_rows"),
            output_of("fetch", "rows"),
            pipeline_input_ref("late"),
            output_of("fetch_late", "a"),
            output_of("fetch", "late_a"),
        ),
        inputs={"early": param_ref("late"), "data": output_of("fetch", "data")},
        outputs={"model": "Model"},
    )
    assert [c.name for c in captures(one)] == [
        "early",
        "data",
        "data_2",
        "model_2",
        "class_2",
        "fetch_rows",
        "fetch_rows_2",
        "late",
        "fetch_late_a",
        "fetch_late_a_2",
    ]


def test_a_declared_input_that_bears_an_outputs_name_gives_way() -> None:
    one = step(
        "fit",
        command(input_ref("model", "Model"), output_path("model")),
        inputs={"model": output_of("a", "model", "Model")},
        outputs={"model": "Model"},
    )
    assert argv(one) == ["<model_2/>", "<model!>"]


def test_captures_of_a_cache_key_count() -> None:
    one = step("a", command("x"), cache=Cache(True, key=concat("v", param_ref("version"))))
    assert names(one) == {"version": "ParamRef"}


def test_words_are_texts_and_placeholders() -> None:
    one = step(
        "fit",
        command(
            "python",
            concat("--in=", pipeline_input_ref("reports"), "/", 5, True, "", param_ref("x"), "."),
            concat("a", concat("b", input_ref("n")), "c"),
            input_ref("none"),
            volume_path("store"),
            output_path("model"),
            1e-5,
            True,
            "",
        ),
        inputs={"n": 1.0, "none": NULL},
        outputs={"model": "Model"},
        volumes=[volume("store", "/mnt/store")],
    )
    found = launch(one, A)
    assert not found.wrapped and not found.reasons
    assert found.argv == (
        (Text("python"),),
        (Text("--in="), PathOf("reports"), Text("/5true"), ValueOf("x"), Text(".")),
        (Text("ab1c"),),
        (),
        (Text("/mnt/store"),),
        (OutputPathOf("model"),),
        (Text("0.00001"),),
        (Text("true"),),
        (),
    )


def test_known_flags_are_decided_here() -> None:
    one = step(
        "a",
        command(
            "x",
            flag("--yes", True),
            flag("--no", False),
            flag("--null", NULL),
            flag("--yes", True, joined=True),
            flag("--no", False, joined=True),
            flag("--null", NULL, joined=True),
            flag("-n", 5),
            flag("--n", 0.5, joined=True),
            flag("--given", input_ref("yes", "boolean")),
            flag("--data", pipeline_input_ref("data")),
            flag("--p", param_ref("p", "integer"), joined=True),
        ),
        inputs={"yes": True},
    )
    assert argv(one) == [
        *["x", "--yes", "--yes=true", "--no=false", "-n", "5", "--n=0.5", "--given"],
        *["--data", "<data/>", "--p=<p>"],
    ]
    assert not launch(one, A).reasons


def test_flags_known_at_run_time_are_the_wrappers() -> None:
    one = step(
        "a",
        command(
            "x",
            flag("--warm", param_ref("warm", "boolean")),
            flag("--max", param_ref("max", "integer", nullable=True)),
            "y",
            flag("--max", param_ref("max", "integer", nullable=True), joined=True),
            flag("--warm", param_ref("warm", "boolean"), joined=True),
            flag("--cold", param_ref("cold", "boolean", nullable=True)),
        ),
    )
    for dialect in (A, K):
        assert wrapped(one, dialect) == (
            ["flags", "-", ".so.j.s"],
            [
                *["x", "--warm", "<warm>", "--max", "<max>", "y", "--max", "<max>"],
                *["--warm=<warm>", "--cold", "<cold>"],
            ],
        )
        assert launch(one, dialect).reasons == ("args.--warm", "args.--max", "args.--cold")
        assert argv(one, dialect)[2] == wrapper_text()


def test_scripts() -> None:
    source = 'echo "$INPUT_X" | tee "$OUTPUT_Y"\n'
    for shell, call in {
        "sh": ["sh", "-ec", source, "mlc"],
        "bash": ["bash", "-eo", "pipefail", "-c", source, "mlc"],
        "python": ["python3", "-c", source],
    }.items():
        assert argv(step("a", script(source, shell))) == call  # type: ignore[arg-type]


def test_scripts_see_inputs_and_outputs_in_the_environment() -> None:
    one = step(
        "a",
        script("true"),
        inputs={"x": param_ref("x"), "data": output_of("b", "data"), "n": 5},
        outputs={"y": "Dataset"},
        env={"E": concat("v", param_ref("x")), "INPUT_N": "own", "L": "literal"},
    )
    env = {
        "INPUT_X": "<x>",
        "INPUT_DATA": "<data/>",
        "OUTPUT_Y": "<y!>",
        "E": "v<x>",
        "INPUT_N": "own",
        "L": "literal",
    }
    native = launch(one, A)
    assert (
        dict(zip(dict(native.env), spelled(tuple(dict(native.env).values())), strict=True)) == env
    )
    assert list(dict(native.env)) == list(env) and not native.wrapped
    moved = launch(one, K)
    assert spelled(tuple(word for _, word in moved.env)) == ["own", "literal"]
    directives, call = wrapped(one, K)
    assert directives == [
        *["env", "INPUT_X", "<x>", "env", "INPUT_DATA", "<data/>", "env", "OUTPUT_Y", "<y!>"],
        *["env", "E", "v<x>", "file", "y", "<y!>"],
    ]
    assert call == ["sh", "-ec", "true", "mlc"]
    assert moved.reasons == ("inputs.x", "inputs.data", "outputs.y", "env.E")


def test_commands_and_functions_have_only_their_own_environment() -> None:
    for program in (command("x"), python("a:b")):
        one = step("a", program, inputs={"x": 5}, outputs={"y": "Dataset"}, env={"E": "1"})
        assert [name for name, _ in launch(one, A).env] == ["E"]


def test_literals_that_a_kubelet_would_change_go_through_the_wrapper() -> None:
    env = {"A": "$$", "B": "$(HOME)", "C": "{{x", "D": "$é", "E": "$HOME é {x} $"}
    one = step("a", command("x"), env=env)
    assert wrapped(one, K)[0] == [
        *["env", "A", "$$", "env", "B", "$(HOME)", "env", "C", "{{x", "env", "D", "$é"]
    ]
    assert [name for name, _ in launch(one, K).env] == ["E"]
    assert not launch(one, A).wrapped
    assert [name for name, _ in launch(one, A).env] == list(env)


def test_secrets_are_apart() -> None:
    one = step("a", script("true"), env={"TOKEN": secret("chat", "token"), "A": "1"})
    for dialect in (A, K):
        found = launch(one, dialect)
        assert found.secrets == (("TOKEN", secret("chat", "token")),)
        assert [name for name, _ in found.env] == ["A"]
        assert not found.captures


OUTPUTS = {
    "data": "Dataset",
    "metrics": "Metrics",
    "rows": "integer",
    "rate": "number",
    "ok": "boolean",
    "said": "string",
    "all": "array",
    "config": "object",
}


def test_checks_of_outputs() -> None:
    one = step("a", command("x"), outputs=OUTPUTS)
    signs = [w for sign in ("{{", "$$", "$(", "\\0177") for w in ("not", "-", sign)]
    assert wrapped(one, K) == (
        [
            *["file", "data", "<data!>", "metadata", "metrics", "<metrics!>"],
            *["integer", "rows", "<rows!>", "number", "rate", "<rate!>"],
            *["boolean", "ok", "<ok!>", "string", "said", "<said!>", *signs],
            *["array", "all", "<all!>", *signs, "object", "config", "<config!>", *signs],
        ],
        ["x"],
    )
    assert wrapped(one, A) == (
        [
            *["metrics", "metrics", "<metrics!>", "integer", "rows", "<rows!>"],
            *["number", "rate", "<rate!>", "boolean", "ok", "<ok!>"],
            *["text", "said", "<said!>", *signs[:3], "array", "all", "<all!>", *signs[:3]],
            *["object", "config", "<config!>", *signs[:3]],
        ],
        ["x"],
    )


@pytest.mark.parametrize(
    ("kind", "in_k", "in_a"),
    [
        ("Dataset", True, False),
        ("Metrics", True, True),
        ("integer", False, True),
        ("number", False, True),
        ("boolean", True, True),
        ("string", True, True),
        ("array", True, True),
        ("object", True, True),
    ],
)
def test_reasons_for_a_shell(kind: str, in_k: bool, in_a: bool) -> None:
    """A command without a shell is never wrapped; the reasons say what it can't have then."""
    for dialect, needed in ((K, in_k), (A, in_a)):
        one = step("a", command("x", has_shell=False), outputs={"o": kind})
        found = launch(one, dialect)
        assert (found.wrapped, spelled(found.argv)) == (False, ["x"])
        assert found.reasons == (("outputs.o",) if needed else ())
        with_shell = launch(step("a", command("x"), outputs={"o": kind}), dialect)
        assert with_shell.reasons == found.reasons
        assert with_shell.wrapped or not needed


def test_no_shell_and_yet_run_time_environment_and_flags() -> None:
    one = step(
        "a",
        command("x", flag("--warm", param_ref("warm", "boolean")), has_shell=False),
        env={"A": param_ref("a"), "B": "b"},
    )
    found = launch(one, K)
    assert not found.wrapped
    assert found.reasons == ("env.A", "args.--warm")
    assert [name for name, _ in found.env] == ["A", "B"]
    assert launch(one, A).reasons == ("args.--warm",)


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        ({"o": "Dataset"}, wrapper_text()),
        ({"o": "boolean"}, wrapper_text({"values"})),
        ({"o": "Metrics", "p": "string"}, wrapper_text({"metrics"})),
    ],
)
def test_only_what_is_used_of_the_wrapper_is_written(outputs: dict[str, str], text: str) -> None:
    assert argv(step("a", command("x"), outputs=outputs), K)[2] == text


def test_functions_are_called_by_the_shim() -> None:
    models = ArtifactList(
        (output_of("a", "m", "Model"), output_of("b", "m", "Model")),
        ArtifactType("Model", is_list=True),
        SPAN,
    )
    one = step(
        "fit",
        python("pkg.mod:fit"),
        inputs={"data": output_of("a", "d"), "models": models, "rate": 0.5, "null": NULL},
        outputs={"model": "Model", "rows": "integer", "metrics": "Metrics"},
        env={"SEED": param_ref("seed", "integer")},
    )
    pairs = [
        *["data", "<data/>", "models", "<a_m/>", "models", "<b_m/>", "rate", "0.5", "null", ""],
        *["model", "<model!>", "rows", "<rows!>", "metrics", "<metrics!>"],
    ]
    start = ["python3", "-c", shim_text(), "pkg.mod:fit"]
    assert argv(one, A) == [*start, shim_spec(one, forbidden=A.forbidden), *pairs]
    spec = shim_spec(one, metadata=True, newline=False, forbidden=K.forbidden)
    assert wrapped(one, K) == (["env", "SEED", "<seed>"], [*start, spec, *pairs])
    assert argv(one, K)[2] == wrapper_text()
    assert launch(one, K).reasons == ("env.SEED",)


class Container:
    """Runs a launch as a pod would, in a folder, with values for its captures."""

    def __init__(self, root: Path, values: Mapping[str, JsonValue]) -> None:
        self.root = root
        self.values = values
        self.outputs = root / "outputs"
        self.outputs.mkdir(parents=True)

    def word(self, word: ArgumentWord) -> str:
        slots = {
            Text: lambda slot: slot.text,
            ValueOf: lambda slot: to_text(self.values[slot.capture]),
            PathOf: lambda slot: str(self.root / "inputs" / slot.capture),
            OutputPathOf: lambda slot: str(self.outputs / slot.output),
        }
        return "".join(slots[type(slot)](slot) for slot in word)  # type: ignore[no-untyped-call]

    def run(self, found: Launch) -> subprocess.CompletedProcess[str]:
        env = {name: self.word(word) for name, word in found.env}
        return subprocess.run(
            [self.word(word) for word in found.argv],
            cwd=self.root,
            env={"PATH": PATH, **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ.get('V')]))"
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(TEXTS, min_size=3, max_size=3),
    warm=st.booleans() | st.none(),
    most=st.integers(-99, 99) | st.none(),
    dialect=st.sampled_from([K, A]),
)
def test_processes_get_what_the_step_says(
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[str],
    warm: bool | None,
    most: int | None,
    dialect: Dialect,
) -> None:
    given_, known, variable = texts
    one = step(
        "a",
        command(
            *["python3", "-c", SHOW, concat("<", param_ref("given"), ">"), known],
            flag("--warm", param_ref("warm", "boolean", nullable=True)),
            flag("--max", param_ref("most", "integer", nullable=True)),
            flag("--max", param_ref("most", "integer", nullable=True), joined=True),
            flag("--known", literal(known), joined=True),
            flag("--last", param_ref("given")),
        ),
        env={"V": concat(variable, param_ref("given"))},
    )
    values = {"given": given_, "warm": warm, "most": most}
    result = Container(tmp_path_factory.mktemp("c"), values).run(launch(one, dialect))
    assert result.returncode == 0, result.stderr
    wanted = [f"<{given_}>", known]
    wanted += ["--warm"] if warm else []
    wanted += [] if most is None else ["--max", str(most), f"--max={most}"]
    wanted += [f"--known={known}", "--last", given_]
    assert json.loads(result.stdout) == [wanted, variable + given_]


SOURCES: dict[Shell, str] = {
    "sh": 'printf "%s\\n" "$INPUT_WHO" >"$OUTPUT_SAID"; {}; exit 0',
    "bash": 'printf "%s\\n" "$INPUT_WHO" >"$OUTPUT_SAID"; {} | true; exit 0',
    "python": "import os\nwith open(os.environ['OUTPUT_SAID'], 'w') as f:\n"
    "    print(os.environ['INPUT_WHO'], file=f)\nraise SystemExit('{}' != 'true')",
}


@pytest.mark.parametrize("dialect", [K, A], ids="KA")
@pytest.mark.parametrize("shell", SOURCES)
@pytest.mark.parametrize("succeeds", [True, False])
def test_scripts_run(tmp_path: Path, dialect: Dialect, shell: Shell, succeeds: bool) -> None:
    source = SOURCES[shell].replace("{}", str(succeeds).lower())
    who = param_ref("who")
    one = step("a", script(source, shell), inputs={"who": who}, outputs={"said": "string"})
    container = Container(tmp_path / "c", {"who": "it's\n$me "})
    result = container.run(launch(one, dialect))
    cut = succeeds and dialect.keeps_newline
    said = (container.outputs / "said").read_text()
    assert (result.returncode, said) == (not succeeds, "it's\n$me " + ("" if cut else "\n"))


@pytest.mark.parametrize(("dialect", "code"), [(K, 65), (A, 0)], ids="KA")
def test_strings_that_an_engine_cannot_carry(tmp_path: Path, dialect: Dialect, code: int) -> None:
    one = step("a", script("printf '$(x)' >$OUTPUT_SAID"), outputs={"said": "string"})
    result = Container(tmp_path / "c", {}).run(launch(one, dialect))
    assert result.returncode == code
    assert ("mlc: output said: found `$(` in it" in result.stderr) is (code == 65)


@pytest.mark.parametrize("dialect", [K, A], ids="KA")
def test_functions_run(tmp_path: Path, dialect: Dialect) -> None:
    one = step(
        "fit",
        python("work:fit"),
        inputs={"rate": param_ref("rate", "number"), "limit": param_ref("limit", nullable=True)},
        outputs={"model": "Model", "metrics": "Metrics", "said": "string"},
        env={"V": param_ref("rate", "number")},
    )
    container = Container(tmp_path / "c", {"rate": 1e-5, "limit": None})
    (container.root / "work.py").write_text(
        "import os\n"
        "def fit(rate, limit, model, metrics):\n"
        "    model.mkdir()\n"
        "    metrics.write_text('{\"a\": 1}')\n"
        "    return f'{rate} {limit} ' + os.environ['V'] + '\\n'\n"
    )
    result = container.run(launch(one, dialect))
    assert (result.returncode, result.stderr) == (0, "")
    # Argo cuts a newline itself, so that one more is written for it.
    end = "\n" if dialect is K else "\n\n"
    assert (container.outputs / "said").read_text() == f"1e-05 None 0.00001{end}"
    assert (container.outputs / "output_metadata.json").exists() is dialect.metrics_metadata


def test_the_same_bytes_under_every_hash_seed() -> None:
    code = (
        "from test_launch import *\n"
        "one = step('a', script('x'), inputs={n: param_ref(n) for n in 'abcdefg'},"
        " outputs=OUTPUTS, env={n: output_of('s', n) for n in 'hijklmn'})\n"
        "two = step('b', python('a:b'), inputs={n: param_ref(n) for n in 'abcdefg'},"
        " outputs=OUTPUTS)\n"
        "print([launch(s, d) for s in (one, two) for d in (K, A)])"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": IMPORTS},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(seen) == 1
