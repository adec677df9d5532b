"""Text to nodes with places: the first step on the way of a spec.

Reads YAML 1.2 core through libyaml's event parser, which knows every token's place. Nodes keep
the source text of scalars, since `1.10` means text or number depending on where it stands.
"""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from compiler.diagnostics import Diagnostic, Related, Span, error
from compiler.values import JsonValue

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_NODES = 200_000  # after aliases are expanded

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOLEAN = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LINE_END = re.compile(r"\r\n|\r|\n")
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(slots=True, eq=False)
class SourceFile:
    """A file as it was read. `path` is what messages show, `file` where it lies (None: stdin).

    Places are counted here and not taken from libyaml, which also breaks lines at U+0085, U+2028
    and U+2029.
    """

    path: str
    text: str
    file: Path | None = None
    starts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.starts = [0, *(m.end() for m in _LINE_END.finditer(self.text))]

    def lines(self) -> list[str]:
        return _LINE_END.split(self.text)

    def span(self, start: int, end: int) -> Span:
        """The place of a range of characters."""
        line, column = self.position(start)
        end_line, end_column = self.position(max(start, end))
        return Span(self.path, line, column, end_line, end_column)

    def position(self, index: int) -> tuple[int, int]:
        """Line and column, from 1, of a character."""
        index = min(index, len(self.text))
        line = bisect.bisect_right(self.starts, index)
        return line, index - self.starts[line - 1] + 1


@dataclass(slots=True, eq=False)
class Scalar:
    """A scalar with its source text; `style` is "" for plain, else the indicator."""

    file: SourceFile
    start: Any
    end: Any
    text: str
    style: str

    @property
    def span(self) -> Span:
        return _span(self)

    @property
    def plain(self) -> bool:
        return not self.style

    @property
    def value(self) -> bool | int | float | str | None:
        """The value by YAML 1.2's core schema."""
        return self.text if self.style else resolve_plain(self.text)


@dataclass(slots=True, eq=False)
class Sequence:
    file: SourceFile
    start: Any
    end: Any
    items: list[Node]

    @property
    def span(self) -> Span:
        return _span(self)


@dataclass(slots=True, eq=False)
class Mapping:
    """A mapping in file order. `broken` names the keys whose values were found wrong and removed:
    they exist, but nothing can be said of them."""

    file: SourceFile
    start: Any
    end: Any
    entries: dict[str, Entry]
    broken: frozenset[str] = field(default=frozenset())

    @property
    def span(self) -> Span:
        return _span(self)

    def get(self, key: str) -> Node | None:
        entry = self.entries.get(key)
        return entry.value if entry else None

    def __iter__(self) -> Iterator[tuple[str, Entry]]:
        return iter(self.entries.items())


@dataclass(slots=True, eq=False)
class Entry:
    key: Scalar
    value: Node


Node: TypeAlias = Scalar | Sequence | Mapping


def resolve_plain(text: str) -> bool | int | float | str | None:
    """A plain scalar's value by YAML 1.2's core schema (section 10.3.2)."""
    first = text[:1]
    if first.isalpha() or first in ("", "~"):
        if text in _NULL:
            return None
        return _BOOLEAN.get(text, text)
    if not (first.isdigit() or first in "+-."):
        return text
    if _INTEGER.fullmatch(text):
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        # Python refuses to read very long integers; no engine carries them either.
        return int(text, base) if len(text) < 400 else text
    if _FLOAT.fullmatch(text):
        return float(text)
    special = _SPECIAL.fullmatch(text)
    if special:
        return math.nan if special[3] else float(f"{special[1]}inf")
    return text


def to_value(node: Node) -> JsonValue:
    """A node as plain data."""
    match node:
        case Scalar():
            return node.value
        case Sequence():
            return [to_value(item) for item in node.items]
        case Mapping():
            return {key: to_value(entry.value) for key, entry in node}


def mapping(node: Node | None) -> Mapping | None:
    """The node where it is a mapping."""
    return node if isinstance(node, Mapping) else None


def text(node: Node | None) -> str | None:
    """The source text of a node where it is a scalar."""
    return node.text if isinstance(node, Scalar) else None


def texts(node: Node | None) -> tuple[str, ...]:
    """The source texts of the scalars of a list."""
    items = node.items if isinstance(node, Sequence) else ()
    return tuple(item.text for item in items if isinstance(item, Scalar))


def read(path: Path, shown: str) -> tuple[Mapping | None, SourceFile, list[Diagnostic]]:
    """Read and parse a file; `shown` is the path that messages name."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as problem:
        file = SourceFile(shown, "", path)
        reason = (problem.strerror or str(problem)).lower()
        return None, file, [error("MLC001", f"can't read {shown}: {reason}", file.span(0, 0))]
    return parse_bytes(data, shown, path)


def parse_bytes(
    data: bytes, shown: str, path: Path | None = None
) -> tuple[Mapping | None, SourceFile, list[Diagnostic]]:
    if len(data) > MAX_BYTES:
        file = SourceFile(shown, "", path)
        message = f"{shown} is larger than {MAX_BYTES >> 20} MiB; a spec is a few kB of text"
        return None, file, [error("MLC001", message, file.span(0, 0))]
    try:
        decoded = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        file = SourceFile(shown, data[: problem.start].decode("utf-8-sig", "replace"), path)
        end = len(file.text)
        return (
            None,
            file,
            [error("MLC005", "not UTF-8 text", file.span(end, end), hint="save the file as UTF-8")],
        )
    file = SourceFile(shown, decoded, path)
    node, diagnostics = parse(file)
    return node, file, diagnostics


def parse(file: SourceFile) -> tuple[Mapping | None, list[Diagnostic]]:
    """Parse the text of a spec: its root mapping, or None, and what is wrong with it."""
    unprintable = _UNPRINTABLE.search(file.text)
    if unprintable:
        at = unprintable.start()
        message = f"the character U+{ord(unprintable[0]):04X} is not allowed in YAML"
        hint = 'write it as an escape in double quotes, like "\\u0007"'
        return None, [error("MLC005", message, file.span(at, at + 1), hint=hint)]
    composer = _Composer(file)
    try:
        root = composer.document()
    except _StopError as stop:
        return None, [*composer.diagnostics, stop.diagnostic]
    except yaml.MarkedYAMLError as problem:
        return None, [*composer.diagnostics, _syntax_error(file, problem)]
    if isinstance(root, Mapping):
        return root, composer.diagnostics
    what = "the file is empty" if root is None else "a spec is a mapping of keys to values"
    span = file.span(0, 0) if root is None else root.span
    hint = "start with `apiVersion: mlc/v1` and `kind: Algorithm`"
    return None, [*composer.diagnostics, error("MLC006", what, span, hint=hint)]


class _StopError(Exception):
    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic


class _Composer:
    """Builds nodes from events. libyaml's own composer recurses without a limit."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.parser: Any = CParser(file.text)
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.diagnostics: list[Diagnostic] = []
        self.count = 0

    def document(self) -> Node | None:
        self.parser.get_event()  # stream start
        if self.parser.check_event(yaml.StreamEndEvent):
            return None
        self.parser.get_event()  # document start
        root = self.node(self.parser.get_event(), 0)
        self.parser.get_event()  # document end
        if not self.parser.check_event(yaml.StreamEndEvent):
            mark = self.parser.peek_event().start_mark
            span = self.file.span(mark.index, mark.index + 3)
            hint = "keep one spec in a file"
            raise _StopError(error("MLC004", "a second document in the file", span, hint=hint))
        return root

    def node(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if depth > MAX_DEPTH:
            message = f"nested more than {MAX_DEPTH} levels deep"
            raise _StopError(error("MLC006", message, self.place(event)))
        before = self.count
        self.tally(1, event)
        if event.tag is not None and event.tag != "!":
            self.refuse_tag(event)
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            style = "" if event.style is None or event.style == "" else event.style
            node = Scalar(self.file, event.start_mark, event.end_mark, event.value, style)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self.sequence(event, depth)
        else:
            node = self.mapping(event, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, self.count - before)
        return node

    def sequence(self, start: Any, depth: int) -> Sequence:
        items: list[Node] = []
        while True:
            event = self.parser.get_event()
            if isinstance(event, yaml.SequenceEndEvent):
                return Sequence(self.file, start.start_mark, event.end_mark, items)
            items.append(self.node(event, depth + 1))

    def mapping(self, start: Any, depth: int) -> Mapping:
        entries: dict[str, Entry] = {}
        while True:
            event = self.parser.get_event()
            if isinstance(event, yaml.MappingEndEvent):
                return Mapping(self.file, start.start_mark, event.end_mark, entries)
            key = self.node(event, depth + 1)
            value = self.node(self.parser.get_event(), depth + 1)
            self.enter(entries, key, value)

    def enter(self, entries: dict[str, Entry], key: Node, value: Node) -> None:
        if not isinstance(key, Scalar) or not isinstance(key.value, str):
            self.refuse_key(key, value)
        elif key.text == "<<" and key.plain:
            message = "merge keys (`<<`) are not part of the language"
            hint = "share settings by defaults at top level, or by `extends`"
            self.diagnostics.append(error("MLC004", message, key.span, hint=hint))
        elif key.text in entries:
            first = entries[key.text].key.span
            related = (Related("first given here", first),)
            message = f"`{key.text}` is given twice"
            self.diagnostics.append(error("MLC003", message, key.span, related=related))
        else:
            entries[key.text] = Entry(key, value)

    def refuse_key(self, key: Node, value: Node) -> None:
        if isinstance(key, Mapping) and self.file.text[max(0, key.start.index - 1)] == "$":
            # `{a: ${{ params.x }}}` is read as a mapping that has a mapping for its key.
            span = self.file.span(key.start.index - 1, value.end.index)
            self.forgotten_quotes(span)
            return
        shown = key.text if isinstance(key, Scalar) else "a list or mapping"
        message = f"a key has to be text, found {shown or 'nothing'}"
        hint = f'quote it: "{shown}"' if isinstance(key, Scalar) and shown else ""
        self.diagnostics.append(error("MLC004", message, key.span, hint=hint))

    def forgotten_quotes(self, span: Span) -> None:
        message = "an expression inside `{ }` or `[ ]` needs quotes"
        self.diagnostics.append(
            error("MLC007", message, span, hint='write "${{ … }}" with the quotes')
        )

    def alias(self, event: Any) -> Node:
        known = self.anchors.get(event.anchor)
        if known is None:
            message = f"the alias `*{event.anchor}` has no anchor `&{event.anchor}` before it"
            raise _StopError(error("MLC002", message, self.place(event)))
        node, size = known
        self.tally(size, event)
        return node

    def tally(self, nodes: int, event: Any) -> None:
        self.count += nodes
        if self.count > MAX_NODES:
            message = f"aliases expand to more than {MAX_NODES} nodes"
            raise _StopError(error("MLC006", message, self.place(event)))

    def refuse_tag(self, event: Any) -> None:
        start = event.start_mark.index
        tag = re.match(r"\S*", self.file.text[start:])
        shown = tag[0] if tag else event.tag
        hint = "quote the value if it is text"
        if "${{" in self.file.text[start : event.end_mark.index] or not shown.startswith("!!"):
            hint = f"a value starting with `!` is a tag; as an expression write ${{{{ {shown} }}}}"
        span = self.file.span(start, start + len(shown))
        message = f"YAML tags are not part of the language, found `{shown}`"
        self.diagnostics.append(error("MLC004", message, span, hint=hint))

    def place(self, event: Any) -> Span:
        return self.file.span(event.start_mark.index, event.end_mark.index)


def _span(node: Scalar | Sequence | Mapping) -> Span:
    start, end = node.start.index, node.end.index
    if isinstance(node, Scalar):
        return node.file.span(start, start + 1 if node.style in ("|", ">") else end)
    # A block collection ends where the next token starts, far below: show its first line.
    first_line = _LINE_END.split(node.file.text[start:end], maxsplit=1)[0].rstrip()
    return node.file.span(start, start + max(1, len(first_line)))


def _syntax_error(file: SourceFile, problem: yaml.MarkedYAMLError) -> Diagnostic:
    mark = problem.problem_mark or problem.context_mark
    index = min(mark.index, len(file.text)) if mark else len(file.text)
    before = file.text[file.starts[file.position(index)[0] - 1] : index]
    what = problem.problem or "can't be read as YAML"
    hint = ""
    opened = file.text.rfind("${{", 0, index + 3)
    if what.startswith("mapping values are not allowed"):
        what = "`: ` inside a plain value"
        hint = f"quote the value: '{before.partition(': ')[2].strip()}: …'"
        if "${{" in before:
            hint = 'quote the expression: "${{ … }}"'
    elif "found character '\\t'" in what or file.text[index : index + 1] == "\t":
        what = "a tab; YAML indents with spaces"
    elif (
        opened >= 0
        and file.text.count("\n", opened, index) <= 1
        and "flow" in (problem.context or "")
    ):
        return error(
            "MLC007",
            "an expression inside `{ }` or `[ ]` needs quotes",
            file.span(opened, opened + 3),
            hint='write "${{ … }}" with the quotes',
        )
    elif what.startswith("found character that cannot start any token"):
        what = f"`{file.text[index : index + 1]}` can't start a value"
        hint = "quote the value"
    elif what.startswith("could not find expected ':'"):
        what = "a key without `: ` and a value"
    if what == "found unexpected end of stream" and problem.context_mark:
        start = problem.context_mark.index
        message = "YAML: a quoted text that is never closed"
        return error("MLC002", message, file.span(start, start + 1), hint="close the quote")
    related: tuple[Related, ...] = ()
    if problem.context and problem.context_mark and problem.context_mark.index != index:
        at = problem.context_mark
        related = (Related(problem.context, file.span(at.index, at.index + 1)),)
    return error("MLC002", f"YAML: {what}", file.span(index, index + 1), hint=hint, related=related)
