"""Signs that look like those of YAML and are letters to it: word processors' spaces and quotes.

Where text is quoted, a block or a comment they are the author's, and so they are inside of plain
text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from compiler.diagnostics import Diagnostic, error
from compiler.nodes import Mapping, Node, Scalar, Sequence, SourceFile

_SPACES = "\xa0\u1680\u2000-\u200d\u202f\u205f\u2060\u3000"
FALSE_SPACE = re.compile(f"[{_SPACES}]")
# Around a value, or of no width; joiners are parts of letters.
_MISTAKEN = re.compile(f"^[{_SPACES}]|[{_SPACES}]$|[\u200b\u2060]")
_KEY = re.compile(f"[\\w.-]+:(?=[{_SPACES}])")
_CURLY = {"“": "”", "„": "“”", "‘": "’", "‚": "‘’", "”": "”", "’": "’"}
# A key whose value is prose.
_PROSE = "description"


def mistaken(file: SourceFile, node: Node | None, key: str = "") -> Iterator[Diagnostic]:
    """The signs among plain keys and values that can't be meant as letters."""
    match node:
        case Mapping():
            for name, entry in node:
                yield from _of_scalar(file, entry.key, "", FALSE_SPACE)
                yield from mistaken(file, entry.value, name)
        case Sequence():
            for item in node.items:
                yield from mistaken(file, item, key)
        case Scalar():
            yield from _of_scalar(file, node, key, _MISTAKEN)


def false_space(file: SourceFile, at: int) -> Diagnostic:
    """A space, or a sign of no width, where YAML takes plain spaces only."""
    code = ord(file.text[at])
    kind = "a sign of no width" if code in range(0x200B, 0x2061) and code != 0x202F else "a space"
    message = f"{kind} (U+{code:04X}) that is none to YAML"
    hint = "type it again; where it belongs to the text, quote that"
    return error("MLC005", message, file.span(at, at + 1), hint=hint)


def tab(file: SourceFile, at: int) -> Diagnostic:
    """A tab where libyaml takes none: among the spaces that say what belongs to what and, more
    strictly than YAML itself, behind a dash and on empty lines."""
    start = file.starts[file.position(at)[0] - 1]
    before, after = file.text[start:at].strip(), file.text[at:].lstrip("\t ")
    message, hint = "YAML: a tab; YAML indents with spaces", "write a space instead"
    if not before and after[:1] in ("", "\r", "\n"):
        message = "YAML: a tab on a line that is empty otherwise"
        hint = "take it out"
    elif not before:
        hint = "write two spaces for each level; editors do it for a whole file"
    elif before.endswith("-"):
        message, hint = "YAML: a tab after a `-`", "write one space there"
    return error("MLC002", message, file.span(at, at + 1), hint=hint)


def _of_scalar(
    file: SourceFile, node: Scalar, key: str, spaces: re.Pattern[str]
) -> Iterator[Diagnostic]:
    text = node.text
    if not node.plain or text.isascii():
        return
    behind = _KEY.match(text)  # as in `command: […]`, which then is text
    found = spaces.search(text)
    at = behind.end() if behind else found.start() if found else None
    if at is not None and file.text[node.start.index + at : node.start.index + at + 1] == text[at]:
        yield false_space(file, node.start.index + at)
    elif key != _PROSE and len(text) > 1 and text[-1] in _CURLY.get(text[0], ""):
        inner = text[1:-1]
        message = f"`{text[0]}` and `{text[-1]}` are no quotes to YAML"
        hint = f'write straight ones, "{inner}"; where they belong to the text, "{text}"'
        yield error("MLC005", message, node.span, hint=hint)
