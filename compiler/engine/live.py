"""The run as it goes, on a terminal: each step with its state, time and last line of output.

The only module of the engine that imports rich; it is imported only where there is a terminal.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from compiler.engine.events import Event, Note, RunEnded, RunStarted, StepChanged, StepStatus
from compiler.engine.progress import closing, describe, last_lines
from compiler.engine.units import duration

_REFRESH = 8
_MARKS: dict[StepStatus, tuple[str, str]] = {
    "waiting": ("·", "dim"),
    "running": ("▶", "cyan"),
    "retrying": ("↻", "yellow"),
    "succeeded": ("✓", "green"),
    "cached": ("✓", "blue"),
    "failed": ("✗", "red"),
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
    "omitted",
)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A step's last change and when it was."""

    change: StepChanged
    since: float


class LiveProgress:
    """Draws events on a terminal, anew several times a second while steps run."""

    def __init__(self, stream: TextIO, verbose: bool, color: bool) -> None:
        self._console = Console(file=stream, no_color=not color, highlight=False)
        self._verbose = verbose
        self._title = ""
        self._steps: dict[str, _Shown] = {}
        self._live: Live | None = None

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted(run=run, steps=steps):
                now = time.monotonic()
                self._title = f"run {run}"
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
            case StepChanged(step=step):
                self._steps[step] = _Shown(event, time.monotonic())
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
        shown = list(self._steps.values())
        room = max(3, self._console.height - 4)
        left = len(shown) - room
        if left > 0:
            shown = sorted(shown, key=lambda each: _ORDER.index(each.change.status))[:room]
        for each in shown:
            table.add_row(*_row(each))
        if left > 0:
            table.add_row("", Text(f"and {left} more", style="dim"), "", "")
        return table


def _row(shown: _Shown) -> tuple[Text, Text, Text, Text]:
    change = shown.change
    mark, style = _MARKS[change.status]
    seconds = time.monotonic() - shown.since if change.status == "running" else change.seconds
    timed = change.status in ("running", "succeeded", "failed")
    return (
        Text(mark, style=style),
        Text(change.step, style="dim" if change.status in ("waiting", "omitted") else ""),
        Text(duration(seconds) if timed else "", style="dim"),
        Text(_line(change), style="dim" if change.status in ("running", "omitted") else style),
    )


def _line(change: StepChanged) -> str:
    if change.status in ("waiting", "succeeded"):
        return ""
    if change.status != "running":
        return describe(change)
    printed = last_lines(change.log, 1) if isinstance(change.log, Path) else []
    attempt = f"(try {change.number}) " if change.number > 1 else ""
    return attempt + "".join(printed)
