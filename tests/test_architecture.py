"""The way of the data is one way: what each module may import, held against the code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import compiler

PACKAGE = Path(compiler.__file__).parent
# From the source of the way to its end. A module imports from its own layer and those above it;
# a package is one layer. Mirrors the drawing in ARCHITECTURE.md.
LAYERS: list[set[str]] = [
    {
        *("diagnostics", "values", "resources", "quantities", "units", "files", "globs"),
        *("slugs", "codes", "pages", "gates", "synonyms"),
    },
    {"ordering"},
    {"expr", "expressions"},
    {"ir", "graph", "evaluation"},
    {"settings"},
    {"nodes"},
    {"edits", "mending", "cron"},
    {"signs"},
    {"source_words"},
    {"source", "toml_source", "policy", "ignores", "engines", "credentials"},
    {"schema", "schema_words", "schema_hints", "editing"},
    {"params", "resolve", "nulls", "binding"},
    {"compose", "programs"},
    {"lower"},
    {"checks"},
    {"project", "git"},
    {"frontend"},
    {"runtime"},
    {"capture"},
    {"launch"},
    {"targets"},
    {"engine"},
    {"cluster"},
    {"submission"},
    {"deployment"},
    {"layout"},
    {"reports"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: number for number, layer in enumerate(LAYERS) for name in layer}


def top(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path) -> set[str]:
    """The modules of this package that a file imports, by their first name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "compiler":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("compiler."):
            found.add(str(node.module).split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("compiler.")}
    return found & LEVEL.keys()


FILES = [p for p in sorted(PACKAGE.rglob("*.py")) if p != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_go_one_way(path: Path) -> None:
    own = top(path)
    assert own in LEVEL, f"give {own} its place in LAYERS and in ARCHITECTURE.md"
    later = {name for name in imported(path) if LEVEL[name] > LEVEL[own]}
    assert not later


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if top(p) in ("targets", "capture", "launch", "lower")],
    ids=lambda p: p.relative_to(PACKAGE).as_posix(),
)
def test_targets_are_pure(path: Path) -> None:
    """No disk, clock, environment or network on the way from the IR to a manifest."""
    banned = {"os", "time", "datetime", "random", "socket", "subprocess", "kfp", "kubernetes"}
    names = {
        alias.name.split(".")[0]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert not names & banned


def test_the_drawing_names_every_module() -> None:
    text = (PACKAGE.parent / "ARCHITECTURE.md").read_text()
    names = {top(p) for p in FILES} - {"__main__"}
    assert not {name for name in names if f"`{name}" not in text}


def test_modules_stay_readable() -> None:
    """Over 300 lines wants a reason, given here."""
    reasons = {
        "ir.py": "the whole pipeline at one glance",
        "cli.py": "every command with its options",
        "expressions.py": "one grammar",
        "source_words.py": "all that is said of text that is no YAML",
        "schema.py": "the whole interpreter of the schema",
        "commands/submit.py": "one submission, from what is picked to what came of it",
        "params.py": "one check for each word of a definition",
        "binding/names.py": "every name of the language, looked up in one place",
        "binding/operators.py": "what each operator takes, and what it says of anything else",
        "programs/moving.py": "one fix, from the place that it mends to the proof that it does",
        "cluster/transport.py": "one request, from its headers to what is said of its failure",
        "cluster/kfp/engine.py": "all that is asked of an engine, by KFP",
        "cluster/argo/engine.py": "all that is asked of an engine, by Argo",
        "targets/kfp/plan.py": "all that is said to KFP at one glance",
        "targets/kfp/pipelinespec.py": "the whole PipelineSpec message",
        "targets/kfp_dsl/view.py": "all that the template shows",
        "targets/argo/reading.py": "every way in which Argo reads a value",
    }
    long = {
        p.relative_to(PACKAGE).as_posix() for p in FILES if len(p.read_text().splitlines()) > 300
    }
    assert long <= reasons.keys()
