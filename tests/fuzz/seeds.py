"""What mutants are made from: the specs of this project, each in its folder with all that is in it,
and specs made at random.

A seed is a folder, the spec that is checked in it, and the file that is changed: that spec, or one
that it uses, its project's configuration, the Python that its steps call.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import yaml
from random_specs import random_spec

ROOT = Path(__file__).resolve().parent.parent.parent
_TESTS = ROOT / "tests"
RANDOM_SPECS = 60
_KIND = re.compile(rb"^kind: *(Component|Base)\b", re.MULTILINE)
# For folders that have no configuration: all that one can say, so that each line of it is tried.
CONFIGURATION = """\
default_targets = ["kfp", "kfp-dsl", "argo"]

[gpus.t4]
resource = "nvidia.com/gpu"
node_selector = { "cloud.google.com/gke-accelerator" = "nvidia-tesla-t4" }
tolerations = [{ key = "nvidia.com/gpu", operator = "Exists", effect = "NoSchedule" }]

[targets.kfp]
accept = ["params.constraints", "limits.parallel", "resources.disk"]

[targets.argo]
accept = ["params.constraints", "params.enum", "cache"]
s3 = { endpoint = "minio:9000", insecure = true, access_key = { name = "s3", key = "id" } }

[local]
pythonpath = ["."]
volumes = { data = "/data" }
secrets = { "hub.token" = "HUB_TOKEN" }

"""
# For every fourth folder, since what it asks is an error in most specs.
POLICY = """
[policy]
registries = ["registry.example.com", "python"]
pinned_images = true

[policy.ceilings]
memory = "64Gi"
gpu = 4

[policy.severity]
MLC621 = "error"
"""


class Seed(NamedTuple):
    """`folder` is relative to where the seeds are laid, `entry` and `file` to that folder."""

    folder: str
    entry: str
    file: str

    @property
    def is_entry(self) -> bool:
        return self.file == self.entry


def lay(below: Path) -> list[Seed]:
    """Lay the folders of all seeds in a place of their own; the same seeds in the same order."""
    seeds: list[Seed] = []
    for number, folder in enumerate(_folders()):
        name = f"{number:03}_{folder.name}"
        there = below / name
        ignored = shutil.ignore_patterns("__pycache__", ".mlc", "build", "expected*")
        shutil.copytree(folder, there, ignore=ignored)
        if folder.name == "algorithms":
            (there / "mlc.toml").write_text("[gpus.t4]\n[gpus.a100]\n")
        elif not any((there / config).exists() for config in ("mlc.toml", "pyproject.toml")):
            (there / "mlc.toml").write_text(CONFIGURATION + (POLICY if number % 4 == 0 else ""))
        seeds += _seeds(there, name)
    for number in range(RANDOM_SPECS):
        there = below / f"random_{number}"
        there.mkdir()
        (there / "mlc.toml").touch()
        for name, text in random_spec(number, 4 + number % 5).items():
            (there / name).write_text(yaml.safe_dump(json.loads(text), sort_keys=False))
        seeds += _seeds(there, there.name)
    return seeds


def _folders() -> list[Path]:
    found = [ROOT / "algorithms", *sorted((ROOT / "examples").iterdir())]
    found += sorted((_TESTS / "conformance/cases").iterdir())
    found += sorted((_TESTS / "diagnostics").iterdir())
    return [folder for folder in found if folder.is_dir()]


def _seeds(folder: Path, name: str) -> list[Seed]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    specs = [path for path in files if path.suffix == ".yaml" and path.name != "params.yaml"]
    named = [path for path in specs if path.name == "spec.yaml"]
    entries = named or [path for path in specs if not _KIND.search(path.read_bytes())] or specs
    found = []
    for entry in entries:
        for file in (entry, *(path for path in files if path not in entries)):
            if file.suffix in (".yaml", ".toml", ".py") and file.stat().st_size < 20_000:
                paths = (path.relative_to(folder).as_posix() for path in (entry, file))
                found.append(Seed(name, *paths))
    return found
