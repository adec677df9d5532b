"""The rounds of fixing, with rules of the test's own beside the real checks."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_cases import mlc

from compiler import frontend
from compiler.commands import changes
from compiler.commands.changes import Change
from compiler.commands.checking import Checked, check
from compiler.commands.fixes import Mended, Texts, mend
from compiler.diagnostics import Diagnostic, Edit, Fix, MlcError, error
from compiler.nodes import SourceFile

SPEC = """\
apiVersion: mlc/v1
kind: Algorithm
name: demo
image: python:3.12
params: {word: hello, n: 1}
steps:
  one:
    command: [sh, -c, 'echo ${{ params.word }} twice ${{ params.word }}']
  two:
    command: [echo, "${{ params.wrod }}", "${{ params.n }}"]
"""
MENDED = """\
  one:
    env:
      WORD: "${{ params.word }}"
    command: [sh, -c, 'echo "$WORD" twice "$WORD"']
  two:
    command: [echo, "${{ params.word }}", "${{ params.n }}"]
"""
Rule = Callable[[SourceFile], Iterator[Diagnostic]]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mlc.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(text: str, *rules: Rule) -> tuple[str, Mended]:
    """The text after its fixes, with rules beside those of mlc."""
    Path("spec.yaml").write_text(text, newline="")

    def with_rules(spec: str, texts: Texts) -> Checked:
        checked = check(frontend.read(Path(spec), unsaved=texts))
        file = checked.loaded.sources["spec.yaml"]
        # The rules stand in for this one.
        own = [found for found in checked.loaded.diagnostics if found.code != "MLC440"]
        checked.loaded.diagnostics[:] = own
        checked.loaded.diagnostics.extend(found for rule in rules for found in rule(file))
        return checked

    mended = mend(["spec.yaml"], with_rules, lambda _: [])
    changed = list(mended.changes.values())
    return (changed[0].after if changed else text), mended


def at(file: SourceFile, words: str, new: str, start: int = 0) -> Edit:
    index = file.text.index(words, start)
    return Edit(file.span(index, index + len(words)), new)


def pasted(file: SourceFile) -> Iterator[Diagnostic]:
    """Text pasted into a program: the mending puts it into the environment, in three places."""
    line = file.text.find("[sh, -c, '")
    if "${{" not in file.text[line : file.text.find("\n", line)]:
        return
    start = file.starts[file.position(line)[0] - 1]
    first = at(file, "${{ params.word }}", '"$WORD"', line)
    second = at(file, "${{ params.word }}", '"$WORD"', file.index(*first.span[3:5]))
    env = Edit(file.span(start, start), '    env:\n      WORD: "${{ params.word }}"\n')
    fix = Fix("hand it over by the environment", (second, env, first))
    yield error("MLC408", "text pasted into a program", first.span, fix=fix)


def test_a_fix_of_several_edits_is_made_whole() -> None:
    text, mended = run(SPEC, pasted)
    assert text.partition("steps:\n")[2] == MENDED
    assert mended.fixed == 2
    assert mended.checked["spec.yaml"].loaded.diagnostics == []


def test_a_fix_of_several_edits_has_the_line_ends_of_the_file() -> None:
    text, _ = run(SPEC.replace("\n", "\r\n"), pasted)
    assert "WORD" in text
    assert text.count("\n") == text.count("\r\n") == SPEC.count("\n") + 2


def each_alone(file: SourceFile) -> Iterator[Diagnostic]:
    """The same said of two places that touch, each with a fix of its own."""
    for found in re.finditer(r"\$\{\{ params\.word \}\}", file.text):
        span = file.span(*found.span())
        yield error("MLC408", "pasted", span, fix=Fix("", (Edit(span, "$WORD"),)))


def test_what_touches_is_mended_at_once() -> None:
    spec = SPEC.replace(" twice ", "").replace("wrod", "n")
    text, mended = run(spec, each_alone)
    assert "'echo $WORD$WORD'" in text
    assert mended.fixed == 2


def breaks_the_file(file: SourceFile) -> Iterator[Diagnostic]:
    if "name: demo" in file.text:
        edit = at(file, "name: demo", "name: [demo")
        yield error("MLC107", "a bad name", edit.span, fix=Fix("", (edit,)))


def does_nothing(file: SourceFile) -> Iterator[Diagnostic]:
    edit = at(file, "image", "image")
    yield error("MLC108", "bad whatever is done", edit.span, fix=Fix("", (edit,)))


def doubles_a_key(file: SourceFile) -> Iterator[Diagnostic]:
    if "kind" in file.text:
        edit = at(file, "kind", "name")
        yield error("MLC107", "a bad key", edit.span, fix=Fix("", (edit,)))


@pytest.mark.parametrize("rule", [breaks_the_file, does_nothing, doubles_a_key])
def test_a_fix_that_does_not_mend_is_taken_back_alone(rule: Rule) -> None:
    text, mended = run(SPEC, rule, pasted)
    assert mended.fixed == 2
    assert 'WORD: "${{ params.word }}"' in text
    assert "params.wrod" not in text
    assert all(line in text for line in ("kind: Algorithm", "name: demo", "image: python:3.12"))
    assert len(mended.checked["spec.yaml"].loaded.diagnostics) == 1


def swings(file: SourceFile) -> Iterator[Diagnostic]:
    words = ("python:3.12", "python:3.13")
    here, there = words if words[0] in file.text else words[::-1]
    edit = at(file, here, there)
    yield error("MLC104", f"not {here}", edit.span, fix=Fix("", (edit,)))


def test_fixes_that_undo_each_other_come_to_an_end() -> None:
    text, _ = run(SPEC, swings)
    assert "params.wrod" not in text


def test_fixes_of_what_is_in_each_others_way_come_in_rounds() -> None:
    def outer(file: SourceFile) -> Iterator[Diagnostic]:
        if "wrod" not in file.text and "[echo, " in file.text:
            edit = at(file, "[echo, ", "[printf, ")
            yield error("MLC104", "no echo", edit.span, fix=Fix("", (edit,)))

    text, mended = run(SPEC, outer)
    assert '[printf, "${{ params.word }}", "${{ params.n }}"]' in text
    assert mended.fixed == 2


def test_nothing_is_written_when_a_file_changed_meanwhile(project: Path) -> None:
    one, two = project / "one.yaml", project / "two.yaml"
    one.write_text("a\n")
    two.write_text("changed\n")
    planned = {one: Change("one.yaml", "a\n", "b\n"), two: Change("two.yaml", "a\n", "b\n")}
    with pytest.raises(MlcError, match=r"two\.yaml has changed"):
        changes.write(planned)
    assert one.read_text() == "a\n"


def test_permissions_stay(project: Path) -> None:
    spec = project / "spec.yaml"
    spec.write_text(SPEC)
    spec.chmod(0o640)
    assert mlc(project, "validate", "--fix", "spec.yaml").returncode == 0
    assert stat.S_IMODE(spec.stat().st_mode) == 0o640
    assert sorted(p.name for p in project.iterdir()) == ["mlc.toml", "spec.yaml"]


def test_a_link_in_the_project_is_followed_and_stays_one(project: Path) -> None:
    (project / "real").mkdir()
    (project / "real/spec.yaml").write_text(SPEC)
    (project / "spec.yaml").symlink_to("real/spec.yaml")
    assert mlc(project, "validate", "--fix", "spec.yaml").returncode == 0
    assert (project / "spec.yaml").is_symlink()
    assert "params.wrod" not in (project / "real/spec.yaml").read_text()


@pytest.mark.parametrize("command", [["validate", "--fix"], ["fmt"]], ids=" ".join)
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_link_out_of_the_project_is_left_alone(
    project: Path, command: list[str], kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    messy = SPEC.replace("kind: Algorithm\n", "").replace("steps:", "kind:   Algorithm\nsteps:")
    (outside / "spec.yaml").write_text(messy)
    if kind == "file":
        (project / "spec.yaml").symlink_to(outside / "spec.yaml")
        named = "spec.yaml"
    else:
        (project / "link").symlink_to(outside)
        named = "link/spec.yaml"
    done = mlc(project, *command, named)
    assert done.returncode == 1
    assert b"leads out of the project" in done.stderr
    assert (outside / "spec.yaml").read_text() == messy


def test_the_projects_configuration_is_never_changed(project: Path) -> None:
    config = "[gpus.t4]\nresorce = 'nvidia.com/gpu'\n"
    (project / "mlc.toml").write_text(config)
    (project / "spec.yaml").write_text(SPEC)
    done = mlc(project, "validate", "--fix", "spec.yaml")
    assert b"resorce" in done.stderr
    assert (project / "mlc.toml").read_text() == config


def test_the_diff_and_the_fixed_text_need_stdout(project: Path) -> None:
    for options in (["--diff", "--format", "json"], ["--fix", "-", "--format", "json"]):
        assert mlc(project, "validate", *options).returncode == 2
