"""The DSL source: what the real SDK makes of it, and how it reads."""

from __future__ import annotations

import ast
import copy
import inspect
import os
import runpy
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from builders import (
    SPAN,
    command,
    concat,
    flag,
    output_of,
    output_path,
    param,
    param_ref,
    pipeline,
    pipeline_input,
    pipeline_input_ref,
    retry,
    script,
    step,
    timeout,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kfp.dsl import component_factory
from kfp_cases import any_texts, awkward_names, everything, pipelines, twins
from kfp_spec import Written, dangling, import_names, normalised, read
from msgspec.structs import replace

import compiler
from compiler.ir import Cache, Pipeline
from compiler.settings import TargetSettings
from compiler.targets import Level, kfp, kfp_dsl
from compiler.targets.kfp_dsl import docstrings
from compiler.targets.kfp_dsl.source import Call, Items, Source, block, f_string, render

ROOT = Path(__file__).resolve().parents[2]
NONE = TargetSettings()
SHIPPED = sorted((ROOT / "algorithms").glob("*.yaml"))
CASES = [everything(), twins(), awkward_names()]
EXAMPLES = 25
# Finding the smallest case takes the SDK minutes; the case is shown as it was found.
SLOW = settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)


def compiled(source: str) -> Written:
    """What the SDK makes of a module, run as a program in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, "pipeline.py")
        path.write_text(source, encoding="utf-8")
        before = Path.cwd()
        os.chdir(folder)
        try:
            runpy.run_path(str(path), run_name="__main__")
        finally:
            os.chdir(before)
        (made,) = Path(folder).glob("*.yaml")
        return read(made.read_text(encoding="utf-8"))


def assert_same(given: Pipeline) -> None:
    """What the SDK compiles and what the target kfp writes is one document, but for habits."""
    assert not [use for use in kfp_dsl.explain(given, NONE) if use.level is Level.REFUSED]
    direct = read(kfp.emit(given, NONE))
    by_sdk = compiled(kfp_dsl.emit(given, NONE))
    imports = import_names(direct)
    assert normalised(by_sdk, imports) == normalised(direct, imports)
    assert not dangling(by_sdk)


def assert_formatted(source: str, *widths: str) -> None:
    """Nothing is left to do for the formatter, under the usual line lengths."""
    for width in widths or ("88", "100"):
        ruff = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", width, "-"]
        done = subprocess.run(ruff, input=source.encode(), capture_output=True, check=True)
        assert done.stdout.decode() == source


@pytest.mark.parametrize("given", CASES, ids=lambda p: p.name)
def test_the_sdk_makes_of_it_what_the_target_kfp_writes(given: Pipeline) -> None:
    assert_same(given)
    assert_formatted(kfp_dsl.emit(given, NONE))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_algorithms(path: Path) -> None:
    loaded = compiler.load(path)
    assert loaded.pipeline is not None, loaded.diagnostics
    assert_same(loaded.pipeline)
    assert_formatted(kfp_dsl.emit(loaded.pipeline, NONE))


@SLOW
@given(pipelines())
def test_any_text_anywhere(given: Pipeline) -> None:
    assert_same(given)
    assert_formatted(kfp_dsl.emit(given, NONE))


def test_a_difference_would_be_seen() -> None:
    """The comparison lets nothing through that means something to the backend."""
    direct = read(kfp.emit(everything(), NONE))
    imports = import_names(direct)
    same = normalised(direct, imports)
    for document in ("spec", "platform"):
        for path in leaves(getattr(direct, document), ()):
            other = copy.deepcopy(direct)
            tree = getattr(other, document)
            for key in path[:-1]:
                tree = tree[key]
            tree[path[-1]] = "other"
            ignored = normalised(other, imports) == same
            assert ignored == (path[-1] == "sdkVersion" or "literals" in path), path


def leaves(tree: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """The places of all values, but for those that the comparison itself finds its way by."""
    if isinstance(tree, dict | list):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for key, value in items:
            yield from leaves(value, (*path, key))
    elif not {"componentRef", "executorLabel", "uri"} & set(path):
        yield path


def test_it_is_a_program(tmp_path: Path) -> None:
    """As a user runs it: a process of its own, that writes the IR where it stands."""
    path = tmp_path / "pipeline.py"
    path.write_text(kfp_dsl.emit(everything(), NONE), encoding="utf-8")
    subprocess.run([sys.executable, path.name], cwd=tmp_path, check=True, capture_output=True)
    assert read((tmp_path / "doc-type.yaml").read_text(encoding="utf-8")).platform


def small() -> Pipeline:
    fetch = step(
        "fetch",
        command(
            "python",
            "-m",
            "fetch",
            flag("--limit", param_ref("limit", "integer")),
            "--rows",
            output_path("rows"),
            has_shell=False,
        ),
        outputs={"rows": "integer"},
        cache=Cache(False),
        timeout=timeout(600),
    )
    fit = step(
        "fit",
        command(
            "python",
            "-m",
            "fit",
            "--rows",
            output_of("fetch", "rows", "integer"),
            concat("--uri=", pipeline_input_ref("reports")),
            has_shell=False,
        ),
        retry=retry(2, 30),
    )
    described = (replace(fetch.outputs[0], description="Documents read."),)
    return replace(
        pipeline(
            replace(fetch, description="Reads the documents.", outputs=described),
            fit,
            name="doc_type",
            params=[param("limit", 5000, description="At most so many.")],
            inputs=[pipeline_input("reports", "s3://ia-data/reports")],
        ),
        description="Predicts the type of a report.",
    )


READS = '''\
@dsl.container_component
def fetch(
    limit: int,
    rows: dsl.OutputPath(int),
) -> dsl.ContainerSpec:
    """Reads the documents.

    Returns:
        rows: Documents read.
    """
    return dsl.ContainerSpec(
        image="registry.example.com/ia/steps:1",
        command=["python", "-m", "fetch"],
        args=["--limit", limit, "--rows", rows],
    )


@dsl.container_component
def fit(
    fetch_rows: int,
    reports: dsl.Input[dsl.Dataset],
) -> dsl.ContainerSpec:
    return dsl.ContainerSpec(
        image="registry.example.com/ia/steps:1",
        command=["python", "-m", "fit"],
        args=["--rows", fetch_rows, f"--uri={reports.path}"],
    )


@dsl.pipeline(name="doc-type", description="Predicts the type of a report.")
def doc_type(
    limit: int = 5000,
    reports: str = "s3://ia-data/reports",
) -> None:
    """The tasks of a run.

    Args:
        limit: At most so many.
    """
    import_reports_task = dsl.importer(
        artifact_uri=reports,
        artifact_class=dsl.Dataset,
        metadata={"input": "reports"},
    )

    fetch_task = fetch(limit=limit)
    fetch_task.set_env_variable(name="MLC_STEP", value="fetch")
    fetch_task.set_caching_options(enable_caching=False)
    kubernetes.set_timeout(fetch_task, seconds=600)

    fit_task = fit(
        fetch_rows=fetch_task.outputs["rows"],
        reports=import_reports_task.outputs["artifact"],
    )
    fit_task.set_env_variable(name="MLC_STEP", value="fit")
    fit_task.set_retry(
        num_retries=2,
        backoff_duration="30s",
        backoff_factor=1,
        backoff_max_duration="31536000s",
    )
    fit_task.set_caching_options(enable_caching=False)


if __name__ == "__main__":
    compiler.Compiler().compile(doc_type, "doc-type.yaml")
'''


def test_how_it_reads() -> None:
    text = kfp_dsl.emit(small(), NONE)
    assert text == (
        '"""The pipeline doc-type, in the DSL of Kubeflow Pipelines."""\n\n'
        f"from kfp import compiler, dsl, kubernetes\n\n\n{READS}"
    )
    assert_same(small())


def test_texts_of_several_lines_are_constants_and_stand_once() -> None:
    given = pipeline(
        *(step(name, script("echo a\necho b\n"), outputs={"o": "Model"}) for name in ("one", "two"))
    )
    module = ast.parse(kfp_dsl.emit(given, NONE))
    constants = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert set(constants) == {"WRAPPER", "ONE_SCRIPT"}
    assert constants["ONE_SCRIPT"] == "echo a\necho b\n"


def test_kubernetes_is_imported_where_it_is_used() -> None:
    plain = kfp_dsl.emit(pipeline(step("one", command("run"))), NONE)
    assert "from kfp import compiler, dsl\n" in plain
    assert_same(pipeline(step("one", command("run"))))


def test_text_is_quoted_whatever_the_template_does_with_it() -> None:
    """Each value that the template shows goes through one function."""
    evil = '"""\nimport os\n"""'
    given = replace(
        pipeline(step("one", command(evil, "a")), params=[param("p", "x", description=evil)]),
        description=evil,
    )
    module = ast.parse(kfp_dsl.emit(given, NONE))
    assert not [node for node in ast.walk(module) if isinstance(node, ast.Import)]
    assert render(evil) == repr(evil).replace("'", "'")


WORDS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | any_texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_texts, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=EXAMPLES * 2, deadline=None)
@given(st.lists(WORDS, max_size=3), st.lists(any_texts, min_size=2, max_size=3), any_texts)
def test_source_of_values(values: list[Any], pieces: list[str], text: str) -> None:
    """It evaluates to the values, and a formatter leaves it alone."""
    spliced = f_string([pieces[0], Source("x.y"), *pieces[1:]])
    items = Items((*values, spliced))
    call = Call(Source("keep"), ((None, items), ("text", text)))
    source = (
        f"def f(keep, x):\n    z = {render(call, 4, 4)}\n    return z, {render(Source('B'), 4)}\n"
    )
    source = f"B = {block(text)}\n\n\n{source}"
    assert_formatted(source)
    found: dict[str, Any] = {}
    exec(source, found)

    class X:
        y = "<y>"

    got, constant = found["f"](lambda items, text: (items, text), X)
    assert constant == text
    assert got == ([*values, f"{pieces[0]}<y>{''.join(pieces[1:])}"], text)


@settings(max_examples=EXAMPLES * 2, deadline=None)
@given(any_texts, any_texts, any_texts)
def test_the_sdk_reads_descriptions_back(summary: str, first: str, second: str) -> None:
    described = docstrings.arguments([("x", first), ("y", second)])
    opening = docstrings.paragraph(summary) or ["What it does."]
    text = docstrings.docstring([opening, described], 4)
    source = f"def f(x: int, y: str):\n    {text}\n    return x, y\n"
    assert_formatted(source)
    found: dict[str, Any] = {}
    exec(compile(source, "f.py", "exec", dont_inherit=True), found)
    inputs = component_factory.extract_component_interface(found["f"]).inputs
    assert docstrings.folded(inputs["x"].description or "") == docstrings.folded(first)
    assert docstrings.folded(inputs["y"].description or "") == docstrings.folded(second)
    assert inspect.getdoc(found["f"])


def named(*params: Any, **more: Any) -> Pipeline:
    return pipeline(step("one", command("run"), **more), params=params)


@pytest.mark.parametrize(
    ("field", "level", "given"),
    [
        ("params", Level.REFUSED, named(param("class", 1))),
        ("params", Level.REFUSED, named(param("dsl", 1))),
        ("params", Level.REFUSED, named(param("Output", 1))),
        ("params", Level.REFUSED, named(param("_x", 1))),
        ("inputs", Level.REFUSED, pipeline(step("a", command("b")), inputs=[pipeline_input("in")])),
        ("params.enum", Level.WEAKER, named(param("p", "a", enum=("a", "b")))),
        ("params.default", Level.REFUSED, named(param("p", [1, None]))),
        ("params.default", Level.REFUSED, named(param("p", "a\nb"))),
        ("params.default", Level.REFUSED, named(param("p", "a\x1bb"))),
        ("outputs.class", Level.REFUSED, named(outputs={"class": "Model"})),
        ("outputs.dsl", Level.REFUSED, named(outputs={"dsl": "Model"})),
        ("name", Level.EMULATED, replace(named(), name="a__b")),
        ("description", Level.EMULATED, named(param("p", 1, description="a\nb"))),
        ("limits.parallel", Level.REFUSED, replace(named(), limits=replace(
            named().limits, parallel=1, spans=(("parallel", SPAN),)))),
    ],
)  # fmt: skip
def test_what_the_sdk_can_not_say(field: str, level: Level, given: Pipeline) -> None:
    found = [use for use in kfp_dsl.explain(given, NONE) if use.field == field]
    worst = max(found, key=lambda use: list(Level).index(use.level))
    assert worst.level is level
    assert worst.reason


def test_an_output_description_that_the_sdk_would_break() -> None:
    made = step("one", command("run"), outputs={"o": "Model"})
    described = (replace(made.outputs[0], description="Returns: nothing"),)
    given = pipeline(replace(made, outputs=described))
    (use,) = [u for u in kfp_dsl.explain(given, NONE) if u.level is Level.WEAKER]
    assert use.field == "outputs.o.description"
    component = compiled(kfp_dsl.emit(given, NONE)).spec["components"]["comp-one"]
    assert "description" not in component["outputDefinitions"]["artifacts"]["o"]


@pytest.mark.parametrize("default", ["a\nb", "a\x1bb"])
def test_why_such_a_default_is_refused(default: str) -> None:
    """The SDK's own file does not read back: once it does, the refusal can go."""
    with pytest.raises(yaml.YAMLError):
        compiled(kfp_dsl.emit(named(param("p", default)), NONE))
