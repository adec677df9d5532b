"""What the documents show works, and they leave nothing out."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from compiler import frontend, project, resources
from compiler.codes import CODES
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


def test_the_page_on_checks_shows_what_happens(tmp_path: Path) -> None:
    page = (ROOT / "docs/validate.md").read_text()
    (policy,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "mlc.toml").write_text(policy)
    found, problems, _ = project.find(tmp_path)
    assert problems == ()
    assert found.policy.registries[0] == ("registry.example.com", "ia")
    assert found.policy.ceilings["memory"].text == "64Gi"
    (spec,) = SPEC.findall(page)
    (tmp_path / "mlc.toml").write_text("")
    (tmp_path / "spec.yaml").write_text(spec)
    command = [sys.executable, "-m", "compiler", "validate"]
    done = subprocess.run([*command, "spec.yaml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr == "1 spec checked, nothing wrong\n"
    # The shown finding, of a spec with nothing else in it.
    (said,) = re.findall(r"^\$ mlc validate\n(error.*?)^```", page, re.MULTILINE | re.DOTALL)
    param = re.findall(r"^6 \| (.*)$", said, re.MULTILINE)[0]
    head, image = spec.split("steps:")[0].splitlines()[:3], "image: python:3.12"
    (tmp_path / "algorithms").mkdir()
    text = "\n".join([*head, image, "params:", param, "steps: {a: {command: [x]}}"])
    (tmp_path / "algorithms/demo.yaml").write_text(text)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == said


def test_the_example_of_engines_is_valid_and_whole(tmp_path: Path) -> None:
    page = (ROOT / "docs/clusters.md").read_text()
    (text,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "mlc.toml").write_text(text)
    found, problems, _ = project.find(tmp_path)
    assert problems == ()
    assert found.default_engine == "training"
    assert found.engines["laptop"].via == "kubernetes" and found.engines["ci"].in_cluster
    assert found.tickets is not None and found.tickets.pattern == "IA-[0-9]+"
    schema = json.loads(resources.read_text("schemas/project.schema.json"))
    keys = {
        *schema["$defs"]["engine"]["properties"],
        *schema["properties"]["tickets"]["properties"],
    }
    assert not {key for key in keys - {"project"} if not re.search(rf"\b{key}\b", page)}


def test_every_key_of_a_policy_is_documented() -> None:
    page = (ROOT / "docs/validate.md").read_text()
    schema = json.loads(resources.read_text("schemas/project.schema.json"))
    keys = schema["properties"]["policy"]["properties"]
    words = {*keys, *keys["ceilings"]["properties"], *keys["required"]["items"]["enum"]}
    assert not {word for word in words if not re.search(rf"(?<![\w.]){re.escape(word)}\b", page)}
    codes = [code for code in CODES if code.startswith(("MLC91", "MLC93"))]
    assert not {code for code in codes if code not in page}


def test_every_key_of_the_language_is_documented() -> None:
    definitions = json.loads(resources.read_text("schemas/language.schema.json"))["$defs"]
    keys: set[str] = set()
    for name in ("algorithm", "step", "resources", "pod", "volume", "retry", "cache", "limits"):
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
    command = [sys.executable, "-m", "compiler", "validate", "algorithms/doc_type.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == said
