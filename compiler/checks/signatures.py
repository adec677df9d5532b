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


class Unsuited(Struct, frozen=True):
    """An `async` function, or a class of which no object is a mapping."""

    is_class: bool
    span: Span


class Module(Struct, frozen=True):
    """The functions of a module, and other names that it binds (imports, classes, values), of
    which those that are `unsuited` can be called, but not for values."""

    functions: dict[str, Function]
    others: frozenset[str]
    unsuited: dict[str, Unsuited]
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
    unsuited: dict[str, Unsuited] = {}
    is_open = False
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            name = statement.name
            is_class = isinstance(statement, ast.ClassDef)
            if isinstance(statement, ast.FunctionDef) and not statement.decorator_list:
                functions[name] = _function(statement, shown)
            elif _is_unsuited(statement) and name not in others | functions.keys():
                unsuited[name] = Unsuited(is_class, _name_span(statement, shown))
                others.add(name)
            else:
                others.add(name)
                unsuited.pop(name, None)
            is_open |= name == "__getattr__"
            if not is_class:
                continue
        for node in ast.walk(statement):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [alias.asname or alias.name.partition(".")[0] for alias in node.names]
                others.update(names)
                for name in names:
                    unsuited.pop(name, None)
                is_open |= "*" in names
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                others.add(node.id)
                unsuited.pop(node.id, None)
            elif isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                others.add(node.name)
    for name in others & functions.keys():
        del functions[name]
        unsuited.pop(name, None)
    return Module(functions, frozenset(others), unsuited, shown, is_open)


def _is_unsuited(node: ast.stmt) -> bool:
    """Whether a call surely gives no value: it gives what is to be awaited, or an object that is
    no mapping."""
    if isinstance(node, ast.AsyncFunctionDef):
        return not node.decorator_list
    if not isinstance(node, ast.ClassDef) or node.bases or node.keywords:
        return False
    wrapped = [one.func if isinstance(one, ast.Call) else one for one in node.decorator_list]
    names = {one.attr if isinstance(one, ast.Attribute) else ast.unparse(one) for one in wrapped}
    own = {one.name for one in node.body if isinstance(one, ast.FunctionDef)}
    return names <= {"dataclass"} and "__new__" not in own


def _name_span(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, shown: str) -> Span:
    before = {ast.FunctionDef: "def ", ast.AsyncFunctionDef: "async def ", ast.ClassDef: "class "}
    start = node.col_offset + 1 + len(before[type(node)])
    return Span(shown, node.lineno, start, node.lineno, start + len(node.name))


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
    return Function(arguments, node.args.kwarg is not None, returns, _name_span(node, shown))


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
