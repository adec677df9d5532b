"""`mlc explain`, and the pages that it prints: all that they show is run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from compiler.codes import CODES
from compiler.commands.explain import GROUPS, counts
from compiler.pages import Example, Page, parse

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs/codes"
INDEX = ROOT / "docs/codes.md"
HEAD = """\
# Findings

Every finding has a code that never changes. Its page says why it matters and shows a bad and a good
example, both run by the tests; `mlc explain CODE` prints it, `mlc explain WORD` finds it.
"""
FOUND = re.compile(r"^(?:error|warning|note)\[(MLC\d+)\]", re.MULTILINE)


def kind(code: str) -> str:
    return re.split(r"[.:;,]", counts(code))[0].lower()


def index() -> str:
    parts = [HEAD]
    for start, title in GROUPS.items():
        parts.append(
            f"## {title[0].upper()}{title[1:]}\n\n| code | what is found | |\n|---|---|---|"
        )
        own = (code for code in CODES if code.startswith(start))
        parts += [f"| [{code}](codes/{code}.md) | {CODES[code]} | {kind(code)} |" for code in own]
        parts.append("")
    return "\n".join(parts)


def read(code: str) -> Page:
    return parse((PAGES / f"{code}.md").read_text())


def play(commands: list[str], files: dict[str, str], folder: Path) -> tuple[str, int]:
    """The session of some commands beside these files, and how the last one ended.

    What counts specs and points here at the end is left out.
    """
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    own = Path(sys.executable).parent
    environment = {"PATH": f"{own}:{os.environ['PATH']}", "HOME": str(folder), "LANG": "C.UTF-8"}
    session, code = "", 0
    for command in commands:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        said = re.split(r"^\n?(?:\d+ specs? checked|more about)", done.stdout, flags=re.MULTILINE)
        session += f"$ {command}\n{said[0].replace(str(folder), '/project')}"
        code = done.returncode
    return session, code


def rewritten(text: str, old: Example, new: str) -> str:
    before, after = f"```console\n{old.session}```", f"```console\n{new}```"
    assert text.count(before) == 1
    return text.replace(before, after)


def test_there_is_a_page_for_every_code() -> None:
    assert sorted(path.stem for path in PAGES.iterdir()) == sorted(CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_page_says_why(code: str) -> None:
    page = read(code)
    assert page.title == f"{code}: {CODES[code]}"
    assert 80 <= len(page.why) <= 600
    assert 2 <= len(re.findall(r"[.:!?](?:\s+[A-Z`]|$)", page.why)) <= 6


@pytest.mark.parametrize("code", CODES)
def test_the_bad_example_gives_what_is_shown(
    code: str, tmp_path: Path, update_golden: bool
) -> None:
    page = read(code)
    session, _ = play(page.bad.commands, page.bad.files, tmp_path)
    if update_golden:
        path = PAGES / f"{code}.md"
        path.write_text(rewritten(path.read_text(), page.bad, session))
        page = read(code)
    assert page.bad.session == session
    assert code in FOUND.findall(session)
    assert "Traceback" not in session


@pytest.mark.parametrize("code", CODES)
def test_the_good_example_gives_nothing(code: str, tmp_path: Path) -> None:
    page = read(code)
    commands = page.good.commands or page.bad.commands
    session, ended = play(commands, page.bad.files | page.good.files, tmp_path)
    assert FOUND.findall(session) == []
    assert ended == 0, session
    assert page.good.files != page.bad.files or page.good.commands


def test_the_index_lists_all(update_golden: bool) -> None:
    if update_golden:
        INDEX.write_text(index())
    assert INDEX.read_text() == index()


def mlc(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "compiler", "explain", *arguments]
    environment = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "NO_COLOR")}
    environment |= {"COLUMNS": "80"} | variables
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("written", ["MLC301", "mlc301", "301"])
def test_a_code_is_explained_however_it_is_written(written: str) -> None:
    done = mlc(written)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("MLC301: unknown step\n\nAn error of the language")
    assert "= help: did you mean" in done.stdout
    assert "\x1b" not in done.stdout


def test_prose_is_as_wide_as_the_terminal() -> None:
    prose = mlc("MLC301", COLUMNS="60").stdout.split("\nBad:\n")[0]
    assert 40 < max(len(line) for line in prose.splitlines()) <= 60
    why = re.sub(r"\s+", " ", prose).strip()
    assert why.endswith(re.sub(r"\s+", " ", read("MLC301").why))


def test_on_a_terminal_heads_stand_out() -> None:
    plain, coloured = mlc("MLC603").stdout, mlc("MLC603", FORCE_COLOR="1").stdout
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    assert "\x1b[1;33mwarning[MLC603]\x1b[0m: `shm`" in coloured


def test_json_has_the_whole_page() -> None:
    found = json.loads(mlc("MLC603", "--format", "json").stdout)
    page = read("MLC603")
    assert (found["code"], found["why"]) == ("MLC603", page.why)
    assert found["bad"] == page.bad.files
    assert found["good"] == page.bad.files | page.good.files
    assert found["commands"] == ["mlc validate spec.yaml"]
    assert found["output"].startswith("warning[MLC603]: ")


def test_the_list_has_all_codes() -> None:
    listed = mlc().stdout
    assert all(f"  {code}  {about}\n" in listed for code, about in CODES.items())


def test_an_unknown_code_is_told_with_those_of_its_kind() -> None:
    done = mlc("MLC3O9x")
    assert (done.returncode, done.stdout) == (2, "")
    head, *listed = done.stderr.splitlines()
    assert head == "mlc: there is no code `MLC3O9x`; codes about names and what they lead to are"
    assert listed == [f"  {c}  {about}" for c, about in CODES.items() if c.startswith("MLC30")]
    head, *listed = mlc("999").stderr.splitlines()
    assert head.endswith("codes about the project: configuration, policy, ignores are")
    assert listed == [f"  {c}  {about}" for c, about in CODES.items() if c.startswith("MLC9")]


def test_words_find_the_pages_that_have_them() -> None:
    assert mlc("cycle").stdout == mlc("MLC320").stdout
    found = mlc("cron").stdout.splitlines()
    assert f"  MLC205  {CODES['MLC205']}" in found
    assert 1 < len(found) <= 10
    assert mlc("shared", "memory").stdout.startswith(f"  MLC603  {CODES['MLC603']}\n")
    assert json.loads(mlc("cron", "--format", "json").stdout)["MLC205"] == CODES["MLC205"]


def test_words_that_no_page_has_are_told() -> None:
    done = mlc("cylce")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("no page has it: did you mean `cycle`?\n")
    assert "codes stand before what is found" in mlc("qqqqqqq").stderr
