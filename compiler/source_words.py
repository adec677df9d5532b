"""What is said of text that is no YAML, in the words of a spec's author and not of a parser.

A parser tells where it can't go on; the mistake often stands before that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from compiler import mending, signs
from compiler.diagnostics import Diagnostic, Related, error
from compiler.nodes import Mapping, Node, Scalar, SourceFile

_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7})(?: |$)", re.MULTILINE)
_BLOCK = re.compile(r"[|>][-+0-9]{0,2}[ \t]*(?:#.*)?$")
_OPENING = {"]": "[", "}": "{"}
_LONGEST = 60
_KEY = re.compile(r"[\w.-]+")


def forgotten_quotes(file: SourceFile, start: int, end: int) -> Diagnostic:
    message = "an expression inside `{ }` or `[ ]` needs quotes"
    hint, fix = 'write "${{ … }}" with the quotes', mending.quoted_expression(file, start)
    if file.text[max(0, start - 1) : start] in tuple("“„”‘‚’"):
        hint, fix = 'write "${{ … }}", with straight quotes', None
    return error("MLC007", message, file.span(start, end), hint=hint, fix=fix)


def twice(key: Scalar, first: Node, second: Node) -> Diagnostic:
    """A key that is there twice: YAML says not which counts, and readers of it differ."""
    match first, second:
        case Mapping(), Mapping() if first.entries.keys().isdisjoint(second.entries):
            hint = f"put what stands under both below one `{key.text}`"
        case Mapping(), Mapping():
            hint = "give one of them another name, or take it out"
        case Scalar(), Scalar() if first.text == second.text:
            hint = "take one of them out; they say the same"
        case _:
            hint = "keep the one that is meant, and take the other out"
    return error("MLC003", f"`{key.text}` is given twice", key.span, hint=hint)


def template(file: SourceFile, start: int, end: int) -> Diagnostic:
    """`{{ x }}` without quotes: YAML reads a mapping that has a mapping for its key."""
    message = "`{{ }}` is read as a mapping inside a mapping"
    hint = "a spec is no template: an expression is written `${{ … }}`, a text between quotes"
    return error("MLC007", message, file.span(start, end), hint=hint)


def syntax_error(file: SourceFile, problem: yaml.MarkedYAMLError) -> Diagnostic:
    """One finding for what the parser stumbled over."""
    mark = problem.problem_mark or problem.context_mark
    index = min(mark.index, len(file.text)) if mark else len(file.text)
    what, context = problem.problem or "can't be read", problem.context or ""
    start = problem.context_mark.index if problem.context_mark else index
    for told in _findings(file, what, context, start, index):
        return told
    related: tuple[Related, ...] = ()
    if start != index:
        related = (Related("in what starts here", file.span(start, start + 1)),)
    return _wrong(what, file, index, related=related)


def _findings(
    file: SourceFile, what: str, context: str, start: int, index: int
) -> Iterator[Diagnostic]:
    """What it is, the first that fits: what is found at `index` is a part of what is at `start`."""
    text = file.text
    conflict = _CONFLICT.search(text)
    if conflict and conflict.start() <= index:
        hint = "keep one of the sides, and take the marks out"
        yield _wrong("a conflict of git that is not settled", file, conflict.start(), hint, 7)
    opened = text.rfind("${{", 0, index + 3)
    if opened >= 0 and text.count("\n", opened, index) <= 1 and "flow" in context:
        yield forgotten_quotes(file, opened, opened + 3)
    if text[index : index + 1] == "\t" or "found character '\\t'" in what or " tab " in what:
        yield signs.tab(file, index)
    if "simple key" in context or what.startswith("mapping values"):
        spaces = signs.FALSE_SPACE.search(text, _line(file, start), _end(text, start))
        if spaces:
            yield signs.false_space(file, spaces.start())
    if what.startswith("mapping values are not allowed"):
        yield _colon(file, index)
    if what.startswith("could not find expected ':'"):
        yield _no_colon(file, start)
    if what.startswith("found character that cannot start any token"):
        yield _no_start(file, index)
    if what == "found unexpected end of stream" and "scalar" in context:
        yield _wrong("a quoted text that is never closed", file, start, "close the quote")
    if "escape" in what or "hexdecimal" in what:
        at = text.rfind("\\", 0, index + 1)
        hint = "in double quotes `\\` starts an escape: write `\\\\`, or take single quotes"
        yield _wrong(f"`{text[at : at + 2]}` is no escape", file, at, hint, 2)
    if "flow" in context and ("',' or" in what or "node content" in what):
        yield from _in_flow(file, start, index)
    if "alias" in context or "anchor" in context:
        sign = text[start : start + 1]
        hint = f"quote the value: {_quoted(_rest(text, start))}"
        yield _wrong(f"a value can't start with `{sign}`, a sign of YAML's own", file, start, hint)
    if "block scalar" in context:
        sign = text[start : start + 1]
        hint = "start it on the next line, indented; or quote the value"
        yield _wrong(f"text on the line of its `{sign}`", file, index, hint)
    if what.startswith("block sequence entries"):
        hint = "start the list on the next line; or quote the value"
        yield _wrong("an item of a list on the line of its key", file, index, hint)
    if what.startswith("mapping keys"):
        hint = f"quote the value: {_quoted(_rest(text, index))}"
        yield _wrong("a value can't start with `? `, a sign of YAML's own", file, index, hint)
    if "document start" in what:
        hint = "keep one spec in a file, and take the `...` out"
        yield _wrong("text after the end of the document", file, index, hint)
    if "directive" in context or "directive" in what:
        hint = "quote the value" if start else ""
        yield _wrong("a line that starts with `%`", file, start, hint)
    if what.startswith("did not find expected") and "block" in context:
        yield from _in_block(file, index)


def _colon(file: SourceFile, index: int) -> Diagnostic:
    """`: ` inside a plain value, be it one that goes on from the line above."""
    text = file.text
    before = text[_line(file, index) : index]
    if "${{" in before:
        return _wrong("`: ` inside a plain value", file, index, 'quote the expression: "${{ … }}"')
    line = re.match(r"\s*(?:- +)*(?P<key>[\w.-]+): +", before)
    if line:
        start = _line(file, index) + line.end()
        value = text[start : _end(text, start)].partition(" #")[0].rstrip()
        hint = f"quote the value: {_quoted(value)}"
        if line["key"] in ("script", "run"):
            hint = "write `script: |`, and the text on the next line, indented by two more spaces"
        return _wrong("`: ` inside a plain value", file, index, hint)
    above = _above(file, index)
    found = None if above is None else _without_colon(file, above)
    return found or _wrong("`: ` inside a plain value", file, index, "quote the value")


def _no_colon(file: SourceFile, start: int) -> Diagnostic:
    """A line that is neither a key nor a part of a value."""
    above = _above(file, start)
    if above is not None and _BLOCK.search(file.text, above, _end(file.text, above)):
        indent = _indent(file, above)
        if start - _line(file, start) <= indent:
            hint = f"indent it by more than its key, by {indent + 2} spaces"
            return _wrong("the lines of a text have to stand below its key", file, start, hint)
    found = _without_colon(file, start)
    return found or _wrong("a key without `: ` and a value", file, start)


def _without_colon(file: SourceFile, at: int) -> Diagnostic | None:
    """A line of which the first word is a key but for its colon, or the space after that."""
    text = file.text
    line = text[at : _end(text, at)]
    stripped = line.lstrip(" -")
    at += len(line) - len(stripped)
    word = _KEY.match(stripped)
    if word is None:
        return None
    key, rest = word[0], stripped[word.end() :]
    if rest.startswith(":") and rest[1:2].strip():
        hint = f"write `{key}: {rest[1:].strip()}`"
        return _wrong(f"no space after `{key}:`", file, at, hint, len(key) + 1)
    if not rest.strip() or rest.startswith(" "):
        return _wrong(f"no `: ` after the key `{key}`", file, at, f"write `{key}: …`", len(key))
    return None


def _no_start(file: SourceFile, index: int) -> Diagnostic:
    sign = file.text[index : index + 1]
    if sign == "%" and file.text[index - 1 : index] == "{":
        hint = "a spec is no template: profiles, params and `when` make it vary"
        return _wrong("`{%` means nothing here", file, index - 1, hint, 2)
    shown = "a backtick" if sign == "`" else f"`{sign}`"
    hint = f"quote the value: {_quoted(_rest(file.text, index))}"
    return _wrong(f"{shown} can't start a value", file, index, hint)


def _in_flow(file: SourceFile, start: int, index: int) -> Iterator[Diagnostic]:
    text = file.text
    opening = text[start : start + 1]
    closing = {"[": "]", "{": "}"}.get(opening, "")
    found = text[index : index + 1]
    if found in _OPENING and found != closing and closing:
        related = (Related("opened here", file.span(start, start + 1)),)
        hint = f"write `{closing}` here; or is one missing before it?"
        yield _wrong(f"`{opening}` is closed by `{found}`", file, index, hint, related=related)
    if found in (",", closing):
        yield _wrong("there is nothing before this", file, index, "take a `,` out")
    before = text[:index].rstrip()
    after_quote = before.endswith(("'", '"'))
    if not after_quote and (not found or text.count("\n", start, index)):
        hint = f"add `{closing}` where it ends"
        yield _wrong(f"`{opening}` is never closed", file, start, hint)
    if after_quote:
        if len(before) == index and found != ":":
            yield _after_quote(file, index)
        yield _wrong("a `,` is missing before this", file, index)
    if found in tuple("[{") and len(before) == index:
        hint = "quote the value: between `[ ]` and `{ }` these signs mean lists and mappings"
        yield _wrong(f"`{found}` inside a plain value", file, index, hint)
    if found == ":":
        word = re.search(r"[^\s,:\[\]{}]+$", before)
        at = word.start() if word else index
        hint = "put a `,` between two of them; quote a value with `: ` in it"
        yield _wrong("a `,` is missing before this", file, at, hint, index - at)
    yield _wrong("a `,` is missing before this", file, index)


def _in_block(file: SourceFile, index: int) -> Iterator[Diagnostic]:
    text = file.text
    before = text[_line(file, index) : index]
    found = text[index : index + 1]
    if before.strip():
        last = before.rstrip()[-1]
        if found in _OPENING:
            sign = _OPENING[found]
            yield _wrong(f"`{found}` closes no `{sign}`", file, index, "take it out")
        if last in ("'", '"'):
            yield _after_quote(file, index)
        if last in _OPENING:
            hint = "a value that starts with `[` or `{` ends with that; if it is text, quote it"
            yield _wrong(f"text after the closing `{last}`", file, index, hint)
        yield _wrong("this goes with nothing on its line", file, index, "quote the value")
    above = _above(file, index)
    block = _block_above(file, index)
    if block is not None:
        related = (Related("the text starts here", file.span(block, block + 1)),)
        hint = "indent all lines of a text by as much as its first"
        message = "this line is less indented than the text that it belongs to"
        yield _wrong(message, file, index, hint, related=related)
    if re.match(r"-(?:\s|$)", text[index : index + 2]):
        hint = "items stand below the key of their list, all of them indented alike"
        yield _wrong("an item of a list among keys", file, index, hint)
    key = _KEY.match(text, index)
    shown = f"`{key[0]}`" if key else "this line"
    if above is not None and _indent(file, above) < len(before):
        hint = "give it the indentation of the line above; or a key above has no value to hold it"
        message = f"{shown} is indented deeper than the line above, which has its value"
    else:
        hint = "give it the indentation of the keys that it stands among"
        message = f"{shown} is indented by {len(before)}, as nothing above that it could go with"
    yield _wrong(message, file, index, hint, len(key[0]) if key else 1)


def _after_quote(file: SourceFile, index: int) -> Diagnostic:
    before = file.text[_line(file, index) : index].rstrip()
    if before.rfind("${{") > before.rfind("}}"):
        hint = "inside an expression in double quotes take single ones, or the other way round"
    elif before.endswith('"'):
        hint = 'quote the whole value, or none of it; inside double quotes write `\\"`'
    else:
        hint = "quote the whole value, or none of it; inside single quotes write `''`"
    return _wrong("text after a closing quote", file, index, hint)


def _block_above(file: SourceFile, index: int) -> int | None:
    """The sign of the block of text that the lines right above belong to, if this is less
    indented than they are and more than the key of the block."""
    own = index - _line(file, index)
    line = _above(file, index)
    while line is not None:
        sign = _BLOCK.search(file.text, line, _end(file.text, line))
        indent = _indent(file, line)
        if sign is not None and indent < own:
            return sign.start()
        if indent <= own:
            return None
        line = _above(file, line)
    return None


def _wrong(
    what: str,
    file: SourceFile,
    at: int,
    hint: str = "",
    length: int = 1,
    related: tuple[Related, ...] = (),
) -> Diagnostic:
    span = file.span(at, at + length)
    return error("MLC002", f"YAML: {what}", span, hint=hint, related=related)


def _line(file: SourceFile, index: int) -> int:
    """Where the line of a character starts."""
    return file.starts[file.position(index)[0] - 1]


def _end(text: str, index: int) -> int:
    """Where the line of a character ends."""
    found = re.compile(r"[\r\n]|\Z").search(text, index)
    return found.start() if found else len(text)


def _above(file: SourceFile, index: int) -> int | None:
    """Where the nearest line above starts that has more than a comment in it."""
    for number in range(file.position(index)[0] - 2, -1, -1):
        start = file.starts[number]
        line = file.text[start : _end(file.text, start)].strip()
        if line and not line.startswith("#"):
            return start
    return None


def _indent(file: SourceFile, start: int) -> int:
    line = file.text[start : _end(file.text, start)]
    return len(line) - len(line.lstrip(" "))


def _rest(text: str, index: int) -> str:
    """What stands from here to the end of the line, without what ends a list."""
    return text[index : _end(text, index)].partition(" #")[0].rstrip().rstrip("]},")


def _quoted(value: str) -> str:
    """A value between quotes that it has not in it; where it is long or has both, how to."""
    if len(value) <= _LONGEST and not ('"' in value or "\\" in value):
        return f'"{value}"'
    if "'" not in value:
        return f"'{value}'" if len(value) <= _LONGEST else "'…'"
    return "'…', and each `'` in it written twice"
