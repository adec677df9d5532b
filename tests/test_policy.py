"""What a project asks of its specs, and where that is not asked."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest
from test_cli import mlc

import compiler
from compiler import frontend
from compiler.codes import CODES, GUESSES, WARNINGS, is_fixed, is_policy, meant
from compiler.git import UNKNOWN
from compiler.policy import read_policy, repository
from compiler.project import find

SPEC = """\
apiVersion: mlc/v1
kind: Algorithm
name: demo
image: registry.example.com/ia/demo:1
params:
  gpus: {type: integer, default: 1, maximum: 2}
steps:
  one:
    command: [echo, hello]
    resources: {gpu: "${{ params.gpus }}"}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "spec.yaml").write_text(SPEC)
    return tmp_path


@pytest.mark.parametrize(
    ("image", "segments"),
    [
        ("python", "docker.io/library/python"),
        ("python:3.12", "docker.io/library/python"),
        ("curlimages/curl:8.9", "docker.io/curlimages/curl"),
        ("docker.io/library/python", "docker.io/library/python"),
        ("index.docker.io/a/b", "docker.io/a/b"),
        ("localhost/a:1", "localhost/a"),
        ("localhost:5000/a:1@sha256:00", "localhost:5000/a"),
        ("REGISTRY.example.com/ia/x", "registry.example.com/ia/x"),
        ("registry.example.com/ia/x:1.2-3", "registry.example.com/ia/x"),
        ("registry/ia/x", "docker.io/registry/ia/x"),
    ],
)
def test_images_have_a_registry(image: str, segments: str) -> None:
    assert "/".join(repository(image)) == segments


@pytest.mark.parametrize(
    ("allowed", "image", "is_allowed"),
    [
        ("registry.example.com/ia", "registry.example.com/ia/demo:1", True),
        ("registry.example.com/ia/", "registry.example.com/ia/demo:1", True),
        ("registry.example.com/ia", "registry.example.com/ia:1", True),
        ("registry.example.com/ia", "registry.example.com/ia-evil/demo:1", False),
        ("registry.example.com/ia", "registry.example.com.evil.io/ia/demo:1", False),
        ("registry.example.com/ia", "evil.io/registry.example.com/ia/demo:1", False),
        ("registry.example.com", "registry.example.com/any/demo:1", True),
        ("registry.example.com", "registry.example.com:5000/any/demo:1", False),
        ("localhost:5000", "localhost:5000/demo", True),
        ("docker.io/library", "python:3.12", True),
        ("docker.io/library", "someone/python:3.12", False),
        ("python", "python:3.12", True),
        ("docker.io", "someone/python:3.12", True),
    ],
)
def test_registries_are_whole_segments(
    folder: Path, allowed: str, image: str, is_allowed: bool
) -> None:
    (folder / "mlc.toml").write_text(f'[policy]\nregistries = ["{allowed}"]\n')
    (folder / "spec.yaml").write_text(SPEC.replace("registry.example.com/ia/demo:1", image))
    done = mlc(folder, "validate", "spec.yaml")
    assert ("MLC910" not in done.stderr) == is_allowed
    assert done.returncode == (0 if is_allowed else 1)


def test_pyproject_has_a_policy_too(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.mlc.policy]\npinned_images = true\n")
    said = mlc(folder, "validate", "spec.yaml").stderr
    assert "error[MLC911]" in said
    assert " ::: pyproject.toml:2:1" in said


def test_a_value_given_by_hand_is_held_to_a_ceiling(folder: Path) -> None:
    (folder / "mlc.toml").write_text("[policy.ceilings]\ngpu = 2\n")
    spec = folder / "spec.yaml"
    spec.write_text(SPEC.replace(", maximum: 2", ", maximum: 9"))
    compiled = mlc(folder, "compile", "spec.yaml", "--target", "argo", "-p", "gpus=2")
    assert (compiled.returncode, compiled.stderr.count("warning[MLC913]")) == (0, 1)
    refused = mlc(folder, "compile", "spec.yaml", "--target", "argo", "-p", "gpus=3")
    assert (refused.returncode, refused.stderr.count("error[MLC912]")) == (1, 1)


def test_a_local_run_and_resolve_are_held_to_nothing(folder: Path) -> None:
    (folder / "mlc.toml").write_text(
        '[policy]\npinned_images = true\nrequired = ["owner"]\nceilings = {gpu = 0}\n'
    )
    assert mlc(folder, "compile", "spec.yaml").returncode == 1
    done = mlc(folder, "run", "spec.yaml", "-p", "gpus=1")
    assert done.returncode == 0, done.stderr
    assert "MLC9" not in done.stderr
    assert mlc(folder, "resolve", "spec.yaml").returncode == 0


def test_severities_hold_for_what_targets_say(folder: Path) -> None:
    (folder / "spec.yaml").write_text(SPEC.replace(", maximum: 2", ", maximum: 2, minimum: 1"))
    (folder / "mlc.toml").write_text("")
    usual = mlc(folder, "compile", "spec.yaml", "--target", "kfp")
    code = "MLC702" if "MLC702" in usual.stderr else "MLC701"
    if code == "MLC701":
        accept = '[targets.kfp]\naccept = ["params.constraints"]\n'
        (folder / "mlc.toml").write_text(accept)
        usual, code = mlc(folder, "compile", "spec.yaml", "--target", "kfp"), "MLC703"
    assert f"warning[{code}]" in usual.stderr
    config = (folder / "mlc.toml").read_text()
    for severity, exit_code in (("error", 1), ("note", 0), ("off", 0)):
        (folder / "mlc.toml").write_text(f'{config}[policy.severity]\n{code} = "{severity}"\n')
        done = mlc(folder, "compile", "spec.yaml", "--target", "kfp")
        assert done.returncode == exit_code
        assert (f"{severity}[{code}]" in done.stderr) == (severity != "off")


def test_required_things_are_not_missed_where_they_are_wrong(folder: Path) -> None:
    """Told of what is wrong with an owner, nobody is told that it is missing."""
    (folder / "mlc.toml").write_text('[policy]\nrequired = ["owner", "timeout"]\n')
    spec = SPEC.replace("name: demo", "name: demo\nowner: [a]") + "    timeout: 2 hours\n"
    (folder / "spec.yaml").write_text(spec)
    said = mlc(folder, "validate", "spec.yaml").stderr
    assert "MLC915" not in said
    (folder / "spec.yaml").write_text(SPEC)
    assert mlc(folder, "validate", "spec.yaml").stderr.count("error[MLC915]") == 2


def test_without_a_policy_all_is_allowed(folder: Path) -> None:
    (folder / "mlc.toml").write_text("[policy]\n")
    assert mlc(folder, "validate", "spec.yaml").returncode == 0
    assert read_policy(None)[0] == find(folder)[0].policy.__class__()


STRICT = """\
[policy]
registries = ["registry.example.com"]
pinned_images = true
privileged = false
service_accounts = ["runner"]
required = ["owner", "description", "params.description", "timeout", "limits.timeout",
            "resources.cpu", "resources.memory"]
ceilings = {gpu = 0, cpu = 0, memory = 0, disk = 0, timeout = "1s"}
"""
CASES = sorted((Path(__file__).parent).glob("*/**/spec.yaml"))


def test_no_spec_is_too_broken_for_a_policy(tmp_path: Path) -> None:
    """All bad specs and all conformance cases, held to the strictest one."""
    assert len(CASES) > 150
    codes: set[str] = set()
    for number, case in enumerate(CASES):
        folder = shutil.copytree(case.parent, tmp_path / str(number))
        (folder / "mlc.toml").write_text(STRICT)
        document = frontend.read(folder / "spec.yaml")
        for profiles in ([], *([name] for name in document.profiles)):
            found = frontend.build(document, profiles, git=UNKNOWN).diagnostics
            codes |= {d.code for d in found if is_policy(d.code)}
        codes |= {d.code for d in frontend.check_part(document, git=UNKNOWN).diagnostics}
    assert {code for code in CODES if is_policy(code)} <= codes


def test_every_finding_is_told_with_the_severity_that_codes_say() -> None:
    """`WARNINGS` decides what a policy may change, so it has to be what the checks do."""
    said: dict[str, set[str]] = {"warning": set(), "error": set()}
    for path in Path(compiler.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Name(id="warning" | "error" as name),
                    args=[ast.Constant(value=str(code)), *_],
                ):
                    said[name].add(code)
    assert len(said["error"]) > 60
    assert said["warning"] <= WARNINGS, "add these to WARNINGS in compiler/codes.py"
    assert not said["error"] & WARNINGS, "take these out of WARNINGS in compiler/codes.py"
    assert CODES.keys() >= WARNINGS


def test_only_look_alikes_are_taken_for_a_code() -> None:
    known = {text: meant(text) for text in ("MLC6O3", "mlc603", "MLC-603", "603", "MLC6033", "x")}
    assert known == {
        "MLC6O3": "MLC603",
        "mlc603": "MLC603",
        "MLC-603": "MLC603",
        "603": "MLC603",
        "MLC6033": None,
        "x": None,
    }
    assert [code for code in CODES if not is_fixed(code)] == sorted(
        {*WARNINGS, *GUESSES, *(code for code in CODES if code.startswith(("MLC91", "MLC92")))}
    )


def test_a_relative_folder_is_of_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "mlc.toml").write_text(f'name = "{name}"\n')
        monkeypatch.chdir(folder)
        assert find(Path())[0].name == name
