"""What a container runs for a step: the argument vector as words of text and placeholders.

Shared by the cluster targets, which differ only in how they print a placeholder and escape text.
Wraps the command in the POSIX-sh wrapper and calls the Python shim (`compiler.runtime`) where a
step needs them. The local engine renders arguments natively and uses the shim alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from compiler.expr import RunTimeRef, SecretRef, Type
from compiler.ir import Step


@dataclass(frozen=True, slots=True)
class Text:
    """Literal text, to be escaped by the target."""

    text: str


@dataclass(frozen=True, slots=True)
class ValueOf:
    """The text of a captured value, canonical as in `compiler.values.to_text`."""

    capture: str


@dataclass(frozen=True, slots=True)
class PathOf:
    """The path at which a captured artifact can be read."""

    capture: str


@dataclass(frozen=True, slots=True)
class OutputPathOf:
    """The path at which the step writes an output."""

    output: str


Slot: TypeAlias = Text | ValueOf | PathOf | OutputPathOf
ArgumentWord: TypeAlias = tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Capture:
    """A run-time value or artifact that a step takes from outside.

    `name` is unique in the step and a Python identifier: the declared input's name where it is
    bound to the reference alone, else made from the reference (`max_documents`,
    `fetch_dataset_rows`), with `_2`, `_3` … where that is taken.
    """

    name: str
    ref: RunTimeRef
    type: Type


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the wrapper has to do on a target.

    native_env: run-time values may stand in a container's environment as they are.
    metrics_metadata: Metrics are handed over in output_metadata.json beside the artifacts.
    requires_artifacts: the engine itself fails a step that leaves out a declared artifact.
    checks_values: the engine itself checks integers, numbers, arrays and objects.
    keeps_newline: the engine keeps a string output's final newline, so the wrapper cuts it.
    forbidden: texts that a string output can't carry; the step that wrote one fails.
    """

    native_env: bool
    metrics_metadata: bool
    requires_artifacts: bool
    checks_values: bool
    keeps_newline: bool
    forbidden: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Launch:
    """A step's container: its whole argument vector, environment and what these take in.

    `secrets` are environment variables filled from a cluster's secrets. `wrapped` tells whether
    /bin/sh is needed in the image, with `reasons` naming the fields that need it.
    """

    argv: tuple[ArgumentWord, ...]
    env: tuple[tuple[str, ArgumentWord], ...]
    secrets: tuple[tuple[str, SecretRef], ...]
    captures: tuple[Capture, ...]
    wrapped: bool
    reasons: tuple[str, ...]


def captures(step: Step) -> tuple[Capture, ...]:
    """What the step takes from outside, declared inputs first, each reference once."""
    raise NotImplementedError


def launch(step: Step, dialect: Dialect) -> Launch:
    """The container of a step for one target."""
    raise NotImplementedError
