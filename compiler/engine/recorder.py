"""The record of one run as it goes, written to the project's record of runs (`store`)."""

from __future__ import annotations

import contextlib
import platform
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field

from compiler.engine.artifacts import Artifact
from compiler.engine.attempt import Tried
from compiler.engine.known import Value
from compiler.engine.liveness import process_mark
from compiler.engine.outputs import Written
from compiler.ir import Pipeline, Step
from compiler.values import JsonValue, to_json

_ADD_OUTPUT = "INSERT INTO outputs VALUES (?, ?, ?, ?)"
_ADD_ARTIFACT = "INSERT INTO artifacts VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class Recorder(Struct, frozen=True):
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

    def add_steps(self, rows: Iterable[tuple[str, int, str | None, int | None, bool]]) -> None:
        """Record steps and loops that wait: name, position, loop around, rounds of a loop,
        whether in `finally`."""
        self._add(
            "INSERT INTO steps VALUES (?, ?, ?, 'waiting', '', NULL, NULL, NULL, ?, ?, ?, NULL)",
            [(self.run, *row) for row in rows],
        )

    def start_loop(self, loop: str, rounds: int, started: float) -> None:
        self._add_one(
            "UPDATE steps SET status = 'running', rounds = ?, started = ? "
            "WHERE run = ? AND step = ?",
            (rounds, started, self.run, loop),
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
        self,
        step: str,
        status: str,
        reason: str,
        ended: float | None,
        cached: tuple[str, Path] | None,
    ) -> None:
        """Record how a step or loop ended; `cached` is the run it was taken from, and its log."""
        run, log = (cached[0], self._inside(cached[1])) if cached else (None, None)
        self._add_one(
            "UPDATE steps SET status = ?, reason = ?, ended = ?, cached_from = ?, cached_log = ?, "
            "started = coalesce(started, ?) WHERE run = ? AND step = ?",
            (status, reason, ended, run, log, ended, self.run, step),
        )

    def add_results(
        self, step: Step, key: str, written: Written, paths: Mapping[str, Path]
    ) -> None:
        """Record what a step wrote; `paths` is where a person finds its artifacts."""
        self._add(
            _ADD_OUTPUT,
            [(self.run, key, name, to_json(value)) for name, value in written.values.items()],
        )
        self._add(
            _ADD_ARTIFACT,
            [
                self._artifact(key, name, str(step.output(name).type), found, paths[name])
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

    def add_outputs(self, pipeline: Pipeline, found: Mapping[str, Value]) -> None:
        """Record the algorithm's own outputs; of a list of artifacts each as `NAME.0`, …"""
        for output in pipeline.outputs:
            if output.name not in found:
                continue
            for name, value in _flat(output.name, found[output.name]):
                if isinstance(value, Artifact):
                    kind = output.type.kind
                    self._add(_ADD_ARTIFACT, [self._artifact("", name, str(kind), value, None)])
                else:
                    self._add_one(_ADD_OUTPUT, (self.run, "", name, to_json(value)))

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

    def _artifact(
        self, key: str, name: str, kind: str, found: Artifact, path: Path | None
    ) -> tuple[object, ...]:
        place = self._inside(path or Path(found.path))
        return (self.run, key, name, kind, place, found.digest, found.size, len(found.files))

    def _inside(self, path: Path) -> str:
        """A path relative to the project, which may move; as it is where it lies elsewhere."""
        if path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        return str(path)


def _flat(name: str, value: Value) -> Iterator[tuple[str, JsonValue | Artifact]]:
    if isinstance(value, tuple):
        for place, item in enumerate(value):
            yield from _flat(f"{name}.{place}", item)
    else:
        yield name, value
