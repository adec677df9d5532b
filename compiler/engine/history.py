"""The runs of a project, read from their record: what `mlc runs`, `mlc show` and others print."""

from __future__ import annotations

import json
import platform
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from compiler.engine.liveness import is_alive
from compiler.engine.store import database, open_store
from compiler.values import JsonValue

_OF_STEPS = ("tries", "outputs", "artifacts", "metrics")
_GOING_ON = ("running", "retrying")
_MOST_NAMED = 10
_ROUNDS = re.compile(r"(?:\.[0-9]+)+$")


class NotFoundError(Exception):
    """A run, step or output that was asked for is not there; the message says what is."""


class Try(Struct, frozen=True):
    number: int
    status: str
    reason: str
    exit_code: int | None
    log: str
    started: float
    ended: float | None


class RecordedArtifact(Struct, frozen=True):
    """`path` and logs are relative to the project's root; `type` as in the language."""

    type: str
    path: str
    digest: str
    size: int
    files: int


class RecordedStep(Struct, frozen=True):
    """A step or a loop; in loops `name` has the rounds. `rounds` is None for a step, `loop` is the
    loop that it is in. `cached_log` is the log of the try whose results were reused."""

    name: str
    status: str
    reason: str
    cached_from: str | None
    cached_log: str | None
    started: float | None
    ended: float | None
    tries: tuple[Try, ...]
    outputs: dict[str, JsonValue]
    artifacts: dict[str, RecordedArtifact]
    metrics: dict[str, dict[str, float]]
    loop: str | None
    rounds: int | None
    is_finally: bool


class Run(Struct, frozen=True):
    """A run as recorded. A run whose process is gone without a word has the status `lost`.

    `steps` are in the spec's order, what is in a loop after it, round by round. `outputs` and
    `artifacts` are the algorithm's own.
    """

    id: str
    algorithm: str
    spec: str
    profiles: tuple[str, ...]
    params: dict[str, JsonValue]
    inputs: dict[str, str]
    commit: str | None
    status: str
    reason: str
    started: float
    ended: float | None
    steps: tuple[RecordedStep, ...]
    outputs: dict[str, JsonValue]
    artifacts: dict[str, RecordedArtifact]

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Metrics by `STEP.OUTPUT`."""
        return {
            f"{step.name}.{output}": found
            for step in self.steps
            for output, found in step.metrics.items()
        }


def open_history(root: Path) -> sqlite3.Connection | None:
    """The record of the project at `root`, None where nothing ran yet.

    Raises:
        MlcError: it can't be read.
    """
    if not database(root).exists():
        return None
    connection = open_store(root)
    connection.row_factory = sqlite3.Row
    return connection


def latest(connection: sqlite3.Connection, algorithm: str | None, limit: int) -> list[Run]:
    """Runs, the newest first, of one algorithm or all; both spellings of its name will do."""
    rows = connection.execute(
        "SELECT * FROM runs WHERE ?1 IS NULL OR replace(pipeline, '_', '-') = ?1 "
        "ORDER BY started DESC, id DESC LIMIT ?2",
        (algorithm and algorithm.replace("_", "-"), limit),
    ).fetchall()
    return [_run(connection, row) for row in rows]


def algorithms(connection: sqlite3.Connection) -> list[str]:
    """The names of all that ever ran."""
    rows = connection.execute("SELECT DISTINCT pipeline FROM runs ORDER BY pipeline").fetchall()
    return [row["pipeline"] for row in rows]


def find(connection: sqlite3.Connection, name: str) -> Run:
    """The run of an id, of its beginning or end where only one run has it, or `last`.

    Raises:
        NotFoundError: none has it, or several.
    """
    rows = connection.execute("SELECT * FROM runs ORDER BY started DESC, id DESC").fetchall()
    if not rows:
        raise NotFoundError("nothing ran in this project yet")
    if name == "last":
        return _run(connection, rows[0])
    exact = [row for row in rows if row["id"] == name]
    found = exact or [
        row for row in rows if row["id"].startswith(name) or row["id"].endswith(f"-{name}")
    ]
    if len(found) == 1:
        return _run(connection, found[0])
    if found:
        shown = ", ".join(row["id"] for row in found[:5]) + (" …" if len(found) > 5 else "")
        raise NotFoundError(f"`{name}` could be any of {len(found)} runs: {shown}")
    raise NotFoundError(f"there is no run `{name}`; the last one is {rows[0]['id']}")


def step_of(run: Run, name: str) -> RecordedStep:
    """A step by its name, with its rounds where it is in a loop.

    Raises:
        NotFoundError: the run has none of that name, or several.
    """
    found = steps_of(run, name)
    if len(found) > 1 or found[0].name != name:
        raise NotFoundError(f"`{name}` ran in rounds: {_listed([step.name for step in found])}")
    return found[0]


def steps_of(run: Run, name: str) -> list[RecordedStep]:
    """The steps that a name means: one, all rounds of one, or all that is in a loop.

    Raises:
        NotFoundError: the run has none of that name.
    """
    inside = {name}
    found = []
    for step in run.steps:
        if step.loop in inside:
            inside.add(step.name)
        is_meant = step.name in inside or _without_rounds(step.name) == name
        if is_meant and step.rounds is None:
            found.append(step)
    if found:
        return found
    if any(step.name == name for step in run.steps):
        raise NotFoundError(f"the loop `{name}` ran nothing in {run.id}")
    known = _listed(list(dict.fromkeys(_without_rounds(step.name) for step in run.steps)))
    raise NotFoundError(f"the run {run.id} has no step `{name}`; it has {known}")


def _without_rounds(name: str) -> str:
    return _ROUNDS.sub("", name)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_MOST_NAMED]) + (" …" if len(names) > _MOST_NAMED else "")


def _run(connection: sqlite3.Connection, row: sqlite3.Row) -> Run:
    run = row["id"]
    status = row["status"]
    if status == "running" and row["host"] == platform.node():
        status = status if is_alive(row["pid"], row["process"]) else "lost"
    tables = {table: _by_step(connection, table, run) for table in _OF_STEPS}
    rows = connection.execute("SELECT * FROM steps WHERE run = ? ORDER BY position", (run,))
    levels: defaultdict[str | None, list[sqlite3.Row]] = defaultdict(list)
    for step in rows:
        levels[step["loop"]].append(step)
    return Run(
        id=run,
        algorithm=row["pipeline"],
        spec=row["spec"],
        profiles=tuple(json.loads(row["profiles"])),
        params=json.loads(row["params"]),
        inputs=json.loads(row["inputs"]),
        commit=row["git_commit"],
        status=status,
        reason=row["reason"],
        started=row["started"],
        ended=row["ended"],
        steps=tuple(
            _step(step, {table: rows[step["step"]] for table, rows in tables.items()}, status)
            for step in _depth_first(levels, None)
        ),
        outputs=_outputs(tables["outputs"][""]),
        artifacts=_artifacts(tables["artifacts"][""]),
    )


def _depth_first(
    levels: Mapping[str | None, list[sqlite3.Row]], loop: str | None
) -> Iterator[sqlite3.Row]:
    for step in levels.get(loop, ()):
        yield step
        yield from _depth_first(levels, step["step"])


def _outputs(rows: Iterable[sqlite3.Row]) -> dict[str, JsonValue]:
    return {row["name"]: json.loads(row["value"]) for row in rows}


def _artifacts(rows: Iterable[sqlite3.Row]) -> dict[str, RecordedArtifact]:
    return {
        row["name"]: RecordedArtifact(
            row["type"], row["path"], row["digest"], row["size"], row["files"]
        )
        for row in rows
    }


def _by_step(
    connection: sqlite3.Connection, table: str, run: str
) -> defaultdict[str, list[sqlite3.Row]]:
    found: defaultdict[str, list[sqlite3.Row]] = defaultdict(list)
    for row in connection.execute(f"SELECT * FROM {table} WHERE run = ? ORDER BY rowid", (run,)):
        found[row["step"]].append(row)
    return found


def _step(row: sqlite3.Row, found: dict[str, list[sqlite3.Row]], run: str) -> RecordedStep:
    metrics: dict[str, dict[str, float]] = {}
    for metric in found["metrics"]:
        metrics.setdefault(metric["output"], {})[metric["name"]] = metric["value"]
    return RecordedStep(
        name=row["step"],
        status="lost" if run == "lost" and row["status"] in _GOING_ON else row["status"],
        reason=row["reason"],
        cached_from=row["cached_from"],
        cached_log=row["cached_log"],
        started=row["started"],
        ended=row["ended"],
        tries=tuple(
            Try(
                each["try"],
                "lost" if run == "lost" and each["status"] in _GOING_ON else each["status"],
                each["reason"],
                each["exit_code"],
                each["log"],
                each["started"],
                each["ended"],
            )
            for each in found["tries"]
        ),
        outputs=_outputs(found["outputs"]),
        artifacts=_artifacts(found["artifacts"]),
        metrics=metrics,
        loop=row["loop"],
        rounds=row["rounds"],
        is_finally=bool(row["is_finally"]),
    )
