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
