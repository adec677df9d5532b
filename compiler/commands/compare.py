"""`mlc compare`: the params and metrics of runs side by side, of this machine or of an engine."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from compiler.commands import console
from compiler.commands.tables import columns
from compiler.values import JsonValue, to_text

_LONGEST = 30


class Compared(Struct, frozen=True):
    """What is compared of a run, wherever it ran; `metrics` go by `STEP.OUTPUT`."""

    name: str
    state: str
    params: Mapping[str, JsonValue]
    metrics: Mapping[str, Mapping[str, float]]


def compare_local(root: Path, runs: Sequence[str], *, changed: bool, style: str) -> int:
    """Runs of this machine; with `changed` only what is not the same in all."""
    from compiler.commands.show import asked_for

    every = []
    for run in runs:
        found = asked_for(root, run)
        every.append(Compared(found.id, found.status, found.params, found.metrics))
    return _print(every, changed, style)


def compare_remote(
    name: str | None, runs: Sequence[str], *, changed: bool, style: str, verbose: bool = False
) -> int:
    """Runs of an engine on a cluster."""
    from compiler.commands.engines import connected, here, settings_of
    from compiler.commands.remote import asked_for, warn
    from compiler.submission.summary import with_metrics

    project = here()
    every = []
    with connected(settings_of(project, name), verbose) as engine:
        for run in runs:
            found = asked_for(engine, project, run)
            found = with_metrics(engine, found, warn)
            every.append(Compared(found.name, found.state, found.params, found.metrics))
    return _print(every, changed, style)


def _print(runs: Sequence[Compared], changed: bool, style: str) -> int:
    if style == "json":
        console.print_json(
            [
                {
                    "run": run.name,
                    "status": run.state,
                    "params": dict(run.params),
                    "metrics": {output: dict(found) for output, found in run.metrics.items()},
                }
                for run in runs
            ]
        )
        return console.OK
    params = _rows([{name: _text(value) for name, value in run.params.items()} for run in runs])
    metrics = _rows(
        [
            {
                f"{output} {metric}": f"{value:.6g}"
                for output, found in run.metrics.items()
                for metric, value in found.items()
            }
            for run in runs
        ]
    )
    if changed:
        params, metrics = ([r for r in rows if len(set(r[1:])) > 1] for rows in (params, metrics))
    rows = [("", *(run.state for run in runs))]
    rows += [("params", *("" for _ in runs)), *params] if params else []
    rows += [("metrics", *("" for _ in runs)), *metrics] if metrics else []
    sys.stdout.write(columns(rows, ("RUN", *(run.name for run in runs))))
    return console.OK


def _rows(of_runs: Sequence[Mapping[str, str]]) -> list[tuple[str, ...]]:
    names = dict.fromkeys(name for one in of_runs for name in one)
    return [(f"  {name}", *(one.get(name, "-") for one in of_runs)) for name in names]


def _text(value: JsonValue) -> str:
    text = "null" if value is None else to_text(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
