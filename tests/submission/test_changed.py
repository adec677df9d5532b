"""Which algorithms a branch changed and why, in real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkouts import Checkout, make

from compiler import project
from compiler.diagnostics import MlcError
from compiler.submission.branch import concerns, merge_base, read_branch
from compiler.submission.changed import Changed, changed_algorithms, untracked

FILES = {
    "mlc.toml": """\
        [local]
        pythonpath = ["src"]
        [gpus.t4]
        node_selector = { gpu = "t4" }
        [gpus.a100]
        node_selector = { gpu = "a100" }
        [targets.argo]
        service_account = "runner"
        """,
    "algorithms/doc_type.yaml": """\
        apiVersion: mlc/v1
        kind: Algorithm
        name: doc_type
        extends: ../bases/gpu.yaml
        image: registry.example.com/doc-type:${{ git.short_commit }}
        sources: [Dockerfile, "conf/**/*.json"]
        steps:
          fit: {python: "doc_type.training:fit", outputs: {model: Model}}
          test: {use: ../components/test.yaml, inputs: {model: "${{ steps.fit.outputs.model }}"}}
        """,
    "algorithms/lines.yaml": """\
        apiVersion: mlc/v1
        kind: Algorithm
        name: lines
        image: python:3.12
        steps:
          count: {command: [python, scripts/count.py, --config=conf/lines.ini]}
          draw: {script: "python -m lines.draw | sh scripts/send.sh"}
          inline: {shell: python, script: "from lines import inline\\nprint(inline)"}
        """,
    "algorithms/all.yaml": """\
        apiVersion: mlc/v1
        kind: Algorithm
        name: all
        steps:
          lines: {use: lines.yaml}
        """,
    "bases/gpu.yaml": """\
        apiVersion: mlc/v1
        kind: Base
        extends: team.yaml
        resources: {gpu: {count: 1, type: t4}}
        """,
    "bases/team.yaml": """\
        apiVersion: mlc/v1
        kind: Base
        timeout: 1h
        """,
    "components/test.yaml": """\
        apiVersion: mlc/v1
        kind: Component
        name: test
        image: python:3.12
        command: [python, -m, doc_type.testing]
        inputs: {model: Model}
        """,
    "src/doc_type/__init__.py": "",
    "src/doc_type/training.py": """\
        from . import corpus
        from .models.linear import Linear


        def fit(model: "Path") -> None:
            import shared.numbers
        """,
    "src/doc_type/corpus.py": "WORDS = open('words.txt')\n",
    "src/doc_type/words.txt": "one\n",
    "src/doc_type/models/__init__.py": "",
    "src/doc_type/models/linear.py": "from ..features import *\n",
    "src/doc_type/features.py": "import doc_type.training  # in a circle\n",
    "src/doc_type/testing.py": "import importlib\nimportlib.import_module('shared.metrics')\n",
    "src/doc_type/unused.py": "",
    "src/shared/__init__.py": "",
    "src/shared/numbers.py": "",
    "src/shared/metrics.py": "",
    "src/lines/draw.py": "",
    "src/lines/inline.py": "",
    "scripts/count.py": "import counting\n",
    "scripts/counting.py": "",
    "scripts/send.sh": "",
    "conf/lines.ini": "",
    "conf/deep/er/x.json": "{}",
    "Dockerfile": "FROM python:3.12\n",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A project of three algorithms on main, and a branch that is as main."""
    made = make(tmp_path)
    made.write_all(FILES)
    made.commit("A project")
    made.git("push", "--quiet")
    made.git("switch", "--quiet", "--create", "topic")
    return made


def changed(checkout: Checkout) -> dict[str, Changed]:
    project.forget()
    branch = read_branch(checkout.folder)
    specs = sorted((checkout.folder / "algorithms").rglob("*.yaml"))
    belongs, problems, _ = project.find(checkout.folder)
    assert not problems
    found = changed_algorithms(branch, merge_base(branch).commit, specs, belongs)
    return {one.name: one for one in found}


def reasons(checkout: Checkout) -> dict[str, list[tuple[str, str, str, str]]]:
    return {name: [tuple(r) for r in one.reasons] for name, one in changed(checkout).items()}


def test_a_branch_without_changes(checkout: Checkout) -> None:
    assert changed(checkout) == {}
    checkout.write_all({"README.md": "Other words.\n", "src/doc_type/unused.py": "x = 1\n"})
    checkout.commit()
    assert changed(checkout) == {}


def test_what_main_did_meanwhile_is_not_the_branch(checkout: Checkout) -> None:
    checkout.git("switch", "--quiet", "main")
    checkout.write_all({"algorithms/lines.yaml": FILES["algorithms/lines.yaml"] + "\n"})
    checkout.write_all({"scripts/send.sh": "true\n"})
    checkout.commit()
    checkout.git("push", "--quiet")
    checkout.git("switch", "--quiet", "topic")
    checkout.write_all({"src/doc_type/words.txt": "two\n"})
    checkout.commit()
    assert list(changed(checkout)) == ["doc_type"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("bases/gpu.yaml", ("base", "algorithms/doc_type.yaml extends it")),
        ("bases/team.yaml", ("base", "bases/gpu.yaml extends it")),
        ("components/test.yaml", ("component", "algorithms/doc_type.yaml uses it")),
        ("Dockerfile", ("sources", "`sources` has `Dockerfile`")),
        ("conf/deep/er/x.json", ("sources", "`sources` has `conf/**/*.json`")),
        ("src/doc_type/training.py", ("code", "step `fit`")),
        ("src/doc_type/__init__.py", ("code", "step `fit`")),
        (
            "src/doc_type/corpus.py",
            ("code", "step `fit`, by way of src/doc_type/training.py"),
        ),
        ("src/doc_type/words.txt", ("code", "step `fit`, by way of src/doc_type/corpus.py")),
        (
            "src/doc_type/features.py",
            ("code", "step `fit`, by way of src/doc_type/models/linear.py"),
        ),
        (
            "src/doc_type/models/__init__.py",
            ("code", "step `fit`, by way of src/doc_type/training.py"),
        ),
        ("src/shared/numbers.py", ("code", "step `fit`, by way of src/doc_type/training.py")),
        ("src/shared/metrics.py", ("code", "step `test`, by way of src/doc_type/testing.py")),
        ("src/doc_type/testing.py", ("code", "step `test`")),
    ],
)
def test_one_changed_file_of_one_algorithm(
    checkout: Checkout, path: str, expected: tuple[str, str]
) -> None:
    with (checkout.folder / path).open("a") as stream:
        stream.write("\n# changed\n")
    checkout.commit()
    kind, detail = expected
    assert reasons(checkout) == {"doc_type": [(path, kind, "modified", detail)]}


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("scripts/count.py", "step `count`"),
        ("scripts/counting.py", "step `count`, by way of scripts/count.py"),
        ("conf/lines.ini", "step `count`"),
        ("src/lines/draw.py", "step `draw`"),
        ("scripts/send.sh", "step `draw`"),
        ("src/lines/inline.py", "step `inline`"),
    ],
)
def test_what_commands_and_scripts_name(checkout: Checkout, path: str, detail: str) -> None:
    """And the algorithm that uses the one with the step has it too."""
    checkout.write_all({path: "# changed\n"})
    checkout.commit()
    reason = (path, "code", "modified", detail)
    assert reasons(checkout) == {"lines": [reason], "all": [reason]}


def test_commands_of_the_project(checkout: Checkout) -> None:
    """Installed scripts, and folders that are run."""
    for table in ("[project.scripts]", "[tool.poetry.scripts]"):
        checkout.write_all({"pyproject.toml": f"{table}\ndraw-lines = 'lines.draw:main'\n"})
        text = FILES["algorithms/lines.yaml"].replace("python -m lines.draw", "draw-lines -v")
        checkout.write_all({"algorithms/lines.yaml": text.replace("scripts/count.py", "tools/")})
        checkout.write_all({"tools/__main__.py": "import tool\n", "tools/tool.py": "x = 0\n"})
        base = checkout.commit()
        checkout.git("push", "--quiet", "origin", "HEAD:main")
        checkout.write_all({"tools/tool.py": "x = 1\n", "src/lines/draw.py": f"# {base}\n"})
        assert reasons(checkout)["lines"] == [
            ("src/lines/draw.py", "code", "modified", "step `draw`"),
            ("tools/tool.py", "code", "modified", "step `count`, by way of tools/__main__.py"),
        ]


def test_a_spec_and_what_uses_it(checkout: Checkout) -> None:
    checkout.write_all({"algorithms/lines.yaml": FILES["algorithms/lines.yaml"] + "owner: me\n"})
    path = "algorithms/lines.yaml"
    assert reasons(checkout) == {
        "lines": [(path, "spec", "modified", "")],
        "all": [(path, "algorithm", "modified", "algorithms/all.yaml uses it")],
    }


def test_uncommitted_and_untracked_files_count(checkout: Checkout) -> None:
    checkout.write_all(
        {
            "src/doc_type/training.py": "from doc_type.fresh import fit\n",
            "src/doc_type/fresh.py": "def fit(model): ...\n",
            "algorithms/new.yaml": FILES["algorithms/lines.yaml"].replace("lines\n", "new\n", 1),
        }
    )
    checkout.git("add", "src/doc_type/training.py")
    found = changed(checkout)
    assert (found["new"].state, found["doc_type"].state) == ("new", "changed")
    assert [tuple(r) for r in found["doc_type"].reasons] == [
        (
            "src/doc_type/fresh.py",
            "code",
            "untracked",
            "step `fit`, by way of src/doc_type/training.py",
        ),
        ("src/doc_type/training.py", "code", "modified", "step `fit`"),
    ]
    branch = read_branch(checkout.folder)
    needed = untracked(found.values(), branch, project.find(checkout.folder)[0])
    assert needed == {"src/doc_type/fresh.py", "algorithms/new.yaml"}
    (dirty,) = concerns(branch, image_of_commit=True, needed=needed)
    assert dirty.paths == (*sorted(needed), "src/doc_type/training.py")


def test_renames(checkout: Checkout) -> None:
    checkout.git("mv", "src/doc_type/corpus.py", "src/doc_type/texts.py")
    checkout.git("mv", "algorithms/lines.yaml", "algorithms/rows.yaml")
    checkout.commit()
    found = changed(checkout)
    assert [tuple(r) for r in found["doc_type"].reasons] == [
        (
            "src/doc_type/corpus.py",
            "code",
            "deleted",
            "step `fit`, by way of src/doc_type/training.py, renamed to src/doc_type/texts.py",
        )
    ]
    assert (found["lines"].state, found["lines"].spec) == ("changed", "algorithms/rows.yaml")
    assert found["lines"].reasons[0].change == "renamed"
    assert found["lines"].reasons[0].detail == "renamed from algorithms/lines.yaml"
    gone = found["all"].reasons[0]
    assert (gone.path, gone.change) == ("algorithms/lines.yaml", "deleted")


def test_deletions(checkout: Checkout) -> None:
    checkout.git("rm", "--quiet", "algorithms/lines.yaml", "algorithms/all.yaml")
    checkout.git("rm", "--quiet", "src/doc_type/models/linear.py", "bases/team.yaml", "Dockerfile")
    checkout.commit()
    found = changed(checkout)
    assert {name: one.state for name, one in found.items()} == {
        "all": "deleted",
        "doc_type": "changed",
        "lines": "deleted",
    }
    assert found["lines"].spec == "algorithms/lines.yaml"
    assert {(r.path, r.kind, r.change) for r in found["doc_type"].reasons} == {
        ("bases/team.yaml", "base", "deleted"),
        ("src/doc_type/models/linear.py", "code", "deleted"),
        ("Dockerfile", "sources", "deleted"),
    }


def test_an_algorithm_under_another_name(checkout: Checkout) -> None:
    text = FILES["algorithms/lines.yaml"].replace("name: lines", "name: rows")
    checkout.write_all({"algorithms/lines.yaml": text})
    checkout.commit()
    found = changed(checkout)
    assert {name: one.state for name, one in found.items()} == {
        "all": "changed",
        "lines": "deleted",
        "rows": "new",
    }
    assert found["lines"].reasons[0].detail == "the spec has another name now"


def test_a_spec_that_moved_is_not_deleted(checkout: Checkout) -> None:
    text = (checkout.folder / "algorithms/all.yaml").read_text()
    checkout.git("rm", "--quiet", "algorithms/all.yaml")
    checkout.write_all({"algorithms/more/all.yaml": text.replace("lines.yaml", "../lines.yaml")})
    checkout.commit()
    found = changed(checkout)
    assert [(one.name, one.spec, one.state) for one in found.values()] == [
        ("all", "algorithms/more/all.yaml", "changed")
    ]


def test_the_configuration(checkout: Checkout) -> None:
    text = FILES["mlc.toml"]
    checkout.write_all({"mlc.toml": text.replace('"t4" }', '"t4-new" }')})
    reason = ("mlc.toml", "config", "modified", "[gpus.t4]")
    assert reasons(checkout) == {"doc_type": [reason]}
    checkout.write_all({"mlc.toml": text.replace('"a100" }', '"other" }')})
    assert reasons(checkout) == {}
    checkout.write_all({"mlc.toml": text.replace('"runner"', '"other"')})
    reason = ("mlc.toml", "config", "modified", "[targets.argo]")
    assert reasons(checkout) == {name: [reason] for name in ("all", "doc_type", "lines")}
    policy = '[policy.severity]\nMLC340 = "error"\n'
    checkout.write_all({"mlc.toml": text.rstrip(" ") + policy})
    assert reasons(checkout) == {}
    checkout.write_all({"mlc.toml": text + 'accept = ["cache"]\n'})
    assert reasons(checkout) == {}


def test_a_configuration_that_moves_unchanged(checkout: Checkout) -> None:
    lines = FILES["mlc.toml"].replace("        ", "").replace("\n[", "\n[tool.mlc.")
    checkout.git("rm", "--quiet", "mlc.toml")
    checkout.write_all({"pyproject.toml": lines.replace("[local]", "[tool.mlc.local]", 1)})
    checkout.commit()
    assert reasons(checkout) == {}


def test_a_spec_with_errors_has_its_reasons_too(checkout: Checkout) -> None:
    broken = FILES["algorithms/doc_type.yaml"].replace("sources:", "source:")
    checkout.write_all({"algorithms/doc_type.yaml": broken, "src/shared/numbers.py": "x = 1\n"})
    checkout.write_all({"algorithms/lines.yaml": "name: [lines\n"})
    found = changed(checkout)
    assert {r.path for r in found["doc_type"].reasons} == {
        "algorithms/doc_type.yaml",
        "src/shared/numbers.py",
    }
    assert found["lines"].state == "changed"


def test_a_project_below_the_top_and_odd_names(tmp_path: Path) -> None:
    checkout = make(tmp_path)
    checkout.write_all({f"ml/{name}": text for name, text in FILES.items()})
    checkout.write_all({'ml/conf/ü "x"\n.json': "{}", "Dockerfile": "FROM scratch\n"})
    checkout.commit()
    checkout.git("push", "--quiet")
    checkout.git("config", "diff.noprefix", "true")
    checkout.git("config", "diff.relative", "true")
    checkout.git("config", "status.showUntrackedFiles", "no")
    checkout.write_all({'ml/conf/ü "x"\n.json': "{ }", "Dockerfile": "FROM x\n"})
    checkout.write_all({"ml/conf/new.json": "{}"})
    below = Checkout(checkout.folder / "ml")
    assert [(r[0], r[2]) for r in reasons(below)["doc_type"]] == [
        ("conf/new.json", "untracked"),
        ('conf/ü "x"\n.json', "modified"),
    ]


def test_a_commit_that_is_not_there(checkout: Checkout) -> None:
    branch = read_branch(checkout.folder)
    with pytest.raises(MlcError, match="can't compare with 111111111111"):
        changed_algorithms(branch, "1" * 40, [], project.find(checkout.folder)[0])
