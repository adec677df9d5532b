"""The record of runs, `.mlc/runs.db`: written by the engine as a run goes, read by `mlc runs`.

SQLite in WAL mode, so that several runs of a project write side by side while others read. A
commit does not wait for the disk: a power cut may lose the last moments of a record, never the
database.
"""

from __future__ import annotations

import contextlib
import platform
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from compiler.diagnostics import MlcError
from compiler.engine.attempt import Tried
from compiler.engine.liveness import process_mark
from compiler.engine.outputs import Written
from compiler.ir import Pipeline, Step
from compiler.values import JsonValue, to_json

FOLDER = ".mlc"
SCHEMA_VERSION = 1
_PATIENCE = 30.0
_SCHEMA = """
CREATE TABLE runs (
  id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, spec TEXT NOT NULL, profiles TEXT NOT NULL,
  params TEXT NOT NULL, inputs TEXT NOT NULL, git_commit TEXT, status TEXT NOT NULL,
  reason TEXT NOT NULL, pid INTEGER NOT NULL, process TEXT NOT NULL, host TEXT NOT NULL,
  started REAL NOT NULL, ended REAL
) WITHOUT ROWID;
CREATE INDEX runs_by_start ON runs (started);
CREATE TABLE steps (
  run TEXT NOT NULL, step TEXT NOT NULL, position INTEGER NOT NULL, status TEXT NOT NULL,
  reason TEXT NOT NULL, cached_from TEXT, started REAL, ended REAL,
  PRIMARY KEY (run, step)
) WITHOUT ROWID;
CREATE TABLE tries (
  run TEXT NOT NULL, step TEXT NOT NULL, try INTEGER NOT NULL, status TEXT NOT NULL,
  reason TEXT NOT NULL, exit_code INTEGER, pid INTEGER, log TEXT NOT NULL,
  started REAL NOT NULL, ended REAL,
  PRIMARY KEY (run, step, try)
);
CREATE TABLE outputs (
  run TEXT NOT NULL, step TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (run, step, name)
);
CREATE TABLE artifacts (
  run TEXT NOT NULL, step TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,
  path TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL, files INTEGER NOT NULL,
  PRIMARY KEY (run, step, name)
);
CREATE TABLE metrics (
  run TEXT NOT NULL, step TEXT NOT NULL, output TEXT NOT NULL, name TEXT NOT NULL,
  value NUMERIC NOT NULL,
  PRIMARY KEY (run, step, output, name)
);
CREATE TABLE digests (
  root TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL,
  changed INTEGER NOT NULL, inode INTEGER NOT NULL, digest TEXT NOT NULL,
  PRIMARY KEY (root, name)
) WITHOUT ROWID;
"""


def database(root: Path) -> Path:
    return root / FOLDER / "runs.db"


def open_store(root: Path) -> sqlite3.Connection:
    """Open the record of the project at `root`, making it where there is none.

    Raises:
        MlcError: it can't be made or read, or a newer mlc wrote it.
    """
    folder = root / FOLDER
    try:
        folder.mkdir(exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
        connection = sqlite3.connect(database(root), timeout=_PATIENCE)
        _in_wal_mode(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        _create(connection)
    except (OSError, sqlite3.Error) as problem:
        raise MlcError(f"can't open the record of runs in {folder}: {problem}") from None
    return connection


def _in_wal_mode(connection: sqlite3.Connection) -> None:
    # SQLite does not wait by itself for the lock that this switch needs, and a process that opens
    # the new database at the same moment holds it.
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as problem:
            is_locked = problem.sqlite_errorcode & 0xFF in (
                sqlite3.SQLITE_BUSY,
                sqlite3.SQLITE_LOCKED,
            )
            if not is_locked or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _create(connection: sqlite3.Connection) -> None:
    if _version(connection) == 0:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            if _version(connection) == 0:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    version = _version(connection)
    if version != SCHEMA_VERSION:
        raise MlcError(
            f"the record of runs has format {version}, this mlc writes {SCHEMA_VERSION}: "
            f"use the mlc that wrote it, or move {FOLDER}/ away"
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes one run's record: collects what happened, and writes it in one go with `commit`.

    So the record is locked for moments only, and other runs of the project can write theirs.
    """

    connection: sqlite3.Connection
    root: Path
    run: str
    _pending: list[tuple[str, Sequence[tuple[object, ...]]]] = field(default_factory=list)

    def begin(
        self,
        pipeline: Pipeline,
        params: Mapping[str, JsonValue],
        inputs: Mapping[str, str],
        pid: int,
        started: float,
    ) -> None:
        """Record the run as running; times are seconds since the epoch."""
        self._add_one(
            "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, 'running', '', ?, ?, ?, ?, NULL)",
            (
                self.run,
                pipeline.name,
                pipeline.source,
                to_json(list(pipeline.profiles)),
                to_json(dict(params)),
                to_json(dict(inputs)),
                pipeline.git_commit,
                pid,
                process_mark(pid),
                platform.node(),
                started,
            ),
        )

    def add_steps(self, keys: Iterable[str]) -> None:
        self._add(
            "INSERT INTO steps VALUES (?, ?, ?, 'waiting', '', NULL, NULL, NULL)",
            [(self.run, key, position) for position, key in enumerate(keys)],
        )

    def start_try(self, step: str, number: int, log: Path, pid: int, started: float) -> None:
        self._add_one(
            "UPDATE steps SET status = 'running', reason = '', started = coalesce(started, ?) "
            "WHERE run = ? AND step = ?",
            (started, self.run, step),
        )
        self._add_one(
            "INSERT INTO tries VALUES (?, ?, ?, 'running', '', NULL, ?, ?, ?, NULL)",
            (self.run, step, number, pid, self._inside(log), started),
        )

    def end_try(self, tried: Tried) -> None:
        self._add_one(
            "INSERT OR REPLACE INTO tries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self.run,
                tried.key,
                tried.number,
                "failed" if tried.written is None else "succeeded",
                tried.reason,
                tried.exit_code,
                tried.pid,
                self._inside(tried.log),
                tried.started,
                tried.ended,
            ),
        )

    def rest(self, step: str, reason: str) -> None:
        """Record that a step waits for its next try."""
        self._add_one(
            "UPDATE steps SET status = 'retrying', reason = ? WHERE run = ? AND step = ?",
            (reason, self.run, step),
        )

    def end_step(
        self, step: str, status: str, reason: str, ended: float | None, cached_from: str | None
    ) -> None:
        self._add_one(
            "UPDATE steps SET status = ?, reason = ?, ended = ?, cached_from = ?, "
            "started = coalesce(started, ?) WHERE run = ? AND step = ?",
            (status, reason, ended, cached_from, ended, self.run, step),
        )

    def add_results(
        self, step: Step, key: str, written: Written, paths: Mapping[str, Path]
    ) -> None:
        """Record what a step wrote; `paths` is where a person finds its artifacts."""
        self._add(
            "INSERT INTO outputs VALUES (?, ?, ?, ?)",
            [(self.run, key, name, to_json(value)) for name, value in written.values.items()],
        )
        self._add(
            "INSERT INTO artifacts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    self.run,
                    key,
                    name,
                    str(step.output(name).type),
                    self._inside(paths[name]),
                    found.digest,
                    found.size,
                    len(found.files),
                )
                for name, found in written.artifacts.items()
            ],
        )
        self._add(
            "INSERT INTO metrics VALUES (?, ?, ?, ?, ?)",
            [
                (self.run, key, output, name, value)
                for output, found in written.metrics.items()
                for name, value in found.items()
            ],
        )

    def end(self, status: str, reason: str, ended: float) -> None:
        self._add_one(
            "UPDATE runs SET status = ?, reason = ?, ended = ? WHERE id = ?",
            (status, reason, ended, self.run),
        )

    def break_off(self, reason: str, ended: float) -> None:
        """Record that mlc itself failed. What was to be written before may be why: it is tried."""
        with contextlib.suppress(sqlite3.Error, ValueError, OverflowError):
            self.commit()
        self._pending.clear()
        self._add_one(
            "UPDATE tries SET status = 'failed', reason = ?, ended = ? "
            "WHERE run = ? AND status = 'running'",
            (reason, ended, self.run),
        )
        self._add_one(
            "UPDATE steps SET status = 'interrupted', reason = ?, ended = ? "
            "WHERE run = ? AND status IN ('running', 'retrying')",
            (reason, ended, self.run),
        )
        self._add_one(
            "UPDATE steps SET status = 'omitted', reason = ? WHERE run = ? AND status = 'waiting'",
            (reason, self.run),
        )
        self.end("failed", reason, ended)
        self.commit()

    def commit(self) -> None:
        if self._pending:
            with self.connection:
                for statement, rows in self._pending:
                    self.connection.executemany(statement, rows)
            self._pending.clear()

    def _add_one(self, statement: str, row: tuple[object, ...]) -> None:
        self._pending.append((statement, [row]))

    def _add(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            self._pending.append((statement, rows))

    def _inside(self, path: Path) -> str:
        """A path relative to the project, which may move."""
        return path.relative_to(self.root).as_posix()
