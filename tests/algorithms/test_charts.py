"""Charts are well-formed SVG that shows what it was given."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.charts import (
    Frame,
    element,
    heat_map,
    histogram,
    intervals,
    padded,
    pixels,
    scatter,
    ticks,
)


def of_kind(svg: str, name: str, kind: str) -> list[ElementTree.Element]:
    """The elements of a chart by name and by one of its classes."""
    root = ElementTree.fromstring(svg)
    return [e for e in root.iter(name) if kind in e.get("class", "").split()]


def test_elements_escape_text_and_attributes() -> None:
    written = element("text", "a < b & c", aria_label='say "x"', class_="note", x=1.0)
    read = ElementTree.fromstring(written)
    assert read.text == "a < b & c"
    assert read.attrib == {"aria-label": 'say "x"', "class": "note", "x": "1"}


def test_elements_keep_elements() -> None:
    assert element("g", element("title", "<&>")) == "<g><title>&lt;&amp;&gt;</title></g>"


def test_heat_map_has_a_cell_for_each_pair() -> None:
    svg = heat_map([[8, 2, 0], [1, 9, 0], [0, 0, 0]], ["a", "b", "c<"])
    counts = [e.text for e in of_kind(svg, "text", "count")]
    assert counts == ["8", "2", "·", "1", "9", "·", "·", "·", "·"]
    assert len(of_kind(svg, "rect", "right")) == 3
    wrong = [float(e.get("fill-opacity", "")) for e in of_kind(svg, "rect", "wrong")]
    assert wrong[0] == max(wrong) and wrong[0] > wrong[2] > wrong[1]
    assert "a, predicted b: 2 of 10" in svg


def test_heat_map_of_one_label() -> None:
    assert len(of_kind(heat_map([[3]], ["only"]), "rect", "right")) == 1


def test_histogram_stacks_wrong_on_right() -> None:
    svg = histogram([0, 4], [1, 2], (0.5, 1.0), ("chance", "documents"))
    (right,) = of_kind(svg, "rect", "right")
    _, above = of_kind(svg, "rect", "wrong")
    bottom = float(above.get("y", "")) + float(above.get("height", ""))
    assert bottom == pytest.approx(float(right.get("y", "")), abs=0.02)
    assert float(right.get("height", "")) == pytest.approx(
        2 * float(above.get("height", "")), abs=0.02
    )


def test_histogram_of_nothing() -> None:
    svg = histogram([0, 0], [0, 0], (0, 1), ("chance", "documents"))
    assert not of_kind(svg, "rect", "right")


def test_scatter_marks_the_bad_points() -> None:
    svg = scatter([(1, 5), (2, -5), (3, 0)], [True, False, True], ("x", "y"), level=0)
    assert len(of_kind(svg, "circle", "right")) == 2
    (wrong,) = of_kind(svg, "circle", "wrong")
    (level,) = of_kind(svg, "line", "level")
    assert float(wrong.get("cy", "")) > float(level.get("y1", ""))  # downwards on the screen


def test_intervals_mark_truths_outside() -> None:
    svg = intervals([(0, 2), (1, 3)], [1, 9], ("patients", "truth"))
    assert len(of_kind(svg, "line", "right")) == 1
    (missed,) = of_kind(svg, "line", "wrong")
    (dot,) = of_kind(svg, "circle", "wrong")
    assert float(dot.get("cy", "")) < float(missed.get("y2", ""))


def test_pixels_draw_ink_only() -> None:
    cells = of_kind(pixels([[0, 1], [0.5, 0]], "a digit"), "rect", "ink")
    places = [(e.get("x"), e.get("y"), e.get("opacity")) for e in cells]
    assert places == [("10", "0", "1"), ("0", "10", "0.5")]


finite = st.floats(-1e9, 1e9)


@given(finite, st.floats(1e-6, 1e9))
def test_ticks_are_evenly_spread_within_the_range(low: float, length: float) -> None:
    high = low + length
    found = ticks(low, high)
    slack = 1e-9 * max(abs(low), abs(high)) + 1e-6 * length
    assert all(low - slack <= tick <= high + slack for tick in found)
    assert 2 <= len(found) <= 7 or length < 1e-5 * abs(low)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-100, 140, [-100, -50, 0, 50, 100]),
        (0.2, 1, [0.2, 0.4, 0.6, 0.8, 1]),
        (0, 0.006, [0, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: Sequence[float]) -> None:
    assert ticks(low, high) == expected


@given(st.lists(finite, min_size=1))
def test_padded_leaves_room(values: list[float]) -> None:
    low, high = padded(values)
    assert low < min(values) and high > max(values)


def test_a_frame_maps_ends_to_its_edges() -> None:
    frame = Frame((10, 20), (0, 1), width=200, height=100, left=50, bottom=40)
    assert (frame.across(10), frame.across(20)) == (50, 188)
    assert (frame.up(0), frame.up(1)) == (60, 12)
