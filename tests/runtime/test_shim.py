"""The shim as containers run it: real processes, under every Python from 3.8 on that is here."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from builders import SPAN, output_of, param_ref, pipeline_input_ref, python, step
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.expr import ArtifactList, ArtifactType
from compiler.runtime import shim_spec, shim_text
from compiler.runtime.shim import WrongError
from compiler.runtime.shim import checked as shim_checked
from compiler.runtime.shim import from_text as shim_from_text
from compiler.runtime.shim import to_text as shim_to_text
from compiler.values import VALUE_KINDS, ValueKind, ValueTextError, from_text, to_text

VERSIONS = range(8, 15)


@cache
def interpreter(minor: int) -> str | None:
    """A Python 3.`minor` of this machine: the one that runs the tests, on PATH or of pyenv."""
    if sys.version_info[:2] == (3, minor):
        return sys.executable
    folders = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin"))
    for path in (f"python3.{minor}", *(str(folder / "python3") for folder in folders)):
        try:
            subprocess.run([path, "-c", ""], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return path
    return None


@pytest.fixture(params=VERSIONS, ids=lambda minor: f"3.{minor}")
def any_python(request: pytest.FixtureRequest) -> str:
    found = interpreter(request.param)
    if found is None:
        pytest.skip(f"Python 3.{request.param} is not on this machine")
    return found


class Project:
    """A folder with a module `steps.work`, whose functions the shim calls."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.out = root / "out put"
        self.out.mkdir()
        (root / "steps").mkdir()

    def write(self, source: str) -> None:
        (self.root / "steps" / "work.py").write_text(textwrap.dedent(source))

    def call(
        self,
        spec: dict[str, Any],
        *pairs: str,
        executable: str = sys.executable,
        target: str = "steps.work:work",
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run it; paths of outputs are added to `pairs`."""
        outputs = [w for name in spec.get("outputs", {}) for w in (name, str(self.out / name))]
        words = [executable, "-c", shim_text(), target, json.dumps(spec), *pairs, *outputs]
        return subprocess.run(
            words, cwd=self.root, capture_output=True, text=True, env=env, timeout=60, check=False
        )

    def read(self, name: str) -> str:
        return (self.out / name).read_bytes().decode()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_values_go_in_and_out_typed(project: Project, any_python: str) -> None:
    project.write(
        """
        from pathlib import Path

        def work(text, count, rate, warm, sizes, options, limit, name, data, model):
            assert (text, count, warm, sizes) == ("é\\n$(x)", 200, True, [1, 2.5, None])
            assert type(count) is int and type(rate) is float and rate == 5
            assert options == {"a": {"b": "x"}} and limit is None and name == " "
            assert isinstance(data, Path) and data.read_text() == "rows"
            assert isinstance(model, Path) and model.parent.is_dir() and not model.exists()
            model.mkdir()
            (model / "weights").write_text("w")
            return {
                "n": 7, "loss": 1e-5, "ok": False, "said": text,
                "all": ["é", 0.5], "config": {"deep": [True, None]},
            }
        """
    )
    data = project.root / "data"
    data.write_text("rows")
    spec = {
        "inputs": {
            "text": "string",
            "count": "integer",
            "rate": "number",
            "warm": "boolean",
            "sizes": "array",
            "options": "object",
            "limit": "integer?",
            "name": "string?",
            "data": "path",
        },
        "outputs": {
            "model": "path",
            "n": "integer",
            "loss": "number",
            "ok": "boolean",
            "said": "string",
            "all": "array",
            "config": "object",
        },
    }
    given = {
        "text": "é\n$(x)",
        "count": " 200\n",
        "rate": "5",
        "warm": "true",
        "sizes": "[1, 2.5, null]",
        "options": '{"a": {"b": "x"}}',
        "limit": "",
        "name": " ",
        "data": str(data),
    }
    pairs = [word for pair in given.items() for word in pair]
    result = project.call(spec, *pairs, executable=any_python)
    assert (result.returncode, result.stderr) == (0, "")
    written = {name: project.read(name) for name in spec["outputs"] if name != "model"}
    assert written == {
        "n": "7",
        "loss": "0.00001",
        "ok": "false",
        "said": "é\n$(x)",
        "all": '["é",0.5]',
        "config": '{"deep":[true,null]}',
    }
    assert (project.out / "model" / "weights").read_text() == "w"


def test_lists_of_artifacts(project: Project) -> None:
    project.write("def work(models, none): return f'{[m.name for m in models]} {none}'")
    spec = {"inputs": {"models": "paths", "none": "paths"}, "outputs": {"said": "string"}}
    result = project.call(spec, "models", "/a/1", "models", "/a/2")
    assert result.returncode == 0, result.stderr
    assert project.read("said") == "['1', '2'] []"


BARE: list[tuple[str, str, str]] = [
    ("integer", "7", "7"),
    ("integer", "{'value': 7}", "7"),
    ("number", "7", "7"),
    ("number", "1e22", "10000000000000000000000"),
    ("string", "'a\\n'", "a\n"),
    ("array", "(1, 2)", "[1,2]"),
    ("object", "{'value': {}}", '{"value":{}}'),
    ("object", "{'a': 1}", '{"a":1}'),
]


@pytest.mark.parametrize(("kind", "returned", "text"), BARE)
def test_one_value_may_be_returned_bare(
    project: Project, kind: str, returned: str, text: str
) -> None:
    project.write(f"def work(): return {returned}")
    result = project.call({"outputs": {"value": kind}})
    assert result.returncode == 0, result.stderr
    assert project.read("value") == text


def test_strings_for_readers_that_cut_a_newline(project: Project) -> None:
    project.write("def work(): return {'a': 'x\\n', 'b': 1}")
    result = project.call({"outputs": {"a": "string", "b": "integer"}, "newline": True})
    assert result.returncode == 0, result.stderr
    assert (project.read("a"), project.read("b")) == ("x\n\n", "1")


WRONG: list[tuple[str, str, str]] = [
    ("integer", "'7'", 'output value: found `"7"`, wanted an integer'),
    ("integer", "7.0", "output value: found `7.0`, wanted an integer"),
    ("integer", "True", "output value: found `true`, wanted an integer"),
    ("integer", "None", "output value: found `null`, wanted an integer"),
    ("integer", "2**53", "beyond ±(2^53−1)"),
    ("number", "'0.5'", 'output value: found `"0.5"`, wanted a number'),
    ("number", "False", "wanted a number"),
    ("number", "float('nan')", "NaN and infinity"),
    ("number", "float('inf')", "NaN and infinity"),
    ("boolean", "1", "output value: found `1`, wanted a boolean"),
    ("string", "7", "output value: found `7`, wanted a string"),
    ("string", "b'x'", "found a value of type bytes, which is no JSON"),
    ("string", "'\\0'", "NUL"),
    ("string", "'\\ud800'", "no Unicode text"),
    ("array", "{'a': 1}", "wanted an array"),
    ("array", "[{1, 2}]", "found a value of type set, which is no JSON"),
    ("array", "[float('nan')]", "NaN and infinity"),
    ("object", "[1]", "wanted an object"),
    ("object", "{1: 2}", "found 1 as a key of an object, wanted a string"),
    ("object", "object()", "found a value of type object, which is no JSON"),
]


@pytest.mark.parametrize(("kind", "returned", "message"), WRONG)
def test_wrong_values_fail_the_step(
    project: Project, kind: str, returned: str, message: str
) -> None:
    project.write(f"def work(): return {returned}")
    result = project.call({"outputs": {"value": kind}})
    assert result.returncode == 65
    assert result.stderr.startswith("mlc: output value: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (project.out / "value").exists()


def test_all_that_is_wrong_is_told(project: Project) -> None:
    project.write("def work(model, metrics): return {'a': 1, 'c': 2, 'model': 3}")
    kinds = {"a": "string", "b": "integer", "model": "path", "metrics": "metrics"}
    result = project.call({"outputs": kinds})
    assert result.returncode == 65
    assert result.stderr == (
        "mlc: output c: the function returned it, but the step declares no such value\n"
        "mlc: output model: the function returned it, but the step declares no such value\n"
        "mlc: output a: found `1`, wanted a string\n"
        "mlc: output b: the function did not return it\n"
        f"mlc: output model: nothing was written to {project.out / 'model'}\n"
        f"mlc: output metrics: nothing was written to {project.out / 'metrics'}\n"
    )


def test_several_values_need_names(project: Project) -> None:
    project.write("def work(): return 7")
    result = project.call({"outputs": {"a": "integer", "b": "integer"}})
    assert (result.returncode, result.stderr) == (
        65,
        "mlc: the function returned no mapping of the outputs a, b\n",
    )


def test_what_is_returned_beside_artifacts_alone_is_the_functions_own(project: Project) -> None:
    project.write("def work(model):\n model.write_text('m')\n return object()")
    assert project.call({"outputs": {"model": "path"}}).returncode == 0


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("integer", "1.5", "input p: found `1.5`, wanted an integer"),
        ("integer", "", "input p: found ``, wanted an integer"),
        ("integer", "x" * 99, f"input p: found `{'x' * 37}...`, wanted an integer"),
        ("number", "NaN", "input p: found `NaN`, wanted a number"),
        ("number?", "null", "input p: found `null`, wanted a number"),
        ("boolean", "True", "input p: found `True`, wanted a boolean"),
        ("array", "{}", "input p: found `{}`, wanted an array"),
        ("object", "[", "input p: found `[`, wanted an object"),
    ],
)
def test_wrong_inputs_fail_the_step(project: Project, kind: str, text: str, message: str) -> None:
    project.write("def work(p): return p")
    result = project.call({"inputs": {"p": kind}}, "p", text)
    assert (result.returncode, result.stderr) == (65, f"mlc: {message}\n")


def test_texts_that_an_engine_cannot_carry(project: Project) -> None:
    project.write("def work(): return {'a': 'x{{y', 'b': ['$$'], 'c': 'fine'}")
    spec = {
        "outputs": {"a": "string", "b": "array", "c": "string"},
        "forbidden": ["{{", "$$", "\x7f"],
    }
    result = project.call(spec)
    assert result.returncode == 65
    assert result.stderr == (
        "mlc: output a: found `{{` in it, which this engine cannot carry\n"
        "mlc: output b: found `$$` in it, which this engine cannot carry\n"
    )


def test_exceptions_look_as_if_there_were_no_shim(project: Project, any_python: str) -> None:
    source = """
        def inner(p):
            raise KeyError(p)

        def work(p):
            try:
                inner(p)
            except KeyError as error:
                raise ValueError("no such solver") from error
        """
    project.write(source)
    result = project.call({"inputs": {"p": "string"}}, "p", "saga", executable=any_python)
    plain = subprocess.run(
        [any_python, "-c", "import steps.work as w; w.work('saga')"],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == plain.returncode == 1
    own_frame = '  File "<string>", line 1, in <module>\n'
    wanted = plain.stderr.replace(own_frame + "    import steps.work as w; w.work('saga')\n", "")
    lines = [line for line in wanted.replace(own_frame, "").splitlines() if "~~^" not in line]
    assert [line for line in result.stderr.splitlines() if "~~^" not in line] == lines
    assert "<string>" not in result.stderr and "ValueError: no such solver" in result.stderr


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        ("import sys\ndef work(): sys.exit(3)", 3, ""),
        ("def work(: pass", 1, "SyntaxError"),
        ("import no_such_module", 1, "ModuleNotFoundError: No module named 'no_such_module'"),
        ("from json import nothing", 1, "ImportError"),
        ("def other(): pass", 65, "mlc: module `steps.work` has no function `work`\n"),
        ("def work(a): pass", 65, "mlc: steps.work:work can't be called with"),
    ],
)
def test_ways_to_fail(project: Project, source: str, code: int, message: str) -> None:
    project.write(source)
    result = project.call({})
    assert result.returncode == code
    assert message in result.stderr if message else not result.stderr
    assert '"<string>"' not in result.stderr and "importlib" not in result.stderr


def test_a_module_that_is_not_there(project: Project) -> None:
    for target in ("missing.work:work", "steps.missing:work"):
        result = project.call({}, target=target)
        module = "missing" if target.startswith("missing") else "steps.missing"
        assert result.returncode == 65
        assert result.stderr.startswith(f"mlc: there is no module `{module}` in {project.root}, ")


def test_the_folder_comes_first_on_the_path(project: Project, any_python: str) -> None:
    (project.root / "this.py").write_text("def work():\n import sys\n return list(sys.path)")
    spec = {"outputs": {"path": "array"}}
    result = project.call(spec, target="this:work", executable=any_python)
    assert result.returncode == 0, result.stderr
    path = json.loads(project.read("path"))
    assert path[0] == str(project.root)
    assert "" not in path


def test_texts_are_utf_8_in_any_locale(project: Project, any_python: str) -> None:
    project.write("def work(p): return p")
    spec = {"inputs": {"p": "string"}, "outputs": {"said": "string"}}
    for locale in ("C", "POSIX", "en_US.ISO-8859-1"):
        env = {"LC_ALL": locale, "PATH": os.environ["PATH"]}
        result = project.call(spec, "p", "é 漢 🦄", executable=any_python, env=env)
        assert result.returncode == 0, result.stderr
        assert project.read("said") == "é 漢 🦄"


def test_values_of_numpy(project: Project) -> None:
    pytest.importorskip("numpy")
    project.write(
        """
        import numpy as np

        def work():
            return {
                "n": np.int64(7), "loss": np.float64(0.5), "single": np.float32(0.25),
                "ok": np.bool_(True), "all": np.arange(3), "config": {"a": [np.int8(1)]},
                "zero": np.array(3),
            }
        """
    )
    kinds = {
        "n": "integer",
        "loss": "number",
        "single": "number",
        "ok": "boolean",
        "all": "array",
        "config": "object",
        "zero": "integer",
    }
    result = project.call({"outputs": kinds})
    assert result.returncode == 0, result.stderr
    written = [project.read(name) for name in kinds]
    assert written == ["7", "0.5", "0.25", "true", "[0,1,2]", '{"a":[1]}', "3"]


def test_metrics_are_handed_over(project: Project, any_python: str) -> None:
    project.write(
        """
        import json
        def work(train, test):
            train.write_text(json.dumps({"loss": 1e-5, "é": 3}))
            test.write_text("{}")
        """
    )
    spec = {"outputs": {"train": "metrics", "test": "metrics"}, "metadata": True}
    assert project.call(spec, executable=any_python).returncode == 0
    assert json.loads(project.read("output_metadata.json")) == {
        "artifacts": {
            "train": {"artifacts": [{"metadata": {"loss": 1e-5, "é": 3}}]},
            "test": {"artifacts": [{"metadata": {}}]},
        }
    }
    (project.out / "output_metadata.json").unlink()
    assert project.call({"outputs": spec["outputs"]}).returncode == 0
    assert not (project.out / "output_metadata.json").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "holds no flat JSON object of finite numbers"),
        ("accuracy=1", "holds no flat JSON object of finite numbers"),
        ('{"a": null}', "output m: found `null`, wanted a number for `a`"),
        ('{"a": true}', "output m: found `true`, wanted a number for `a`"),
        ('{"a": {"b": 1}}', 'output m: found `{"b":1}`, wanted a number for `a`'),
        ('{"a": NaN}', "output m: `a` is not finite"),
        ('{"a": 1e999}', "output m: `a` is not finite"),
    ],
)
def test_metrics_are_flat_objects_of_numbers(project: Project, text: str, message: str) -> None:
    project.write(f"def work(m): m.write_text({text!r})")
    result = project.call({"outputs": {"m": "metrics"}, "metadata": True})
    assert result.returncode == 65
    assert message in result.stderr
    assert not (project.out / "output_metadata.json").exists()


def test_a_large_value(project: Project) -> None:
    """A word may have 128 KiB; what is returned goes by a file."""
    project.write("def work(p): return p * 20")
    text = "'\"$\n🦄" * 12_000
    spec = {"inputs": {"p": "string"}, "outputs": {"said": "string"}}
    result = project.call(spec, "p", text)
    assert result.returncode == 0, result.stderr
    assert project.read("said") == text * 20


def test_spec_of_a_step() -> None:
    one = step(
        "fit",
        python("steps.work:work"),
        inputs={
            "data": pipeline_input_ref("reports"),
            "models": ArtifactList(
                (output_of("a", "model"), output_of("b", "model")),
                ArtifactType("Model", is_list=True),
                SPAN,
            ),
            "rate": param_ref("rate", "number"),
            "limit": param_ref("limit", "integer", nullable=True),
        },
        outputs={"model": "Model", "metrics": "Metrics", "rows": "integer"},
    )
    assert shim_spec(one) == (
        '{"inputs":{"data":"path","models":"paths","rate":"number","limit":"integer?"},'
        '"outputs":{"model":"path","metrics":"metrics","rows":"integer"},"newline":true}'
    )
    forbidden = ("{{", "$$", "$(", "\x7f")
    text = shim_spec(one, metadata=True, newline=False, forbidden=forbidden)
    assert json.loads(text)["forbidden"] == list(forbidden)
    assert json.loads(text)["metadata"] is True
    assert "newline" not in json.loads(text)
    assert "{{" not in text and "$" not in text and text.isascii() and text.isprintable()
    assert shim_spec(step("s", python("a:b")), newline=False) == "{}"


def test_it_is_small_and_needs_no_escaping() -> None:
    text = shim_text()
    assert len(text.encode()) <= 8 * 1024
    assert "$" not in text and "{{" not in text
    compile(text, "shim", "exec")


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(JSON_VALUES)
def test_texts_agree_with_those_of_the_compiler(value: Any) -> None:
    if value is not None:
        assert shim_to_text(shim_checked(value, "any")) == to_text(value)


@settings(max_examples=300)
@given(
    st.sampled_from(VALUE_KINDS),
    # No argument holds a NUL character.
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
    | st.text('0123456789.eE+-tfruals[]{}" \n', max_size=10)
    | JSON_VALUES.map(json.dumps)
    | JSON_VALUES.map(to_text).filter(lambda text: "\0" not in text),
)
def test_reading_agrees_with_the_compiler(kind: ValueKind, text: str) -> None:
    try:
        wanted = from_text(text, kind)
    except ValueTextError:
        wanted = None
    try:
        found = shim_from_text(text, kind)
    except WrongError:
        found = None
    assert found == wanted
    if kind == "number" and found is not None:
        assert isinstance(found, float) and math.isfinite(found)
