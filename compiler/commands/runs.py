"""`mlc runs`: the runs of this machine, the newest first."""

from __future__ import annotations

import sys
from pathlib import Path

from compiler.commands import console
from compiler.commands.show import as_data, took, when
from compiler.commands.tables import columns
from compiler.engine.history import Run, algorithms, latest, open_history
from compiler.values import to_text

_METRICS = 3


def list_runs(
    root: Path, *, algorithm: str | None = None, limit: int = 20, style: str = "text"
) -> int:
    """Print the last `limit` runs of the project at `root`, of one algorithm or of all.

    Raises:
        MlcError: there is no such algorithm, but one of a name like it.
    """
    connection = open_history(root)
    runs, ran = [], []
    if connection is not None:
        runs, ran = latest(connection, algorithm, limit), algorithms(connection)
        connection.close()
    if algorithm and not runs:
        from compiler.commands.specs import check_algorithm

        check_algorithm(algorithm, root, ran)
    if style == "json":
        console.print_json([as_data(run, root) for run in runs])
        return console.OK
    if not runs:
        which = f" of {algorithm}" if algorithm else ""
        sys.stderr.write(f"no runs{which} yet; start one with mlc run SPEC\n")
        return console.OK
    rows = [(run.id, run.status, when(run.started), took(run), _metrics(run)) for run in runs]
    sys.stdout.write(columns(rows, ("RUN", "STATUS", "STARTED", "TOOK", "METRICS")))
    return console.OK


def _metrics(run: Run) -> str:
    """The first few metrics, of the step that ended last."""
    found = [metrics for step in run.steps for metrics in step.metrics.values()]
    shown = list(found[-1].items())[:_METRICS] if found else []
    return " ".join(f"{name}={to_text(round(value, 4))}" for name, value in shown)
