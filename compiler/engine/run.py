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
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from compiler.diagnostics import MlcError
from compiler.engine import gpus
from compiler.engine.attempt import Ground
from compiler.engine.events import Listener, RunEnded, RunResult, RunStarted, RunStatus
from compiler.engine.execution import Execution
from compiler.engine.flow import Flow
from compiler.engine.journal import Journal
from compiler.engine.known import Known, Value, evaluate
from compiler.engine.prepare import Prepared, prepare
from compiler.engine.recorder import Recorder
from compiler.engine.store import FOLDER, open_store
from compiler.ir import Pipeline
from compiler.settings import Project
from compiler.values import JsonValue

_MOST_NAMED = 10
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


class Options(Struct, frozen=True):
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
    SIGQUIT interrupt the run: its processes are ended, the steps of `finally` run as after a
    failure, and it is recorded as interrupted. A second signal kills what still runs, and starts
    nothing more. `on_event` is called in the calling thread.

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
    main = Flow(pipeline.nodes, known, journal)
    told = dict(known.run)
    alone = replace(known, run=told, outputs={})
    first = len(pipeline.nodes)
    last = Flow(pipeline.finally_nodes, alone, journal, first=first, is_finally=True)
    recorder.commit()
    on_event(RunStarted(name, pipeline.name, folder, tuple(journal.places)))
    for note in prepared.notes:
        on_event(note)
    execution = Execution(ground, journal, jobs, gpus.Devices(devices), options.grace)
    try:
        with _interruptible(execution):
            status, reason = _run_main(main, journal, execution, pipeline.limits.timeout)
            told["status"] = "succeeded" if status == "succeeded" else "failed"
            stopped = execution.run(last)
            if stopped and status != "interrupted":
                status, reason = stopped
        outputs = _outputs(pipeline, known) if status == "succeeded" else {}
        recorder.add_outputs(pipeline, outputs)
    except BaseException as problem:
        recorder.break_off(f"mlc could not go on: {problem}", time.time())
        raise
    ended = time.time()
    recorder.end(status, reason, ended)
    recorder.commit()
    steps = journal.in_order()
    return RunResult(status, name, reason, folder, ended - started, steps, outputs=outputs)


def _run_main(
    flow: Flow, journal: Journal, execution: Execution, timeout: int | None
) -> tuple[RunStatus, str]:
    """Run all but `finally`: the state of the run and why it is so."""
    stopped = execution.run(flow, timeout)
    if stopped:
        return stopped
    if not flow.failed:
        return "succeeded", ""
    # A loop has failed by itself only if it could not begin.
    ended = journal.in_order().values()
    failed = [s.step for s in ended if s.status == "failed" and not s.rounds]
    return "failed", f"{_listed(failed)} failed"


def _outputs(pipeline: Pipeline, known: Known) -> dict[str, Value]:
    """What the algorithm hands on."""
    return {output.name: evaluate(output.value, known) for output in pipeline.outputs}


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


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
    return gpus.detect(caller) if any(step.resources.gpu for step in pipeline.steps) else ()


@contextlib.contextmanager
def _interruptible(execution: Execution) -> Iterator[None]:
    """Let signals end the run in order, where this thread is the one that gets them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    before = {
        number: signal.signal(number, lambda number, _: execution.interrupt(signal.Signals(number)))
        for number in numbers
        if signal.getsignal(number) is not signal.SIG_IGN  # as nohup has it
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
