"""What mlc brings into a step's container: a POSIX-sh wrapper and a Python shim, as text.

`compiler.launch` writes them into argument vectors, the local engine starts the shim. Both lie
beside this module as files that can be read and tested; what goes into a manifest is the same
without comments and indentation, and of the wrapper only the parts that a step needs.
"""

from __future__ import annotations

import json
from collections.abc import Set
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

from compiler.expr import ArtifactType, Type
from compiler.ir import Step

# What of the wrapper a step has use for besides the environment, flags and existing files.
Part: TypeAlias = Literal["values", "metrics"]

_FOLDER = Path(__file__).parent


# What the wrapper and the shim exit with where a value is not what was declared (EX_DATAERR).
WRONG_VALUE = 65


def wrapper_text(parts: Set[Part] = frozenset()) -> str:
    """The wrapper for `/bin/sh -c`; `metrics` brings `values` along, which it is built on."""
    return _wrapper("values" in parts or "metrics" in parts, "metrics" in parts)


@cache
def _wrapper(values: bool, metrics: bool) -> str:
    left_out = {name for name, kept in (("values", values), ("metrics", metrics)) if not kept}
    within: list[str] = []
    lines = []
    for line in map(str.strip, _read("wrapper.sh").splitlines()):
        if line.startswith("#<"):
            within.append(line[2:])
        elif line.startswith("#>"):
            within.pop()
        elif line and not line.startswith("#") and left_out.isdisjoint(within):
            lines.append(line)
    return "\n".join(lines).replace("\n;;", ";;").replace(" ;;", ";;") + "\n"


@cache
def shim_text() -> str:
    """The shim for `python3 -c`, at most 8 KB."""
    docstring, code = _read("shim.py").split('"""\n', 1)
    assert docstring.startswith('"""')
    lines = []
    for line in code.splitlines():
        bare = line.lstrip()
        if bare and not bare.startswith("#"):
            lines.append(" " * ((len(line) - len(bare)) // 4) + bare)
    return "\n".join(lines) + "\n"


def shim_spec(
    step: Step, *, metadata: bool = False, newline: bool = True, forbidden: tuple[str, ...] = ()
) -> str:
    """What the shim is told of a step, as JSON without `$` and `{{`, which engines act on.

    `metadata`: Metrics are handed over in KFP's output_metadata.json. `newline`: strings are
    written with one more newline, as the reader cuts one. `forbidden`: texts that make the shim
    refuse a string.

    The pairs of words after the spec give each input's text (a list of artifacts: one pair for
    each) and each output's path, by name.
    """
    spec = {
        "inputs": {i.name: _input_type(i.type) for i in step.inputs},
        "outputs": {o.name: _output_type(o.type) for o in step.outputs},
        "metadata": metadata,
        "newline": newline,
        "forbidden": forbidden,
    }
    text = json.dumps({key: value for key, value in spec.items() if value}, separators=(",", ":"))
    for sign in ("{{", "$", "\x7f"):
        text = text.replace(sign, "".join(f"\\u{ord(c):04x}" for c in sign))
    return text


def _input_type(type_: Type) -> str:
    if isinstance(type_, ArtifactType):
        return "paths" if type_.is_list else "path"
    # What is known only at run time travels as JSON.
    return (type_.kind or "any") + ("?" if type_.nullable else "")


def _output_type(type_: Type) -> str:
    if isinstance(type_, ArtifactType):
        return "metrics" if type_.kind == "Metrics" else "path"
    return type_.kind or "any"


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
