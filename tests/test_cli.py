"""The command line from outside: real processes, files on disk, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
FILES = ["argo.yaml", "kfp.yaml", "kfp_dsl.py"]


def mlc(
    folder: Path, *arguments: str, stdin: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    ours = ("MLC_GIT", "CI_", "FORCE_COLOR")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    done = subprocess.run(
        [sys.executable, "-m", "compiler", *arguments],
        cwd=folder,
        input=stdin,
        env=environment | env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mlc.toml").write_text("")
    (tmp_path / "algorithms").mkdir()
    (tmp_path / "algorithms/demo.yaml").write_text(SPEC)
    return tmp_path


@pytest.mark.parametrize(
    "arguments", [["--no-color", "validate", "no.yaml"], ["validate", "no.yaml", "--no-color"]]
)
def test_no_colours_before_the_verb_or_behind(project: Path, arguments: list[str]) -> None:
    plain = [one for one in arguments if one != "--no-color"]
    assert "\x1b[" in mlc(project, *plain, FORCE_COLOR="1").stderr
    assert "\x1b[" not in mlc(project, *arguments, FORCE_COLOR="1").stderr


def test_validate_takes_the_projects_algorithms(project: Path) -> None:
    (project / "algorithms/notes.yaml").write_text("just: notes\n")
    done = mlc(project, "validate")
    assert (done.returncode, done.stderr) == (0, "1 spec checked, nothing wrong\n")
    assert mlc(project, "validate", "-q").stderr == ""


def test_validate_reads_standard_input(project: Path) -> None:
    done = mlc(project, "validate", "-", stdin=SPEC.replace("rows }}", "row }}"))
    assert done.returncode == 1
    assert "<stdin>:8:33" in done.stderr


def test_validate_tells_what_named_targets_cannot_do(project: Path) -> None:
    """Of the spec and of what its profiles make of it; without a name the language alone counts."""
    spec = SPEC + "    resources: {disk: 3Gi}\nprofiles: {wide: {limits: {parallel: 3}}}\n"
    (project / "algorithms/demo.yaml").write_text(spec)
    assert mlc(project, "validate").returncode == 0
    assert mlc(project, "validate", "--target", "argo").returncode == 0
    done = mlc(project, "validate", "--target", "kfp", "--target", "argo", "--format", "json")
    found = [(d["code"], d["line"]) for d in json.loads(done.stdout)]
    assert (done.returncode, found) == (1, [("MLC701", 9), ("MLC701", 10)])
    (project / "mlc.toml").write_text(
        'targets.kfp.accept = ["resources.disk", "limits.parallel"]\n'
    )
    done = mlc(project, "validate", "--target", "kfp")
    assert (done.returncode, done.stderr.count("warning[MLC703]")) == (0, 2)


def test_validate_without_algorithms_says_so(tmp_path: Path) -> None:
    done = mlc(tmp_path, "validate")
    assert done.returncode == 3
    assert done.stderr == "mlc: there is no folder algorithms: name the specs to check\n"


def test_a_missing_file_is_a_finding(tmp_path: Path) -> None:
    done = mlc(tmp_path, "validate", "nowhere.yaml")
    assert done.returncode == 1
    assert "error[MLC001]: can't read nowhere.yaml: no such file or directory" in done.stderr


def test_algorithms_that_kubernetes_cannot_tell_apart(project: Path) -> None:
    for name in ("doc_type", "doc-type"):
        text = SPEC.replace("name: demo", f"name: {name}")
        (project / f"algorithms/{name}.yaml").write_text(text)
    done = mlc(project, "validate")
    assert done.returncode == 1
    assert "error[MLC310]: another algorithm is called `doc-type`" in done.stderr
    assert "algorithms/doc_type.yaml:3:7" in done.stderr


def test_validate_for_machines(project: Path) -> None:
    (project / "bad.yaml").write_text(SPEC.replace("image:", "imag:"))
    done = mlc(project, "validate", "bad.yaml", "--format", "json")
    (finding,) = json.loads(done.stdout)
    assert finding["code"] == "MLC101"
    assert (finding["file"], finding["line"], finding["column"]) == ("bad.yaml", 4, 1)
    assert done.stderr == ""


def test_colours_are_for_terminals(project: Path) -> None:
    assert "\x1b[" not in mlc(project, "validate", "nowhere.yaml").stderr


def test_compile_writes_every_target_and_says_so(project: Path) -> None:
    done = mlc(project, "compile", "algorithms/demo.yaml")
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (project / "build/demo").iterdir()) == FILES
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "build/demo/kfp.yaml",
        "build/demo/kfp_dsl.py",
        "build/demo/argo.yaml",
    ]
    for file in (project / "build/demo").iterdir():
        first = file.read_text().splitlines()[0]
        assert "from algorithms/demo.yaml" in first
        assert str(project) not in file.read_text()


def test_compile_writes_the_same_bytes_from_everywhere(project: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    mlc(project, "compile", "algorithms/demo.yaml", "-o", str(one), PYTHONHASHSEED="1")
    mlc(Path("/"), "compile", f"{project}/algorithms/demo.yaml", "-o", str(two), PYTHONHASHSEED="2")
    for name in FILES:
        assert (one / "demo" / name).read_bytes() == (two / "demo" / name).read_bytes()


def test_compile_writes_all_or_nothing(project: Path) -> None:
    (project / "bad.yaml").write_text(SPEC.replace("rows }}", "row }}").replace("demo", "bad"))
    done = mlc(project, "compile", "algorithms/demo.yaml", "bad.yaml")
    assert done.returncode == 1
    assert "nothing was written" in done.stderr
    assert not (project / "build").exists()


def test_what_cannot_be_written_leaves_things_as_they_were(project: Path) -> None:
    assert mlc(project, "compile", "algorithms/demo.yaml").returncode == 0
    before = (project / "build/demo/kfp.yaml").read_text()
    (project / "build/demo/argo.yaml").unlink()
    (project / "build/demo/argo.yaml").mkdir()
    (project / "algorithms/demo.yaml").write_text(SPEC.replace("rows: 3", "rows: 4"))
    done = mlc(project, "compile", "algorithms/demo.yaml")
    assert done.returncode == 3
    assert "argo.yaml" in done.stderr
    assert (project / "build/demo/kfp.yaml").read_text() == before
    assert sorted(p.name for p in (project / "build/demo").iterdir()) == FILES


def test_what_is_as_it_should_be_is_not_written_again(project: Path) -> None:
    def times() -> list[int]:
        return [(project / "build/demo" / name).stat().st_mtime_ns for name in FILES]

    def compile_() -> None:
        assert mlc(project, "compile", "algorithms/demo.yaml").returncode == 0

    compile_()
    first = times()
    compile_()
    assert times() == first
    (project / "algorithms/demo.yaml").write_text(SPEC.replace("rows: 3", "rows: 4"))
    compile_()
    assert all(later > before for later, before in zip(times(), first, strict=True))
    assert sorted(p.name for p in (project / "build/demo").iterdir()) == FILES


def test_compile_to_standard_output(project: Path) -> None:
    done = mlc(project, "compile", "algorithms/demo.yaml", "--target", "argo", "-o", "-")
    assert "kind: WorkflowTemplate" in done.stdout
    two = mlc(project, "compile", "algorithms/demo.yaml", "-o", "-")
    assert two.returncode == 2


def test_profiles_and_overrides(project: Path) -> None:
    text = SPEC + "profiles: {toy: {params: {rows: 1}}}\n"
    (project / "algorithms/demo.yaml").write_text(text)
    spec = "algorithms/demo.yaml"
    assert mlc(project, "compile", spec, "--profile", "toy").returncode == 0
    assert 'value: "1"' in (project / "build/demo@toy/argo.yaml").read_text()
    argo = ("--target", "argo", "-o", "-")
    assert 'value: "7"' in mlc(project, "compile", spec, "-p", "rows=7", *argo).stdout
    (project / "values.yaml").write_text("rows: 8\n")
    done = mlc(project, "compile", spec, "--params", "values.yaml", *argo)
    assert 'value: "8"' in done.stdout
    unknown = mlc(project, "compile", spec, "--profile", "tyo")
    assert unknown.returncode == 1
    assert "error[MLC312]: there is no profile `tyo`" in unknown.stderr
    assert "did you mean `toy`?" in unknown.stderr


def test_check_compares_at_the_recorded_commit(project: Path) -> None:
    (project / "algorithms/demo.yaml").write_text(SPEC.replace(":1", ":${{ git.short_commit }}"))
    no_git = mlc(project, "compile", "algorithms/demo.yaml")
    assert no_git.returncode == 1
    assert "error[MLC309]: `git.short_commit` is not known" in no_git.stderr
    git(project, "init", "-q", "-b", "main")
    git(project, "add", ".")
    git(project, "commit", "-qm", "one")
    commit = git(project, "rev-parse", "HEAD")
    assert mlc(project, "compile", "algorithms/demo.yaml").returncode == 0
    assert f"demo:{commit[:8]}" in (project / "build/demo/argo.yaml").read_text()
    git(project, "commit", "-qm", "two", "--allow-empty")
    check = ("compile", "algorithms/demo.yaml", "--check")
    assert mlc(project, *check).returncode == 0
    with (project / "build/demo/argo.yaml").open("a") as stream:
        stream.write("# by hand\n")
    stale = mlc(project, *check)
    assert stale.returncode == 1
    assert "build/demo/argo.yaml differs from its spec; run mlc compile" in stale.stderr


def test_a_target_that_cannot_is_said_with_its_place(project: Path) -> None:
    spec = project / "algorithms/demo.yaml"
    spec.write_text(SPEC + "limits: {parallel: 2}\n")
    done = mlc(project, "compile", "algorithms/demo.yaml", "--target", "kfp")
    assert done.returncode == 1
    assert "error[MLC701]: target kfp can't do `limits.parallel`" in done.stderr
    assert "algorithms/demo.yaml:9:10" in done.stderr
    (project / "mlc.toml").write_text('[targets.kfp]\naccept = ["limits.parallel"]\n')
    accepted = mlc(project, "compile", "algorithms/demo.yaml", "--target", "kfp")
    assert accepted.returncode == 0
    assert "warning[MLC703]: target kfp leaves out `limits.parallel`" in accepted.stderr


def test_explain_target(project: Path) -> None:
    spec = project / "algorithms/demo.yaml"
    spec.write_text(SPEC + "limits: {parallel: 2}\n")
    done = mlc(project, "compile", "algorithms/demo.yaml", "--explain-target", "--format", "json")
    rows = json.loads(done.stdout)
    levels = {(row["target"], row["field"]): row["level"] for row in rows}
    assert levels[("kfp", "limits.parallel")] == "refused"
    assert levels[("argo", "limits.parallel")] == "exact"
    table = mlc(project, "compile", "algorithms/demo.yaml", "--explain-target", "argo").stdout
    assert "limits.parallel" in table and "exact" in table


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["validate", "--fix", "-", "--format", "json"],
        ["compile", "x", "--target", "airflow"],
        ["validate", "--zz"],
    ],
)
def test_wrong_usage_exits_with_2(tmp_path: Path, arguments: list[str]) -> None:
    assert mlc(tmp_path, *arguments).returncode == 2


def test_each_mistake_of_the_command_line_has_its_own_place(project: Path) -> None:
    spec = "algorithms/demo.yaml"
    done = mlc(project, "run", spec, "-p", "rwos=5", "-p", "rows=many")
    assert done.returncode == 1
    assert "--> command line:1:4\n  |\n1 | -p rwos=5\n  |    ^^^^" in done.stderr
    assert "--> command line:2:9\n  |\n2 | -p rows=many\n  |         ^^^^" in done.stderr


def test_values_from_a_file_have_their_places_there(project: Path) -> None:
    (project / "values.yaml").write_text("rows: 1\nrwos: 3\n")
    done = mlc(project, "run", "algorithms/demo.yaml", "--params", "values.yaml")
    assert done.returncode == 1
    assert "--> values.yaml:2:1" in done.stderr
    (project / "values.yaml").write_text("rows: [\n")
    done = mlc(project, "run", "algorithms/demo.yaml", "--params", "values.yaml")
    assert (done.returncode, "--> values.yaml:2:1" in done.stderr) == (1, True)


def test_text_from_a_json_file_arrives_as_it_is(project: Path) -> None:
    text = "quotes '\" \\ $HOME $(id) {{x}} ${{ y }} \n\t é 🎉 \x7f \x85 \u2028 " + "x" * 100_000
    spec = SPEC.replace("rows: 3", "rows: a").replace("[echo,", "[printf, '%s',")
    (project / "algorithms/demo.yaml").write_text(spec)
    (project / "values.json").write_text(json.dumps({"rows": text}))
    done = mlc(project, "run", "algorithms/demo.yaml", "--params", "values.json")
    assert done.returncode == 0, done.stderr
    assert mlc(project, "logs", "last", "one").stdout.removesuffix("\n") == text


def test_runs_are_found_where_they_were_made(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs/demo.yaml").write_text(SPEC)
    assert mlc(tmp_path, "run", "specs/demo.yaml").returncode == 0
    assert mlc(tmp_path, "logs", "last").stdout == "3\n"


def test_get_says_what_there_is_and_where_it_cannot_write(project: Path) -> None:
    spec = SPEC.replace('[echo, "${{ params.rows }}"]', '[touch, "${{ outputs.page }}"]')
    (project / "algorithms/demo.yaml").write_text(spec + "    outputs: {page: HTML}\n")
    assert mlc(project, "run", "algorithms/demo.yaml").returncode == 0
    assert "one.page" in mlc(project, "get", "last", "page").stderr
    done = mlc(project, "get", "last", "one.page", "-o", "no/such/folder")
    assert done.returncode == 3
    assert done.stderr.startswith("mlc: can't write no/such/folder")


def test_a_terminal_without_the_characters_gets_escapes(project: Path) -> None:
    spec = SPEC.replace("rows: 3", "rows: 🎉").replace("[echo,", "[echo, x,")
    (project / "algorithms/demo.yaml").write_text(spec)
    assert mlc(project, "run", "algorithms/demo.yaml").returncode == 0
    done = mlc(project, "show", "last", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "\\U0001f389" in done.stdout


def test_compile_for_machines(project: Path) -> None:
    (project / "algorithms/demo.yaml").write_text(SPEC + "limits: {parallel: 2}\n")
    spec = "algorithms/demo.yaml"
    failed = mlc(project, "compile", spec, "--format", "json")
    report = json.loads(failed.stdout)
    assert (failed.returncode, report["written"]) == (1, [])
    assert [d["code"] for d in report["diagnostics"]] == ["MLC701"]
    done = mlc(project, "compile", spec, "--format", "json", "--target", "argo")
    assert json.loads(done.stdout)["written"] == ["build/demo/argo.yaml"]
    assert mlc(project, "compile", spec, "-q", "--target", "argo").stderr == ""


def test_only_the_named_sources_count_for_the_cache(project: Path) -> None:
    spec = SPEC.replace("[echo,", "[tee,").replace(
        '"${{ params.rows }}"]', '"${{ outputs.page }}"]\n    outputs: {page: HTML}'
    )
    (project / "algorithms/demo.yaml").write_text(spec + "sources: [src/**/*.py]\n")
    (project / "src/deep").mkdir(parents=True)
    (project / "src/deep/code.py").write_text("1")
    run = ("run", "algorithms/demo.yaml")
    assert "cached" not in mlc(project, *run).stderr
    (project / "notes.md").write_text("note")
    assert "cached" in mlc(project, *run).stderr
    (project / "src/deep/code.py").write_text("2")
    assert "cached" not in mlc(project, *run).stderr


def test_two_specs_of_one_name_are_not_written_over_each_other(project: Path) -> None:
    (project / "algorithms/again.yaml").write_text(SPEC)
    done = mlc(project, "compile", "algorithms/demo.yaml", "algorithms/again.yaml")
    assert done.returncode == 1
    assert "error[MLC310]" in done.stderr
    assert not (project / "build").exists()


def test_check_knows_the_recorded_branch(project: Path) -> None:
    spec = SPEC.replace(":1", ":${{ git['branch'] }}")
    (project / "algorithms/demo.yaml").write_text(spec)
    git(project, "init", "-q", "-b", "feature")
    git(project, "add", ".")
    git(project, "commit", "-qm", "one")
    assert mlc(project, "compile", "algorithms/demo.yaml").returncode == 0
    assert "demo:feature" in (project / "build/demo/argo.yaml").read_text()
    git(project, "checkout", "-q", "-b", "other")
    assert mlc(project, "compile", "algorithms/demo.yaml", "--check").returncode == 0


def test_other_yaml_files_are_no_specs(project: Path) -> None:
    (project / "algorithms/cloudbuild.yaml").write_text("steps:\n- name: x\n")
    (project / "algorithms/.hidden").mkdir()
    (project / "algorithms/.hidden/bad.yaml").write_text("kind: Algorithm\n")
    assert mlc(project, "validate").stderr == "1 spec checked, nothing wrong\n"
    (project / "empty").mkdir()
    assert mlc(project, "validate", "empty").returncode == 3


@pytest.mark.parametrize(
    "config",
    ["default_targets = 2020-01-01\n", "gpus = 3\n", "[local]\npythonpath = 1.5\n"],
)
def test_a_wrong_configuration_has_a_place(project: Path, config: str) -> None:
    (project / "mlc.toml").write_text(config)
    done = mlc(project, "validate")
    assert done.returncode == 1
    assert "--> mlc.toml:" in done.stderr


def test_a_pyproject_that_is_odd_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text(SPEC)
    (tmp_path / "pyproject.toml").write_text('tool = "tool.mlc"\n')
    assert mlc(tmp_path, "validate", "demo.yaml").returncode == 0
    (tmp_path / "pyproject.toml").write_text("[tool]\nmlc = {default_targetz = []}\n")
    assert "default_targetz" in mlc(tmp_path, "validate", "demo.yaml").stderr


def test_code_outside_the_project_is_named_whole(project: Path, tmp_path: Path) -> None:
    lib = tmp_path / "elsewhere"
    lib.mkdir()
    (lib / "code.py").write_text("def other() -> None: ...\n")
    (project / "mlc.toml").write_text(f'[local]\npythonpath = ["{lib}"]\n')
    spec = SPEC.replace('command: [echo, "${{ params.rows }}"]', "python: code:fit")
    (project / "algorithms/demo.yaml").write_text(spec)
    done = mlc(project, "validate")
    assert "code.py has no function `fit`" in done.stderr


def test_an_input_in_a_params_file_has_to_be_a_path(project: Path) -> None:
    spec = SPEC.replace("params:", "inputs: {data: {default: mlc.toml}}\nparams:").replace(
        "[echo,", '[cat, "${{ inputs.data }}",'
    )
    (project / "algorithms/demo.yaml").write_text(spec)
    (project / "values.yaml").write_text("data: [a]\n")
    done = mlc(project, "run", "algorithms/demo.yaml", "--params", "values.yaml")
    assert done.returncode == 1
    assert "error[MLC103]: `data` takes a path or a URI\n --> values.yaml:1:1" in done.stderr


def test_what_cannot_be_printed_is_no_traceback(project: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "compiler", "compile", "algorithms/demo.yaml"],
            cwd=project, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def test_targets_that_lose_the_same_share_a_warning(project: Path) -> None:
    spec = SPEC.replace("{rows: 3}", "{rows: {default: 3, enum: [3, 4]}}")
    (project / "algorithms/demo.yaml").write_text(spec)
    done = mlc(project, "compile", "algorithms/demo.yaml")
    assert done.returncode == 0
    warning = "warning[MLC702]: targets kfp-dsl, argo do `params.enum` of param rows less well"
    assert done.stderr.count("MLC702") == 1 and warning in done.stderr
    accept = 'accept = ["params.enum"]\n'
    (project / "mlc.toml").write_text(f"[targets.kfp-dsl]\n{accept}[targets.argo]\n{accept}")
    assert mlc(project, "compile", "algorithms/demo.yaml").stderr == ""
