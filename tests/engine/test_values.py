"""Values arrive as they are, and what a step writes is read back by the rules of the language."""

from __future__ import annotations

import hashlib
import json

import pytest
from bench import Bench
from builders import (
    command,
    concat,
    flag,
    input_ref,
    output_of,
    output_path,
    param,
    param_ref,
    pipeline_input,
    pipeline_input_ref,
    python,
    script,
    step,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compiler.expr import ArtifactList, ArtifactType
from compiler.values import MAX_INTEGER, JsonValue

NASTY = "'\"`\\ \n\r\n\t$HOME $(id) ${x} $$ {{workflow.name}} ${{ a }} %s \x01\x7f é 漢 🧠 -n --\n"
SHOW = "import sys,hashlib; print([hashlib.sha256(a.encode()).hexdigest() for a in sys.argv[1:]])"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


TEXTS = {
    "nasty": NASTY,
    "100 kB": (NASTY * 2000).encode()[:100_000].decode(errors="ignore"),
    "empty": "",
    "blank": " ",
    "newline": "\n",
    "dash": "-",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_arrives_byte_for_byte(bench: Bench, text: str) -> None:
    bench.write(
        "code.py",
        "import hashlib\n"
        "def take(text, copy):\n"
        "    copy.write_bytes(text.encode())\n"
        "    return {'again': text}\n",
    )
    ref = param_ref("text")
    print_env = "import os; print([__import__('hashlib').sha256(os.environb[b'T']).hexdigest()])"
    done = bench.run(
        step("argument", command("python", "-c", SHOW, ref, flag("--f", ref, joined=True))),
        step("variable", command("python", "-c", print_env), env={"T": ref}),
        step("shell", script('printf %s "$INPUT_T" >"$OUTPUT_O"'),
             inputs={"t": ref}, outputs={"o": "Artifact"}),
        step("function", python("code:take"),
             inputs={"text": ref}, outputs={"copy": "Artifact", "again": "string"}),
        step("onward", command("python", "-c", SHOW, output_of("function", "again", "string"))),
        params=(param("text", "?"),),
        values={"text": text},
    )  # fmt: skip
    assert done.status == "succeeded"
    assert done.log("argument") == f"{[digest(text), digest('--f=' + text)]}\n"
    assert done.log("variable") == f"{[digest(text)]}\n"
    assert done.path("shell", "o").read_bytes() == text.encode()
    assert done.path("function", "copy").read_bytes() == text.encode()
    assert done.value("function", "again") == text
    assert done.log("onward") == f"{[digest(text)]}\n"


def test_a_word_that_the_system_can_not_take_says_so(bench: Bench) -> None:
    done = bench.run(
        step("show", command("echo", param_ref("text"))),
        step("env", command("true"), env={"LONG": param_ref("text")}),
        params=(param("text", "x" * 131_072),),
    )
    assert done.reason("show") == (
        "word 2 of the command has 131,072 bytes; a process takes at most 131,071 in one word: "
        "hand the value over as an artifact"
    )
    assert done.reason("env").startswith("the environment variable LONG has 131,077 bytes")
    limit = bench.run(
        step("show", command("python", "-c", SHOW, param_ref("text"))),
        params=(param("text", "x" * 131_071),),
    )
    assert limit.status == "succeeded"
    many = bench.run(step("show", command("echo", *["x" * 131_000] * 60)))
    assert "longer than this system takes" in many.reason("show")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"), (-0.001, "-0.001"), (1e-7, "0.0000001"), (5.0, "5"), (True, "true"),
        (False, "false"), (None, ""), ([1, "a", None], '[1,"a",null]'), ({"é": 1.5}, '{"é":1.5}'),
        (MAX_INTEGER, "9007199254740991"), (1e21, "1000000000000000000000"),
    ],
    ids=repr,
)  # fmt: skip
def test_other_values_arrive_as_their_canonical_text(
    bench: Bench, value: JsonValue, text: str
) -> None:
    done = bench.run(step("show", command("printf", "%s|%s", value, concat("<", value, ">"))))
    assert done.log("show") == f"{text}|<{text}>"


def test_flags(bench: Bench) -> None:
    values = {"no": False, "yes": True, "none": None, "n": 3, "s": "a b"}
    flags = [
        flag(f"--{name}", value, joined=joined)
        for joined in (False, True)
        for name, value in values.items()
    ]
    refs = [
        flag("--b", param_ref("b", "boolean")),
        flag("--o", param_ref("o", "integer", nullable=True)),
        flag("--i", input_ref("i", "boolean")),
    ]
    done = bench.run(
        step("show", command("printf", "%s\n", *flags, *refs), inputs={"i": True}),
        params=(param("b", True), param("o", None, "integer")),
    )
    assert done.log("show").split("\n")[:-1] == [
        "--yes", "--n", "3", "--s", "a b",
        "--no=false", "--yes=true", "--n=3", "--s=a b",
        "--b", "--i",
    ]  # fmt: skip


def test_an_empty_text_for_an_optional_parameter_is_null(bench: Bench) -> None:
    done = bench.run(
        step("show", command("echo", flag("--s", param_ref("s", nullable=True)), "end")),
        params=(param("s", None, "string"),),
        values={"s": ""},
    )
    assert done.log("show") == "end\n"


WRITTEN = [
    ("string", b"a\n", "a"),
    ("string", b"a\n\n", "a\n"),
    ("string", b" a\r\n", " a\r"),
    ("string", b"", ""),
    ("integer", b" 12\n", 12),
    ("integer", b"12.0", 12),
    ("number", b"1e-3\n", 0.001),
    ("number", b"3", 3),
    ("boolean", b"true\n", True),
    ("array", b"[1, 2]\n", [1, 2]),
    ("object", b'{"a": {"b": null}}', {"a": {"b": None}}),
    ("string", b"\xff", "output o: what the step wrote is not UTF-8 text"),
    ("integer", b"abc", "output o: found `abc`, wanted an integer"),
    ("integer", b"1.5", "output o: found `1.5`, wanted an integer"),
    ("integer", b"9007199254740993", "output o: 9007199254740993 is beyond ±(2^53−1)"),
    ("number", b"NaN", "output o: found `NaN`, wanted a number"),
    ("number", b"1e999", "output o: NaN and infinity are no values on the engines"),
    ("boolean", b"True", "output o: found `True`, wanted a boolean; write `true`"),
    ("boolean", b"1", "output o: found `1`, wanted a boolean"),
    ("array", b'{"a": 1}', 'output o: found `{"a": 1}`, wanted an array'),
    ("object", b"[]", "output o: found `[]`, wanted an object"),
    ("integer", b"", "output o: found ``, wanted an integer"),
]


@pytest.mark.parametrize(("kind", "data", "wanted"), WRITTEN, ids=repr)
def test_reading_a_parameter_output(
    bench: Bench, kind: str, data: bytes, wanted: JsonValue
) -> None:
    source = "import sys; open(sys.argv[1], 'wb').write(bytes.fromhex(sys.argv[2]))"
    done = bench.run(
        step(
            "w", command("python", "-c", source, output_path("o"), data.hex()), outputs={"o": kind}
        )
    )
    if isinstance(wanted, str) and wanted.startswith("output o: "):
        assert done.steps == {"w": "failed"}
        assert done.reason("w").startswith(wanted)
    else:
        assert done.status == "succeeded", done.reason("w")
        assert done.value("w", "o") == wanted
        assert type(done.value("w", "o")) is type(wanted)


def test_outputs_that_are_missing_or_of_the_wrong_make(bench: Bench) -> None:
    done = bench.run(
        step("none", script("true"), outputs={"a": "string", "b": "Dataset"}),
        step("folder", script('mkdir "$OUTPUT_A" "$OUTPUT_M"'),
             outputs={"a": "string", "m": "Metrics"}),
        step("pipe", script('mkfifo "$OUTPUT_F"'), outputs={"f": "Artifact"}),
        step("dangling", script('ln -s nowhere "$OUTPUT_F"'), outputs={"f": "Artifact"}),
    )  # fmt: skip
    assert done.reason("none").split("\n") == [
        "output a: the step wrote nothing to its path",
        "output b: nothing is there",
    ]
    assert done.reason("folder").split("\n") == [
        "output a: the step made a folder where a file with the value belongs",
        "output m: Metrics are one JSON file, the step made a folder",
    ]
    assert done.reason("pipe") == "output f: it is neither a file nor a folder"
    assert done.reason("dangling") == "output f: nothing is there"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "b": 0.5}', None),
        ("{}", None),
        ("", "Metrics are a JSON object, this is no JSON"),
        ("[1]", "Metrics are one flat JSON object, names to numbers"),
        ('{"a": true}', "metric `a` is no number: true"),
        ('{"a": null}', "metric `a` is no number: null"),
        ('{"a": {"b": 1}}', 'metric `a` is no number: {"b": 1}'),
        ('{"a": NaN}', "metric `a` is not finite"),
        ('{"a": 1e999}', "metric `a` is not finite"),
        ('{"a": 1' + "0" * 400 + "}", "metric `a` is not finite"),
        ('{"a": 123456789012345678901234567890}', None),
    ],
)
def test_metrics(bench: Bench, text: str, reason: str | None) -> None:
    done = bench.run(
        step("w", script('printf %s "$T" >"$OUTPUT_M"'), env={"T": text}, outputs={"m": "Metrics"})
    )
    if reason is None:
        written = done.result.steps["w"].written
        assert written is not None
        assert written.metrics["m"] == {n: float(v) for n, v in json.loads(text).items()}
    else:
        assert done.reason("w").startswith(f"output m: {reason}")


def test_the_shells_of_a_script(bench: Bench) -> None:
    done = bench.run(
        step("sh", script("false; echo not reached")),
        step("bash", script("false | true; echo not reached", "bash")),
        step("sh_pipe", script("false | true; echo reached")),
        step("python", script("import os; print(os.environ['INPUT_A_B'])", "python"),
             inputs={"a_b": 0.5}),
    )  # fmt: skip
    assert done.steps == {
        "sh": "failed", "bash": "failed", "sh_pipe": "succeeded", "python": "succeeded",
    }  # fmt: skip
    assert done.log("python") == "0.5\n"


def test_a_function_gets_typed_values_and_paths(bench: Bench) -> None:
    bench.write(
        "deep/code.py",
        "def make(n, x, flag, items, none, data, many, model, metrics):\n"
        "    kinds = [type(v).__name__ for v in (n, x, flag, items, none)]\n"
        "    model.mkdir()\n"
        "    (model / 'w').write_text(data.read_text() + ''.join(p.read_text() for p in many))\n"
        "    metrics.write_text('{\"a\": 1}')\n"
        "    return {'kinds': kinds, 'sum': n + x}\n"
        "def fails():\n"
        "    raise ValueError('no luck')\n"
        "def wrong():\n"
        "    return 'three'\n",
    )
    bench.write("in.txt", "in ")
    write = step("w", script('echo w >"$OUTPUT_D"'), outputs={"d": "Dataset"})
    ref = pipeline_input_ref("data")
    span = ref.span
    many = ArtifactList((output_of("w", "d"), ref), ArtifactType("Dataset", is_list=True), span)
    done = bench.set(pythonpath=("deep",)).run(
        write,
        step(
            "make",
            python("code:make"),
            inputs={"n": 1, "x": 0.5, "flag": False, "items": [1], "data": ref, "many": many,
                    "none": param_ref("none", nullable=True)},
            outputs={"model": "Model", "metrics": "Metrics", "kinds": "array", "sum": "number"},
        ),
        step("fails", python("code:fails")),
        step("wrong", python("code:wrong"), outputs={"n": "integer"}),
        params=(param("none", None),),
        inputs=(pipeline_input("data", "in.txt"),),
    )  # fmt: skip
    assert done.steps == {
        "w": "succeeded", "make": "succeeded", "fails": "failed", "wrong": "failed",
    }, done.log("make")  # fmt: skip
    assert done.value("make", "kinds") == ["int", "float", "bool", "list", "NoneType"]
    assert done.value("make", "sum") == 1.5
    assert (done.path("make", "model") / "w").read_text() == "in w\nin "
    assert done.reason("fails") == "exit code 1"
    assert "ValueError: no luck" in done.log("fails")
    assert done.reason("wrong") == 'output n: found `"three"`, wanted an integer'
    assert "three" in done.log("wrong")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_goes_through_a_file_and_back(bench: Bench, text: str) -> None:
    done = bench.run(
        step("w", script('printf "%s\\n" "$INPUT_T" >"$OUTPUT_O"'),
             inputs={"t": text}, outputs={"o": "string"}),
        step("r", command("python", "-c", SHOW, output_of("w", "o", "string"))),
        use_cache=False,
    )  # fmt: skip
    assert done.value("w", "o") == text
    assert done.log("r") == f"{[digest(text)]}\n"
