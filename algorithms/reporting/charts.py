"""Charts as SVG text. Sizes are in pixels of the view box; the page scales the picture."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

Interval = tuple[float, float]


def element(name: str, *children: str | Markup, **attributes: object) -> Markup:
    """One element, its text and attributes escaped.

    A final `_` is dropped from attribute names (`class_`) and the others become dashes.
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _number(value))
        for key, value in attributes.items()
    )
    body = Markup("").join(children)
    return Markup("<{}{}>{}</{}>").format(Markup(name), written, body, Markup(name))


def picture(width: float, height: float, title: str, marks: Iterable[Markup]) -> Markup:
    """An SVG picture that shrinks with the page but never grows; `title` is read to the blind."""
    return element(
        "svg",
        *marks,
        viewBox=f"0 0 {_number(width)} {_number(height)}",
        style=f"max-width: {_number(width)}px",
        role="img",
        aria_label=title,
    )


def heat_map(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> Markup:
    """A confusion matrix: rows are the truth, columns what was predicted.

    Right answers are shaded by their share of the row, mistakes by comparison with the most
    frequent mistake, since on the scale of the right answers they could not be told apart.
    """
    longest = max(map(len, labels))
    side, top = 18 + 7 * longest, 46
    cell_width, cell_height = max(46, 8 + 7 * longest), 50
    worst = max((n for i, row in enumerate(counts) for j, n in enumerate(row) if i != j), default=0)
    marks = [
        _text("predicted", side + cell_width * len(labels) / 2, 14, "axis-title", "middle"),
        _text("truth", 0, top - 12, "axis-title"),
    ]
    for j, label in enumerate(labels):
        marks.append(_text(label, side + cell_width * (j + 0.5), top - 12, "label", "middle"))
    for i, (label, row) in enumerate(zip(labels, counts, strict=True)):
        y = top + cell_height * i
        marks.append(_text(label, side - 12, y + cell_height / 2 + 4, "label", "end"))
        for j, count in enumerate(row):
            share = count / max(1, sum(row) if i == j else worst)
            note = f"{label}, predicted {labels[j]}: {count} of {sum(row)}"
            marks.append(
                element(
                    "g",
                    element("title", note),
                    element(
                        "rect",
                        x=side + cell_width * j + 1,
                        y=y + 1,
                        width=cell_width - 2,
                        height=cell_height - 2,
                        rx=4,
                        class_="right" if i == j else "wrong",
                        fill_opacity=0.04 + share * (0.9 if i == j else 0.6),
                    ),
                    _text(
                        str(count) if count else "·",
                        side + cell_width * (j + 0.5),
                        y + cell_height / 2 + 5,
                        "count on-fill" if i == j and share > 0.5 else "count",
                        "middle",
                    ),
                )
            )
    size = len(labels)
    return picture(side + cell_width * size, top + cell_height * size, "Confusion matrix", marks)


@dataclass(frozen=True, slots=True)
class Frame:
    """The plotting area: maps data to pixels. `x` and `y` are the ranges of the data."""

    x: Interval
    y: Interval
    width: float = 500
    height: float = 320
    left: float = 52
    bottom: float = 44

    def across(self, value: float) -> float:
        """The x of a value, to the right."""
        low, high = self.x
        return self.left + (value - low) / (high - low) * (self.width - self.left - 12)

    def up(self, value: float) -> float:
        """The y of a value, upwards."""
        low, high = self.y
        floor = self.height - self.bottom
        return floor - (value - low) / (high - low) * (floor - 12)

    def axes(self, x_title: str, y_title: str) -> list[Markup]:
        """Grid lines, tick labels and the titles of both axes."""
        floor = self.height - self.bottom
        right = self.width - 12
        marks = []
        for tick in ticks(*self.y):
            y = self.up(tick)
            marks.append(element("line", x1=self.left, x2=right, y1=y, y2=y, class_="grid"))
            marks.append(_text(f"{tick:g}", self.left - 8, y + 4, "label", "end"))
        for tick in ticks(*self.x):
            marks.append(_text(f"{tick:g}", self.across(tick), floor + 18, "label", "middle"))
        middle = (self.left + right) / 2
        marks.append(_text(x_title, middle, self.height - 6, "axis-title", "middle"))
        turned = f"translate(12 {_number((12 + floor) / 2)}) rotate(-90)"
        marks.append(
            element("text", y_title, transform=turned, class_="axis-title", text_anchor="middle")
        )
        return marks

    def picture(self, title: str, marks: Iterable[Markup]) -> Markup:
        """The finished chart."""
        return picture(self.width, self.height, title, marks)


def histogram(
    right: Sequence[int], wrong: Sequence[int], x: Interval, titles: tuple[str, str]
) -> Markup:
    """Counts in equal bins over the range `x`, the wrong answers stacked on the right ones."""
    highest = max(a + b for a, b in zip(right, wrong, strict=True))
    frame = Frame(x, (0, max(1, highest) * 1.05))
    marks = frame.axes(*titles)
    step = (x[1] - x[0]) / len(right)
    for i, (good, bad) in enumerate(zip(right, wrong, strict=True)):
        start, end = frame.across(x[0] + step * i) + 1, frame.across(x[0] + step * (i + 1)) - 1
        note = f"{x[0] + step * i:.2f} to {x[0] + step * (i + 1):.2f}: {good} right, {bad} wrong"
        bars = [
            element(
                "rect",
                x=start,
                width=end - start,
                y=frame.up(base + count),
                height=frame.up(base) - frame.up(base + count),
                class_=kind,
            )
            for kind, base, count in (("right", 0, good), ("wrong", good, bad))
            if count
        ]
        marks.append(element("g", element("title", note), *bars))
    return frame.picture(f"{titles[1]} over {titles[0]}", marks)


def scatter(
    points: Iterable[tuple[float, float]],
    good: Sequence[bool],
    titles: tuple[str, str],
    level: float,
) -> Markup:
    """Points, those that are not `good` in the colour of mistakes, and a line at height `level`."""
    placed = list(points)
    frame = Frame(
        padded(x for x, _ in placed), padded([level, *(y for _, y in placed)]), height=340
    )
    marks = frame.axes(*titles)
    at = frame.up(level)
    marks.append(element("line", x1=frame.left, x2=frame.width - 12, y1=at, y2=at, class_="level"))
    for (x, y), fine in zip(placed, good, strict=True):
        kind = "right" if fine else "wrong"
        note = element("title", f"{titles[0]} {x:.1f}, {titles[1]} {y:.1f}")
        marks.append(
            element("circle", note, cx=frame.across(x), cy=frame.up(y), r=3.5, class_=kind)
        )
    return frame.picture(f"{titles[1]} over {titles[0]}", marks)


def intervals(
    bounds: Sequence[Interval], truths: Sequence[float], titles: tuple[str, str]
) -> Markup:
    """An upright bar per interval, in the given order, and a dot where the truth is."""
    values = [*truths, *(end for bound in bounds for end in bound)]
    frame = Frame((0, len(truths) + 1), padded(values), width=1040, height=340)
    marks = frame.axes(*titles)
    thickness = max(2.0, min(8.0, 0.6 * 960 / len(truths)))
    for i, ((low, high), truth) in enumerate(zip(bounds, truths, strict=True), start=1):
        x = frame.across(i)
        kind = "right" if low <= truth <= high else "wrong"
        note = element("title", f"truth {truth:.0f}, interval {low:.0f} to {high:.0f}")
        bar = element(
            "line",
            x1=x,
            x2=x,
            y1=frame.up(low),
            y2=frame.up(high),
            class_=f"interval {kind}",
            stroke_width=thickness,
        )
        dot = element("circle", cx=x, cy=frame.up(truth), r=3, class_=kind)
        marks.append(element("g", note, bar, dot))
    return frame.picture(f"{titles[1]} over {titles[0]}", marks)


def pixels(rows: Sequence[Sequence[float]], title: str) -> Markup:
    """A grey picture, values from 0 (paper) to 1 (ink), ten pixels of the view box for each."""
    marks = [
        element("rect", x=10 * j, y=10 * i, width=10, height=10, class_="ink", opacity=value)
        for i, row in enumerate(rows)
        for j, value in enumerate(row)
        if value > 0
    ]
    return picture(10 * len(rows[0]), 10 * len(rows), title, marks)


def ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Round numbers from `low` to `high`, about as many as asked for."""
    raw = (high - low) / about
    power: float = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [float(f"{step * i:.10g}") for i in range(first, last + 1)]


def padded(values: Iterable[float]) -> Interval:
    """The range of values with a little room on both sides."""
    known = list(values)
    low, high = min(known), max(known)
    room = 0.04 * (high - low) or 1.0
    return low - room, high + room


def _text(text: str, x: float, y: float, kind: str, anchor: str = "start") -> Markup:
    return element("text", text, x=x, y=y, class_=kind, text_anchor=anchor)


def _number(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
