"""Editors show of our schemas what they should: asked of the real yaml-language-server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from language_server import Server, installed, running

from compiler import TARGET_NAMES
from compiler.editing import SCHEMAS
from compiler.schema import KINDS

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.xdist_group("editors")
HEAD = "# yaml-language-server: $schema=./mlc.schema.json\napiVersion: mlc/v1\n"
ALGORITHM = HEAD + "kind: Algorithm\nname: demo\n"


def mlc(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "compiler", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two types of GPU, a component and a base, and the schema for its editor."""
    root = tmp_path_factory.mktemp("project")
    (root / "mlc.toml").write_text('[gpus.t4]\n[gpus.a100]\nresource = "nvidia.com/gpu"\n')
    parts = root / "algorithms" / "parts"
    parts.mkdir(parents=True)
    head = "apiVersion: mlc/v1\n"
    (root / "algorithms/train.yaml").write_text(
        f"{head}kind: Algorithm\nname: train\nimage: x:1\nsteps: {{a: {{command: [x]}}}}\n"
    )
    (parts / "count.yaml").write_text(f"{head}kind: Component\nname: count\ncommand: [x]\n")
    (parts / "gpu.yaml").write_text(f"{head}kind: Base\nimage: x:1\n")
    done = mlc(root, "schema", "-o", "algorithms/mlc.schema.json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return root


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[Server]:
    program = installed()
    if isinstance(program, str):
        pytest.skip(program)
    with running(program, project) as server:
        yield server


@pytest.fixture
def spec(project: Path) -> Path:
    return project / "algorithms" / "demo.yaml"


def test_keys_of_each_kind_are_offered(server: Server, spec: Path) -> None:
    offered = server.completions(spec, ALGORITHM + "|\n")
    assert {"image", "params", "steps", "finally", "schedules", "profiles"} <= offered.keys()
    assert "command" not in offered
    assert "Hyperparameters" in str(offered["params"]["documentation"])
    component = server.completions(spec, HEAD + "kind: Component\nname: demo\n|\n")
    assert {"command", "script", "params", "workdir"} <= component.keys()
    assert not {"steps", "schedules"} & component.keys()
    base = server.completions(spec, HEAD + "kind: Base\n|\n")
    assert {"steps", "extends", "image"} <= base.keys()


def test_kinds_are_offered(server: Server, spec: Path) -> None:
    offered = server.completions(spec, HEAD + "kind: |\n")
    assert {"Algorithm", "Component", "Base"} <= offered.keys()
    assert "one step that others `use`" in str(offered["Component"]["documentation"])


def test_keys_of_a_step_are_offered(server: Server, spec: Path) -> None:
    offered = server.completions(spec, ALGORITHM + "steps:\n  one:\n    |\n")
    expected = {"command", "args", "script", "python", "use", "inputs", "outputs", "when"}
    assert expected | {"foreach", "resources", "retry", "timeout"} <= offered.keys()
    assert "apiVersion" not in offered
    inner = "steps:\n  one:\n    steps:\n      two:\n        |\n"
    assert expected <= server.completions(spec, ALGORITHM + inner).keys()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("steps:\n  one:\n    shell: |\n", {"sh", "bash", "python", "none"}),
        ("steps:\n  one:\n    outputs:\n      a: |\n", {"integer", "Model", "Metrics"}),
        ("params:\n  a:\n    type: |\n", {"string", "integer", "boolean"}),
        ("pod:\n  pull_policy: |\n", {"Always", "IfNotPresent", "Never"}),
        ("schedules:\n  a:\n    overlap: |\n", {"allow", "forbid"}),
    ],
    ids=lambda value: re.findall(r"(\w+): \|", value)[0] if isinstance(value, str) else "",
)
def test_values_are_offered(server: Server, spec: Path, text: str, values: set[str]) -> None:
    assert values <= server.completions(spec, ALGORITHM + text).keys()


def test_gpu_types_of_the_project_are_offered(server: Server, spec: Path) -> None:
    text = "steps:\n  one:\n    resources:\n      gpu:\n        type: |\n"
    assert {"t4", "a100"} <= server.completions(spec, ALGORITHM + text).keys()


def test_files_of_the_project_are_offered(server: Server, spec: Path) -> None:
    offered = server.completions(spec, ALGORITHM + "steps:\n  one:\n    use: |\n")
    assert {"parts/count.yaml", "train.yaml"} <= offered.keys()
    assert "parts/gpu.yaml" not in offered
    offered = server.completions(spec, ALGORITHM + "extends: |\n")
    assert {"parts/gpu.yaml", "train.yaml"} <= offered.keys()
    assert "parts/count.yaml" not in offered


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ti|meout: 2h\n", "Longest time of one try"),
        ("re|try: 2\n", "How many tries after the first."),
        ("ima|ge: a:1\n", "Container image."),
        ("steps:\n  one:\n    fore|ach: {a: [1]}\n", "Lists to loop over, by name"),
        ("steps:\n  one:\n    script: x\n    she|ll: bash\n", "`bash -eo pipefail`"),
        ("params:\n  a: {default: 1, maxi|mum: 3}\n", "Largest value allowed."),
        ("steps:\n  one:\n    us|e: parts/count.yaml\n", "A Component or an Algorithm"),
        ("steps:\n  one:\n    resources: {gpu: {ty|pe: t4}}\n", "`[gpus.NAME]`"),
        ("schedules:\n  a: {cr|on: '0 3 * * 1'}\n", "day of the week"),
    ],
    ids=lambda value: value.replace("|", "").strip().replace("\n", " ")[:30],
)
def test_what_a_key_means_is_shown(server: Server, spec: Path, text: str, shown: str) -> None:
    assert shown in server.hover(spec, ALGORITHM + text)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("imaeg: x\nsteps: {a: {command: [x]}}\n", 4, "Property imaeg is not allowed"),
        ("steps:\n  a:\n    comand: [x]\n", 6, "Property comand is not allowed"),
        ("steps:\n  a: {command: echo}\n", 5, 'Expected "array"'),
        ("retry: {max: two}\n", 4, 'Expected "integer"'),
        ("pod: {pull_policy: Sometimes}\n", 4, "Value is not accepted"),
        ("resources: {gpu: {type: h100}}\n", 4, "Value is not accepted"),
        ("steps:\n  A-b: {command: [x]}\n", 5, ""),
    ],
    ids=lambda value: value.strip().replace("\n", " ")[:30] if isinstance(value, str) else "",
)
def test_slips_are_underlined(server: Server, spec: Path, text: str, line: int, said: str) -> None:
    (found,) = server.diagnostics([(spec, ALGORITHM + text)])
    assert [d["range"]["start"]["line"] for d in found] == [line], found
    assert said in found[0]["message"]


def test_a_kind_that_is_missing_is_told(server: Server, spec: Path) -> None:
    (found,) = server.diagnostics([(spec, HEAD + "name: demo\n")])
    assert any("Missing property" in d["message"] and "kind" in d["message"] for d in found)


def good_specs() -> list[Path]:
    folders = [ROOT / "algorithms", ROOT / "examples", ROOT / "tests/conformance/cases"]
    found = [path for folder in folders for path in sorted(folder.rglob("*.yaml"))]
    return [path for path in found if path.name not in ("expected.yaml", "params.yaml")]


def test_nothing_is_underlined_in_what_is_right(server: Server, tmp_path: Path) -> None:
    """Every shipped algorithm, example and conformance case, by the schema of any project and by
    the published one."""
    (tmp_path / "any.json").write_text(mlc(tmp_path, "schema").stdout)
    specs = good_specs()
    assert len(specs) > 150
    for schema in (tmp_path / "any.json", ROOT / "schemas/language.schema.json"):
        line = f"# yaml-language-server: $schema={schema.as_uri()}\n"
        texts = [re.sub(r"^# yaml-language-server:.*\n", "", path.read_text()) for path in specs]
        found = server.diagnostics([(tmp_path / "spec.yaml", line + text) for text in texts])
        wrong = [(path, said) for path, said in zip(specs, found, strict=True) if said]
        assert not wrong


def test_the_shipped_algorithms_lead_to_their_schema(server: Server) -> None:
    """By their first line: a slip in one is underlined."""
    texts = [(path, path.read_text()) for path in sorted((ROOT / "algorithms").glob("*.yaml"))]
    slips = [(path, text + "\nzzz: 1\n") for path, text in texts]
    found = server.diagnostics([*texts, *slips])
    said = [[one["message"] for one in many] for many in found]
    assert said == [[]] * len(texts) + [["Property zzz is not allowed."]] * len(texts)


@pytest.mark.parametrize("kind", KINDS)
def test_the_published_schema_of_one_kind_works(server: Server, spec: Path, kind: str) -> None:
    """It leads to the file beside it."""
    schema = ROOT / f"schemas/{kind.lower()}.schema.json"
    head = f"# yaml-language-server: $schema={schema.as_uri()}\napiVersion: mlc/v1\nname: demo\n"
    texts = [f"{head}kind: {kind}\n", f"{head}kind: {kind}\nzzz: 1\n", f"{head}kind: Other\n"]
    found = server.diagnostics([(spec, text) for text in texts])
    assert [len(said) for said in found] == [0, 1, 1]


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_is_printed_is_a_schema_complete_in_itself(name: str, project: Path) -> None:
    done = mlc(project, "schema", name)
    assert (done.returncode, done.stderr) == (0, "")
    data = json.loads(done.stdout)
    jsonschema.Draft202012Validator.check_schema(data)
    assert data["$id"] == f"urn:mlc:v1:{'language' if name == 'any' else name}"
    names = set(re.findall(r'"\$ref": "#/\$defs/(\w+)"', done.stdout))
    assert names == set(data.get("$defs", ())), "what is not reached is not printed"
    assert ".json#" not in done.stdout


def test_the_schema_of_a_component_has_no_other_kinds(project: Path) -> None:
    data = json.loads(mlc(project, "schema", "component").stdout)
    validator = jsonschema.Draft202012Validator(data)
    head: dict[str, Any] = {"apiVersion": "mlc/v1", "name": "demo"}
    assert validator.is_valid({**head, "kind": "Component"})
    assert not validator.is_valid({**head, "kind": "Algorithm"})
    assert not {"algorithm", "base", "step", "schedule"} & data["$defs"].keys()


def test_the_schema_of_a_project_knows_the_codes(project: Path) -> None:
    data = json.loads(mlc(project, "schema", "project").stdout)
    validator = jsonschema.Draft202012Validator(data)
    assert validator.is_valid({"policy": {"severity": {"MLC603": "error"}}})
    assert not validator.is_valid({"policy": {"severity": {"MLC603": "loud"}}})
    policy = data["properties"]["policy"]["properties"]
    assert "memory" in policy["severity"]["properties"]["MLC603"]["description"]
    assert set(data["properties"]["targets"]["properties"]) == set(TARGET_NAMES)


def test_without_a_project_any_type_of_gpu_goes(tmp_path: Path) -> None:
    data = json.loads(mlc(tmp_path, "schema").stdout)
    assert "enum" not in data["$defs"]["gpu_type"]
    assert data["$defs"]["use"]["examples"]


def test_a_file_that_is_no_schema_is_not_overwritten(project: Path) -> None:
    spec = project / "algorithms/train.yaml"
    before = spec.read_bytes()
    done = mlc(project, "schema", "-o", "algorithms/train.yaml")
    assert done.returncode == 3
    assert "is no schema of mlc's" in done.stderr
    assert spec.read_bytes() == before
    again = mlc(project, "schema", "-o", "algorithms/mlc.schema.json")
    assert (again.returncode, again.stderr) == (0, "")


def test_a_wrong_configuration_is_told(tmp_path: Path) -> None:
    (tmp_path / "mlc.toml").write_text("[gpus\n")
    done = mlc(tmp_path, "schema")
    assert done.returncode == 3
    assert "mlc validate" in done.stderr


def test_the_command_line_names_all_schemas(tmp_path: Path) -> None:
    done = mlc(tmp_path, "schema", "--help")
    assert re.findall(r"\[(\w+(?:\|\w+)+)\]", done.stdout) == ["|".join(SCHEMAS)]
