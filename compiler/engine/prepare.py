"""All that a run needs from this machine, found or found missing before anything starts."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from compiler.diagnostics import Diagnostic, error, has_errors
from compiler.engine.artifacts import Artifact, ArtifactError
from compiler.engine.attempt import secrets_of
from compiler.engine.digests import UntoldError, code_digest, read_indexed
from compiler.engine.environment import base_environment, interpreter
from compiler.engine.events import Note
from compiler.engine.inputs import InputError, fetch, local_path
from compiler.engine.store import FOLDER
from compiler.expr import Expr, PipelineInputRef, VolumePath, walk
from compiler.ir import Loop, Node, Pipeline, Required, Step
from compiler.settings import Project
from compiler.values import JsonValue


class Prepared(Struct, frozen=True):
    """What the steps of a run take from outside. `code` is None where nothing may be reused."""

    params: Mapping[str, JsonValue]
    uris: Mapping[str, str]
    inputs: Mapping[str, Artifact]
    secrets: Mapping[tuple[str, str], str]
    workdirs: Mapping[str, Path]
    volumes: Mapping[str, Mapping[str, str]]
    environment: Mapping[str, str]
    code: str | None
    notes: tuple[Note, ...]


def prepare(
    pipeline: Pipeline,
    project: Project,
    params: Mapping[str, JsonValue],
    inputs: Mapping[str, str],
    caller: Mapping[str, str],
    use_cache: bool,
    connection: sqlite3.Connection,
) -> tuple[Prepared | None, list[Diagnostic]]:
    """Find parameters, inputs, secrets, volumes and folders; None where one of them is missing.

    `params` and `inputs` are what was given for this run, over the defaults; `caller` is the
    environment that mlc runs in.
    """
    found: list[Diagnostic] = []
    notes: list[Note] = []
    values = _params(pipeline, params, found)
    secrets = _secrets(pipeline, project, caller, found)
    workdirs = {step.name: _workdir(step, project.root, found, notes) for step in pipeline.steps}
    volumes = {
        step.name: _volumes(step, project, found, notes) for step in pipeline.steps if step.volumes
    }
    uris = {given.name: inputs.get(given.name, given.default) for given in pipeline.inputs}
    caching = use_cache and any(step.cache.enabled for step in pipeline.steps)
    artifacts: dict[str, Artifact] = {}
    if not has_errors(found):  # what is remote is fetched only for a run that can start
        artifacts = _inputs(pipeline, project, uris, caching, connection, found)
    if has_errors(found):
        return None, found
    data = {str(local_path(uri, project.root)) for uri in uris.values() if uri is not None}
    data |= {folder for folders in volumes.values() for folder in folders.values()}
    code = _code(project, pipeline.sources, caller, data, connection, notes) if caching else None
    return (
        Prepared(
            params=values,
            uris={name: uri for name, uri in uris.items() if uri is not None},
            inputs=artifacts,
            secrets=secrets,
            workdirs=workdirs,
            volumes=volumes,
            environment=base_environment(caller, project.local, project.root),
            code=code,
            notes=(*notes, *_not_applied(pipeline)),
        ),
        found,
    )


def _params(
    pipeline: Pipeline, given: Mapping[str, JsonValue], found: list[Diagnostic]
) -> dict[str, JsonValue]:
    values: dict[str, JsonValue] = {}
    for param in pipeline.params:
        value = given.get(param.name, param.default)
        if isinstance(value, Required):
            found.append(
                error(
                    "MLC801",
                    f"the parameter `{param.name}` has no default and no value was given",
                    param.span,
                    hint=f"give one: -p {param.name}=…",
                )
            )
            continue
        if param.nullable and value == "":
            value = None  # on the clusters the empty text is how "not given" is sent
        values[param.name] = value
    return values


def _inputs_used(pipeline: Pipeline) -> set[str]:
    """The artifacts from outside that a step takes, or a condition or list."""
    return {
        part.name
        for expression in _expressions((*pipeline.nodes, *pipeline.finally_nodes))
        for part in walk(expression)
        if isinstance(part, PipelineInputRef)
    } | {
        part.name
        for output in pipeline.outputs
        for part in walk(output.value)
        if isinstance(part, PipelineInputRef)
    }


def _expressions(nodes: Iterable[Node]) -> Iterator[Expr]:
    for node in nodes:
        if node.when is not None:
            yield node.when
        if isinstance(node, Loop):
            yield from (axis.items for axis in node.axes)
            yield from _expressions(node.body)
        else:
            yield from node.expressions()


def _inputs(
    pipeline: Pipeline,
    project: Project,
    uris: Mapping[str, str | None],
    caching: bool,
    connection: sqlite3.Connection,
    found: list[Diagnostic],
) -> dict[str, Artifact]:
    used = _inputs_used(pipeline)
    artifacts: dict[str, Artifact] = {}
    for given in pipeline.inputs:
        uri = uris[given.name]
        if given.name not in used:
            continue
        if uri is None:
            message = f"the input `{given.name}` has no default and none was given"
            hint = f"give one: -p {given.name}=PATH"
            found.append(error("MLC802", message, given.span, hint=hint))
            continue
        try:
            path = fetch(uri, project.root, project.root / FOLDER / "cache")
            artifacts[given.name] = (
                read_indexed(connection, path)
                if caching
                else Artifact(str(path), path.is_dir(), "", ())
            )
        except (InputError, ArtifactError) as problem:
            message = f"the input `{given.name}` can't be had: {problem}"
            hint = f"give another: -p {given.name}=PATH"
            found.append(error("MLC803", message, given.span, hint=hint))
    return artifacts


def _secrets(
    pipeline: Pipeline, project: Project, caller: Mapping[str, str], found: list[Diagnostic]
) -> dict[tuple[str, str], str]:
    values: dict[tuple[str, str], str] = {}
    taken = ((step, part) for step in pipeline.steps for part in secrets_of(step))
    for step, part in taken:
        if (part.name, part.key) in values:
            continue
        name = f"{part.name}.{part.key}"
        variable = project.local.secrets.get(name)
        if variable is None:
            message = f"step `{step.name}` takes the secret `{name}`, and nothing says where it is"
            table = f"[{project.table_prefix}local.secrets]"
            hint = f'name an environment variable: {table} "{name}" = "VARIABLE"'
            found.append(error("MLC804", message, part.span, hint=hint))
        elif variable not in caller:
            message = f"the environment variable `{variable}` of the secret `{name}` is not set"
            hint = f"set it for mlc: export {variable}=…"
            found.append(error("MLC804", message, part.span, hint=hint))
        else:
            values[part.name, part.key] = caller[variable]
    return values


def _workdir(step: Step, root: Path, found: list[Diagnostic], notes: list[Note]) -> Path:
    if step.workdir is None:
        return root
    folder = root / step.workdir
    if folder.is_dir():
        return folder
    if Path(step.workdir).is_absolute():
        text = f"{step.name}: `{step.workdir}` is a folder of its image; here it runs in {root}"
        notes.append(Note(text))
    else:
        message = f"step `{step.name}` works in `{step.workdir}`, and {root} has no such folder"
        found.append(error("MLC806", message, step.span))
    return root


def _volumes(
    step: Step, project: Project, found: list[Diagnostic], notes: list[Note]
) -> dict[str, str]:
    """The folders of a step's volumes; an `empty` one that is not configured is made per try."""
    named = {
        part.name: part.span
        for expression in step.expressions()
        for part in walk(expression)
        if isinstance(part, VolumePath)
    }
    folders: dict[str, str] = {}
    for volume in step.volumes:
        configured = project.local.volumes.get(volume.name)
        if configured is not None:
            folder = project.root / Path(configured).expanduser() / (volume.sub_path or "")
            if folder.exists():
                folders[volume.name] = str(folder)
                continue
            message = f"the volume `{volume.name}` is {folder} on this machine, which is not there"
            found.append(error("MLC805", message, volume.span))
        elif volume.kind == "empty":
            continue
        elif volume.name in named:
            message = f"step `{step.name}` uses the volume `{volume.name}`, not known here"
            table = f"[{project.table_prefix}local.volumes]"
            hint = f'name a folder: {table} {volume.name} = "FOLDER"'
            found.append(error("MLC805", message, named[volume.name], hint=hint))
        else:
            text = f"{step.name}: the volume `{volume.name}` is not mounted at {volume.mount} here"
            notes.append(Note(text))
    return folders


def _code(
    project: Project,
    sources: tuple[str, ...],
    caller: Mapping[str, str],
    data: set[str],
    connection: sqlite3.Connection,
    notes: list[Note],
) -> str | None:
    root = project.root
    folders = [root]
    for name in project.local.pythonpath:
        folder = (root / name).resolve()
        if folder.is_dir() and not folder.is_relative_to(root.resolve()):
            folders.append(folder)
    try:
        code = code_digest(connection, folders, data, interpreter(caller), sources)
    except UntoldError as problem:
        notes.append(Note(str(problem)))
        return None
    passed = [f"{name}={caller.get(name)}" for name in sorted(project.local.pass_env)]
    return hashlib.sha256("\0".join([code, *passed]).encode()).hexdigest()


def _not_applied(pipeline: Pipeline) -> Iterator[Note]:
    """What a process on this machine does without; GPUs are another matter."""
    for step in pipeline.steps:
        names = [
            name
            for name, given in (
                ("image", step.image),
                ("cpu", step.resources.cpu),
                ("memory", step.resources.memory),
                ("disk", step.resources.disk),
                ("shm", step.resources.shm),
                ("pod", step.pod.spans),
                ("read-only volumes", any(volume.read_only for volume in step.volumes)),
            )
            if given
        ]
        if names:
            text = f"{step.name}: a process on this machine does without {', '.join(names)}"
            yield Note(text, detail=True)
    if pipeline.limits.ttl is not None:
        yield Note("limits.ttl: what a run on this machine leaves is kept", detail=True)
