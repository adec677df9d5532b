"""`mlc resolve`: a spec as it counts, with where each line comes from."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from compiler import frontend, nulls, source
from compiler.commands import console
from compiler.diagnostics import has_errors
from compiler.git import UNKNOWN
from compiler.ir import Pipeline
from compiler.nodes import Entry, Node, Scalar, resolve_plain
from compiler.nodes import Mapping as MappingNode
from compiler.nodes import Sequence as SequenceNode
from compiler.resolve import Resolved, resolve
from compiler.values import to_json

Path_ = tuple[str | int, ...]
_KEY = re.compile(r"(--?)?[A-Za-z_][A-Za-z0-9_./=-]*")
# What YAML 1.2 and libyaml break lines at or refuse, as far as JSON does not escape it.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_NOT_LITERAL = re.compile("[^\n\t -~\xa0-\u2027\u202a-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
# A comment further to the right than this belongs to no line.
_WIDEST = 60


class Line(Struct, frozen=True):
    """A line of YAML, and what stands in its comment."""

    text: str
    comment: str = ""


def resolve_spec(
    spec: str,
    *,
    profiles: Sequence[str] = (),
    overrides: Mapping[str, str] | None = None,
    params_file: str | None = None,
) -> int:
    """Print a spec with its bases, profiles, defaults and values in it; it means the same."""
    document = frontend.held_to_no_policy(console.document(spec))
    values, found, file = console.values_file(params_file)
    if file is not None and found:
        console.report(found, {file.path: file})
        return console.FAILED
    if document.kind == "Algorithm":
        loaded = frontend.build(document, profiles, overrides, values, UNKNOWN)
    else:
        loaded = frontend.check_part(document, UNKNOWN)
    console.report(loaded.diagnostics, loaded.sources)
    if document.root is None or has_errors(loaded.diagnostics):
        return console.FAILED
    resolved, _ = resolve(document.root, profiles)
    given = {name: entry.value for name, entry in values} if values else {}
    typed = _typed(loaded.pipeline, overrides or {})
    sys.stdout.write(printed(resolved, given, typed))
    return console.OK


def printed(
    resolved: Resolved,
    values: Mapping[str, Node] | None = None,
    typed: Mapping[Path_, str] | None = None,
) -> str:
    """A resolved spec as YAML.

    `values` are those of params from a file, `typed` the texts of those of the command line, by
    their place in the spec.
    """
    given = {key.text: node for key, node in resolved.values} | dict(values or {})
    spec = nulls.without_idle(_with_values(resolved, given))
    lines = _Printer(spec, typed or {}).lines()
    return f"# {resolved.spec.file.path} as it counts\n{_aligned(lines)}"


def _with_values(resolved: Resolved, given: Mapping[str, Node]) -> MappingNode:
    """The spec with values for defaults of its params."""
    spec = resolved.spec
    params = spec.get("params")
    if not isinstance(params, MappingNode) or not given:
        return spec
    entries = dict(params.entries)
    for name, value in given.items():
        entry = entries[name]
        if isinstance(entry.value, MappingNode):
            key = Scalar(value.file, value.start, value.end, "default", "")
            inner = {**entry.value.entries, "default": Entry(key, value)}
            entries[name] = Entry(entry.key, _remade(entry.value, inner))
    changed = Entry(spec.entries["params"].key, _remade(params, entries))
    return _remade(spec, {**spec.entries, "params": changed})


def _typed(pipeline: Pipeline | None, overrides: Mapping[str, str]) -> dict[Path_, str]:
    """The defaults that the command line gave, as YAML, by their place in the spec."""
    return {
        ("params", param.name, "default"): _quoted(param.default)
        if isinstance(param.default, str)
        else to_json(param.default)  # type: ignore[arg-type]
        for param in (pipeline.params if pipeline else ())
        if param.name in overrides
    }


def _remade(like: MappingNode, entries: dict[str, Entry]) -> MappingNode:
    return MappingNode(like.file, like.start, like.end, entries, like.broken)


class _Printer:
    """Prints nodes as YAML in block style.

    `typed` replaces what stands at a path, as the text of a value.
    """

    def __init__(self, root: MappingNode, typed: Mapping[Path_, str]) -> None:
        self.root = root
        self.typed = typed
        self.file = root.file
        self.folder = root.file.file.parent if root.file.file else Path.cwd()
        original, _ = source.parse(root.file)
        # Where each value of the spec itself is written, by its place in the text.
        self.written: dict[int, Path_] = dict(_places(original, ())) if original else {}

    def lines(self) -> list[Line]:
        return list(self.mapping(self.root, (), ""))

    def mapping(self, node: MappingNode, path: Path_, indent: str) -> Iterator[Line]:
        for name, entry in node:
            inner = (*path, name)
            key = f"{indent}{name if _is_plain_key(name) else _quoted(name)}:"
            yield from self.value(key, entry.value, inner, indent)
        for at, text in self.typed.items():
            if at[:-1] == path and at[-1] not in node.entries:
                yield Line(f"{indent}{at[-1]}: {text}", "-p")

    def value(self, before: str, node: Node, path: Path_, indent: str) -> Iterator[Line]:
        """What follows `key:` or `-`."""
        if path in self.typed:
            yield Line(f"{before} {self.typed[path]}", "-p")
        elif isinstance(node, Scalar):
            yield from self.scalar(before, node, path, indent)
        elif isinstance(node, MappingNode) and node.entries:
            yield Line(before)
            yield from self.mapping(node, path, indent + "  ")
        elif isinstance(node, SequenceNode) and node.items:
            yield Line(before)
            for number, item in enumerate(node.items):
                yield from self.value(f"{indent}  -", item, (*path, number), indent + "  ")
        else:
            empty = "{}" if isinstance(node, MappingNode) else "[]"
            yield Line(f"{before} {empty}", self.origin(node, path))

    def scalar(self, before: str, node: Scalar, path: Path_, indent: str) -> Iterator[Line]:
        comment = self.origin(node, path)
        text = node.text
        if path[-1] == "use" and node.file is not self.file and node.file.file:
            target = node.file.file.parent / text
            text = Path(os.path.relpath(target, self.folder)).as_posix()
        if node.plain and "\n" not in text:
            yield Line(f"{before} {text}".rstrip(), comment)
        elif "\n" in text and not _NOT_LITERAL.search(text) and not text[0].isspace():
            yield Line(f"{before} |{_chomping(text)}", comment)
            for line in text.removesuffix("\n").split("\n"):
                yield Line(f"{indent}  {line}" if line else "")
        else:
            yield Line(f"{before} {_quoted(text)}", comment)

    def origin(self, node: Node, path: Path_) -> str:
        """Where a value is written, if that is not its own place in the spec."""
        if node.file is self.file:
            written = self.written.get(node.start.index)
            # A short form stands one level higher than what it is short for.
            if written is not None and written in (path, path[:-1]):
                return ""
        return f"{node.file.path}:{node.span.line}"


def _places(node: Node, path: Path_) -> Iterator[tuple[int, Path_]]:
    if isinstance(node, MappingNode):
        for name, entry in node:
            yield from _places(entry.value, (*path, name))
    elif isinstance(node, SequenceNode):
        for number, item in enumerate(node.items):
            yield from _places(item, (*path, number))
    yield node.start.index, path


def _is_plain_key(name: str) -> bool:
    return bool(_KEY.fullmatch(name)) and isinstance(resolve_plain(name), str)


def _quoted(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _chomping(text: str) -> str:
    """How a block scalar says what line ends it has at its end."""
    if not text.endswith("\n"):
        return "-"
    return "+" if text.endswith("\n\n") or text == "\n" else ""


def _aligned(lines: list[Line]) -> str:
    commented = [len(line.text) for line in lines if line.comment]
    width = max((length for length in commented if length <= _WIDEST), default=0)
    return "".join(
        f"{line.text:<{width}}  # {line.comment}\n" if line.comment else f"{line.text}\n"
        for line in lines
    )
