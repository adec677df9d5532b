"""`mlc explain`, and the page that it prints: made of the specs that show each finding."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from compiler.codes import CODES
from compiler.commands.explain import counts, examples

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/codes.md"
CASES = sorted((ROOT / "tests/diagnostics").iterdir())
HEAD = """\
# Findings

Every finding has a code that never changes. `mlc explain CODE` prints what stands here. Each
example is what `mlc validate` says of a spec in the tests.
"""


def rank(example: str) -> tuple[bool, int]:
    """The best example says how to mend it, in few words."""
    return "= help:" not in example, len(example)


def page() -> str:
    shown: dict[str, str] = {}
    for case in CASES:
        said = (case / "expected.txt").read_text()
        for block in re.split(r"\n(?=(?:error|warning|note)\[MLC)", f"\n{said}")[1:]:
            code = block.partition("[")[2].partition("]")[0]
            example = re.split(r"^(?:\d+ spec|more about|--fix can)", block, flags=re.M)[0].strip(
                "\n"
            )
            if code not in shown or rank(example) < rank(shown[code]):
                shown[code] = example
    parts = [HEAD]
    for code, about in CODES.items():
        parts.append(f"## {code}: {about}\n\n")
        parts.append(f"```text\n{shown[code]}\n```\n\n" if code in shown else "")
        parts.append(f"{counts(code)}\n")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts))


def test_the_page_shows_what_is_said(update_golden: bool) -> None:
    if update_golden:
        PAGE.write_text(page())
    assert PAGE.read_text() == page()


def mlc(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "compiler", "explain", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("written", ["MLC301", "mlc301", "301"])
def test_a_code_is_explained_however_it_is_written(written: str) -> None:
    done = mlc(written)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("MLC301: unknown step\nAn error of the language")
    assert "= help: did you mean" in done.stdout


def test_every_code_that_validate_finds_has_an_example() -> None:
    missing = set(CODES) - examples().keys()
    assert all(
        code.startswith(("MLC001", "MLC01", "MLC309", "MLC310", "MLC70", "MLC8"))
        for code in missing
    )


def test_json_and_the_list() -> None:
    found = json.loads(mlc("MLC603", "--format", "json").stdout)
    assert found["code"] == "MLC603"
    assert "shm" in found["example"]
    listed = mlc().stdout
    assert all(f"  {code}  {about}\n" in listed for code, about in CODES.items())


def test_an_unknown_code_is_named_with_the_nearest() -> None:
    done = mlc("MLC3O9x")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mlc: there is no code `MLC3O9x`: did you mean MLC3")
    assert mlc("nope").stderr.startswith("mlc: there is no code `nope`: codes stand before")
