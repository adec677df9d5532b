"""Edits made in a text, and which fixes can be made together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.diagnostics import Edit, Fix, Span
from compiler.edits import apart, apply
from compiler.nodes import SourceFile

TEXT = "a: 1\nbb: [x, y]\n\nc: é\n"


def edit(start: int, end: int, new: str, text: str = TEXT, path: str = "f") -> Edit:
    return Edit(SourceFile(path, text).span(start, end), new)


def test_edits_are_made_by_place_whatever_their_order() -> None:
    edits = [edit(9, 10, "longer"), edit(0, 1, "A"), edit(12, 13, ""), edit(5, 5, "new: 0\n")]
    expected = "A: 1\nnew: 0\nbb: longer" + TEXT[10:12] + TEXT[13:]
    assert apply(TEXT, edits).text == expected
    assert apply(TEXT, reversed(edits)).text == expected


def test_new_lines_end_as_the_text_does() -> None:
    windows = TEXT.replace("\n", "\r\n")
    done = apply(windows, [edit(0, 0, "x: 1\ny: 2\n", windows)])
    assert done.text == "x: 1\r\ny: 2\r\n" + windows


def test_overlapping_edits_are_a_bug() -> None:
    with pytest.raises(ValueError, match="overlap"):
        apply(TEXT, [edit(0, 4, "x"), edit(3, 5, "y")])


@given(st.data())
def test_places_move_with_the_text(data: st.DataObject) -> None:
    """A range that no edit touches has the same text afterwards, at the place that is told."""
    text = data.draw(st.text("ab\n\r\u00e9", min_size=1, max_size=30))
    # No place of a line and a column lies within a line's end.
    within = {index for index in range(1, len(text)) if text[index - 1 : index + 1] == "\r\n"}
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), min_size=2, max_size=8)) - within)
    ranges = list(zip(cuts[::2], cuts[1::2], strict=False))
    chosen = data.draw(st.lists(st.booleans(), min_size=len(ranges), max_size=len(ranges)))
    new = data.draw(st.lists(st.text("xy", max_size=4), min_size=len(ranges), max_size=len(ranges)))
    edits = [
        edit(start, end, words, text)
        for (start, end), words, take in zip(ranges, new, chosen, strict=True)
        if take
    ]
    done = apply(text, edits)
    for (start, end), words, take in zip(ranges, new, chosen, strict=True):
        now = done.place(start, end)
        assert done.text[now[0] : now[1]] == (words if take else text[start:end])


def fix(*edits: Edit) -> Fix:
    return Fix("", edits)


def test_of_two_fixes_in_one_place_the_first_is_made() -> None:
    first = fix(edit(0, 1, "A"), edit(9, 10, "z"))
    inside = fix(edit(8, 12, "q"))
    beside = fix(edit(1, 2, " ="))
    elsewhere = fix(edit(0, 1, "A", path="other"))
    assert apart([inside, beside, first, elsewhere]) == [first, beside, elsewhere]


def test_lines_at_one_place_come_one_after_the_other() -> None:
    one, two = fix(edit(0, 0, "apiVersion: mlc/v1\n")), fix(edit(0, 0, "kind: Algorithm\n"))
    assert apart([two, one]) == [one]


def test_spans_of_other_line_ends_count_alike() -> None:
    span = Span("f", 2, 1, 2, 3)
    for end in ("\n", "\r\n", "\r"):
        text = TEXT.replace("\n", end)
        assert apply(text, [Edit(span, "zz")]).text == text.replace("bb", "zz")
