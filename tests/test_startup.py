"""What a command imports decides how fast it starts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {
    "kfp", "kfp_server_api", "kubernetes", "jinja2", "rich", "jsonschema", "requests", "httpx",
    "urllib3", "sqlite3", "ruamel", "google", "numpy", "asyncio", "multiprocessing",
    "compiler.engine", "compiler.targets", "compiler.cluster",
}  # fmt: skip


def modules(*arguments: str) -> set[str]:
    program = (
        "import sys, json\n"
        "from compiler import cli\n"
        f"sys.argv = ['mlc', *{list(arguments)!r}]\n"
        "try:\n    cli.main()\n"
        "except SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "print('\\n' + json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


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
# What each command needs of other people's packages, and how many of its own modules it takes.
NEEDS: dict[tuple[str, ...], tuple[set[str], int]] = {
    ("--help",): ({"click"}, 12),
    ("validate", SPEC): ({"click", "msgspec", "yaml"}, 101),
    ("fmt", "--check", SPEC): ({"click", "msgspec", "yaml"}, 78),
    ("explain", "MLC301"): ({"click", "msgspec"}, 32),
    ("schema",): ({"click", "msgspec", "yaml"}, 72),
    ("resolve", SPEC): ({"click", "msgspec", "yaml"}, 99),
    ("runs",): ({"click", "msgspec", "yaml"}, 82),
    ("compile", SPEC, "--target", "kfp", "-o", "-"): ({"click", "msgspec", "yaml"}, 155),
    ("compile", SPEC, "--target", "kfp-dsl", "-o", "-"): (
        {"click", "msgspec", "yaml", "jinja2", "markupsafe"},
        170,
    ),
    ("compile", SPEC, "--target", "argo", "-o", "-"): ({"click", "msgspec", "yaml"}, 145),
}


@pytest.mark.parametrize("arguments", NEEDS, ids=" ".join)
def test_each_command_imports_what_it_needs(arguments: tuple[str, ...]) -> None:
    loaded = modules(*arguments)
    others = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names
    # What the interpreter, an editable install and compiled modules bring along.
    own = {"compiler", "__main__", "cython_runtime", "sitecustomize", "typing_extensions"}
    needed, most = NEEDS[arguments]
    assert {name for name in others - own if not name.startswith("_")} == needed
    assert sum(name.partition(".")[0] == "compiler" for name in loaded) <= most
