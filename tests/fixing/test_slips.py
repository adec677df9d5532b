"""Specs with slips of the keyboard: fixes make none worse, and once made none are left."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compiler import frontend
from compiler.commands.checking import Checked, check
from compiler.commands.fixes import Mended, Texts, mend
from compiler.layout.pieces import comments
from compiler.layout.pieces import parse as pieces
from compiler.nodes import SourceFile
from compiler.source import parse

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("algorithms", "tests/conformance/cases", "tests/fixing/cases")
TEXTS = [path.read_text() for f in FOLDERS for path in sorted((ROOT / f).rglob("*.yaml"))]
KEYS = "abz_-:\"' {}[]$#\n,0&*!|"
PLACE = st.integers(0, 100_000)
SLIP = st.tuples(st.sampled_from(["drop", "swap", "type", "copy"]), PLACE, PLACE)


def slipped(text: str, kind: str, one: int, other: int) -> str:
    at = one % (len(text) + 1)
    match kind:
        case "drop":
            return text[:at] + text[at + 1 :]
        case "swap":
            return text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]
        case "type":
            return text[:at] + KEYS[other % len(KEYS)] + text[at:]
    start = other % (len(text) + 1)
    return text[:at] + text[start : start + other % 40] + text[at:]


def fixed(text: str) -> tuple[str, Mended]:
    Path("spec.yaml").write_text(text, newline="")

    def again(spec: str, texts: Texts) -> Checked:
        return check(frontend.read(Path(spec), unsaved=texts))

    mended = mend(["spec.yaml"], again, lambda _: [])
    changed = list(mended.changes.values())
    return (changed[0].after if changed else text), mended


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.sampled_from(TEXTS), slips=st.lists(SLIP, min_size=1, max_size=5))
def test_fixes_make_nothing_worse(
    text: str, slips: list[tuple[str, int, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for slip in slips:
        text = slipped(text, *slip)
    new, mended = fixed(text)
    assert fixed(new)[1].changes == {}
    root, found = parse(SourceFile("", text))
    if root is None or not mended.changes:
        return
    again, left = parse(SourceFile("", new))
    assert again is not None
    assert len(left) <= len(found)
    if not found and "ignore[" not in text:
        assert comments(new, pieces(new)) == comments(text, pieces(text))
