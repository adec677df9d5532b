"""The algorithms are plain code: no engine, and not mlc, is imported by any step."""

from __future__ import annotations

import ast
import re

import pytest
from conftest import ALGORITHMS

MODULES = sorted(ALGORITHMS.glob("*/*.py"))
ENGINES = {"argo_workflows", "compiler", "hera", "kfp", "kubernetes", "mlc"}


def imported(source: str) -> set[str]:
    """The top-level packages that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def test_the_algorithms_are_found() -> None:
    packages = {path.parent.name for path in MODULES}
    assert {path.stem for path in ALGORITHMS.glob("*.yaml")} <= packages


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_no_engine_is_imported(path: object) -> None:
    assert not imported(path.read_text()) & ENGINES  # type: ignore[attr-defined]


def test_an_import_inside_a_function_would_be_seen() -> None:
    assert imported("def f():\n    from kfp import dsl\n    import os.path") == {"kfp", "os"}


@pytest.mark.parametrize("path", sorted(ALGORITHMS.glob("*/*.html")), ids=lambda path: path.stem)
def test_pages_load_nothing(path: object) -> None:
    text = path.read_text()  # type: ignore[attr-defined]
    assert not re.search(r"<script|<link|\bsrc=|\bhref=|https?:|@import|url\(", text)
