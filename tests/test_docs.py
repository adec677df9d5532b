"""What the documents show works, and they leave nothing out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from compiler import frontend, project, resources
from compiler.git import UNKNOWN

ROOT = Path(__file__).resolve().parent.parent
LANGUAGE = (ROOT / "docs/language.md").read_text()
SPECS = re.findall(r"^```yaml\n(apiVersion.*?)^```", LANGUAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: re.findall(r"name: (\w+)", s)[0])
def test_every_example_is_valid(spec: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(spec)
    document = frontend.read(path)
    for profiles in ([], *([name] for name in document.profiles)):
        assert frontend.build(document, profiles, git=UNKNOWN).diagnostics == []


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
