"""Text to nodes: the first step on the way of a spec.

Reads YAML 1.2 core through libyaml's event parser, which knows every token's place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from collections.abc import Mapping as Dictionary
from pathlib import Path
from typing import Any

import yaml
from yaml import AliasEvent, MappingEndEvent, ScalarEvent, SequenceEndEvent, SequenceStartEvent
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from compiler import signs, source_words
from compiler.diagnostics import Diagnostic, Related, Span, error, nearest
from compiler.nodes import Entry, Mapping, Node, Scalar, Sequence, SourceFile

MAX_BYTES = 1 << 20
_USUAL_BYTES = 1 << 14
MAX_DEPTH = 64
MAX_NODES = 200_000  # after aliases are expanded
MOST_ERRORS = 500

_TAG = re.compile(r"\S*")
_NEGATION = re.compile(r"!+(?:\(|true|false|(?:params|inputs|steps|each|run|git)[.\[])")
_PAIR = re.compile(r"(?<!\\)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
# With the line breaks that only YAML 1.1 knows, which libyaml would fold in quoted text, and the
# byte order mark, which belongs before the text. Said by what is refused: a class of all that is
# allowed takes 6 ms to compile.
_REFUSED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def shown_path(path: Path) -> str:
    """A path as messages show it: relative to the working directory where it lies below."""
    try:
        real, here = os.path.realpath(path), str(Path.cwd())
    except OSError:
        return path.as_posix()
    if real == here:
        return "."
    below = here.rstrip(os.sep) + os.sep
    # As text: a project has a thousand specs, and paths as objects take as long as reading one.
    return Path(real.removeprefix(below)).as_posix() if real.startswith(below) else path.as_posix()


def read(
    path: Path, shown: str, unsaved: Dictionary[Path, str] | None = None
) -> tuple[Mapping | None, SourceFile, list[Diagnostic]]:
    """Read and parse a file; `shown` is the path that messages name.

    A text of `unsaved`, which goes by real paths, counts instead of what is on disk.
    """
    text = unsaved.get(path.resolve()) if unsaved else None
    if text is not None:
        return parse_bytes(text.encode(), shown, path)
    try:
        with path.open("rb") as stream:
            # Nearly all specs are short, and room for the longest takes longer than to read one.
            data = stream.read(_USUAL_BYTES)
            if len(data) == _USUAL_BYTES:
                data += stream.read(MAX_BYTES + 1 - _USUAL_BYTES)
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
    if "\\u" in decoded:
        decoded = _PAIR.sub(_joined, decoded)
    file = SourceFile(shown, decoded, path)
    node, diagnostics = parse(file)
    return node, file, diagnostics


def parse(file: SourceFile) -> tuple[Mapping | None, list[Diagnostic]]:
    """Parse the text of a spec: its root mapping, or None, and what is wrong with it."""
    refused = _REFUSED.search(file.text)
    if refused:
        at = refused.start()
        message = f"the character U+{ord(refused[0]):04X} is not allowed in YAML"
        escape = f'write it as an escape in double quotes: "\\u{ord(refused[0]):04x}"'
        hint = escape if refused[0] != "\0" else "no engine carries it: take it out"
        return None, [error("MLC005", message, file.span(at, at + 1), hint=hint)]
    composer = _Composer(file)
    try:
        root = composer.document()
    except _StopError as stop:
        return None, [*composer.diagnostics, stop.diagnostic]
    except yaml.MarkedYAMLError as problem:
        return None, [*composer.diagnostics, source_words.syntax_error(file, problem)]
    if not file.text.isascii():
        mistaken = list(signs.mistaken(file, root))
        if mistaken:
            return None, [*composer.diagnostics, *mistaken]
    if isinstance(root, Mapping):
        return root, composer.diagnostics
    what = "the file is empty" if root is None else "the file has to be a mapping of keys to values"
    span = file.span(0, 0) if root is None else root.span
    hint = "start with `apiVersion: mlc/v1` and `kind: Algorithm`"
    return None, [*composer.diagnostics, error("MLC006", what, span, hint=hint)]


def _joined(pair: re.Match[str]) -> str:
    """JSON writes one character as two escapes, which libyaml does not take."""
    high, low = int(pair[1], 16), int(pair[2], 16)
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


class _StopError(Exception):
    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic


class _Composer:
    """Builds nodes from events. libyaml's own composer recurses without a limit."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.parser: Any = CParser(file.text)
        self.next: Callable[[], Any] = self.parser.get_event
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
        kind = type(event)
        if kind is AliasEvent:
            return self.alias(event)
        if depth > MAX_DEPTH:
            message = f"nested more than {MAX_DEPTH} levels deep"
            raise _StopError(error("MLC006", message, self.place(event)))
        before = self.count
        self.count += 1
        if self.count > MAX_NODES:
            self.tally(0, event)
        meant = None
        if event.tag is not None and event.tag != "!":
            meant = self.refuse_tag(event)
        node: Node
        if kind is ScalarEvent:
            style = event.style or ""
            node = Scalar(self.file, event.start_mark, event.end_mark, event.value, style)
            if meant and not node.text:
                node.text, node.style = meant, '"'
        elif kind is SequenceStartEvent:
            node = self.sequence(event, depth)
        else:
            node = self.mapping(event, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, self.count - before)
        return node

    def scalar(self, event: Any) -> Scalar | None:
        """A scalar without tag and anchor, as nearly all nodes are; None for any other."""
        if type(event) is not ScalarEvent or event.tag is not None or event.anchor is not None:
            return None
        self.count += 1
        if self.count > MAX_NODES:
            self.tally(0, event)
        style = event.style or ""
        return Scalar(self.file, event.start_mark, event.end_mark, event.value, style)

    def sequence(self, start: Any, depth: int) -> Sequence:
        items: list[Node] = []
        while True:
            event = self.next()
            if type(event) is SequenceEndEvent:
                return Sequence(self.file, start.start_mark, event.end_mark, items)
            items.append(self.node(event, depth + 1))

    def mapping(self, start: Any, depth: int) -> Mapping:
        entries: dict[str, Entry] = {}
        broken: set[str] = set()
        while True:
            event = self.next()
            if type(event) is MappingEndEvent:
                end = event.end_mark
                return Mapping(self.file, start.start_mark, end, entries, frozenset(broken))
            key = self.scalar(event) or self.node(event, depth + 1)
            event = self.next()
            value = self.scalar(event) or self.node(event, depth + 1)
            if type(key) is not Scalar or type(key.value) is not str or _is_merge(key):
                broken |= self.refuse_key(key, value)
                continue
            name = key.text
            if name in entries:
                first = entries[name].key.span
                related = (Related("first given here", first),)
                told = source_words.twice(key, entries[name].value, value)
                self.tell(told._replace(related=related))
            else:
                entries[name] = Entry(key, value)

    def refuse_key(self, key: Node, value: Node) -> set[str]:
        """Tells why it is no key; the names that are given by it, of which nothing can be said."""
        if isinstance(key, Scalar) and _is_merge(key):
            message = "merge keys (`<<`) are not part of the language"
            hint = "share settings by defaults at top level, or by `extends`"
            self.tell(error("MLC004", message, key.span, hint=hint))
            merged = value.items if isinstance(value, Sequence) else [value]
            return {name for one in merged if isinstance(one, Mapping) for name in one.entries}
        before = self.file.text[max(0, key.start.index - 1)]
        if isinstance(key, Mapping) and before == "$":
            # `{a: ${{ params.x }}}` is read as a mapping that has a mapping for its key.
            self.tell(
                source_words.forgotten_quotes(self.file, key.start.index - 1, value.end.index)
            )
            return {before}
        if isinstance(key, Mapping) and before == "{":
            self.tell(source_words.template(self.file, key.start.index - 1, key.end.index + 1))
            return {before}
        shown = key.text if isinstance(key, Scalar) else "a list or mapping"
        message = f"a key has to be text, found {shown or 'nothing'}"
        hint = f'quote it: "{shown}"' if isinstance(key, Scalar) and shown else ""
        self.tell(error("MLC004", message, key.span, hint=hint))
        return {shown}

    def alias(self, event: Any) -> Node:
        known = self.anchors.get(event.anchor)
        if known is None:
            message = f"the alias `*{event.anchor}` has no anchor `&{event.anchor}` before it"
            near = nearest(event.anchor, self.anchors)
            hint = f'for text, quote it: "*{event.anchor}"; else name a value above by `&`'
            hint = f"did you mean `*{near}`?" if near else hint
            raise _StopError(error("MLC002", message, self.place(event), hint=hint))
        node, size = known
        self.tally(size, event)
        return node

    def tally(self, nodes: int, event: Any) -> None:
        self.count += nodes
        if self.count > MAX_NODES:
            message = f"more than {MAX_NODES} values in one file, those of aliases counted again"
            raise _StopError(error("MLC006", message, self.place(event)))

    def tell(self, found: Diagnostic) -> None:
        self.diagnostics.append(found)
        if len(self.diagnostics) >= MOST_ERRORS:
            message = f"more than {MOST_ERRORS} errors in this file: the rest is not looked at"
            raise _StopError(error("MLC008", message, found.span, hint="mend these first"))

    def refuse_tag(self, event: Any) -> str | None:
        """Tells of a tag; the expression that is meant by it, if it is one: `!params.x`."""
        start = event.start_mark.index
        tag = _TAG.match(self.file.text, start)
        shown = tag[0] if tag else event.tag
        has_expression = self.file.text.find("${{", start, event.end_mark.index) >= 0
        meant = f"${{{{ {shown} }}}}" if has_expression or _NEGATION.match(shown) else None
        hint = "quote the value if it is text"
        if meant:
            hint = f"a value starting with `!` is a tag; as an expression write {meant}"
        span = self.file.span(start, start + len(shown))
        message = f"YAML tags are not part of the language, found `{shown}`"
        self.tell(error("MLC004", message, span, hint=hint))
        return meant

    def place(self, event: Any) -> Span:
        return self.file.span(event.start_mark.index, event.end_mark.index)


def _is_merge(key: Scalar) -> bool:
    return key.text == "<<" and key.plain
