"""What a step wrote, read back and checked as the clusters' wrapper checks it.

A parameter output is read from its file by the rules of "Values as text", an artifact must exist,
Metrics must be one flat JSON object of finite numbers.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from compiler.engine.artifacts import Artifact, ArtifactError, read_artifact
from compiler.expr import ValueType
from compiler.ir import Output
from compiler.values import MAX_INTEGER, JsonValue, ValueTextError, from_text

_ENDINGS = {"HTML": ".html", "Markdown": ".md"}


class OutputError(Exception):
    """An output is missing or wrong; the message names it."""


@dataclass(frozen=True, slots=True)
class Written:
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
    if problems:
        raise OutputError("\n".join(problems))
    return Written(values, artifacts, metrics)


def read_value(path: Path, wanted: ValueType) -> JsonValue:
    """The value of a parameter output; one final newline is no part of a string."""
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        raise OutputError("what the step wrote is not UTF-8 text") from None
    except IsADirectoryError:
        raise OutputError("the step made a folder where a file with the value belongs") from None
    if wanted.nullable and not text.strip():
        return None
    if wanted.kind is None or wanted.kind == "string":
        return text.removesuffix("\n")
    return from_text(text, wanted.kind)


def read_metrics(path: Path) -> Mapping[str, float]:
    """The numbers of a Metrics artifact, in their order."""
    try:
        found = json.loads(path.read_bytes())
    except IsADirectoryError:
        raise OutputError("Metrics are one JSON file, the step made a folder") from None
    except (ValueError, RecursionError):
        raise OutputError("Metrics are a JSON object, this is no JSON") from None
    if not isinstance(found, dict):
        raise OutputError("Metrics are one flat JSON object, names to numbers")
    return {name: _metric(name, value) for name, value in found.items()}


def _metric(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
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
