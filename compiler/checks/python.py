"""Holds `python:` steps against the functions that they name, by reading the source, never
importing it. What is not in the project, or not a plain function, is left to the run."""

from __future__ import annotations

import ast
import functools
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from compiler import mending
from compiler.diagnostics import Diagnostic, Edit, Fix, Related, Span, error, listing, nearest
from compiler.expr import (
    ArtifactType,
    Expr,
    ParamRef,
    PipelineInputRef,
    StepOutputRef,
    Type,
    ValueType,
    walk,
)
from compiler.ir import Input, Output, Pipeline, Python, Step
from compiler.settings import Project

# Annotations that each type may stand for; what is not in the table is not judged.
_FITS = {
    "string": {"str"},
    "integer": {"int", "float"},
    "number": {"float"},
    "boolean": {"bool"},
    "array": {"list", "Sequence", "Iterable", "Collection", "tuple"},
    "object": {"dict", "Mapping", "MutableMapping"},
    "artifact": {"Path", "PathLike"},
    "artifacts": {"list", "Sequence", "Iterable", "Collection", "tuple"},
}
_JUDGED = frozenset().union(*_FITS.values())
_OPEN = {"Any", "object"}


class Argument(NamedTuple):
    """A parameter of a function; `kinds` are the plain names in its annotation, None if open."""

    name: str
    kinds: frozenset[str] | None
    optional: bool
    required: bool
    span: Span


class Function(NamedTuple):
    arguments: dict[str, Argument]
    takes_any: bool
    returns: frozenset[str] | None
    span: Span


class Module(NamedTuple):
    """The functions of a module, and other names that it binds (imports, classes, values)."""

    functions: dict[str, Function]
    others: frozenset[str]
    path: str
    open: bool


def python_signature(step: Step, pipeline: Pipeline, project: Project) -> Iterator[Diagnostic]:
    """A `python:` step whose function is missing or takes other arguments."""
    if not isinstance(step.program, Python):
        return
    place = step.program.span or step.span
    found = _find(step.program.module, project)
    if isinstance(found, str):
        yield error("MLC321", found, place)
    module = _read(found, _shown(found)) if isinstance(found, Path) else None
    if module is None:
        return
    function = module.functions.get(step.program.function)
    if function is not None:
        yield from _mismatches(step, function, place, pipeline)
    elif step.program.function not in module.others and not module.open:
        near = nearest(step.program.function, module.functions)
        known = [name for name in module.functions if not name.startswith("_")]
        hint = f"did you mean `{near}`?" if near else f"it has {listing(known)}"
        message = f"{module.path} has no function `{step.program.function}`"
        fix = None
        written = f"{step.program.module}:{step.program.function}"
        plain = place.line == place.end_line and place.end_column - place.column == len(written)
        if plain and near and mending.only_near(step.program.function, module.functions) == near:
            right = f"{step.program.module}:{near}"
            fix = Fix(f"replace `{written}` with `{right}`", (Edit(place, right),))
        yield error("MLC322", message, place, hint=hint if known else "", fix=fix)


def function_of(program: Python, project: Project) -> Function | None:
    """The function that a step names, where it can be read."""
    found = _find(program.module, project)
    module = _read(found, _shown(found)) if isinstance(found, Path) else None
    return module.functions.get(program.function) if module else None


def _find(module: str, project: Project) -> Path | str | None:
    """The module's file; a message where its package is here and it is not; None elsewhere."""
    parts = module.split(".")
    for folder in (*project.local.pythonpath, "."):
        base = project.root / folder
        file = base.joinpath(*parts).with_suffix(".py")
        package = base.joinpath(*parts, "__init__.py")
        for candidate in (file, package):
            if candidate.is_file():
                return candidate
        if len(parts) > 1 and (base / parts[0] / "__init__.py").is_file():
            near = [p.stem for p in base.joinpath(*parts[:-1]).glob("*.py") if p.stem != "__init__"]
            guess = nearest(parts[-1], near)
            mend = f"; did you mean `{'.'.join([*parts[:-1], guess])}`?" if guess else ""
            return f"there is no module `{module}` in the project{mend}"
    return None


def _shown(path: Path) -> str:
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)


def _mismatches(
    step: Step, function: Function, place: Span, pipeline: Pipeline
) -> Iterator[Diagnostic]:
    here = Related("the function", function.span)
    given: dict[str, Input | Output] = {i.name: i for i in step.inputs}
    given |= {o.name: o for o in step.outputs if isinstance(o.type, ArtifactType)}
    for name, one in given.items():
        what, span = "input" if isinstance(one, Input) else "output", one.span
        argument = function.arguments.get(name)
        if argument is None:
            if not function.takes_any:
                near = nearest(name, set(function.arguments) - set(given))
                hint = f"did you mean `{near}`?" if near else "add the argument, or take it out"
                message = f"the function takes no argument `{name}`"
                yield error("MLC323", message, span, hint=hint, related=(here,))
            continue
        problem = _annotation_problem(one.type, argument)
        if problem:
            related: tuple[Related, ...] = (
                Related(f"annotated here with {_annotated(argument)}", argument.span),
            )
            if isinstance(one, Input):
                related += _declared(one.value, pipeline)
            yield error("MLC402", f"{what} `{name}` {problem}", span, related=related)
    for argument in function.arguments.values():
        if argument.required and argument.name not in given:
            message = f"the function needs an argument `{argument.name}`"
            hint = f"add `{argument.name}` to the step's `inputs` or artifact `outputs`"
            related = (Related("the argument", argument.span),)
            yield error("MLC324", message, place, hint=hint, related=related)
    yield from _wrong_result(step, function)


def _declared(value: Expr, pipeline: Pipeline) -> tuple[Related, ...]:
    """Where that is declared which an input takes."""
    places: dict[tuple[str, Span], None] = {}
    for part in walk(value):
        match part:
            case ParamRef(name=name):
                places |= {(name, p.span): None for p in pipeline.params if p.name == name}
            case PipelineInputRef(name=name):
                places |= {(name, i.span): None for i in pipeline.inputs if i.name == name}
            case StepOutputRef(step=name, output=output):
                step = next(step for step in pipeline.steps if step.name == name)
                places[output, step.output(output).span] = None
    return tuple(Related(f"`{name}` is declared here", span) for name, span in places)


def _wrong_result(step: Step, function: Function) -> Iterator[Diagnostic]:
    values = [o for o in step.outputs if isinstance(o.type, ValueType)]
    returns = function.returns
    if not values or returns is None:
        return
    related = (Related("the function", function.span),)
    if returns == {"None"}:
        message = f"the function returns nothing, so `{values[0].name}` is never written"
        yield error("MLC402", message, values[0].span, related=related)
    elif len(values) == 1 and not returns & (_FITS[str(values[0].type)] | {"dict", "Mapping"}):
        message = f"`{values[0].name}` is {values[0].type}, but the function returns "
        message += " or ".join(sorted(returns))
        yield error("MLC402", message, values[0].span, related=related)


def _annotation_problem(kind: Type, argument: Argument) -> str | None:
    if argument.kinds is None:
        return None
    if isinstance(kind, ArtifactType):
        wanted = "artifacts" if kind.is_list else "artifact"
    elif kind.kind is None:
        return None
    else:
        wanted = kind.kind
    if not argument.kinds & _FITS[wanted]:
        shown = {"artifact": "an artifact, a Path", "artifacts": "a list of artifacts"}
        is_what = shown.get(wanted, f"of type {wanted}")
        return f"is {is_what}, but the function takes {_annotated(argument)}"
    if isinstance(kind, ValueType) and kind.nullable and not argument.optional:
        return f"may be null, but the function takes {_annotated(argument)} only"
    return None


def _annotated(argument: Argument) -> str:
    return " or ".join(sorted(argument.kinds or ())) + (" or None" if argument.optional else "")


@functools.cache
def _read(path: Path, shown: str) -> Module | None:
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
    return (plain if plain <= _JUDGED | {"None"} else None), optional


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
