"""`mlc show`: one run, with its parameters, steps, metrics and artifacts."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from compiler.commands import console
from compiler.commands.tables import columns
from compiler.diagnostics import MlcError
from compiler.engine.history import (
    NotFoundError,
    RecordedArtifact,
    RecordedStep,
    Run,
    find,
    open_history,
)
from compiler.engine.progress import counted, shown_path
from compiler.engine.store import FOLDER
from compiler.units import duration, size
from compiler.values import JsonValue, to_text

_LONGEST = 60
_MOST_ROWS = 100
_MOST_IN_LOOP = 20


def show_run(root: Path, run: str, *, style: str = "text") -> int:
    """Print a run of the project at `root`: an id, the beginning or end of one, or `last`."""
    found = asked_for(root, run)
    if style == "json":
        console.print_json(as_data(found, root))
        return console.OK
    sys.stdout.write(_heading(found, root))
    print_results(found, root, style)
    return console.OK


def asked_for(root: Path, run: str) -> Run:
    """A run by its name.

    Raises:
        MlcError: there is none such, or several.
    """
    connection = open_history(root)
    if connection is None:
        raise MlcError("nothing ran in this project yet; start a run with mlc run SPEC")
    try:
        return find(connection, run)
    except NotFoundError as problem:
        raise MlcError(str(problem)) from None
    finally:
        connection.close()


def print_results(run: Run, root: Path, style: str) -> None:
    """What came of a run: metrics, parameter outputs, artifacts; with `json` all of the run."""
    if style == "json":
        console.print_json(as_data(run, root))
        return
    metrics = [
        (name if place == 0 else "", metric, _number(value))
        for name, found in run.metrics.items()
        for place, (metric, value) in enumerate(found.items())
    ]
    outputs = [(name, _short(value)) for name, value in run.outputs.items()]
    artifacts = [_artifact(name, found, root) for name, found in run.artifacts.items()]
    for step in run.steps:
        outputs += [(f"{step.name}.{name}", _short(value)) for name, value in step.outputs.items()]
        artifacts += [
            _artifact(f"{step.name}.{name}", found, root) for name, found in step.artifacts.items()
        ]
    for title, rows in (("metrics", metrics), ("outputs", outputs), ("artifacts", artifacts)):
        if rows:
            more = f"  and {len(rows) - _MOST_ROWS} more\n" if len(rows) > _MOST_ROWS else ""
            shown = columns(rows[:_MOST_ROWS], indent="  ")
            sys.stdout.write(f"\n{title}\n{shown}{more}")


def _artifact(name: str, found: RecordedArtifact, root: Path) -> tuple[str, str, str, str]:
    return (name, found.type, size(found.size), shown_path(Path(found.path), root))


def as_data(run: Run, root: Path) -> dict[str, object]:
    """A run as JSON data; times in UTC as ISO 8601, paths absolute."""
    return {
        "id": run.id,
        "algorithm": run.algorithm,
        "spec": run.spec,
        "profiles": list(run.profiles),
        "status": run.status,
        "reason": run.reason,
        "started": _iso(run.started),
        "ended": _iso(run.ended),
        "commit": run.commit,
        "params": run.params,
        "inputs": run.inputs,
        "folder": str(root / FOLDER / "runs" / run.id),
        "outputs": run.outputs,
        "artifacts": _artifacts_data(run.artifacts, root),
        "steps": [_step_data(step, root) for step in run.steps],
    }


def _artifacts_data(artifacts: Mapping[str, RecordedArtifact], root: Path) -> dict[str, object]:
    return {
        name: {
            "type": found.type,
            "path": str(root / found.path),
            "sha256": found.digest,
            "bytes": found.size,
            "files": found.files,
        }
        for name, found in artifacts.items()
    }


def _step_data(step: RecordedStep, root: Path) -> dict[str, object]:
    return {
        "name": step.name,
        "status": step.status,
        "reason": step.reason,
        "cached_from": step.cached_from,
        "started": _iso(step.started),
        "ended": _iso(step.ended),
        "tries": [
            {
                "try": each.number,
                "status": each.status,
                "reason": each.reason,
                "exit_code": each.exit_code,
                "log": str(root / each.log),
                "started": _iso(each.started),
                "ended": _iso(each.ended),
            }
            for each in step.tries
        ],
        "outputs": step.outputs,
        "metrics": step.metrics,
        "artifacts": _artifacts_data(step.artifacts, root),
        "loop": step.loop,
        "rounds": step.rounds,
        "finally": step.is_finally,
    }


def when(seconds: float) -> str:
    """A moment in this machine's time zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def took(run: Run) -> str:
    if run.status == "lost":
        return ""
    return duration((run.ended or time.time()) - run.started)


def _heading(run: Run, root: Path) -> str:
    reason = f": {run.reason}" if run.reason else ""
    if run.status == "lost":
        reason = ": its process is gone, and did not say how it ended"
    spec = run.spec + (f" with profile {', '.join(run.profiles)}" if run.profiles else "")
    facts = [
        ("run", run.id),
        ("status", run.status + reason),
        ("started", f"{when(run.started)}, took {took(run)}" if took(run) else when(run.started)),
        ("spec", spec),
        *([("commit", run.commit)] if run.commit else []),
        ("folder", shown_path(Path(FOLDER, "runs", run.id), root)),
    ]
    text = columns(facts)
    params = [(name, _short(value)) for name, value in run.params.items()]
    for title, rows in (("params", params), ("inputs", list(run.inputs.items()))):
        if rows:
            text += f"\n{title}\n{columns(rows, indent='  ')}"
    for title, is_finally in (("steps", False), ("finally", True)):
        levels: dict[str | None, list[RecordedStep]] = {}
        for step in run.steps:
            if step.is_finally == is_finally:
                levels.setdefault(step.loop, []).append(step)
        if levels:
            text += f"\n{title}\n{columns(list(_rows(levels, None)), indent='  ')}"
    return text


def _rows(
    levels: Mapping[str | None, Sequence[RecordedStep]], loop: str | None, indent: str = ""
) -> Iterator[tuple[str, str, str, str]]:
    """A line for each step and loop, what is in a loop below it.

    Of a loop in which much ran, only what did not simply succeed, and how much that was.
    """
    steps = levels.get(loop, ())
    hidden = 0
    for step in steps:
        is_plain = step.status in ("succeeded", "cached")
        if loop and is_plain and len(steps) > _MOST_IN_LOOP:
            hidden += 1
            continue
        name = step.name
        if step.rounds is not None and step.started is not None:
            name += f" [{counted(step.rounds)}]"
        yield (indent + name, step.status, _took(step), _detail(step))
        yield from _rows(levels, step.name, indent + "  ")
    if hidden:
        yield (f"{indent}and {hidden} more", "succeeded", "", "")


def _took(step: RecordedStep) -> str:
    if step.started is None or step.ended is None or step.cached_from:
        return ""
    return duration(step.ended - step.started)


def _detail(step: RecordedStep) -> str:
    if step.cached_from:
        return f"from {step.cached_from}"
    tries = f" ({len(step.tries)} tries)" if len(step.tries) > 1 else ""
    return step.reason.partition("\n")[0] + tries


def _number(value: float) -> str:
    """As it is while that is short, else six digits."""
    text = to_text(value)
    return text if isinstance(value, int) or len(text) <= 10 else f"{value:.6g}"


def _short(value: JsonValue) -> str:
    text = "null" if value is None else to_text(value)
    text = text.replace("\n", "\\n")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
