"""The record of runs, `.mlc/runs.db`: written by `recorder` as a run goes, read by `history`.

SQLite in WAL mode, so that several runs of a project write side by side while others read. A
commit does not wait for the disk: a power cut may lose the last moments of a record, never the
database.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from compiler.diagnostics import MlcError

FOLDER = ".mlc"
SCHEMA_VERSION = 2
_PATIENCE = 30.0
# Steps in loops have their rounds in their names. `position` counts within the loop, `rounds` is
# there for loops only. The algorithm's own outputs are those of the step without a name.
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
  loop TEXT, rounds INTEGER, is_finally INTEGER NOT NULL DEFAULT 0, cached_log TEXT,
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


# From each format to the next.
_UPGRADES = {
    1: """
ALTER TABLE steps ADD COLUMN loop TEXT;
ALTER TABLE steps ADD COLUMN rounds INTEGER;
ALTER TABLE steps ADD COLUMN is_finally INTEGER NOT NULL DEFAULT 0;
ALTER TABLE steps ADD COLUMN cached_log TEXT;
UPDATE steps SET cached_log = (
  SELECT log FROM tries WHERE tries.run = steps.cached_from AND tries.step = steps.step
  ORDER BY try DESC LIMIT 1
) WHERE cached_from IS NOT NULL;
""",
}


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
    if _version(connection) < SCHEMA_VERSION:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            version = _version(connection)
            scripts = (
                [_UPGRADES[v] for v in range(version, SCHEMA_VERSION)] if version else [_SCHEMA]
            )
            for statement in "".join(scripts).split(";"):
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
