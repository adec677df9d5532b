"""Comments that take findings away: where they are found, what they are about, their use."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from test_cli import mlc

from compiler import frontend
from compiler.diagnostics import Diagnostic, Span, warning
from compiler.git import UNKNOWN
from compiler.ignores import read, settle, unused
from compiler.nodes import SourceFile
from compiler.settings import Policy

HEAD = "apiVersion: mlc/v1\nkind: {kind}\nname: {name}\n"
STEP = "command: ['true']\n{indent}resources: {{memory: 1Gi, shm: 2Gi}}{comment}\n"
IGNORE = "  # mlc: ignore[MLC603] it is never filled"


def lines(text: str) -> list[tuple[int, int]]:
    return [ignore.lines for ignore in read(SourceFile("a.yaml", text))[0]]


def spec(name: str = "demo", *, kind: str = "Algorithm", comment: str = "") -> str:
    head = HEAD.format(kind=kind, name=name) + "image: python:3.12\n"
    if kind == "Component":
        return head + STEP.format(indent="", comment=comment)
    return head + "steps:\n  one:\n    " + STEP.format(indent="    ", comment=comment)


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("a: 1 # mlc: ignore[MLC603] x", [(1, 1)]),
        ("# mlc: ignore[MLC603] x\n\n# more\na: 1", [(4, 4)]),
        ("# mlc: ignore[MLC603] x\r\n# mlc: ignore[MLC410] y\r\na: 1", [(3, 3), (3, 3)]),
        ("a: |  # mlc: ignore[MLC603] x\n  b\n  c\nd: 1", [(1, 3)]),
        ("# mlc: ignore[MLC603] x\na: >-\n  b\n  c\nd: 1", [(2, 4)]),
        ("a: |\n  # mlc: ignore[MLC603] x\n", []),
        ("a: |\n  b\n# mlc: ignore[MLC603] x\nc: 1", [(4, 4)]),
        ("a: '\n # mlc: ignore[MLC603] x'", []),
        ('a: "b # mlc: ignore[MLC603] x"', []),
        ("a: b# mlc: ignore[MLC603] x", []),
        ("a: b # see # mlc: ignore[MLC603] x", [(1, 1)]),
        ("a: 1 #mlc:ignore[MLC603]: x", [(1, 1)]),
        ("a: [1, # mlc: ignore[MLC603] x\n 2]", [(1, 1)]),
        ("- é𝒳 # mlc: ignore[MLC603] x", [(1, 1)]),
        ("a: b\n  c # mlc: ignore[MLC603] x", [(2, 2)]),
    ],
)
def test_comments_are_found_and_text_is_not(text: str, about: list[tuple[int, int]]) -> None:
    assert lines(text) == about


WORD = "# mlc: ignore[MLC603] x"
VALUES = st.recursive(
    st.sampled_from(["a", WORD, f"a {WORD}", f"a\n{WORD}\n", f"'{WORD}", f'"\\ {WORD}', ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)


@given(VALUES, st.booleans(), st.sampled_from([10, 30, 4000]))
def test_no_value_is_taken_for_a_comment(value: object, flow: bool, width: int) -> None:
    """However ruamel.yaml writes it: quoted, folded, as a block."""
    import io

    yaml = YAML(typ=["rt", "string"])
    yaml.width = width
    yaml.default_flow_style = flow
    stream = io.StringIO()
    yaml.dump({"root": value}, stream)
    assert lines(stream.getvalue()) == []
    assert lines(stream.getvalue() + f"last: 1 {WORD}") == [
        (stream.getvalue().count("\n") + 1,) * 2
    ]


def test_a_finding_of_many_lines_is_ignored_at_each() -> None:
    file = SourceFile("a.yaml", "a: b\n  c # mlc: ignore[MLC603] x\nd: 1\n")
    found = warning("MLC603", "m", Span("a.yaml", 1, 4, 2, 4))
    kept, used = settle([found], Policy(), [file])
    assert (kept, [span.line for span in used]) == ([], [2])
    assert list(unused(file, used, Policy())) == []
    elsewhere = warning("MLC603", "m", Span("a.yaml", 3, 1, 3, 2))
    assert settle([elsewhere], Policy(), [file]).diagnostics == [elsewhere]
    other_file = warning("MLC603", "m", Span("b.yaml", 2, 1, 2, 2))
    assert settle([other_file], Policy(), [file]).diagnostics == [other_file]


def test_many_comments_and_findings_are_matched_line_by_line() -> None:
    """As many as fit into the largest file; comparing each with each would take minutes."""
    count = 20_000
    file = SourceFile("a.yaml", f"a: 1 {WORD}\n".replace("a:", "- a:") * count)
    found = [warning("MLC603", "m", Span("a.yaml", n, 1, n, 2)) for n in range(1, count + 1)]
    kept, used = settle(found, Policy(), [file])
    assert (kept, len(used)) == ([], count)
    stacked = SourceFile("b.yaml", f"{WORD}\n" * count + "a: 1\n")
    assert set(lines(stacked.text)) == {(count + 1, count + 1)}


def test_taking_an_unused_ignore_out_leaves_the_rest() -> None:
    text = f"# one\n  {WORD}\na: 1 # b {WORD}\r\nc: 2\n"
    file = SourceFile("a.yaml", text)
    edits = [d.fix.edits[0] for d in unused(file, (), Policy()) if d.fix]
    offsets = []
    for span, new in edits:
        start = file.starts[span.line - 1] + span.column - 1
        offsets.append((start, file.starts[span.end_line - 1] + span.end_column - 1, new))
    for start, end, new in sorted(offsets, reverse=True):
        text = text[:start] + new + text[end:]
    assert text == "# one\na: 1 # b\r\nc: 2\n"


def test_ignores_in_other_files_count_there(tmp_path: Path) -> None:
    """What a base or a component ignores is ignored for all that build on it."""
    (tmp_path / "base.yaml").write_text(
        "apiVersion: mlc/v1\nkind: Base\nresources: {memory: 1Gi, shm: 2Gi}" + IGNORE + "\n"
    )
    (tmp_path / "part.yaml").write_text(spec("part", kind="Component", comment=IGNORE))
    (tmp_path / "spec.yaml").write_text(
        HEAD.format(kind="Algorithm", name="demo")
        + "extends: base.yaml\nimage: python:3.12\nsteps:\n  one: {command: ['true']}\n"
        + "  two: {use: part.yaml}\n"
    )
    (tmp_path / "mlc.toml").write_text("")
    for paths in (["."], ["spec.yaml"], ["base.yaml"], ["part.yaml"]):
        done = mlc(tmp_path, "validate", *paths)
        assert "nothing wrong" in done.stderr, done.stderr
    (tmp_path / "part.yaml").write_text(spec("part", kind="Component"))
    assert mlc(tmp_path, "validate", "spec.yaml").stderr.count("warning[MLC603]") == 1


def test_a_finding_of_a_profile_uses_an_ignore(tmp_path: Path) -> None:
    profiles = "profiles:\n  big:\n    steps:\n      one:\n        resources:\n          shm: 9Gi"
    text = spec().replace("shm: 2Gi", "shm: 1Gi") + profiles
    (tmp_path / "spec.yaml").write_text(text)
    assert "--> spec.yaml:14:16" in mlc(tmp_path, "validate", "spec.yaml").stderr
    (tmp_path / "spec.yaml").write_text(text + IGNORE)
    assert "nothing wrong" in mlc(tmp_path, "validate", "spec.yaml").stderr


def test_compile_takes_ignores_and_does_not_look_for_unused_ones(tmp_path: Path) -> None:
    (tmp_path / "mlc.toml").write_text("")
    (tmp_path / "spec.yaml").write_text(spec(comment=IGNORE) + f"labels: {{a: b}}{IGNORE}\n")
    done = mlc(tmp_path, "compile", "spec.yaml", "--target", "argo")
    assert done.returncode == 0
    assert "MLC603" not in done.stderr
    assert "MLC933" not in done.stderr
    assert "MLC933" in mlc(tmp_path, "validate", "spec.yaml").stderr


def test_unused_ignores_can_be_made_errors(tmp_path: Path) -> None:
    (tmp_path / "mlc.toml").write_text('[policy.severity]\nMLC933 = "error"\n')
    (tmp_path / "spec.yaml").write_text(spec().replace("shm: 2Gi", "shm: 1Gi") + WORD + "\n")
    done = mlc(tmp_path, "validate", "spec.yaml")
    assert (done.returncode, done.stderr.count("error[MLC933]")) == (1, 1)


def test_standard_input_may_ignore(tmp_path: Path) -> None:
    done = mlc(tmp_path, "validate", "-", stdin=spec(comment=IGNORE))
    assert done.stderr == "1 spec checked, nothing wrong\n"


PIECES = [WORD, " # mlc: ignore[", "# mlc:", "\n# mlc: ignore[MLC6O3, MLC301] why\n", "|", ">-\n"]
PIECES += ['"', "'", "#", "\r", "- ", ": ", "{", "]", "mlc: ignore MLC603 why"]


def found_in(text: str, folder: Path) -> tuple[list[Diagnostic], dict[str, SourceFile]]:
    document = frontend.read(folder / "spec.yaml", "spec.yaml", text.encode())
    loaded = frontend.build(document, git=UNKNOWN)
    return [*loaded.diagnostics, *frontend.unused_ignores(document, loaded.ignored)], loaded.sources


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from(PIECES)), min_size=1, max_size=5))
def test_fixes_of_comments_mend_what_they_are_for(pieces: list[tuple[float, str]]) -> None:
    """Whatever else is wrong, and wherever in the file it stands."""
    folder, text = Path(__file__).parent, spec(comment=IGNORE)
    for where, piece in pieces:
        at = round(where * len(text))
        text = text[:at] + piece + text[at:]
    found, sources = found_in(text, folder)
    for diagnostic in found:
        if not diagnostic.code.startswith("MLC93") or diagnostic.fix is None:
            continue
        file, (edit,) = sources["spec.yaml"], diagnostic.fix.edits
        start, end = (
            file.starts[line - 1] + column - 1
            for line, column in ((edit.span.line, edit.span.column), edit.span[3:])
        )
        mended, _ = found_in(file.text[:start] + edit.text + file.text[end:], folder)
        same = [[d.message for d in f if d.code == diagnostic.code] for f in (found, mended)]
        assert same[0].count(diagnostic.message) > same[1].count(diagnostic.message)
