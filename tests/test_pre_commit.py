"""The hooks as teams use them: the real pre-commit, with a clone of this repository for its source.

pre-commit installs mlc into an environment of its own, from the package registry.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# What pip says where it can't reach a registry.
UNREACHABLE = re.compile(
    r"Failed to establish a new connection|Temporary failure in name resolution|"
    r"Connection (?:refused|timed out)|Network is unreachable|Max retries exceeded|ProxyError"
)
pytestmark = pytest.mark.xdist_group("pre-commit")

GOOD = """\
apiVersion: mlc/v1
kind: Algorithm
name: good
image: registry.example.com/good:1
params: {rows: 3}
steps:
  one:
    command: [echo, "${{ params.rows }}"]
"""
PART = """\
apiVersion: mlc/v1
kind: Component
name: part
image: registry.example.com/part:1
command: [echo]
"""
# Of another tool, and not how mlc would lay it out.
OTHER = "services:   {web: {image: 'nginx'}}\nname: other\n"


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def git(folder: Path, *arguments: str | Path) -> str:
    settings = ("user.name=t", "user.email=t@example.com", "safe.directory=*")
    options = [word for setting in settings for word in ("-c", setting)]
    return run("git", *options, *arguments, cwd=folder).strip()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this repository, with what is not committed yet."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout, so pre-commit can't clone it")
    clone = tmp_path_factory.mktemp("hooks") / "mlc"
    git(ROOT, "clone", "-q", "--no-hardlinks", ROOT, clone)
    files = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    git(clone, "add", "--all")
    git(clone, "commit", "-q", "--allow-empty", "-m", "now")
    return clone


@pytest.fixture(scope="module")
def home(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pre-commit keeps what it installed."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("first")
    git(folder, "init", "-q")
    configure(folder, source)
    done = pre_commit(folder, home, "install-hooks")
    if done.returncode and (why := UNREACHABLE.search(done.stdout + done.stderr)):
        pytest.skip(f"the package registry can't be reached: {why[0]}")
    assert done.returncode == 0, done.stdout + done.stderr
    return home


def configure(folder: Path, source: Path) -> None:
    commit = git(source, "rev-parse", "HEAD")
    hooks = "".join(f"      - id: {hook}\n" for hook in ("mlc-validate", "mlc-fmt"))
    (folder / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: {source}\n    rev: {commit}\n    hooks:\n{hooks}"
        "      - {id: mlc-compile-check, args: [--target, argo, -o, compiled]}\n"
    )


def pre_commit(folder: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", *arguments],
        cwd=folder,
        env=os.environ | {"PRE_COMMIT_HOME": str(home), "PRE_COMMIT_COLOR": "never"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def team(source: Path, home: Path, tmp_path: Path) -> Path:  # noqa: ARG001 - installed first
    """A team's repository whose hooks have nothing to say."""
    (tmp_path / "algorithms/parts").mkdir(parents=True)
    (tmp_path / "mlc.toml").touch()
    (tmp_path / "algorithms/good.yaml").write_text(GOOD)
    (tmp_path / "algorithms/parts/part.yaml").write_text(PART)
    (tmp_path / "compose.yaml").write_text(OTHER)
    git(tmp_path, "init", "-q")
    configure(tmp_path, source)
    compiled(tmp_path)
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "-q", "-m", "start")
    return tmp_path


def compiled(folder: Path) -> None:
    command = [sys.executable, "-m", "compiler", "compile", "--target", "argo", "-o", "compiled"]
    run(*command, cwd=folder)


def line(name: str, result: str) -> str:
    """A line of pre-commit's table, as wide as its longest name makes it."""
    return name + "." * (79 - len(name) - len(result)) + result


VALIDATE, FMT, CHECK = "mlc validate", "mlc fmt", "mlc compile --check"


def test_good_specs_pass(team: Path, home: Path) -> None:
    done = pre_commit(team, home, "run", "--all-files")
    passed = [line(name, "Passed") for name in (VALIDATE, FMT, CHECK)]
    assert (done.returncode, done.stdout.splitlines()) == (0, passed)
    assert (team / "compose.yaml").read_text() == OTHER
    assert git(team, "status", "--short") == ""


def test_files_of_other_tools_are_nothing_to_the_hooks(team: Path, home: Path) -> None:
    done = pre_commit(team, home, "run", "mlc-validate", "--files", "compose.yaml")
    assert (done.returncode, done.stdout) == (0, line(VALIDATE, "Passed") + "\n")
    (team / "notes.txt").write_text("x")
    done = pre_commit(team, home, "run", "mlc-validate", "--files", "notes.txt")
    assert "(no files to check)Skipped" in done.stdout


def test_a_bad_spec_stops_the_commit(team: Path, home: Path) -> None:
    (team / "algorithms/good.yaml").write_text(GOOD.replace("params.rows", "params.row"))
    git(team, "add", "--all")
    done = pre_commit(team, home, "run", "mlc-validate")
    assert done.returncode == 1
    assert (
        done.stdout
        == f"""\
{line(VALIDATE, "Failed")}
- hook id: mlc-validate
- exit code: 1

error[MLC303]: there is no parameter `row`
 --> algorithms/good.yaml:8:33
  |
8 |     command: [echo, "${{{{ params.row }}}}"]
  |                                 ^^^
  = help: did you mean `rows`?

1 spec checked: 1 error
--fix can mend 1 of these, --diff shows how
more about this error: mlc explain MLC303

"""
    )


def test_a_name_that_is_taken_is_noticed_though_only_one_file_is_committed(
    team: Path, home: Path
) -> None:
    (team / "algorithms/other.yaml").write_text("# Another.\n" + GOOD)
    git(team, "add", "--all")
    done = pre_commit(team, home, "run", "mlc-validate")
    assert done.returncode == 1
    assert (
        """\
error[MLC310]: another algorithm is called `good`
 --> algorithms/other.yaml:4:7
  |
4 | name: good
  |       ^^^^
 ::: algorithms/good.yaml:3:7
  |
3 | name: good
  |       ---- named here
"""
        in done.stdout
    )


def test_the_layout_is_mended_once(team: Path, home: Path) -> None:
    messy = GOOD.replace("kind: Algorithm\n", "").replace("steps:", "kind:   Algorithm\nsteps:")
    (team / "algorithms/good.yaml").write_text(messy)
    git(team, "add", "--all")
    done = pre_commit(team, home, "run", "mlc-fmt")
    assert done.returncode == 1
    assert done.stdout == (
        f"{line(FMT, 'Failed')}\n- hook id: mlc-fmt\n- files were modified by this hook\n\n"
        "reformatted algorithms/good.yaml\n\n"
    )
    assert (team / "algorithms/good.yaml").read_text() == GOOD
    git(team, "add", "--all")
    assert pre_commit(team, home, "run", "mlc-fmt", "--all-files").returncode == 0


def test_what_is_compiled_has_to_fit_its_spec(team: Path, home: Path) -> None:
    (team / "algorithms/good.yaml").write_text(GOOD.replace("rows: 3", "rows: 4"))
    git(team, "add", "--all")
    done = pre_commit(team, home, "run", "mlc-compile-check")
    assert done.returncode == 1
    assert done.stdout == (
        f"{line(CHECK, 'Failed')}\n- hook id: mlc-compile-check\n- exit code: 1\n\n"
        "compiled/good/argo.yaml differs from its spec; run mlc compile\n\n"
    )
    compiled(team)
    git(team, "add", "--all")
    assert pre_commit(team, home, "run", "mlc-compile-check").returncode == 0
