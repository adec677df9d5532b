"""What a step gives to the file that it uses, held against what that file takes."""

from __future__ import annotations

from msgspec.structs import replace

from compiler import expr as ex
from compiler import ir, mending
from compiler.binding import Scope, Where, a_type, bind_value, origin
from compiler.diagnostics import Related, Span, error, listing, nearest
from compiler.expressions import (
    Embedded,
    ExpressionError,
    Items,
    Operation,
    Path,
    Syntax,
    parse,
    split,
)
from compiler.lower.interface import Interface, type_of
from compiler.nodes import Mapping, Node, Scalar, mapping
from compiler.params import a, unquoted, value_of, value_problem
from compiler.values import JsonValue, ValueKind, kind_of

# What a caller can know of a value before its steps are known.
_EARLY = ("params", "inputs", "run", "git", "algorithm")

_STANDS_FOR: dict[ValueKind, tuple[ValueKind, ...]] = {"number": ("integer",)}


def bind_given(
    name: Scalar, node: Mapping, interface: Interface, scope: Scope
) -> dict[str, ex.Expr]:
    """What a step gives, by name, with the defaults of the params for what it does not.

    What is wrong is added to the scope's diagnostics and left out. An input that is not given is
    left out too; it is wrong where it has no default.
    """
    written = mapping(node.get("inputs"))
    given = written.entries if written else {}
    unknown = written.broken if written else frozenset[str]()
    _check_names(name, written, interface, scope)
    found: dict[str, ex.Expr | None] = {}
    for param in interface.params.values():
        if param.name in given:
            found[param.name] = _param(param, given[param.name].value, scope)
        elif not isinstance(param.default, ir.Required):
            found[param.name] = constant(param, param.default, param.span)
        elif param.name not in unknown and "inputs" not in node.broken:
            _missing(name, "param", param.name, param.span, scope)
    for wanted in interface.inputs.values():
        if wanted.name in given:
            found[wanted.name] = _input(wanted, given[wanted.name].value, scope)
        elif wanted.default is None and not (wanted.name in unknown or "inputs" in node.broken):
            _missing(name, "input", wanted.name, wanted.span, scope)
    return {key: value for key, value in found.items() if value is not None}


def known_early(node: Mapping, interface: Interface, scope: Scope) -> dict[str, ex.Expr]:
    """The values of params that don't hang on steps; an `InputRef` stands for each of the others.

    Says nothing of what is wrong, since `bind_given` will.
    """
    written = mapping(node.get("inputs"))
    given = written.entries if written else {}
    quiet = replace(scope, diagnostics=[])
    found: dict[str, ex.Expr] = {}
    for param in interface.params.values():
        value: ex.Expr | None = None
        if param.name in given:
            if _is_early(given[param.name].value):
                value = _param(param, given[param.name].value, quiet)
        elif not isinstance(param.default, ir.Required):
            value = constant(param, param.default, param.span)
        found[param.name] = value or ex.InputRef(param.name, type_of(param), param.span)
    return found


def _check_names(name: Scalar, written: Mapping | None, interface: Interface, scope: Scope) -> None:
    declared = [*interface.params, *interface.inputs]
    for key, entry in written or ():
        if key not in declared and key not in interface.broken:
            near = nearest(key, declared)
            known = f"it takes {listing(declared)}" if declared else "it takes nothing"
            hint = f"did you mean `{near}`?" if near else known
            message = f"what `{name.text}` uses has no param or input `{key}`"
            fix = mending.respelled(entry.key.file, entry.key.span, key, declared, near)
            scope.diagnostics.append(error("MLC333", message, entry.key.span, hint=hint, fix=fix))


def constant(param: ir.Param, value: JsonValue, span: Span) -> ex.Literal:
    """A value as its param is declared; what a list holds is seen from its items."""
    if value is None:
        return ex.Literal(None, ex.ValueType(param.kind, nullable=True), span)
    items = ex.ValueType(param.items) if param.items else None
    if isinstance(value, list) and items is None:
        kinds = {kind_of(item) for item in value}
        kinds = {"number"} if kinds == {"integer", "number"} else kinds
        items = ex.ValueType(kinds.pop()) if len(kinds) == 1 and None not in kinds else None
    return ex.Literal(value, ex.ValueType(param.kind, items=items), span)


def _param(param: ir.Param, node: Node, scope: Scope) -> ex.Expr | None:
    bound = bind_value(node, scope, Where.INPUT)
    if bound is None:
        return None
    if isinstance(bound, ex.Literal):
        is_text = isinstance(node, Scalar) and "${{" in node.text
        value = bound.value if is_text else value_of(node, param.kind)
        wrong = value_problem(param, value)
        if wrong is None:
            return constant(param, value, bound.span)
        _refuse(param, wrong, node, scope)
        return None
    problem, hint = _param_problem(param, bound)
    if problem:
        _refuse(param, problem, node, scope, hint, origin(bound, scope=scope))
    return None if problem else bound


def _param_problem(param: ir.Param, value: ex.Expr) -> tuple[str, str]:
    """Why a run-time value is none for a param, and what to do; empty texts where it is."""
    found = value.type
    if isinstance(found, ex.ArtifactType):
        return f"it is {a(param.kind)}, found {a_type(found)}", ""
    if found.nullable and not param.nullable:
        return "it takes no null, and this may be null", "give a value for null: `… ?? 0`"
    if found.kind is None and param.kind != "string":
        hint = "declare what the list holds: `items: {type: number}`"
        return f"it is {a(param.kind)}, and the type of this is known only in the run", hint
    if found.kind not in (None, param.kind, *_STANDS_FOR.get(param.kind, ())):
        return f"it is {a(param.kind)}, found {a_type(found)}", ""
    held = found.items.kind if found.items else None
    if param.items and held not in (None, param.items, *_STANDS_FOR.get(param.items, ())):
        return f"its items are {param.items}s, found a list of {held}s", ""
    return "", ""


def _input(wanted: ir.PipelineInput, node: Node, scope: Scope) -> ex.Expr | None:
    bound = bind_value(node, scope, Where.INPUT)
    if bound is None:
        return None
    kinds = ("Artifact", wanted.type.kind)
    hint = ""
    if not isinstance(bound.type, ex.ArtifactType):
        hint = "give the output of a step, or an input of this algorithm"
    elif not bound.type.is_list and (bound.type.kind in kinds or wanted.type.kind == "Artifact"):
        return bound
    problem = f"it is {a_type(wanted.type)}, found {a_type(bound.type)}"
    _refuse(wanted, problem, node, scope, hint, origin(bound, scope=scope))
    return None


def _refuse(
    declared: ir.Param | ir.PipelineInput,
    problem: str,
    node: Node,
    scope: Scope,
    hint: str = "",
    given: tuple[Related, ...] = (),
) -> None:
    related = (Related(f"`{declared.name}` is declared here", declared.span), *given)
    message = f"bad value for `{declared.name}`: {problem}"
    fix = unquoted(declared, node) if isinstance(declared, ir.Param) else None
    found = error("MLC333", message, node.span, hint=hint, related=related, fix=fix)
    scope.diagnostics.append(found)


def _missing(name: Scalar, what: str, missing: str, declared: Span, scope: Scope) -> None:
    related = (Related(f"`{missing}` is declared here, without a default", declared),)
    message = f"`{name.text}` does not give the {what} `{missing}`"
    hint = f"add it under `inputs`: {missing}: …"
    if not missing[0].islower() or missing != missing.lower():
        hint = "what a step gives has a lower-case name: rename it there"
    scope.diagnostics.append(error("MLC333", message, name.span, hint=hint, related=related))


def _is_early(node: Node) -> bool:
    if not isinstance(node, Scalar):
        return True
    try:
        pieces = split(node.text)
        inside = [parse(piece.inner) for piece in pieces if isinstance(piece, Embedded)]
    except ExpressionError:
        return False
    return all(_roots_of(syntax) <= set(_EARLY) for syntax in inside)


def _roots_of(syntax: Syntax) -> set[str]:
    match syntax:
        case Path(root=root):
            return {root.name}
        case Operation(operands=parts) | Items(items=parts):
            return set().union(*map(_roots_of, parts))
    return set()
