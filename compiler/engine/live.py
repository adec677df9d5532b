"""The run as it goes, on a terminal: each step with its state, time and last line of output.

The only module of the engine that imports rich; it is imported only where there is a terminal.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from msgspec import Struct
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from compiler.engine.events import Event, Note, RunEnded, RunStarted, StepChanged, StepStatus
from compiler.engine.progress import closing, counted, describe, last_lines
from compiler.units import duration

_REFRESH = 8
_MARKS: dict[StepStatus, tuple[str, str]] = {
    "waiting": ("·", "dim"),
    "running": ("▶", "cyan"),
    "retrying": ("↻", "yellow"),
    "succeeded": ("✓", "green"),
    "cached": ("✓", "blue"),
    "failed": ("✗", "red"),
    "skipped": ("○", "dim"),
    "omitted": ("–", "dim"),
    "interrupted": ("■", "yellow"),
}
# Where a terminal has too few lines for all steps, those come first that say most.
_ORDER: tuple[StepStatus, ...] = (
    "running",
    "retrying",
    "failed",
    "interrupted",
    "succeeded",
    "cached",
    "waiting",
    "skipped",
    "omitted",
)
# What is told of these in a loop: that they are so many.
_COUNTED: tuple[StepStatus, ...] = ("succeeded", "cached", "skipped", "omitted")
_DIM: tuple[StepStatus, ...] = ("waiting", "skipped", "omitted")


class _Shown(Struct, frozen=True):
    """A step's or loop's last change, when it was, and how deep in loops it stands."""

    change: StepChanged
    since: float
    depth: int = 0


def mark(state: str) -> tuple[str, str]:
    """The sign of a state and its colour; clusters have more states than this machine."""
    return next((found for known, found in _MARKS.items() if known == state), ("?", "dim"))


class LiveProgress:
    """Draws events on a terminal, anew several times a second while steps run."""

    def __init__(self, stream: TextIO, verbose: bool, color: bool) -> None:
        self._console = Console(file=stream, no_color=not color, highlight=False)
        self._verbose = verbose
        self._title = ""
        self._steps: dict[str, _Shown] = {}
        self._outer: tuple[str, ...] = ()
        self._inside: dict[str, dict[str, None]] = {}
        self._tallies: dict[str, Counter[StepStatus]] = {}
        self._lock = threading.Lock()
        self._live: Live | None = None

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted(run=run, steps=steps):
                now = time.monotonic()
                self._title = f"run {run}"
                self._outer = steps
                self._steps = {name: _Shown(StepChanged(name, "waiting", 0), now) for name in steps}
                self._live = Live(
                    console=self._console,
                    get_renderable=self._draw,
                    refresh_per_second=_REFRESH,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                self._live.start()
            case Note(text=text, detail=detail):
                if self._verbose or not detail:
                    self._console.print(Text(f"note: {text}", style="dim"))
            case StepChanged():
                self._change(event)
            case RunEnded(result=result):
                self.close()
                style = "green" if result.status == "succeeded" else "red"
                self._console.print(Text(closing(result), style=style))

    def close(self) -> None:
        """Leave the terminal as a person expects it, with the last state drawn."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _draw(self) -> Table:
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(width=1)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        table.title, table.title_justify, table.title_style = self._title, "left", "bold"
        # The refreshing thread reads while the run's thread writes: one copy, then no surprises.
        with self._lock:
            shown = [row for name in self._outer for row in self._rows(name)]
            tallies = {loop: dict(tally) for loop, tally in self._tallies.items()}
        room = max(3, self._console.height - 4)
        left = len(shown) - room
        if left > 0:
            shown = sorted(shown, key=lambda each: _ORDER.index(each.change.status))[:room]
        for each in shown:
            table.add_row(*_row(each, tallies.get(each.change.step, {})))
        if left > 0:
            table.add_row("", Text(f"and {left} more", style="dim"), "", "")
        return table

    def _change(self, change: StepChanged) -> None:
        name, loop = change.step, change.loop
        with self._lock:
            before = self._steps.pop(name, None)
            depth = 0 if loop is None else self._steps[loop].depth + 1
            if loop is not None:
                tally = self._tallies.setdefault(loop, Counter())
                if before is not None:
                    tally[before.change.status] -= 1
                tally[change.status] += 1
                if change.status in _COUNTED:
                    self._inside.get(loop, {}).pop(name, None)
                    return
                self._inside.setdefault(loop, {})[name] = None
            self._steps[name] = _Shown(change, time.monotonic(), depth)

    def _rows(self, name: str) -> Iterator[_Shown]:
        """A step, or a loop and what is to be seen of its rounds."""
        yield self._steps[name]
        for inner in self._inside.get(name, ()):
            yield from self._rows(inner)


def _row(shown: _Shown, tally: Mapping[StepStatus, int]) -> tuple[Text, Text, Text, Text]:
    change = shown.change
    mark, style = _MARKS[change.status]
    seconds = time.monotonic() - shown.since if change.status == "running" else change.seconds
    timed = change.status in ("running", "succeeded", "failed")
    is_dim = change.status in ("running", *_DIM)
    return (
        Text(mark, style=style),
        Text("  " * shown.depth + change.step, style="dim" if change.status in _DIM else ""),
        Text(duration(seconds) if timed else "", style="dim"),
        Text(_line(change, tally), style="dim" if is_dim else style),
    )


def _line(change: StepChanged, tally: Mapping[StepStatus, int]) -> str:
    if change.rounds is not None and change.status in ("running", "succeeded"):
        counts = (f"{tally[status]} {status}" for status in _ORDER if tally.get(status))
        return ": ".join(filter(None, (counted(change.rounds), ", ".join(counts))))
    if change.status in ("waiting", "succeeded"):
        return ""
    if change.status != "running":
        return describe(change)
    printed = last_lines(change.log, 1) if isinstance(change.log, Path) else []
    attempt = f"(try {change.number}) " if change.number > 1 else ""
    return attempt + "".join(printed)
