"""Runs on a cluster as they go: drawn anew on a terminal, else a line for each change."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from compiler.cluster import Engine, EngineError
from compiler.cluster.records import Run, StepState
from compiler.commands import console
from compiler.submission.follow import Away, Event, Listener, Looked
from compiler.units import duration

if TYPE_CHECKING:
    from rich.table import Table

_TAIL = 12
_ASKED_AT_ONCE = 3
_LOG_EVERY = 5.0


class Lines:
    """One line for each change: of a run with its name, of a step below it; where runs are
    several, with the name of its own."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        several = len(names) > 1
        self._widths = max(map(len, names.values())) if several else 0

    def __call__(self, event: Event) -> None:
        for line in self.lines(event):
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def lines(self, event: Event) -> Iterator[str]:
        if isinstance(event, Away):
            problem = event.problem
            yield f"note: {problem}; asking again" if problem else "note: the engine answers again"
            return
        name = f"{self._names.get(event.run.id, event.run.name):<{self._widths}}"
        lead = f"{name}  " if self._widths else ""
        for step in event.steps:
            yield f"  {lead}{step.name}  {told(step)}"
        if event.is_put_away:
            yield put_away(name.strip())
        if event.is_new and not event.run.is_ended:
            yield f"{name}  {event.run.state}"


def put_away(name: str) -> str:
    """What is said of a run that someone archives while it is followed."""
    return f"note: {name} was archived on the engine; it goes on"


def told(step: StepState) -> str:
    """A step's state in words."""
    took = ""
    if step.started is not None and step.ended is not None:
        took = f" after {duration(max(0.0, step.ended - step.started))}"
    tries = f", try {step.tries}" if step.tries > 1 else ""
    why = f": {step.message}" if step.message and step.state == "failed" else ""
    return f"{step.state}{took}{tries}{why}"


def closing(run: Run) -> str:
    """The last line of a run."""
    took = ""
    if run.started is not None and run.ended is not None:
        took = f" in {duration(max(0.0, run.ended - run.started))}"
    return f"{run.state}{took}" + (f": {run.message}" if run.message else "")


def failures(engine: Engine, run: Run) -> str:
    """Each failed step with its reason and the last lines that it printed."""
    shown: list[str] = []
    for step in (step for step in run.steps if step.state == "failed"):
        shown += ["", f"{step.name} failed" + (f": {step.message}" if step.message else "")]
        shown += [f"  | {line}" for line in tail(engine, run, step, _TAIL)]
    return "\n".join(shown)


def tail(engine: Engine, run: Run, step: StepState, count: int) -> list[str]:
    """The last lines of a step's log, without what moves a cursor; none where it can't be had."""
    from compiler.engine.progress import plain_lines

    try:
        return plain_lines("\n".join(engine.log(run, step.name)), count)
    except EngineError:
        return []


@contextmanager
def watching(engine: Engine, names: Mapping[str, str], quiet: bool) -> Iterator[Listener]:
    """Shows events until the end; `names` are those of runs, by id."""
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        with _Drawn(engine, names) as drawn:
            yield drawn
    else:
        yield Lines(names)


class _Drawn:
    """The runs with their steps, on a terminal; rich is imported only here."""

    def __init__(self, engine: Engine, names: Mapping[str, str]) -> None:
        from rich.console import Console
        from rich.live import Live

        self._engine, self._names = engine, names
        self._runs: dict[str, Run] = {}
        self._said: dict[tuple[str, str], str] = {}
        self._asked = 0.0
        colour = console.coloured(True)
        self._console = Console(file=sys.stderr, no_color=not colour, highlight=False)
        self._live = Live(
            console=self._console,
            get_renderable=self._draw,
            refresh_per_second=4,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> _Drawn:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Away):
            for line in Lines(self._names).lines(event):
                self._console.print(line, style="yellow", markup=False)
            return
        self._runs[event.run.id] = event.run
        if event.is_put_away:
            name = self._names.get(event.run.id, event.run.name)
            self._console.print(put_away(name), markup=False)
        self._listen(event)

    def _listen(self, event: Looked) -> None:
        """What the running steps printed last, now and then: each time costs a request."""
        now = time.monotonic()
        if now - self._asked < _LOG_EVERY:
            return
        self._asked = now
        running = [step for step in event.run.steps if step.state == "running"]
        for step in running[:_ASKED_AT_ONCE]:
            lines = tail(self._engine, event.run, step, 1)
            self._said[event.run.id, step.name] = "".join(lines)

    def _draw(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        from compiler.engine.live import mark

        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(width=1)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        for run in list(self._runs.values()):
            sign, style = mark(run.state)
            name = self._names.get(run.id, run.name)
            table.add_row(Text(sign, style=style), Text(name, style="bold"), _time(run), "")
            for step in _shown(run.steps, self._console.height):
                sign, style = mark(step.state)
                last = self._said.get((run.id, step.name), "") if step.state == "running" else ""
                last = step.message if step.state == "failed" else last
                row = (Text(f"  {step.name}"), _time(step), Text(last, style="dim"))
                table.add_row(Text(sign, style=style), *row)
        return table


def _shown(steps: Sequence[StepState], height: int) -> Sequence[StepState]:
    """As many steps as there is room for, those first that run or failed."""
    room = max(3, height - 5)
    if len(steps) <= room:
        return steps
    urgent = {"running": 0, "retrying": 0, "failed": 0}
    return sorted(steps, key=lambda step: urgent.get(step.state, 1))[:room]


def _time(of: Run | StepState) -> str:
    if of.started is None:
        return ""
    return duration(max(0.0, (of.ended or time.time()) - of.started))
