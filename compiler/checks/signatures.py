"""The functions of a module as its source declares them, read and never imported."""

from __future__ import annotations

import ast
import functools
import warnings
from pathlib import Path

from msgspec import Struct

from compiler.diagnostics import Span

# The names that a module is judged by; an annotation with any other is open.
JUDGED = frozenset(
    {
        *("str", "int", "float", "bool", "Path", "PathLike"),
        *("list", "Sequence", "Iterable", "Collection", "tuple"),
        *("dict", "Mapping", "MutableMapping"),
    }
)
_OPEN = {"Any", "object"}


class Argument(Struct, frozen=True):
    """A parameter of a function; `kinds` are the plain names in its annotation, None if open."""

    name: str
    kinds: frozenset[str] | None
    optional: bool
    required: bool
    span: Span


class Function(Struct, frozen=True):
    arguments: dict[str, Argument]
    takes_any: bool
    returns: frozenset[str] | None
    span: Span


class Module(Struct, frozen=True):
    """The functions of a module, and other names that it binds (imports, classes, values)."""

    functions: dict[str, Function]
    others: frozenset[str]
    path: str
    open: bool


@functools.cache
def read_module(path: Path, shown: str) -> Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    functions: dict[str, Function] = {}
    others: set[str] = set()
    is_open = False
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if statement.decorator_list or isinstance(statement, ast.AsyncFunctionDef):
                others.add(statement.name)
            else:
                functions[statement.name] = _function(statement, shown)
            is_open |= statement.name == "__getattr__"
            continue
        for node in ast.walk(statement):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [alias.asname or alias.name.partition(".")[0] for alias in node.names]
                others.update(names)
                is_open |= "*" in names
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                others.add(node.id)
            elif isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                others.add(node.name)
    for name in others & functions.keys():
        del functions[name]
    return Module(functions, frozenset(others), shown, is_open)


def _function(node: ast.FunctionDef, shown: str) -> Function:
    named = [*node.args.posonlyargs, *node.args.args]
    with_default = len(named) - len(node.args.defaults)
    arguments = {
        a.arg: _argument(a, required=number < with_default, shown=shown)
        for number, a in enumerate(named)
    }
    for a, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        arguments[a.arg] = _argument(a, required=default is None, shown=shown)
    returns, _ = _annotation(node.returns)
    start = node.col_offset + 5
    span = Span(shown, node.lineno, start, node.lineno, start + len(node.name))
    return Function(arguments, node.args.kwarg is not None, returns, span)


def _argument(node: ast.arg, *, required: bool, shown: str) -> Argument:
    kinds, optional = _annotation(node.annotation)
    span = Span(
        shown, node.lineno, node.col_offset + 1, node.lineno, (node.end_col_offset or 0) + 1
    )
    return Argument(node.arg, kinds, optional, required, span)


def _annotation(node: ast.expr | None) -> tuple[frozenset[str] | None, bool]:
    """The names that an annotation joins by `|` and whether None is among them."""
    names = _names(node)
    if names is None:
        return None, True
    optional = "None" in names
    plain = frozenset(names - {"None"}) or frozenset({"None"})
    return (plain if plain <= JUDGED | {"None"} else None), optional


def _names(node: ast.expr | None) -> set[str] | None:
    match node:
        case ast.Constant(value=None):
            return {"None"}
        case ast.Constant(value=str() as quoted):
            try:
                return _names(ast.parse(quoted, mode="eval").body)
            except SyntaxError:
                return None
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return None if name in _OPEN else {name}
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            first, second = _names(left), _names(right)
            return None if first is None or second is None else first | second
        case ast.Subscript(value=ast.Name(id="Optional") | ast.Attribute(attr="Optional"), slice=s):
            inner = _names(s)
            return None if inner is None else inner | {"None"}
        case ast.Subscript(value=base):
            return _names(base) if _names(base) != {"Union"} else None
    return None
