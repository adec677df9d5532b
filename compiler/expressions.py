"""Expressions as they are written: `${{ … }}` inside text, parsed to a tree with offsets.

Names are given their meaning and types by `compiler.binding`; here it is grammar alone. Loosest
to tightest: `||`, `&&`, one comparison, `??`, `!`, then `.name` and `['text']`.
"""

from __future__ import annotations

import functools
import json
import math
import re
from typing import TypeAlias

from msgspec import Struct

from compiler.synonyms import FUNCTIONS
from compiler.values import JsonValue, carrying_problem

MAX_DEPTH = 50
# A chain of operators is as deep as it is long, and every phase follows it.
MAX_OPERATORS = 100
MAX_LENGTH = 10_000
# Longer texts are not kept with what they are cut into.
_SHORT = 200

_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
    (?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![\w.]))
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<sign>\|\||&&|==|!=|<=|>=|\?\?|[<>!.()\[\],])
    )""",
    re.VERBOSE | re.DOTALL,
)
_SPACE = re.compile(r"[ \t\r\n]*")
_QUOTE = re.compile("[\"']")
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "in")
_COMPARISON, _FALLBACK = 3, 4
_BINDS = {"||": 1, "&&": 2, **dict.fromkeys(_COMPARISONS, _COMPARISON), "??": _FALLBACK}
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


class Constant(Struct, frozen=True):
    value: JsonValue
    start: int
    end: int


class Accessor(Struct, frozen=True):
    name: str
    start: int
    end: int


class Path(Struct, frozen=True):
    """`root.name['name']…`, each part with its place."""

    root: Accessor
    accessors: tuple[Accessor, ...]
    start: int
    end: int


class Operation(Struct, frozen=True):
    """An operator over one or two operands; `sign` is the operator's text."""

    sign: str
    operands: tuple[Syntax, ...]
    start: int
    end: int


class Items(Struct, frozen=True):
    """`[a, b]`."""

    items: tuple[Syntax, ...]
    start: int
    end: int


Syntax: TypeAlias = Constant | Path | Operation | Items


class Embedded(Struct, frozen=True):
    """`${{ inner }}` in a text; offsets count from the start of the text."""

    inner: str
    start: int
    end: int

    @property
    def inner_start(self) -> int:
        return self.start + 3


class ExpressionError(Exception):
    """A text is no expression: `message` is for the user, offsets as in the parsed text."""

    def __init__(self, message: str, start: int, end: int, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end
        self.hint = hint


def split(text: str) -> tuple[str | Embedded, ...]:
    """Cut a text into literal pieces and embedded expressions; `$${{` is a literal `${{`.

    Raises:
        ExpressionError: an expression is not closed.
    """
    return _short_pieces(text) if len(text) < _SHORT else tuple(_pieces(text))


# As `parse`: most are an expression and nothing else.
@functools.lru_cache(maxsize=4096)
def _short_pieces(text: str) -> tuple[str | Embedded, ...]:
    return tuple(_pieces(text))


def _pieces(text: str) -> list[str | Embedded]:
    pieces: list[str | Embedded] = []
    literal = ""
    at = 0
    while True:
        found = text.find("${{", at)
        if found < 0:
            literal += text[at:]
            if literal:
                pieces.append(literal)
            return pieces
        if text[found - 1 : found] == "$" and found > at:
            literal += text[at : found - 1] + "${{"
            at = found + 3
            continue
        literal += text[at:found]
        if literal:
            pieces.append(literal)
            literal = ""
        end = _closing(text, found + 3)
        pieces.append(Embedded(text[found + 3 : end - 2], found, end))
        at = end


def _closing(text: str, at: int) -> int:
    """The offset behind the `}}` that closes an expression, quoted text passed over."""
    start = at - 3
    end = text.find("}}", at)
    if end >= 0 and not _QUOTE.search(text, at, end):
        return end + 2
    while at < len(text):
        if text.startswith("}}", at):
            return at + 2
        if text[at] in "\"'":
            quoted = _TOKEN.match(text, at)
            if quoted is None or quoted["text"] is None:
                hint = "close the quote"
                raise ExpressionError("a quote that is not closed", at, at + 1, hint)
            at = quoted.end()
            continue
        at += 1
    hint = "a ` #` in a plain value starts a comment: quote the value" if start else ""
    raise ExpressionError("`${{` without its `}}`", start, start + 3, hint or "add `}}`")


# The specs of a project say the same of the same params, and each profile says it again.
@functools.lru_cache(maxsize=4096)
def parse(text: str) -> Syntax:
    """Parse the inside of `${{ … }}`.

    Raises:
        ExpressionError: with the place and what was expected.
    """
    if len(text) > MAX_LENGTH:
        message = f"an expression of more than {MAX_LENGTH} characters"
        raise ExpressionError(message, 0, 1, "compute it in a step")
    parser = _Parser(text)
    syntax = parser.operation(0)
    if parser.kind != "end":
        shown = parser.shown()
        if parser.value in _COMPARISONS:
            raise parser.error("comparisons can't be chained", "join two comparisons with `&&`")
        raise parser.error(f"unexpected {shown}", _OF_PYTHON.get(parser.value, ""))
    return syntax


_NO_CHOICE = "there is no choice in expressions: make two steps with a `when` each"
_OF_PYTHON = {
    "and": "write `&&`",
    "or": "write `||`",
    "not": "write `!`",
    "is": "compare with `==` or `!=`, with `null` too",
    "if": _NO_CHOICE,
}


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.last_end = 0
        self.operators = 0
        self.advance()

    def advance(self) -> None:
        self.last_end = self.at
        match = _TOKEN.match(self.text, self.at)
        kind = match.lastgroup if match else None
        if match and kind:
            self.kind: str = kind
            self.value: str = match[kind]
            self.start, self.at = match.span(kind)
            return
        space = _SPACE.match(self.text, self.at)
        self.start = space.end() if space else self.at
        if self.start >= len(self.text):
            self.kind, self.value, self.at = "end", "", self.start
            return
        self.at = self.start + 1
        self.kind, self.value = "bad", self.text[self.start]
        sign = self.value
        hints = {
            "=": "compare with `==`",
            "&": "write `&&`",
            "|": "write `||`; there are no filters",
            "?": _NO_CHOICE if ":" in self.text[self.at :] else "write `??` for a default",
            "+": "there is no arithmetic; compute in a step",
            "-": "there is no arithmetic; a name with a dash needs the form `['a-b']`",
            "*": "there is no arithmetic; compute in a step",
            "/": "there is no arithmetic; compute in a step",
            **dict.fromkeys("“”„‘’‚", "write straight quotes"),
            **dict.fromkeys("\xa0\u2007\u202f\u200b", "it is no plain space: type it again"),
        }
        if sign in "\"'":
            raise self.error("a quote that is not closed", "close the quote")
        if sign == "-" and re.search(
            r"\b(?:params|inputs|each|steps)\.\w+\Z", self.text[: self.start]
        ):
            raise self.error("names have no dash", "write `_`, where the name is given too")
        if sign.isdigit() or sign == "-":
            raise self.error("not a number", hints.get(sign, "write it as in JSON: 1, -0.5, 1e-3"))
        raise self.error(f"`{sign}` has no meaning here", hints.get(sign, ""))

    def shown(self) -> str:
        return "end of the expression" if self.kind == "end" else f"`{self.value}`"

    def error(self, message: str, hint: str) -> ExpressionError:
        return ExpressionError(message, self.start, max(self.at, self.start + 1), hint)

    def take(self, *signs: str) -> str | None:
        if self.kind in ("sign", "name") and self.value in signs:
            sign = self.value
            self.advance()
            return sign
        return None

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            raise self.error(f"expected `{sign}`, found {self.shown()}", "")

    def operation(self, depth: int, loosest: int = 1) -> Syntax:
        """Operators that bind at least as tightly as `loosest`, by precedence climbing."""
        left = self.negation(depth)
        tightest = _FALLBACK
        while self.kind in ("sign", "name"):
            binds = _BINDS.get(self.value, 0)
            if not loosest <= binds <= tightest:
                break
            sign = self.value
            self.operators += 1
            if self.operators > MAX_OPERATORS:
                hint = "compare with a list, `x in [1, 2]`, or compute it in a step"
                raise self.error(f"more than {MAX_OPERATORS} operators in one expression", hint)
            self.advance()
            right = self.operation(depth, binds + 1)
            left = Operation(sign, (left, right), left.start, right.end)
            if binds == _COMPARISON:
                tightest = _COMPARISON - 1  # they have no chains
        return left

    def negation(self, depth: int) -> Syntax:
        if depth > MAX_DEPTH:
            raise self.error("nested too deep", "")
        start = self.start
        if self.take("!"):
            operand = self.negation(depth + 1)
            return Operation("!", (operand,), start, operand.end)
        return self.primary(depth)

    def primary(self, depth: int) -> Syntax:
        start = self.start
        match self.kind, self.value:
            case "number", text:
                self.advance()
                return Constant(_number(text, start), start, self.last_end)
            case "text", text:
                self.advance()
                return Constant(_unquote(text, start), start, self.last_end)
            case "name", word if word in _WORDS:
                self.advance()
                return Constant(_WORDS[word], start, self.last_end)
            case "name", word if word != "in":
                return self.path()
            case "sign", "(":
                self.advance()
                inner = self.operation(depth + 1)
                self.expect(")")
                return inner
            case "sign", "[":
                return self.items(depth)
        hint = "write a name like `params.NAME`, a number, or a quoted text"
        raise self.error(f"expected a value, found {self.shown()}", hint)

    def items(self, depth: int) -> Items:
        start = self.start
        self.advance()
        items: list[Syntax] = []
        while not self.take("]"):
            items.append(self.operation(depth + 1))
            if self.take("]"):
                break
            self.expect(",")
        return Items(tuple(items), start, self.last_end)

    def path(self) -> Path:
        root = Accessor(self.value, self.start, self.at)
        self.advance()
        if self.kind == "sign" and self.value == "(":
            hint = FUNCTIONS.get(root.name, "compute in a step")
            raise self.error("there are no functions in expressions", hint)
        accessors: list[Accessor] = []
        while True:
            if self.take("."):
                if self.kind != "name":
                    raise self.error(f"expected a name after `.`, found {self.shown()}", "")
                accessors.append(Accessor(self.value, self.start, self.at))
                self.advance()
            elif self.take("["):
                if self.kind != "text":
                    hint = "index with quoted text: ['name']"
                    if self.kind == "number":
                        hint = "items have no numbers here: loop over them with `foreach`, or let "
                        hint += "a step write the one that is meant"
                    raise self.error(f"expected quoted text, found {self.shown()}", hint)
                name = _unquote(self.value, self.start)
                accessors.append(Accessor(name, self.start, self.at))
                self.advance()
                self.expect("]")
            else:
                return Path(root, tuple(accessors), root.start, self.last_end)


def _number(text: str, start: int) -> JsonValue:
    # Python refuses to read very long integers; no engine carries them.
    value: JsonValue = json.loads(text) if len(text) < 400 else math.inf
    problem = carrying_problem(value)
    if problem:
        raise ExpressionError(problem, start, start + len(text))
    return value


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/"}


def _unquote(quoted: str, start: int) -> str:
    def replace(match: re.Match[str]) -> str:
        escape = match[1]
        if escape[0] == "u" and len(escape) == 5:
            return chr(int(escape[1:], 16))
        if escape in _ESCAPES:
            return _ESCAPES[escape]
        if escape in "\\\"'":
            return escape
        at = start + 1 + match.start()
        hint = "known are \\n \\t \\r \\b \\f \\\\ \\' \\\" \\/ and \\u0041"
        raise ExpressionError(f"unknown escape `\\{escape}`", at, at + 2, hint)

    text = re.sub(r"\\(u[0-9a-fA-F]{4}|.)", replace, quoted[1:-1], flags=re.DOTALL)
    try:
        # Two escapes can make a surrogate pair; a lone one is no character.
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise ExpressionError(
            "a lone surrogate is no character", start, start + len(quoted)
        ) from None
