"""What a container runs for a step: the argument vector as words of text and placeholders.

Shared by the cluster targets, which differ only in how they print a placeholder and escape text.
Wraps the command in the POSIX-sh wrapper and calls the Python shim (`compiler.runtime`) where a
step needs them. The local engine renders arguments natively and uses the shim alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache, partial

from msgspec import Struct

from compiler.capture import (
    ArgumentWord,
    Capture,
    OutputPathOf,
    PathOf,
    Slot,
    Text,
    ValueOf,
    Words,
    captures,
    words_of,
)
from compiler.expr import ArtifactType, Literal, SecretRef, ValueType
from compiler.ir import Command, Flag, Output, Python, Script, Step
from compiler.runtime import Part, shim_spec, shim_text, wrapper_text

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

# What engines or the kubelet would act on (see `compiler.targets.kubelet`).
_ACTED_ON = re.compile(r"\{\{|\$[$(]|\$[^\x00-\x7f]")


class Dialect(Struct, frozen=True):
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


class Launch(Struct, frozen=True):
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


def launch(step: Step, dialect: Dialect) -> Launch:
    """The container of a step for one target."""
    captured = captures(step)
    words = words_of(step, captured)
    variables = tuple(_variables(step, words))
    exported = [v for v in variables if not dialect.native_env and _needs_export(v.value)]
    directives = [Directive("env", v.name, v.value, (v.field,)) for v in exported]
    if isinstance(step.program, Command):
        items = tuple(_items(step.program, words))
        argv = tuple(word for item in items for word in item.words)
        directives += _flags(items)
    else:
        argv = _call(step, words, dialect)
    if not isinstance(step.program, Python):
        directives += [d for output in step.outputs for d in _checks(output, dialect)]
    wrapped = bool(directives) and (not isinstance(step.program, Command) or step.program.has_shell)
    return Launch(
        argv=_wrapped(directives, argv) if wrapped else argv,
        env=tuple((v.name, v.value) for v in variables if not (wrapped and v in exported)),
        secrets=tuple((e.name, e.value) for e in step.env if isinstance(e.value, SecretRef)),
        captures=captured,
        wrapped=wrapped,
        reasons=tuple(dict.fromkeys(reason for d in directives for reason in d.reasons)),
    )


class Directive(Struct, frozen=True):
    """Three words for the wrapper, and the fields that can't do without it."""

    kind: str
    name: str
    value: ArgumentWord
    reasons: tuple[str, ...]


class Item(Struct, frozen=True):
    """Words of an argument vector; `code` says what the wrapper makes of them (wrapper.sh)."""

    code: str
    words: tuple[ArgumentWord, ...]
    reason: str = ""


class Variable(Struct, frozen=True):
    """A variable of the environment and the field of the step that it comes from."""

    name: str
    value: ArgumentWord
    field: str


def _variables(step: Step, words: Words) -> Iterator[Variable]:
    """What scripts are given ready-made, then `env`, which may replace it; no secrets."""
    given = {e.name for e in step.env}
    if isinstance(step.program, Script):
        for input_ in step.inputs:
            name = f"INPUT_{input_.name.upper()}"
            if name not in given:
                yield Variable(name, words.word(input_.value), f"inputs.{input_.name}")
        for output in step.outputs:
            name = f"OUTPUT_{output.name.upper()}"
            if name not in given:
                yield Variable(name, (OutputPathOf(output.name),), f"outputs.{output.name}")
    for variable in step.env:
        if not isinstance(variable.value, SecretRef):
            yield Variable(variable.name, words.word(variable.value), f"env.{variable.name}")


def _needs_export(word: ArgumentWord) -> bool:
    """Whether an engine that does not resolve a container's environment could alter the value."""
    return any(not isinstance(slot, Text) or _ACTED_ON.search(slot.text) for slot in word)


def _call(step: Step, words: Words, dialect: Dialect) -> tuple[ArgumentWord, ...]:
    """The argument vector of a script or a function, without the wrapper."""
    match step.program:
        case Script(shell="sh", source=source):
            call = ["sh", "-ec", source, "mlc"]
        case Script(shell="bash", source=source):
            call = ["bash", "-eo", "pipefail", "-c", source, "mlc"]
        case Script(shell="python", source=source):
            call = ["python3", "-c", source]
        case Python(module=module, function=function):
            spec = shim_spec(
                step,
                metadata=dialect.metrics_metadata,
                newline=not dialect.keeps_newline,
                forbidden=dialect.forbidden,
            )
            call = ["python3", "-c", shim_text(), f"{module}:{function}", spec]
        case Command():
            raise AssertionError("a command is its own argument vector")
    argv = [words.word(text) for text in call]
    if isinstance(step.program, Python):
        for input_ in step.inputs:
            for word in words.items(input_.value):
                argv += [words.word(input_.name), word]
        for output in step.outputs:
            argv += [words.word(output.name), (OutputPathOf(output.name),)]
    return tuple(argv)


def _items(command: Command, words: Words) -> Iterator[Item]:
    for argument in command.arguments:
        if isinstance(argument, Flag):
            yield from _flag(argument, words)
        else:
            yield Item(".", (words.word(argument.value),))


def _flag(flag: Flag, words: Words) -> Iterator[Item]:
    """A flag, decided here where its value is known, else by the wrapper."""
    name, value = words.word(flag.name), words.resolve(flag.value)
    reason = f"args.{flag.name}"
    type_ = value.type
    nullable = isinstance(type_, ValueType) and type_.nullable
    switch = not flag.joined and isinstance(type_, ValueType) and type_.kind == "boolean"
    if isinstance(value, Literal):
        if value.value is None or (value.value is False and not flag.joined):
            return
        nullable, switch = False, False
        if value.value is True and not flag.joined:
            yield Item(".", (name,))
            return
    if switch:
        yield Item("s", (name, words.word(value)), reason)
    elif nullable:
        yield Item("j" if flag.joined else "o", (name, words.word(value)), reason)
    elif flag.joined:
        yield Item(".", (words.word(f"{flag.name}=", value),))
    else:
        yield Item(".", (name,))
        yield Item(".", (words.word(value),))


def _flags(items: tuple[Item, ...]) -> list[Directive]:
    code = "".join(item.code for item in items)
    if not code.strip("."):
        return []
    reasons = tuple(item.reason for item in items if item.reason)
    return [Directive("flags", "-", (Text(code),), reasons)]


def _checks(output: Output, dialect: Dialect) -> Iterator[Directive]:
    """What the wrapper does about an output once the command has succeeded."""
    field = (f"outputs.{output.name}",)
    directive = partial(Directive, name=output.name, value=(OutputPathOf(output.name),))
    if isinstance(output.type, ArtifactType):
        if output.type.kind == "Metrics":
            kind = "metadata" if dialect.metrics_metadata else "metrics"
            yield directive(kind, reasons=field)
        elif not dialect.requires_artifacts:
            yield directive("file", reasons=field)
        return
    match output.type.kind:
        case "integer" | "number" as kind:
            # Engines let pass a little more than JSON's numbers, so a shell is used if it is there.
            yield directive(kind, reasons=() if dialect.checks_values else field)
            return
        case "boolean":
            yield directive("boolean", reasons=field)
            return
        case "array" | "object" as kind:
            needed = bool(dialect.forbidden) or not dialect.checks_values
            yield directive(kind, reasons=field if needed else ())
        case "string" | None if dialect.keeps_newline:
            yield directive("string", reasons=field)
        case "string" | None if dialect.forbidden:
            yield directive("text", reasons=field)
    for text in dialect.forbidden:
        yield Directive("not", "-", (Text(_printf(text)),), field)


@lru_cache(maxsize=256)
def _printf(text: str) -> str:
    """Text as printf's `%b` reads it, in printable ASCII: manifests don't carry all characters."""
    return "".join(
        chr(byte) if 32 <= byte < 127 and byte != ord("\\") else f"\\0{byte:03o}"
        for byte in text.encode()
    )


def _wrapped(
    directives: list[Directive], argv: tuple[ArgumentWord, ...]
) -> tuple[ArgumentWord, ...]:
    kinds = {d.kind for d in directives}
    parts: set[Part] = set()
    if kinds - {"env", "flags", "file"}:
        parts.add("values")
    if kinds & {"metrics", "metadata"}:
        parts.add("metrics")
    call = ("/bin/sh", "-c", wrapper_text(parts), "mlc")
    return (
        *((Text(text),) for text in call),
        *(word for d in directives for word in ((Text(d.kind),), (Text(d.name),), d.value)),
        (Text("--"),),
        *argv,
    )
