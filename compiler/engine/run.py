"""`mlc run` as a function: a pipeline and its values in, a recorded run out."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from compiler.diagnostics import MlcError
from compiler.engine import gpus
from compiler.engine.attempt import Ground, Instance
from compiler.engine.events import Listener, Note, RunEnded, RunResult, RunStarted
from compiler.engine.journal import Journal
from compiler.engine.loop import Loop
from compiler.engine.prepare import Prepared, prepare
from compiler.engine.render import Known
from compiler.engine.store import FOLDER, Recorder, open_store
from compiler.ir import Pipeline
from compiler.settings import Project
from compiler.values import JsonValue

_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class Options:
    """How to run.

    `jobs` is how many steps run at once, None for as many as this process has cores. `inputs`
    gives artifacts from outside other paths or URIs than their defaults. `grace` is how many
    seconds a step has to end when told to. `environment` is what steps' clean environment and
    secrets are taken from, None for this process's own.
    """

    jobs: int | None = None
    use_cache: bool = True
    inputs: Mapping[str, str] = field(default_factory=dict)
    grace: float = 10.0
    environment: Mapping[str, str] | None = None


def run(
    pipeline: Pipeline,
    project: Project,
    params: Mapping[str, JsonValue],
    options: Options,
    on_event: Listener,
) -> RunResult:
    """Run a pipeline on this machine and record it under the project's `.mlc/`.

    `params` are values over the defaults, typed and checked. What a person has to mend comes back
    as diagnostics, with nothing started. In the main thread SIGINT, SIGTERM, SIGHUP and
    SIGQUIT interrupt the run: its processes are ended and it is recorded so. `on_event` is called
    in the calling thread.

    Raises:
        MlcError: the disk, the record or the system failed.
    """
    root = Path(os.path.abspath(project.root))  # noqa: PTH100 - links in it are the user's choice
    project = replace(project, root=root)
    caller = os.environ if options.environment is None else options.environment
    with contextlib.closing(open_store(root)) as connection:
        try:
            prepared, diagnostics = prepare(
                pipeline,
                project,
                params,
                options.inputs,
                caller,
                options.use_cache,
                connection,
            )
            if prepared is None:
                return RunResult("refused", None, "", None, 0.0, {}, tuple(diagnostics))
            devices = _devices(pipeline, caller)
            result = _run(pipeline, prepared, project, options, devices, connection, on_event)
        except (OSError, sqlite3.Error) as problem:
            raise MlcError(f"the run could not go on: {problem}") from problem
    on_event(RunEnded(result))
    return result


def _run(
    pipeline: Pipeline,
    prepared: Prepared,
    project: Project,
    options: Options,
    devices: tuple[str, ...],
    connection: sqlite3.Connection,
    on_event: Listener,
) -> RunResult:
    started = time.time()
    name, folder = _folder(project.root, pipeline, started)
    recorder = Recorder(connection, project.root, name)
    recorder.begin(pipeline, prepared.params, prepared.uris, os.getpid(), started)
    recorder.add_steps(step.name for step in pipeline.nodes)
    recorder.commit()
    on_event(RunStarted(name, pipeline.name, folder, tuple(step.name for step in pipeline.nodes)))
    for note in (*prepared.notes, *_gpu_notes(pipeline, devices)):
        on_event(note)
    ground = Ground(
        run=name,
        root=project.root,
        folder=folder,
        environment=prepared.environment,
        secrets=prepared.secrets,
        workdirs=prepared.workdirs,
        volumes=prepared.volumes,
        cache=None if prepared.code is None else project.root / FOLDER / "cache",
        code=prepared.code or "",
    )
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started))
    known = Known(
        prepared.params, prepared.inputs, {"id": name, "name": name, "scheduled_at": when}
    )
    jobs = min(filter(None, (options.jobs or _cores(), pipeline.limits.parallel)))
    journal = Journal(recorder, on_event, folder)
    loop = Loop(ground, journal, jobs, devices, options.grace)
    loop.add(Instance(step.name, step, known) for step in pipeline.nodes)
    try:
        with _interruptible(loop):
            status = loop.run(pipeline.limits.timeout)
    except BaseException as problem:
        recorder.break_off(f"mlc could not go on: {problem}", time.time())
        raise
    ended = time.time()
    recorder.end(status, loop.reason, ended)
    recorder.commit()
    steps = {step.name: journal.results[step.name] for step in pipeline.nodes}
    return RunResult(status, name, loop.reason, folder, ended - started, steps)


def _folder(root: Path, pipeline: Pipeline, started: float) -> tuple[str, Path]:
    """A new run's name and folder: `doc-type-20261123-201530-x7k`, with the time in UTC."""
    stem = pipeline.kubernetes_name + time.strftime("-%Y%m%d-%H%M%S-", time.gmtime(started))
    while True:
        name = stem + "".join(secrets.choice(_LETTERS) for _ in range(3))
        folder = root / FOLDER / "runs" / name
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            return name, folder


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _devices(pipeline: Pipeline, caller: Mapping[str, str]) -> tuple[str, ...]:
    return gpus.detect(caller) if any(step.resources.gpu for step in pipeline.nodes) else ()


def _gpu_notes(pipeline: Pipeline, devices: tuple[str, ...]) -> Iterator[Note]:
    for step in pipeline.nodes:
        gpu = step.resources.gpu
        if gpu is None or gpu.count <= len(devices):
            continue
        wanted = f"{gpu.count} GPU{'s' if gpu.count > 1 else ''}"
        if gpu.type:
            wanted += f" of type {gpu.type}"
        there = f"{len(devices)}, and it runs with these" if devices else "none: it runs without"
        yield Note(f"{step.name} asks for {wanted}; this machine has {there}")


@contextlib.contextmanager
def _interruptible(loop: Loop) -> Iterator[None]:
    """Let signals end the run in order, where this thread is the one that gets them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    before = {
        number: signal.signal(number, lambda number, _: loop.interrupt(signal.Signals(number)))
        for number in numbers
        if signal.getsignal(number) is not signal.SIG_IGN  # as nohup has it
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
