"""The printer of manifests: plain data in, YAML text out, the last stop before a target's file.

Block style, mappings in their order, one scalar a line. A text is written bare only where no
reader of YAML, neither of version 1.1 (PyYAML, the Go library of Kubernetes) nor of 1.2, could
take it for anything but itself: what begins with a letter or a slash, holds only tame characters
and is no word like `no` or `null`. Text of several lines becomes a literal block where that gives
back every character; all else is quoted.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from functools import lru_cache

from compiler.values import JsonValue

_TAME = r"[A-Za-z0-9_./@+=(),-]"
_BARE = re.compile(rf"(?:--?)?[A-Za-z/]{_TAME}*(?:[ :]{_TAME}+)*")
_AMBIGUOUS = frozenset(
    sign + word
    for word in ("y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf")
    for sign in ("", "-")
)
# What YAML 1.1 calls printable, less the line breaks that only some readers know.
_UNPRINTABLE = re.compile(
    r"[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_UNPRINTABLE_IN_BLOCK = re.compile(
    r"[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# Readers look for the colon of a key within 1024 characters; beyond, a key must be announced.
_LONGEST_KEY = 200
# Most keys and texts stand in a manifest many times, and in the next one again.
_KEPT = 4096


def dump(document: JsonValue) -> str:
    """The YAML text of one document, ending in a newline.

    Reading it back with a YAML 1.1 or 1.2 reader gives equal data of the same types.

    Raises:
        ValueError: the data hold NaN, an infinity or a lone surrogate, which have no text.
    """
    lines: list[str] = []
    if isinstance(document, (dict, list)) and document:
        _write(document, "", "", lines)
    else:
        lines.append(_text(document, "") if isinstance(document, str) else _scalar(document))
    lines.append("")
    return "\n".join(lines)


def dump_all(documents: Iterable[JsonValue]) -> str:
    """The YAML text of several documents, one after the other, parted by `---`."""
    return "---\n".join(map(dump, documents))


def _write(
    value: dict[str, JsonValue] | list[JsonValue], lead: str, indent: str, lines: list[str]
) -> None:
    """Write a collection that isn't empty: `lead` before its first line, `indent` before others."""
    if isinstance(value, dict):
        for key, item in value.items():
            head = lead + (_key(key) or f"? {_line(key)}\n{indent}:")
            lead = indent
            if isinstance(item, str):
                lines.append(f"{head} {_text(item, indent)}")
            elif isinstance(item, dict) and item:
                lines.append(head)
                _write(item, indent + "  ", indent + "  ", lines)
            elif isinstance(item, list) and item:
                lines.append(head)
                _write(item, indent, indent, lines)
            else:
                lines.append(f"{head} {_scalar(item)}")
        return
    for item in value:
        head = lead + "- "
        lead = indent
        if isinstance(item, str):
            lines.append(head + _text(item, indent))
        elif isinstance(item, (dict, list)) and item:
            _write(item, head, indent + "  ", lines)
        else:
            lines.append(head + _scalar(item))


@lru_cache(maxsize=_KEPT)
def _key(key: str) -> str:
    """A key with its colon; empty for one that is too long for this."""
    written = _line(key)
    return f"{written}:" if len(written) <= _LONGEST_KEY else ""


@lru_cache(maxsize=_KEPT)
def _text(text: str, indent: str) -> str:
    """A text on a line that is indented so far."""
    if "\n" in text and _fits_block(text):
        return _block(text, indent + "  ")
    return _line(text)


@lru_cache(maxsize=_KEPT)
def _line(text: str) -> str:
    """A text in one line."""
    return text if _is_bare(text) else _quoted(text)


def _scalar(value: bool | int | float | dict[str, JsonValue] | list[JsonValue] | None) -> str:
    """A value that is no text and has no items."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _number(value)
        case None:
            return "null"
        case dict():
            return "{}"
        case list():
            return "[]"


def _is_bare(text: str) -> bool:
    return _BARE.fullmatch(text) is not None and text.lower() not in _AMBIGUOUS


def _fits_block(text: str) -> bool:
    """Whether a literal block gives back the text in every reader.

    Readers differ on blocks that begin with white space and on white space after the last line.
    """
    if text[0] in " \n" or _UNPRINTABLE_IN_BLOCK.search(text):
        return False
    last = text.removesuffix("\n").rpartition("\n")[2]
    return bool(last.strip(" "))


def _block(text: str, indent: str) -> str:
    header, body = ("|", text[:-1]) if text.endswith("\n") else ("|-", text)
    return header + "".join(f"\n{indent}{line}" if line else "\n" for line in body.split("\n"))


def _quoted(text: str) -> str:
    if _SURROGATE.search(text):
        raise ValueError("a lone surrogate is no character and has no YAML text")
    if ("\\" in text or '"' in text) and not _UNPRINTABLE.search(text):
        return "'" + text.replace("'", "''") + "'"
    return _UNPRINTABLE.sub(_escape, json.dumps(text, ensure_ascii=False))


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _number(value: float) -> str:
    """A float as each reader knows one: with a point, and a sign in its exponent."""
    if not math.isfinite(value):
        raise ValueError(f"{value} has no place in a manifest")
    digits, e, exponent = repr(value).partition("e")
    return digits + ("" if "." in digits else ".0") + e + exponent
