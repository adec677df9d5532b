"""What an algorithm is made of: its spec, the files that this goes on from or uses, the programs
in them and what they say of the project's configuration.

Works on nodes and not on the pipeline, so that a spec with errors has its parts too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from compiler import frontend, source
from compiler.nodes import Mapping, Node, Scalar, Sequence, mapping, text, texts
from compiler.settings import Project

Role = Literal["spec", "base", "component", "algorithm"]
_STEPS = ("steps", "finally")


class Program(Struct, frozen=True):
    """What a step runs: a module for `python`, else text with the names of files in it."""

    step: str
    form: Literal["python", "command", "script"]
    text: str
    is_python_source: bool = False


class Origin(Struct, frozen=True):
    """Why a file is a part, and the file that says so."""

    role: Role
    by: Path | None


class Parts(Struct):
    """The parts of one algorithm. Paths are absolute; files that are missing are among them.

    `name` is empty where the spec can't be read. `gpus` are the names of GPU types that any step,
    profile or default asks for.
    """

    path: Path
    project: Project
    name: str = ""
    files: dict[Path, Origin] = field(default_factory=dict)
    programs: dict[Program, None] = field(default_factory=dict)
    sources: dict[str, None] = field(default_factory=dict)
    gpus: set[str] = field(default_factory=set)


Documents = dict[Path, frontend.Document]


def read_parts(path: Path, documents: Documents) -> Parts:
    """The parts of the algorithm whose spec this is, whatever is wrong with it. `documents` are
    those read so far, since algorithms share components."""
    path = path.resolve()
    document = _document(path, documents)
    parts = Parts(path, document.project)
    parts.name = text(document.root.get("name") if document.root else None) or ""
    _collect(path, Origin("spec", None), parts, documents)
    return parts


def _document(path: Path, documents: Documents) -> frontend.Document:
    if path not in documents:
        documents[path] = frontend.read(path)
    return documents[path]


def _collect(path: Path, origin: Origin, parts: Parts, documents: Documents) -> None:
    if path in parts.files:
        return
    parts.files[path] = origin
    if not path.is_file():
        return
    document = _document(path, documents)
    if "extends" in document.sources[document.path].text:
        _bases(path, parts)
    root = document.root
    if root is None:
        return
    parts.sources |= dict.fromkeys(texts(root.get("sources")))
    parts.gpus.update(_gpu_types(root))
    steps = [*_steps(root)]
    if document.kind == "Component":
        steps.append((text(root.get("name")) or path.stem, root))
    for name, step in steps:
        parts.programs |= dict.fromkeys(_programs(name, step))
        used = step.get("use")
        target = _target(used)
        if target is not None:
            is_algorithm = target.is_file() and _document(target, documents).kind == "Algorithm"
            role: Role = "algorithm" if is_algorithm else "component"
            _collect(target, Origin(role, _file(used) or path), parts, documents)


def _bases(path: Path, parts: Parts) -> None:
    """The files that one goes on from. What is in them is in its document already."""
    by = path
    while by.is_file():
        root, _, _ = source.read(by, by.name)
        base = _target(root.get("extends") if root else None)
        if base is None or base in parts.files:
            return
        parts.files[base] = Origin("base", by)
        by = base


def _target(reference: Node | None) -> Path | None:
    file = _file(reference)
    if file is None or not isinstance(reference, Scalar) or "\0" in reference.text:
        return None
    try:
        return (file.parent / reference.text).resolve()
    except (OSError, RuntimeError):  # too long a name, links in a circle
        return None


def _file(node: Node | None) -> Path | None:
    return node.file.file.resolve() if isinstance(node, Scalar) and node.file.file else None


def _steps(root: Mapping) -> Iterator[tuple[str, Mapping]]:
    """Steps and groups at every depth, those that profiles change included."""
    for key in _STEPS:
        for name, entry in mapping(root.get(key)) or ():
            if isinstance(entry.value, Mapping):
                yield name, entry.value
                yield from _steps(entry.value)
    for _, entry in mapping(root.get("profiles")) or ():
        if isinstance(entry.value, Mapping):
            yield from _steps(entry.value)


def _programs(name: str, step: Mapping) -> Iterator[Program]:
    function = text(step.get("python"))
    if function:
        yield Program(name, "python", function.partition(":")[0])
    words = [*_texts(step.get("command")), *_texts(step.get("args"))]
    if words:
        yield Program(name, "command", "\n".join(words))
        for flag, code in itertools.pairwise(words):
            if flag == "-c":
                yield Program(name, "command", code, is_python_source=True)
    script = text(step.get("script"))
    if script:
        is_python = text(step.get("shell")) == "python"
        yield Program(name, "script", script, is_python_source=is_python)


def _texts(node: Node | None) -> Iterator[str]:
    """All scalars below a node, names of flags included."""
    match node:
        case Scalar():
            yield node.text
        case Sequence():
            for item in node.items:
                yield from _texts(item)
        case Mapping():
            for name, entry in node:
                yield name
                yield from _texts(entry.value)


def _gpu_types(node: Node) -> Iterator[str]:
    if isinstance(node, Sequence):
        for item in node.items:
            yield from _gpu_types(item)
    for key, entry in node if isinstance(node, Mapping) else ():
        kind = text(entry.value.get("type")) if isinstance(entry.value, Mapping) else None
        if key == "gpu" and kind:
            yield kind
        yield from _gpu_types(entry.value)
