"""What a container runs for a step: the argument vector as words of text and placeholders.

Shared by the cluster targets, which differ only in how they print a placeholder and escape text.
Wraps the command in the POSIX-sh wrapper and calls the Python shim (`compiler.runtime`) where a
step needs them. The local engine renders arguments natively and uses the shim alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from compiler.capture import (
    ArgumentWord,
    Capture,
    OutputPathOf,
    PathOf,
    Slot,
    Text,
    ValueOf,
    captures,
    words_of,
)
from compiler.expr import SecretRef
from compiler.ir import Command, Step

__all__ = [
    "ArgumentWord",
    "Capture",
    "Dialect",
    "Launch",
    "OutputPathOf",
    "PathOf",
    "Slot",
    "Text",
    "ValueOf",
    "captures",
    "launch",
]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the wrapper has to do on a target.

    native_env: run-time values may stand in a container's environment as they are.
    metrics_metadata: Metrics are handed over in output_metadata.json beside the artifacts.
    requires_artifacts: the engine itself fails a step that leaves out a declared artifact.
    checks_values: the engine itself checks integers, numbers, arrays and objects.
    keeps_newline: the engine keeps a string output's final newline, so the wrapper cuts it.
    forbidden: texts that an output can't carry; the step that wrote one fails.
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

    `secrets` are environment variables filled from a cluster's secrets. `reasons` names the
    fields for which /bin/sh is needed in the image (`env.STATUS`, `args.--warm-start`,
    `outputs.rows`). `wrapped` tells whether it is used: with a reason always, but for a command
    that has no shell, which the target must refuse then; and without one where a shell is there
    anyway and checks an output more strictly than the engine.
    """

    argv: tuple[ArgumentWord, ...]
    env: tuple[tuple[str, ArgumentWord], ...]
    secrets: tuple[tuple[str, SecretRef], ...]
    captures: tuple[Capture, ...]
    wrapped: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Directive:
    """Three words for the wrapper. `reason` is the field that needs it, None where none does."""

    kind: str
    name: str
    value: ArgumentWord
    reason: str | None


def launch(step: Step, dialect: Dialect) -> Launch:
    """The container of a step for one target."""
    captured = captures(step)
    words = words_of(step, captured)
    argv, directives = _program(step, words, dialect)
    env = _environment(step, words)
    if not dialect.native_env:
        moved = {name: word for name, word in env.items() if _needs_export(word)}
        env = {name: word for name, word in env.items() if name not in moved}
        directives = [
            *(Directive("env", name, word, f"env.{name}") for name, word in moved.items()),
            *directives,
        ]
    reasons = tuple(dict.fromkeys(d.reason for d in directives if d.reason))
    wrapped = bool(directives) and not (
        isinstance(step.program, Command) and not step.program.has_shell
    )
    return Launch(
        argv=_wrapped(directives, argv) if wrapped else argv,
        env=tuple(env.items()) if wrapped or not moved_env(dialect) else (),
        secrets=tuple((e.name, e.value) for e in step.env if isinstance(e.value, SecretRef)),
        captures=captured,
        wrapped=wrapped,
        reasons=reasons,
    )
