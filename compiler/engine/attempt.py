"""One try of a step, from its rendered command to its checked outputs; runs in a worker thread.

Before the first try the cache is asked. Bad commands and bad outputs are values, here: they fail
the try, with a reason for the user.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from compiler.engine import cache
from compiler.engine.artifacts import Artifact, is_unchanged
from compiler.engine.gpus import VISIBLE
from compiler.engine.known import EvaluationError, Known, Value, look_up
from compiler.engine.masking import mask, mask_file
from compiler.engine.outputs import OutputError, Written, read_outputs
from compiler.engine.process import Child, LaunchError, start
from compiler.engine.program import arguments, cache_key, variables
from compiler.engine.render import Site, text_of
from compiler.evaluation import Skipped
from compiler.expr import PipelineInputRef, SecretRef, StepOutputRef, walk
from compiler.ir import Retry, Step
from compiler.runtime import WRONG_VALUE


class Instance(Struct, frozen=True):
    """A step that runs, with what its expressions see. `key` is unique in the run."""

    key: str
    step: Step
    known: Known


class Ground(Struct, frozen=True):
    """What all tries of a run share.

    `root` is the project's folder and `folder` the run's; `workdirs` and `volumes` give each
    step's own. `cache` is None where nothing may be reused; `code` stands for the image there.
    """

    run: str
    root: Path
    folder: Path
    environment: Mapping[str, str]
    secrets: Mapping[tuple[str, str], str]
    workdirs: Mapping[str, Path]
    volumes: Mapping[str, Mapping[str, str]]
    cache: Path | None
    code: str


class Tried(Struct, frozen=True):
    """How a try ended: it succeeded if there is something `written`, else `reason` says why not.

    Without `pid` no process was started; `hopeless` if no other try can help. `number` is 0 for
    what came from the cache. Times are seconds since the epoch. `unkept` says why the cache did not
    take what was written.
    """

    key: str
    number: int
    log: Path
    started: float
    ended: float
    reason: str = ""
    exit_code: int | None = None
    pid: int | None = None
    written: Written | None = None
    cached_from: str | None = None
    hopeless: bool = False
    unkept: str = ""


def try_step(
    ground: Ground,
    instance: Instance,
    number: int,
    devices: str,
    started: Callable[[Child, Path], None],
) -> Tried:
    """Run a step once, or take what it wrote from the cache.

    `number` counts tries from 1, `devices` are the GPUs it may see, as CUDA_VISIBLE_DEVICES takes
    them, and `started` is told the process and its log as soon as there is one.
    """
    begun = time.time()
    step, key = instance.step, instance.key
    log = ground.folder / f"{key}.{number}.log"
    site = site_of(ground, instance, number)
    try:
        argv = arguments(site)
        own = variables(site)
    except EvaluationError as problem:
        return Tried(key, number, log, begun, time.time(), str(problem), hopeless=True)
    reused = None
    if ground.cache is not None and step.cache.enabled:
        reused = cache_key(site, argv, own, ground.code)
        if number == 1:
            outputs = ground.folder / key / "cached" / "outputs"
            entry = _reuse(ground.cache, reused, step, outputs, begun)
            if entry is not None:
                log = ground.root / entry.log
                return Tried(
                    key,
                    0,
                    log,
                    begun,
                    time.time(),
                    written=entry.written,
                    cached_from=entry.run,
                )
    _make_folders(site)
    env = {**ground.environment, VISIBLE: devices}
    env.update((name, text_of(value)) for name, value in own.items())
    secrets = [ground.secrets[part.name, part.key] for part in secrets_of(step)]
    try:
        child = start([text_of(word) for word in argv], env, ground.workdirs[step.name], log)
    except LaunchError as problem:
        reason = mask(str(problem), secrets)
        return Tried(key, number, log, begun, time.time(), reason, hopeless=True)
    started(child, log)
    code = child.wait()
    mask_file(log, secrets)
    written = None
    reason = child.stopped or _told(code, log) or _reason(code)
    if not reason:
        try:
            written = read_outputs(step.outputs, site.folder)
        except OutputError as problem:
            reason = mask(str(problem), secrets)
    ended = time.time()
    unkept = ""
    if written is not None and reused is not None and ground.cache is not None:
        kept = log.relative_to(ground.root).as_posix()
        entry = cache.Entry(ground.run, ended, kept, written)
        unkept = _keep(ground.cache, reused, entry, site)
    return Tried(key, number, log, begun, ended, reason, code, child.pid, written, unkept=unkept)


def _keep(folder: Path, key: str, entry: cache.Entry, site: Site) -> str:
    """Store what a step wrote, or say why not: the step has succeeded all the same."""
    if not all(map(is_unchanged, _artifacts_read(site))):
        # The key tells of what its inputs were, not of what the step may have read.
        return "one of its inputs is no longer what its digest says"
    try:
        cache.store(folder, key, entry)
    except OSError as problem:
        return str(problem)
    return ""


def _artifacts_read(site: Site) -> list[Artifact]:
    """Each artifact that the step's expressions take, once."""
    references = dict.fromkeys(
        part
        for expression in site.step.expressions()
        for part in walk(expression)
        if isinstance(part, (PipelineInputRef, StepOutputRef))
    )
    found: dict[str, Artifact] = {}
    pending: list[Value | Skipped] = [look_up(each, site.known) for each in references]
    while pending:
        value = pending.pop()
        if isinstance(value, tuple):
            pending += value
        elif isinstance(value, Artifact):
            found[value.path] = value
    return list(found.values())


def site_of(ground: Ground, instance: Instance, number: int) -> Site:
    """Where the try's expressions stand. Volumes that are folders of the try lie beside outputs."""
    folder = ground.folder / instance.key / str(number)
    step = instance.step
    volumes = {v.name: str(folder / "volumes" / v.name) for v in step.volumes if v.kind == "empty"}
    volumes.update(ground.volumes.get(step.name, {}))
    return Site(step, instance.known, folder / "outputs", volumes, ground.secrets)


def _make_folders(site: Site) -> None:
    """Make what the try writes to. A step that writes nothing needs nothing, and gets nothing."""
    if site.step.outputs:
        site.folder.mkdir(parents=True)
    own = site.folder.parent / "volumes"
    for path in map(Path, site.volumes.values()):
        if path.parent == own:
            path.mkdir(parents=True)


def backoff(retry: Retry, number: int) -> float:
    """The seconds to wait after try `number`, which failed."""
    wait = retry.backoff * retry.factor ** (number - 1)
    return float(wait if retry.max_backoff is None else min(wait, retry.max_backoff))


def _reuse(folder: Path, key: str, step: Step, outputs: Path, now: float) -> cache.Entry | None:
    entry = cache.find(folder, key)
    if entry is None:
        return None
    if step.cache.max_age is not None and now - entry.created > step.cache.max_age:
        return None
    written = cache.give_out(folder, entry, outputs)
    return replace(entry, written=written) if written else None


def secrets_of(step: Step) -> list[SecretRef]:
    """The secrets that a step's environment takes."""
    return [
        part
        for variable in step.env
        for part in walk(variable.value)
        if isinstance(part, SecretRef)
    ]


def _told(code: int, log: Path) -> str:
    """What the shim says of a wrong value at the end of the log, with the exit code for that."""
    if code != WRONG_VALUE:
        return ""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - 2000))
        last = stream.read().decode("utf-8", "replace").rstrip().rpartition("\n")[2]
    return last.removeprefix("mlc: ") if last.startswith("mlc: ") else ""


def _reason(code: int) -> str:
    if code == 0:
        return ""
    if code > 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
