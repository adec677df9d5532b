"""The runs of an engine on a cluster, as `mlc runs`, `mlc show` and `mlc logs` tell of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from compiler.cluster import Engine, EngineError
from compiler.cluster.records import Run, RunQuery, StepState
from compiler.commands import console
from compiler.commands.engines import connected, here, settings_of
from compiler.commands.specs import check_algorithm
from compiler.commands.tables import columns
from compiler.diagnostics import MlcError, listing, nearest
from compiler.settings import Project
from compiler.submission.summary import with_metrics
from compiler.units import duration
from compiler.values import to_text

_LONGEST = 60


def list_runs(
    name: str | None,
    *,
    algorithm: str | None,
    branch: str | None,
    limit: int,
    style: str,
    verbose: bool = False,
) -> int:
    """Print the last runs of the project on an engine."""
    project = here()
    with connected(settings_of(project, name), verbose) as engine:
        query = RunQuery(project.name, algorithm, branch, limit=limit)
        runs = list(engine.runs(query))
        named = _experiments(engine, project) if runs else {}
        if algorithm and not runs:
            marked = (version.marks for version in engine.versions(project.name))
            ran = {own.algorithm for own in marked if own is not None}
            check_algorithm(algorithm, project.root, ran)
    if style == "json":
        console.print_json([as_data(run, named.get(run.experiment)) for run in runs])
        return console.OK
    if not runs:
        where = engine.settings.name
        sys.stderr.write(f"{where} has no such run of this project; start one with mlc submit\n")
        return console.OK
    rows = [
        (run.name, run.state, when(run.created), took(run), named.get(run.experiment, ""))
        for run in runs
    ]
    sys.stdout.write(columns(rows, ("RUN", "STATUS", "CREATED", "TOOK", "EXPERIMENT")))
    return console.OK


def show_run(name: str | None, run: str, *, style: str, verbose: bool = False) -> int:
    """Print a run with its steps, params and metrics."""
    project = here()
    with connected(settings_of(project, name), verbose) as engine:
        found = asked_for(engine, project, run)
        found = with_metrics(engine, found, warn)
        experiment = _experiments(engine, project).get(found.experiment)
    if style == "json":
        console.print_json(as_data(found, experiment))
        return console.OK
    sys.stdout.write("".join(f"{line}\n" for line in _shown(found, experiment or "")))
    return console.OK


def _experiments(engine: Engine, project: Project) -> dict[str, str]:
    """The names of the project's experiments by their ids."""
    return {one.id: one.name for one in engine.experiments(project.name)}


def print_logs(name: str | None, run: str, step: str | None, *, verbose: bool = False) -> int:
    """Print what the steps of a run printed, or one of them."""
    project = here()
    with connected(settings_of(project, name), verbose) as engine:
        found = asked_for(engine, project, run)
        known = [one.name for one in found.steps]
        if step is not None and step not in known:
            near = nearest(step, known)
            hint = f"did you mean {near}?" if near else f"it has {listing(known) or 'none'}"
            raise MlcError(f"{found.name} has no step {step}; {hint}")
        steps = [one for one in found.steps if step in (None, one.name)]
        for one in steps:
            if len(steps) > 1:
                sys.stdout.write(f"==> {one.name} <==\n")
            _print_log(engine, found, one)
    return console.OK


def _print_log(engine: Engine, run: Run, step: StepState) -> None:
    try:
        for line in engine.log(run, step.name):
            sys.stdout.write(f"{line}\n")
    except EngineError as problem:
        if problem.reason != "not found":
            raise
        sys.stderr.write(f"the log of {step.name} is not there any more, or not yet\n")


def warn(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def asked_for(engine: Engine, project: Project, wanted: str) -> Run:
    """A run by its id or name, the beginning or end of one, the key in its name, or `last`.

    Raises:
        MlcError: there is none, or several.
    """
    alike: list[Run] = []
    for run in engine.runs(RunQuery(project.name)):
        if wanted in ("last", run.id, run.name):
            return engine.run(run.id)
        ends = (run.name, run.name.rpartition("-")[2], run.id)
        if any(text.startswith(wanted) or text.endswith(wanted) for text in ends):
            alike.append(run)
    if len(alike) == 1:
        return engine.run(alike[0].id)
    if alike:
        names = listing([run.name for run in alike[:10]])
        raise MlcError(f"{wanted} may be one of several runs: {names}")
    raise MlcError(f"there is no run {wanted} of this project; mlc runs --engine lists them")


def as_data(run: Run, experiment: str | None) -> dict[str, object]:
    """A run as JSON data; times in UTC as ISO 8601. `experiment` is the name of its own, whose id
    stands there where that is not known."""
    marks = run.marks
    return {
        "id": run.id,
        "name": run.name,
        "algorithm": marks.algorithm if marks else "",
        "status": run.state,
        "reason": run.message,
        "experiment": experiment or run.experiment,
        "branch": marks.branch if marks else "",
        "commit": marks.commit if marks else "",
        "params": dict(run.params),
        "created": _iso(run.created),
        "started": _iso(run.started),
        "ended": _iso(run.ended),
        "url": run.url,
        "metrics": {output: dict(values) for output, values in run.metrics.items()},
        "steps": [
            {
                "name": step.name,
                "status": step.state,
                "reason": step.message,
                "tries": step.tries,
                "started": _iso(step.started),
                "ended": _iso(step.ended),
            }
            for step in run.steps
        ],
    }


def when(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")


def took(of: Run | StepState) -> str:
    if of.started is None or of.ended is None:
        return ""
    return duration(max(0.0, of.ended - of.started))


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def _shown(run: Run, experiment: str) -> Iterator[str]:
    marks = run.marks
    yield f"run {run.name}  {run.state}" + (f" in {took(run)}" if took(run) else "")
    if run.message:
        yield f"  {run.message}"
    facts = [("experiment", experiment), ("created", when(run.created)), ("page", run.url)]
    if marks is not None:
        facts[1:1] = [("branch", marks.branch), ("commit", marks.commit)]
    yield from columns([fact for fact in facts if fact[1]], indent="  ").splitlines()
    params = [(name, _short(to_text(value))) for name, value in run.params.items()]
    metrics = [
        (output, metric, f"{value:.6g}")
        for output, values in run.metrics.items()
        for metric, value in values.items()
    ]
    steps = [(one.name, one.state, took(one), _short(one.message)) for one in run.steps]
    for title, rows in (("params", params), ("steps", steps), ("metrics", metrics)):
        if rows:
            yield ""
            yield title
            yield from columns(rows, indent="  ").splitlines()


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
