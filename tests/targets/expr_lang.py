"""A small expr-lang (github.com/expr-lang/expr, as in Argo) for tests: what the compiler writes.

Numbers in JSON are floats, as in Go; what it does not know is an error.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any


class ExprError(AssertionError):
    """The expression can't be read, or fails when it is evaluated."""


Env = Mapping[str, Any]
# Evaluates with an environment, and the item of the closure around it.
Node = Callable[[Env, Any], Any]

_TOKEN = re.compile(
    r"\s*(?:(\d+\.\d+|\d+)(?!\.\d)|([A-Za-z_]\w*)|'((?:[^'\\]|\\.)*)'"
    r"|(\.\.|\?\?|\|\||&&|[=!<>]=|[-+*/%<>=!?:;.,#()\[\]]))"
)
_BINDS = {
    "||": 10,
    "&&": 15,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in", "matches"), 20),
    "..": 25,
    "+": 30,
    "-": 30,
    "*": 60,
    "/": 60,
    "%": 60,
    "??": 500,
}
_NAMES = {"true": True, "false": False, "nil": None}


def evaluate(expression: str, env: Env) -> Any:
    """The value of an expression, as Go would have it.

    Raises:
        ExprError: it can't be read or evaluated.
    """
    return _parsed(expression)[0](env, None)


def paths(expression: str) -> frozenset[str]:
    """What it reads by name, spelled with dots, as far as the names are written out."""
    return _parsed(expression)[1]


@functools.lru_cache(maxsize=4096)
def _parsed(expression: str) -> tuple[Node, frozenset[str]]:
    parser = _Parser(expression)
    node = parser.expression()
    if parser.peek():
        raise ExprError(f"{parser.peek()} at the end of {expression}")
    return node, frozenset(parser.paths)


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        self.paths: set[str] = set()
        self.local: set[str] = set()
        at = 0
        text = text.strip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if not found:
                raise ExprError(f"can't read {text[at:]!r}")
            at = found.end()
            number, name, string, sign = found.groups()
            if number:
                self.tokens.append(("number", number))
            elif name:
                self.tokens.append(("name", name))
            elif sign:
                self.tokens.append(("sign", sign))
            else:
                self.tokens.append(("string", _unescaped(string)))

    def peek(self) -> str:
        return self.tokens[0][1] if self.tokens and self.tokens[0][0] != "string" else ""

    def take(self, wanted: str | None = None) -> tuple[str, str]:
        if not self.tokens or (wanted is not None and self.peek() != wanted):
            raise ExprError(f"wanted {wanted}, found {self.tokens[:1]}")
        return self.tokens.pop(0)

    def expression(self) -> Node:
        if self.peek() == "let":
            return self.declaration()
        chosen = self.binary(0)
        if self.peek() != "?":
            return chosen
        self.take()
        first = self.expression()
        self.take(":")
        second = self.expression()
        return lambda env, item: (first if _truth(chosen(env, item)) else second)(env, item)

    def declaration(self) -> Node:
        self.take()
        name = self.take()[1]
        self.take("=")
        value = self.expression()
        self.take(";")
        self.local.add(name)
        body = self.expression()
        return lambda env, item: body({**env, name: value(env, item)}, item)

    def binary(self, least: int) -> Node:
        left = self.unary()
        while self.peek() in _BINDS and _BINDS[self.peek()] >= least:
            sign = self.take()[1]
            left = _operation(sign, left, self.binary(_BINDS[sign] + 1))
        return left

    def unary(self) -> Node:
        if self.peek() == "!":
            self.take()
            operand = self.binary(50)
            return lambda env, item: not _truth(operand(env, item))
        if self.peek() == "-":
            self.take()
            number = self.binary(90)
            return lambda env, item: -number(env, item)
        return self.postfix()

    def postfix(self) -> Node:
        kind, text = self.take()
        path: str | None = None
        node: Node
        if kind == "number":
            value: Any = float(text) if "." in text else int(text)
            node = _constant(value)
        elif kind == "string":
            node = _constant(text)
        elif text == "(":
            node = self.expression()
            self.take(")")
        elif text == "[":
            items = self.arguments("]")
            node = lambda env, item: [one(env, item) for one in items]  # noqa: E731
        elif text == "#":
            node = lambda env, item: item  # noqa: E731, ARG005
        elif kind == "name" and text in _NAMES:
            node = _constant(_NAMES[text])
        elif kind == "name" and self.peek() == "(":
            self.take()
            return self.members(self.call(text, self.arguments(")")), None)
        elif kind == "name":
            path = text
            node = _name(text)
        else:
            raise ExprError(f"unexpected {text}")
        return self.members(node, path)

    def members(self, node: Node, path: str | None) -> Node:
        while self.peek() in (".", "["):
            if self.take()[1] == ".":
                key = self.take()[1]
                if path == "sprig" and self.peek() == "(":
                    self.take()
                    return self.members(self.call(f"sprig.{key}", self.arguments(")")), None)
                inner, path = _constant(key), path and f"{path}.{key}"
            else:
                text = self.tokens[0] if self.tokens else ("", "")
                inner = self.expression()
                if self.peek() == ":":
                    self.take()
                    self.take("]")
                    node, path = _rest(node, inner), None
                    continue
                self.take("]")
                path = f"{path}.{text[1]}" if path and text[0] == "string" else None
            node = _member(node, inner)
        if path and path not in self.local:
            self.paths.add(path)
        return node

    def arguments(self, end: str) -> list[Node]:
        found: list[Node] = []
        while self.peek() != end or (self.tokens and self.tokens[0][0] == "string"):
            found.append(self.expression())
            if self.peek() != end:
                self.take(",")
        self.take(end)
        return found

    def call(self, name: str, arguments: list[Node]) -> Node:
        if name == "map":
            items, one = arguments
            return lambda env, item: [one(env, i) for i in _list(items(env, item))]
        if name not in FUNCTIONS:
            raise ExprError(f"{name} is no function that Argo knows")
        function = FUNCTIONS[name]

        def node(env: Env, item: Any) -> Any:
            try:
                return function(*(a(env, item) for a in arguments))
            except (TypeError, ValueError, AttributeError, KeyError) as error:
                raise ExprError(f"{name}: {error}") from error

        return node


def _constant(value: Any) -> Node:
    return lambda env, item: value  # noqa: ARG005


def _name(name: str) -> Node:
    def node(env: Env, item: Any) -> Any:  # noqa: ARG001
        if name not in env:
            raise ExprError(f"nothing is called {name}")
        return env[name]

    return node


def _member(node: Node, key: Node) -> Node:
    def found(env: Env, item: Any) -> Any:
        of, name = node(env, item), key(env, item)
        if isinstance(of, dict) and isinstance(name, str):
            return of.get(name)
        if isinstance(of, list) and isinstance(name, int) and -len(of) <= name < len(of):
            return of[name]
        raise ExprError(f"can't get {name!r} of {of!r}")

    return found


def _rest(node: Node, start: Node) -> Node:
    return lambda env, item: _list(node(env, item))[start(env, item) :]


def _operation(sign: str, left: Node, right: Node) -> Node:
    if sign == "||":
        return lambda env, item: _truth(left(env, item)) or _truth(right(env, item))
    if sign == "&&":
        return lambda env, item: _truth(left(env, item)) and _truth(right(env, item))
    if sign == "??":

        def either(env: Env, item: Any) -> Any:
            found = left(env, item)
            return right(env, item) if found is None else found

        return either

    def node(env: Env, item: Any) -> Any:
        a, b = left(env, item), right(env, item)
        try:
            return _apply(sign, a, b)
        except TypeError as error:
            raise ExprError(f"{a!r} {sign} {b!r}") from error

    return node


def _apply(sign: str, a: Any, b: Any) -> Any:
    same = _kind(a) == _kind(b)
    match sign:
        case "==":
            return same and a == b
        case "!=":
            return not (same and a == b)
        case "in":
            return any(_kind(a) == _kind(one) and a == one for one in _list(b))
        case "matches":
            return re.search(b, a) is not None
        case "..":
            return list(range(a, b + 1))
        case "%" if type(a) is int and type(b) is int:
            return a % b
        case "/":
            return float(a) / float(b)
    if not same or _kind(a) not in ("number", "string"):
        raise TypeError
    match sign:
        case "<":
            return a < b
        case "<=":
            return a <= b
        case ">":
            return a > b
        case ">=":
            return a >= b
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
    raise TypeError


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return {str: "string", list: "array", dict: "map"}.get(type(value), "nil")


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ExprError(f"{value!r} is no boolean")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ExprError(f"{value!r} is no array")
    return value


def _unescaped(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        if found[1]:
            return chr(int(found[1], 16))
        if found[2]:
            return chr(int(found[2], 16))
        return {"n": "\n", "t": "\t", "r": "\r"}.get(found[3], found[3])

    return re.sub(r"\\(?:u([0-9a-f]{4})|U([0-9a-f]{8})|(.))", one, text)


def from_json(text: str) -> Any:
    if not isinstance(text, str):
        raise ExprError(f"{text!r} is no text")
    try:
        return json.loads(text, parse_int=float)
    except ValueError as error:
        raise ExprError(f"{text!r} is no JSON") from error


def to_json(value: Any) -> str:
    """As Go's json.Marshal: compact, keys sorted, three signs and two separators escaped."""
    text = _plain(value)
    return re.sub("[<>&\u2028\u2029]", lambda sign: f"\\u{ord(sign[0]):04x}", text)


def _plain(value: Any) -> str:
    if isinstance(value, float):
        if value == 0 or 1e-6 <= abs(value) < 1e21:
            return format(Decimal(repr(value)), "f").removesuffix(".0")
        return re.sub(r"e([-+])0", r"e\1", repr(value))
    if isinstance(value, list):
        return f"[{','.join(map(_plain, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_plain(k)}:{_plain(value[k])}" for k in sorted(value)) + "}"
    return json.dumps(value, ensure_ascii=False)


def _get(of: Any, key: Any) -> Any:
    return of.get(key) if isinstance(of, dict) else None


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "replace": lambda text, old, new: text.replace(old, new),
    "trim": lambda text: text.strip(),
    "split": lambda text, by: text.split(by),
    "join": lambda parts, by: by.join(parts),
    "len": len,
    "int": int,
    "get": _get,
    "type": lambda value: {"number": "float", "boolean": "bool"}.get(_kind(value), _kind(value)),
    "asFloat": float,
    "fromJSON": from_json,
    "toJson": to_json,
    "sprig.trimSuffix": lambda end, text: text.removesuffix(end),
    "sprig.sha256sum": lambda text: hashlib.sha256(text.encode()).hexdigest(),
}
