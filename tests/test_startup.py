"""What a command imports decides how fast it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {
    "kfp", "kfp_server_api", "kubernetes", "jinja2", "rich", "jsonschema", "requests", "httpx",
    "urllib3", "sqlite3", "ruamel", "google", "numpy", "asyncio", "multiprocessing",
    "compiler.engine", "compiler.targets", "compiler.cluster",
}  # fmt: skip


class Start(NamedTuple):
    """What a command has imported by its end, and how many dataclasses were made of our own."""

    modules: set[str]
    dataclasses: int


def start(*arguments: str, folder: Path = ROOT, code: int = 0, **environment: str) -> Start:
    program = (
        "import sys, json\n"
        "from compiler import cli\n"
        f"sys.argv = ['mlc', *{list(arguments)!r}]\n"
        "try:\n    cli.main()\n"
        f"except SystemExit as stop:\n    assert (stop.code or 0) == {code}, stop.code\n"
        "own = [(n, m) for n, m in sys.modules.items() if n.partition('.')[0] == 'compiler']\n"
        "made = sum('__dataclass_fields__' in vars(each) for name, module in own\n"
        "    for each in vars(module).values()\n"
        "    if isinstance(each, type) and each.__module__ == name)\n"
        "print('\\n' + json.dumps([sorted(sys.modules), made]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    loaded, made = json.loads(done.stdout.splitlines()[-1])
    return Start(set(loaded), made)


def modules(*arguments: str) -> set[str]:
    return start(*arguments).modules


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["validate", "algorithms/doc_type.yaml"], ["compile", "--help"]],
    ids=" ".join,
)
def test_light_commands_import_nothing_heavy(arguments: list[str]) -> None:
    assert not modules(*arguments) & HEAVY


def test_help_does_not_even_read_yaml() -> None:
    assert not modules("--help") & {"yaml", "compiler.frontend", "compiler.ir"}


def test_compiling_for_argo_needs_no_template_language() -> None:
    loaded = modules("compile", "algorithms/doc_type.yaml", "--target", "argo", "-o", "-")
    assert "compiler.targets" in loaded
    assert not loaded & {"kfp", "jinja2", "kubernetes", "compiler.engine"}


def test_what_shows_runs_runs_nothing() -> None:
    loaded = modules("runs")
    assert "compiler.engine.history" in loaded
    assert not loaded & {"compiler.engine.run", "compiler.checks", "urllib.request", "ssl"}


SPEC = "algorithms/doc_type.yaml"
SMALL = """\
apiVersion: mlc/v1
kind: Algorithm
name: small
steps:
  only: {image: "registry.example.com/small:1", command: ["true"]}
"""
# Of the standard library: what takes milliseconds and no command needs, at least not to begin with.
NEVER = {
    "asyncio", "bdb", "cProfile", "cmd", "code", "configparser", "csv", "ctypes", "curses",
    "doctest", "email", "ftplib", "getpass", "html", "http", "imaplib", "mimetypes",
    "multiprocessing", "optparse", "pdb", "profile", "pstats", "pydoc", "smtplib", "socket",
    "socketserver", "ssl", "statistics", "sysconfig", "tarfile", "timeit", "tkinter", "turtle",
    "unittest", "venv", "webbrowser", "wsgiref", "xml", "xmlrpc", "zipfile",
}  # fmt: skip
# And what some commands do need.
COSTLY = {
    "concurrent", "dataclasses", "difflib", "fractions", "hashlib", "logging", "pickle", "queue",
    "secrets", "sqlite3", "subprocess", "tomllib",
}  # fmt: skip


class Need(NamedTuple):
    """What a command needs of other people's packages and of what is costly in the standard
    library, how many of its own modules it takes, and how many dataclasses they make."""

    others: set[str]
    costly: set[str]
    own: int
    dataclasses: int


READING = {"click", "msgspec", "yaml"}
TREE = {"dataclasses", "tomllib"}
COMPILING = {*TREE, "difflib", "hashlib", "subprocess"}
COMPLETING = ("", "_MLC_COMPLETE=bash_complete", "COMP_WORDS=mlc va", "COMP_CWORD=1")
NEEDS: dict[tuple[str, ...], Need] = {
    ("--help",): Need({"click"}, set(), 8, 0),
    ("run", "--help"): Need({"click"}, set(), 8, 0),
    ("submit", "--help"): Need({"click"}, set(), 8, 0),
    COMPLETING: Need({"click"}, set(), 8, 0),
    ("validate", SPEC): Need(READING, TREE, 101, 4),
    ("validate", "--only-specs", SPEC): Need(READING, TREE, 101, 4),
    ("fmt", "--check", SPEC): Need(READING, {*TREE, "difflib"}, 78, 4),
    ("explain", "MLC301"): Need({"click", "msgspec"}, {"dataclasses", "difflib"}, 28, 4),
    ("schema",): Need(READING, TREE, 72, 4),
    ("resolve", SPEC): Need(READING, TREE, 99, 4),
    ("runs",): Need(READING, {*TREE, "hashlib", "sqlite3", "subprocess"}, 82, 5),
    ("run", "small.yaml"): Need(
        READING,
        {*TREE, "concurrent", "hashlib", "logging", "queue", "secrets", "sqlite3", "subprocess"},
        132,
        5,
    ),
    ("plan", SPEC): Need(READING, {*TREE, "hashlib", "subprocess"}, 134, 4),
    ("submit", SPEC): Need(READING, {*TREE, "hashlib"}, 132, 4),
    ("compile", SPEC, "--target", "kfp", "-o", "-"): Need(READING, COMPILING, 155, 7),
    ("compile", SPEC, "--target", "kfp-dsl", "-o", "-"): Need(
        {*READING, "jinja2", "markupsafe"}, {*COMPILING, "pickle"}, 170, 7
    ),
    ("compile", SPEC, "--target", "argo", "-o", "-"): Need(READING, COMPILING, 145, 4),
}
# Here is no engine: so far do these get.
CODES = {"plan": 3, "submit": 3}


@pytest.mark.parametrize("arguments", NEEDS, ids=" ".join)
def test_each_command_imports_what_it_needs(arguments: tuple[str, ...], tmp_path: Path) -> None:
    need = NEEDS[arguments]
    (tmp_path / "small.yaml").write_text(SMALL)
    folder = tmp_path if "small.yaml" in arguments else ROOT
    if arguments == COMPLETING:
        completing = dict(word.split("=") for word in arguments[1:])
        loaded, dataclasses = start(**completing)
    else:
        code = CODES.get(arguments[0], 0) if SPEC in arguments else 0
        loaded, dataclasses = start(*arguments, folder=folder, code=code)
    packages = {name.partition(".")[0] for name in loaded}
    others = packages - sys.stdlib_module_names
    # What the interpreter, an editable install and compiled modules bring along.
    own = {"compiler", "__main__", "cython_runtime", "sitecustomize", "typing_extensions"}
    assert {name for name in others - own if not name.startswith("_")} == need.others
    assert packages & NEVER == set()
    assert packages & COSTLY <= need.costly
    assert sum(name.partition(".")[0] == "compiler" for name in loaded) <= need.own
    assert dataclasses <= need.dataclasses
