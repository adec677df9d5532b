"""Calls a step's function, in any image with Python 3.8 or later: the last stop of its values.

Run as `python3 -c THIS module:function SPEC NAME TEXT …` (see `compiler.runtime.shim_spec`):
makes values of texts by their declared types, calls, checks what is returned and writes it. Stands
alone: only the standard library, nothing newer than Python 3.8. It has no `$` and no two opening
braces in a row, on which engines act.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

MAX_INTEGER = 2**53 - 1
TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
    "any": object,
}
FILES = ("path", "metrics")


class WrongError(Exception):
    pass


def fail(problems: Iterable[str]) -> NoReturn:
    for problem in problems:
        sys.stderr.write(f"mlc: {problem}\n")
    sys.exit(65)


def found(shown: str, kind: str) -> WrongError:
    shown = shown if len(shown) <= 40 else shown[:37] + "..."
    return WrongError(f"found `{shown}`, wanted {'an' if kind[0] in 'aio' else 'a'} {kind}")


def refuse(constant: str) -> None:
    raise ValueError(constant)


def from_text(text: str, kind: str) -> Any:
    if kind.endswith("?"):
        kind = kind[:-1]
        if not text:
            return None
    if kind == "string":
        return text
    try:
        value = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise found(text.strip(), kind) from None
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        value = int(value)
    if kind == "number" and type(value) is int:
        value = float(text)
    return checked(value, kind)


def checked(value: Any, kind: str) -> Any:
    value = plain(value)
    if not isinstance(value, TYPES[kind]) or (
        isinstance(value, bool) and kind not in ("boolean", "any")
    ):
        raise found(to_json(value), kind)
    return value


def plain(value: Any) -> Any:
    # Scalars and arrays of NumPy and of libraries that follow it.
    if hasattr(value, "tolist") and hasattr(value, "shape"):
        value = value.tolist()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if "\0" in value:
            raise WrongError("a string can't hold the NUL character")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise WrongError("found a string that is no Unicode text") from None
        return str.__str__(value)
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise WrongError(f"{value:d} is beyond ±(2^53−1), where engines lose digits")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise WrongError("NaN and infinity are no values on the engines")
        return float(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise WrongError(f"found {key!r} as a key of an object, wanted a string")
        return {plain(key): plain(item) for key, item in value.items()}
    raise WrongError(f"found a value of type {type(value).__name__}, which is no JSON")


def to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def to_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        text = format(Decimal(repr(value)), "f")
        return text[:-2] if text.endswith(".0") else text
    return to_json(value)


def metrics(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise WrongError(f"{path} holds no flat JSON object of finite numbers")
    for name, number in value.items():
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise found(to_json(number), f"number for `{name}`")
        if not math.isfinite(number):
            raise WrongError(f"`{name}` is not finite; only finite numbers can be shown")
    return value


def function(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    try:
        # Not by importlib, whose frames would stay in the traceback of an error.
        __import__(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        fail([f"there is no module `{error.name}` in {', '.join(sys.path)}"])
    call: Callable[..., Any] | None = getattr(sys.modules[module], name, None)
    if call is None:
        fail([f"module `{module}` has no function `{name}`"])
    return call


def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    while trace is not None and trace.tb_frame.f_globals is globals():
        trace = trace.tb_next
    sys.__excepthook__(kind, error.with_traceback(trace), trace)


def paths(text: str) -> list[Path]:
    if text.endswith("/*"):
        # A folder with what each round of a loop wrote, by number; not there without rounds.
        folder = Path(text[:-2])
        return sorted(folder.iterdir(), key=lambda p: int(p.name)) if folder.exists() else []
    if text.startswith("/") or ":{" not in text:
        return [Path(text)]
    # The name of a list of files, and all that KFP's launcher has for the step.
    name, _, given = text.partition(":")
    files = json.loads(given)["inputs"]["artifacts"][name]["artifacts"]
    return [Path(file.get("customPath") or local(file["uri"])) for file in files]


def local(uri: str) -> str:
    scheme, _, rest = uri.partition("://")
    return "/" + ("gcs" if scheme == "gs" else scheme) + "/" + rest


def arguments(
    inputs: dict[str, str], outputs: dict[str, str], pairs: list[tuple[str, str]]
) -> dict[str, Any]:
    values: dict[str, Any] = {name: [] for name, kind in inputs.items() if kind == "paths"}
    problems = []
    for name, text in pairs:
        kind = inputs.get(name) or outputs[name]
        try:
            if kind == "paths":
                values[name] += paths(text)
            elif kind in FILES:
                values[name] = Path(text)
            elif name in inputs:
                values[name] = from_text(text, kind)
        except WrongError as problem:
            problems.append(f"input {name}: {problem}")
    if problems:
        fail(problems)
    return values


def by_name(result: Any, kinds: dict[str, str]) -> dict[str, Any]:
    if not kinds:
        return {}
    if len(kinds) == 1:
        name = next(iter(kinds))
        if kinds[name] == "object" or not isinstance(result, Mapping) or list(result) != [name]:
            return {name: result}
    if not isinstance(result, Mapping):
        fail([f"the function returned no mapping of the outputs {', '.join(kinds)}"])
    return dict(result)


def write(result: Any, spec: dict[str, Any], paths: dict[str, Path]) -> list[str]:
    outputs: dict[str, str] = spec.get("outputs", {})
    values = by_name(result, {n: kind for n, kind in outputs.items() if kind not in FILES})
    problems = [
        f"output {name}: the function returned it, but the step declares no such value"
        for name in values
        if name not in outputs or outputs[name] in FILES
    ]
    metadata = {}
    for name, kind in outputs.items():
        path = paths[name]
        try:
            if kind in FILES:
                if not path.exists():
                    raise WrongError(f"nothing was written to {path}")
                if kind == "metrics":
                    metadata[name] = {"artifacts": [{"metadata": metrics(path)}]}
                continue
            if name not in values:
                raise WrongError("the function did not return it")
            text = to_text(checked(values[name], kind))
            for sign in spec.get("forbidden", ()):
                if sign in text:
                    raise WrongError(f"found `{sign}` in it, which this engine cannot carry")
            if spec.get("newline") and kind == "string":
                text += "\n"
            path.write_bytes(text.encode())
        except WrongError as problem:
            problems.append(f"output {name}: {problem}")
    if metadata and spec.get("metadata") and not problems:
        file = paths[next(iter(metadata))].with_name("output_metadata.json")
        file.write_text(json.dumps({"artifacts": metadata}))
    return problems


def main() -> None:
    # The words are UTF-8 whatever the image's locale says.
    words = [os.fsencode(word).decode("utf-8", "surrogateescape") for word in sys.argv[1:]]
    target, spec = words[0], json.loads(words[1])
    pairs = [(words[i], words[i + 1]) for i in range(2, len(words), 2)]
    outputs = spec.get("outputs", {})
    values = arguments(spec.get("inputs", {}), outputs, pairs)
    if sys.path[0] == "":
        del sys.path[0]
    sys.path.insert(0, str(Path.cwd()))
    sys.argv[1:] = []
    sys.excepthook = hook
    call = function(target)
    try:
        inspect.signature(call).bind(**values)
    except TypeError as problem:
        fail([f"{target} can't be called with what the step gives it: {problem}"])
    except ValueError:
        pass  # a function written in C may not tell its parameters
    problems = write(call(**values), spec, {n: Path(text) for n, text in pairs if n in outputs})
    if problems:
        fail(problems)


if __name__ == "__main__":
    main()
