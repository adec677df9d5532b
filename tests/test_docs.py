"""What the documents show works, and they leave nothing out."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from compiler import frontend, project, resources
from compiler.git import UNKNOWN

ROOT = Path(__file__).resolve().parent.parent
LANGUAGE = (ROOT / "docs/language.md").read_text()
SEMANTICS = (ROOT / "docs/semantics.md").read_text()
SPEC = re.compile(r"^```yaml\n(apiVersion.*?)^```", re.MULTILINE | re.DOTALL)
SPECS = SPEC.findall(LANGUAGE)


@pytest.mark.parametrize(
    "spec", [*SPECS, *SPEC.findall(SEMANTICS)], ids=lambda s: re.findall(r"name: (\w+)", s)[0]
)
def test_every_example_is_valid(spec: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(spec)
    document = frontend.read(path)
    for profiles in ([], *([name] for name in document.profiles)):
        assert frontend.build(document, profiles, git=UNKNOWN).diagnostics == []


def test_the_first_example_runs(tmp_path: Path) -> None:
    (tmp_path / "mlc.toml").write_text("")
    (tmp_path / "spec.yaml").write_text(SPECS[0])
    command = [sys.executable, "-m", "compiler"]
    ran = subprocess.run(
        [*command, "run", "spec.yaml", "-p", "at_least=2"], cwd=tmp_path, capture_output=True
    )
    assert ran.returncode == 0, ran.stderr
    logs = subprocess.run(
        [*command, "logs", "last", "frequent"], cwd=tmp_path, capture_output=True, text=True
    )
    assert logs.stdout.split() == ["be", "to"]


def test_the_projects_example_is_valid(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```toml\n(.*?)^```", LANGUAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "mlc.toml").write_text(text)
    found, problems, _ = project.find(tmp_path)
    assert problems == ()
    assert found.gpus["t4"].tolerations[0].effect == "NoSchedule"
    assert found.local.secrets == {"hub.token": "HUB_TOKEN"}
    assert found.targets["kfp"].accept == ("limits.parallel",)


def test_every_key_of_the_language_is_documented() -> None:
    schema = json.loads(resources.read_text("schemas/algorithm.schema.json"))
    definitions = schema["$defs"]
    keys = set(schema["properties"])
    for name in ("step", "resources", "pod", "volume", "retry", "cache", "limits"):
        shape = definitions[name]
        shape = shape if "properties" in shape else shape["oneOf"][-1]
        keys |= set(shape["properties"])
    assert not {key for key in keys - {"enabled"} if not re.search(rf"\b{key}\b", LANGUAGE)}


def test_the_readme_shows_what_happens(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    (spec,) = re.findall(r"^```yaml\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    (said,) = re.findall(r"^\$ mlc validate .*\n(error.*?)^```", readme, re.MULTILINE | re.DOTALL)
    (tmp_path / "algorithms").mkdir()
    (tmp_path / "algorithms/doc_type.yaml").write_text(spec)
    (tmp_path / "mlc.toml").write_text("[gpus.t4]\n")
    command = [sys.executable, "-m", "compiler", "validate", "algorithms/doc_type.yaml", "-q"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == said
