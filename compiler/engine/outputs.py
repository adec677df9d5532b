"""What a step wrote, read back and checked as the clusters' wrapper checks it.

A parameter output is read from its file by the rules of "Values as text", an artifact must exist,
Metrics must be one flat JSON object of finite numbers.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from compiler.engine.artifacts import Artifact, ArtifactError, read_artifact
from compiler.expr import ValueType
from compiler.ir import Output
from compiler.values import MAX_INTEGER, JsonValue, ValueTextError, carrying_problem, from_text

_ENDINGS = {"HTML": ".html", "Markdown": ".md"}
# Values are held in memory and in the record; what is larger belongs into an artifact.
_MOST_BYTES = 16 * 2**20


class OutputError(Exception):
    """An output is missing or wrong; the message names it."""


class Written(Struct, frozen=True):
    """All that a step handed on, by the names of its outputs."""

    values: Mapping[str, JsonValue]
    artifacts: Mapping[str, Artifact]
    metrics: Mapping[str, Mapping[str, float]]


def read_outputs(outputs: tuple[Output, ...], folder: Path) -> Written:
    """Read each declared output from the file or folder of its name in `folder`.

    Raises:
        OutputError: with one line for each output that is missing or wrong.
    """
    values: dict[str, JsonValue] = {}
    artifacts: dict[str, Artifact] = {}
    metrics: dict[str, Mapping[str, float]] = {}
    problems = []
    for output in outputs:
        path = folder / output.name
        try:
            if isinstance(output.type, ValueType):
                values[output.name] = read_value(path, output.type)
                continue
            artifacts[output.name] = read_artifact(path)
            if output.type.kind == "Metrics":
                metrics[output.name] = read_metrics(path)
        except FileNotFoundError:
            problems.append(f"output {output.name}: the step wrote nothing to its path")
        except (ArtifactError, OutputError, ValueTextError) as problem:
            problems.append(f"output {output.name}: {problem}")
        except OSError as problem:
            problems.append(f"output {output.name}: it can't be read: {problem.strerror}")
    if problems:
        raise OutputError("\n".join(problems))
    return Written(values, artifacts, metrics)


def read_value(path: Path, wanted: ValueType) -> JsonValue:
    """The value of a parameter output; one final newline is no part of a string."""
    try:
        text = _content(path, "the step made a folder where a file with the value belongs").decode()
    except UnicodeDecodeError:
        raise OutputError("what the step wrote is not UTF-8 text") from None
    if wanted.nullable and not text.strip():
        return None
    if wanted.kind is None or wanted.kind == "string":
        return from_text(text.removesuffix("\n"), "string")
    return from_text(text, wanted.kind)


def _content(path: Path, on_folder: str) -> bytes:
    """The bytes of a small file. Anything else is refused unopened: a pipe would never end."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise OutputError(on_folder)
    if not stat.S_ISREG(mode):
        raise OutputError("it is neither a file nor a folder")
    with path.open("rb") as stream:
        content = stream.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise OutputError(f"it is larger than {_MOST_BYTES // 2**20} MiB; make it an artifact")
    return content


def read_metrics(path: Path) -> Mapping[str, float]:
    """The numbers of a Metrics artifact, in their order."""
    try:
        found = json.loads(_content(path, "Metrics are one JSON file, the step made a folder"))
    except (ValueError, RecursionError):
        raise OutputError("Metrics are a JSON object, this is no JSON") from None
    if not isinstance(found, dict):
        raise OutputError("Metrics are one flat JSON object, names to numbers")
    return {name: _metric(name, value) for name, value in found.items()}


def _metric(name: str, value: object) -> float:
    problem = carrying_problem(name)
    if problem:
        raise OutputError(f"the name {json.dumps(name)} of a metric: {problem}")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise OutputError(f"metric `{name}` is no number: {json.dumps(value)[:40]}")
    if isinstance(value, int) and abs(value) <= MAX_INTEGER:
        return value
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise OutputError(f"metric `{name}` is not finite; only finite numbers can be shown")
    return number


def readable_paths(
    outputs: tuple[Output, ...], written: Written, folder: Path, key: str
) -> dict[str, Path]:
    """Where a person finds each artifact. A browser tells HTML by the ending of its name only, so
    that a page gets a link with one in `folder`: `STEP.OUTPUT.html`.
    """
    paths = {name: Path(found.path) for name, found in written.artifacts.items()}
    for output in outputs:
        ending = _ENDINGS.get(str(output.type))
        if ending is None or written.artifacts[output.name].is_folder:
            continue
        link = folder / f"{key}.{output.name}{ending}"
        try:
            link.symlink_to(os.path.relpath(paths[output.name], folder))
        except OSError:  # a disk without links: the file itself will have to do
            continue
        paths[output.name] = link
    return paths
