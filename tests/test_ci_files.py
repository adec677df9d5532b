"""The files for CI in docs/ci: right by the schemas of GitLab and GitHub, and their commands do
what they say, tried in a project here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

CI = Path(__file__).resolve().parent.parent / "docs/ci"
SPEC = """\
apiVersion: mlc/v1
kind: Algorithm
name: demo
image: registry.example.com/demo:1
params: {rows: 3}
steps:
  one:
    command: [echo, "${{ params.rows }}"]
"""


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("gitlab-ci.yml", "vendor.gitlab-ci"),
        ("github.yml", "vendor.github-workflows"),
        ("submit.gitlab-ci.yml", "vendor.gitlab-ci"),
        ("submit.github.yml", "vendor.github-workflows"),
        ("deploy.gitlab-ci.yml", "vendor.gitlab-ci"),
        ("deploy.github.yml", "vendor.github-workflows"),
    ],
)
def test_the_vendors_schema_takes_it(name: str, schema: str, tmp_path: Path) -> None:
    def judge(path: Path) -> int:
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
        return subprocess.run(command, capture_output=True, check=False).returncode

    assert judge(CI / name) == 0
    broken = tmp_path / name
    wrong = {"script": "stages: {}\nspecs: {script: {}}", "runs-on": "on: [nothing]\njobs: []"}
    broken.write_text(wrong["runs-on" if "github" in name else "script"])
    assert judge(broken) != 0


def scripts() -> dict[str, list[str]]:
    """The shell lines of each file that speak of mlc, without those that install it."""
    gitlab: Any = yaml.safe_load((CI / "gitlab-ci.yml").read_text())
    github: Any = yaml.safe_load((CI / "github.yml").read_text())
    lines = {
        "gitlab-ci.yml": gitlab["specs"]["script"],
        "github.yml": [step["run"] for step in github["jobs"]["specs"]["steps"] if "run" in step],
    }
    return {name: [s for s in found if "pip" not in s] for name, found in lines.items()}


def run(folder: Path, lines: list[str], *, stop: bool) -> tuple[bool, str]:
    """Run lines as GitLab does, in one shell that stops at the first failure, or as steps that
    run whatever came before; whether all went well."""
    bin_folder = Path(sys.executable).parent
    path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path}
    programs = ["\n".join(lines)] if stop else lines
    done = [
        subprocess.run(
            ["bash", "-e", "-c", program],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        for program in programs
    ]
    return not any(one.returncode for one in done), "".join(o.stdout + o.stderr for o in done)


@pytest.mark.parametrize("name", scripts())
def test_its_commands_find_what_is_wrong(name: str, tmp_path: Path) -> None:
    (tmp_path / "mlc.toml").write_text('default_targets = ["argo"]\n')
    (tmp_path / "algorithms").mkdir()
    spec = tmp_path / "algorithms/demo.yaml"
    spec.write_text(SPEC)
    lines = scripts()[name]
    assert len(lines) >= 4

    fine, said = run(tmp_path, lines, stop=name == "gitlab-ci.yml")
    assert not fine
    assert "compiled/demo/argo.yaml is missing; run mlc compile" in said
    run(tmp_path, ["mlc compile -o compiled"], stop=True)
    assert run(tmp_path, lines, stop=name == "gitlab-ci.yml")[0]

    spec.write_text(SPEC.replace("apiVersion: mlc/v1\nkind: Algorithm", "kind:   Algorithm"))
    fine, said = run(tmp_path, lines, stop=name == "gitlab-ci.yml")
    assert not fine
    assert "would reformat algorithms/demo.yaml" in said
    assert "the algorithm has no `apiVersion`" in said
    report = tmp_path / ("code-quality.json" if name == "gitlab-ci.yml" else "mlc.sarif")
    assert "MLC102" in json.dumps(json.loads(report.read_text()))
