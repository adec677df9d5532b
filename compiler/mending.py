"""Fixes for what has one right mending. Each function gives None where there is a doubt.

A fix is stricter than a hint, which only asks: `nearest` finds the name that is meant most likely,
`only_near` the one that alone can be.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from compiler.diagnostics import Edit, Fix, Span, is_too_many, short
from compiler.nodes import Scalar, SourceFile, resolve_plain

_MOST_SLIPS = 2
# What names a model among the words of a GPU's type: `a100`, `t4`, `80gb`.
_MODEL = r"[a-z]*[0-9][a-z0-9]*"
_MANY = 100
# Longer than any name or command: what is searched here takes its time.
_LONG = 1000
# Words that stay what they are, in `{ }` and `[ ]` too.
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_./+=-][A-Za-z0-9_./:+=@%-]*(?<!:)")
# What a shell would do more with than split it.
_SHELL = re.compile(r"""[|&;<>()$`\\"'*?\[\]#~!{}\n]""")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_EXPRESSION = re.compile(r"\$\{\{.*?\}\}")
# What stands in an item of `{ }` or `[ ]` before an expression, and from there on.
_ITEM_BEFORE = re.compile(r"(?:[\[{,]|: )[ \t]*((?:(?!: )[^\[\]{},\"'#\n])*)\Z")
_ITEM = re.compile(r"(?:\$\{\{[^\r\n]*?\}\}|[^\[\]{},\"'#\r\n])*")
_YAML_1_1 = {"yes": "true", "no": "false", "on": "true", "off": "false", "y": "true", "n": "false"}


def replaced(file: SourceFile, start: int, end: int, text: str) -> Fix:
    """Other text for a range of characters."""
    span = file.span(start, end)
    before = file.text[start:end]
    title = f"replace `{short(before)}` with `{short(text)}`" if before else f"add `{text}`"
    return Fix(title, (Edit(span, text),))


def rewritten(node: Scalar, text: str) -> Fix | None:
    """Other source text for a scalar; not for a block of text, which has lines of its own."""
    if node.style in ("|", ">"):
        return None
    return replaced(node.file, node.start.index, node.end.index, text)


def respelled(
    file: SourceFile, place: Span, name: str, known: Iterable[str], near: str | None
) -> Fix | None:
    """The name at a place, spelled as the one of `known` that it must mean.

    `near` is what the hint offers; a fix never does something else.
    """
    right = only_near(name, known)
    return renamed(file, place, name, right) if right is not None and right == near else None


def renamed(file: SourceFile, place: Span, name: str, right: str) -> Fix | None:
    """The name at a place changed to another; its quotes stay."""
    start = file.index(place.line, place.column)
    end = file.index(place.end_line, place.end_column)
    written = file.text[start:end]
    quote = written[:1] if written[:1] in ("'", '"') else ""
    if written != f"{quote}{name}{quote}":
        return None
    return replaced(file, start, end, f"{quote}{right}{quote}")


def only_near(name: str, known: Iterable[str]) -> str | None:
    """The one known name that is at most two slips away, with no other nearly as near. Digits are
    never taken for slips: `lr2` is another thing than `lr1`."""
    if is_too_many(known):
        return None
    found = _folded(name)
    candidates = {c for c in known if c != name and len(c) < _LONG}
    if len(candidates) > _MANY:
        candidates = {c for c in candidates if abs(len(c) - len(name)) <= 2 * _MOST_SLIPS}
    distances = sorted((_slips(found, _folded(c)), c) for c in candidates)
    if not distances:
        return None
    slips, best = distances[0]
    others = distances[1][0] if len(distances) > 1 else len(name)
    if slips > min(_MOST_SLIPS, len(name) // 3) or others < slips + 2:
        return None
    return best if _numbers(best) == _numbers(name) else None


def same_model(name: str, known: Iterable[str]) -> list[str]:
    """The types of GPUs that are of the same model: an `a10` is no `a100`, nor is a `v100`."""
    models = re.findall(_MODEL, _folded(name))
    return [other for other in known if re.findall(_MODEL, _folded(other)) == models]


def as_list(node: Scalar) -> Fix | None:
    """A command line that a shell would only split, as a list of its words."""
    words = _split(node)
    return rewritten(node, f"[{words}]") if words else None


def as_words(node: Scalar) -> Fix | None:
    """The same as several items of the list that it is in, which is one in `[ ]`."""
    words = _split(node)
    return rewritten(node, words) if words else None


def _split(node: Scalar) -> str | None:
    if not _one_line(node):
        return None
    text = node.text
    bare = _EXPRESSION.sub("x", text)
    if _SHELL.search(bare) or _ASSIGNMENT.match(bare) or "$${{" in text:
        return None
    words = [_flow_word(w) for w in re.findall(r"(?:\$\{\{.*?\}\}|\S)+", text)]
    return ", ".join(w for w in words if w) if words and None not in words else None


def in_list(node: Scalar) -> Fix | None:
    """One word as a list of it."""
    if not _one_line(node) or re.search(r"[\s,]", node.text) or "${{" in node.text:
        return None
    word = _flow_word(node.text)
    return rewritten(node, f"[{word}]") if word else None


def unquoted(node: Scalar) -> Fix | None:
    """A quoted number or truth value without its quotes."""
    if node.style not in ("'", '"') or isinstance(resolve_plain(node.text), str | None):
        return None
    return rewritten(node, node.text)


def as_boolean(node: Scalar) -> Fix | None:
    """What YAML 1.1 read as true or false."""
    right = _YAML_1_1.get(node.text.lower())
    return rewritten(node, right) if right else None


def quoted(node: Scalar) -> Fix | None:
    """A plain number or truth value as text."""
    if not node.plain or isinstance(node.value, str | None):
        return None
    return rewritten(node, f'"{node.text}"')


def inserted_line(file: SourceFile, line: int, text: str) -> Fix:
    """A new line before a line, which counts from 1."""
    at = file.starts[line - 1] if line <= len(file.starts) else len(file.text)
    if at and file.text[at - 1] not in "\r\n":
        return Fix(f"add `{text}`", (Edit(file.span(at, at), f"\n{text}"),))
    return Fix(f"add `{text}`", (Edit(file.span(at, at), f"{text}\n"),))


def quoted_expression(file: SourceFile, index: int) -> Fix | None:
    """Quotes around the item of `{ }` or `[ ]` that has an expression at `index`."""
    text = file.text
    line_start = file.starts[file.position(index)[0] - 1]
    before = _ITEM_BEFORE.search(text[line_start:index])
    if before is None:
        if text[line_start:index].strip(" \t"):
            return None
        start = index
    else:
        start = line_start + before.start(1)
    item = _ITEM.match(text, index)
    end = item.end() if item else index
    inner = text[start:end].rstrip(" \t")
    after = text[end:].lstrip(" \t")[:1]
    if "}}" not in inner or inner.count("${{") != inner.count("}}") or after not in set(",]}\r\n"):
        return None
    quote = '"' if not re.search(r'["\\]', inner) else "'"
    if quote in inner:
        return None
    return replaced(file, start, start + len(inner), f"{quote}{inner}{quote}")


def synonym(name: str, words: Mapping[str, str], known: Collection[str]) -> str | None:
    """The language's word for one that others use, where it is `known` here."""
    right = words.get(_folded(name))
    return right if right and right in known else None


def _one_line(node: Scalar) -> bool:
    return (
        len(node.text) < _LONG
        and node.style in ("", "'", '"')
        and node.span.line == node.span.end_line
    )


def _flow_word(word: str) -> str | None:
    """A word as an item of a list in `[ ]`."""
    if _PLAIN_WORD.fullmatch(word) and word.strip("-"):
        return word
    if '"' not in word and "\\" not in word:
        return f'"{word}"'
    return f"'{word}'" if "'" not in word else None


def _folded(name: str) -> str:
    return name.casefold().replace("-", "_")


def _numbers(name: str) -> list[str]:
    return re.findall("[0-9]+", name)


def _slips(one: str, other: str) -> int:
    """How many letters are wrong, missing, too many or swapped with the next (the distance of
    optimal string alignment); far ones are not told exactly."""
    if abs(len(one) - len(other)) > 2 * _MOST_SLIPS:
        return 2 * _MOST_SLIPS + 1
    earlier: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        earlier, last, row = row, earlier, [i]
        for j, b in enumerate(other, 1):
            cost = min(earlier[j] + 1, row[j - 1] + 1, earlier[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
