"""Scalars, lists and objects of a spec as expressions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

from msgspec.structs import replace

from compiler import expr as ex
from compiler import mending
from compiler.binding.names import bind_names, literal
from compiler.binding.operators import a_type, may_be_missing
from compiler.binding.origin import origin
from compiler.binding.places import place
from compiler.binding.scope import Scope, Where
from compiler.diagnostics import Span, error, warning
from compiler.expressions import Embedded, ExpressionError, parse, split
from compiler.nodes import Mapping, Node, Scalar, Sequence, to_value
from compiler.values import JsonValue, carrying_problem, to_text

# `{{ params.x }}`, `${params.x}` and `$(params.x)`, of which other tools take one or the other.
_NEARLY = re.compile(
    r"(?:\{\{|\$\{|\$\()\s*(\$?\.?[A-Za-z_][\w-]*(?:\.[A-Za-z_]\w*)+)\s*(?:\}\}|\}|\))"
)
# What can hardly mean anything else, even without a sign of an expression. Names of files look like
# `inputs.csv` too.
_BARE_ROOTS = ("params.", "steps.", "each.", "secrets.")
_BARE = re.compile(
    r"\A((?:params|each)\.[A-Za-z_]\w*|steps\.[A-Za-z_]\w*\.outputs\.[A-Za-z_]\w*"
    r"|secrets\.[A-Za-z_]\w*\.[A-Za-z_]\w*)\Z"
)
# Where a value goes on to a program.
_HANDED_ON = (Where.ARGUMENT, Where.FLAG, Where.ENV, Where.INPUT, Where.CACHE_KEY)


def bind(node: Scalar, scope: Scope, where: Where, *, text: bool) -> ex.Expr | None:
    """The expression that a scalar stands for; None where something was wrong with it.

    With `text`, what stands there is written out, so that `1.10` means just that; else a literal
    has the type that YAML gives it.
    """
    if "${{" not in node.text:
        if "{" in node.text or "$(" in node.text:
            _report_nearly(node, scope, where, _NEARLY.finditer(node.text))
        elif node.text.startswith(_BARE_ROOTS):
            before = len(scope.diagnostics)
            _report_nearly(node, scope, where, _BARE.finditer(node.text))
            if len(scope.diagnostics) > before:
                return None
        plain = text or isinstance(node.value, str)
        value = node.text if plain else node.value
        return carried(value, node, scope)
    try:
        pieces = split(node.text)
    except ExpressionError as problem:
        _report(node, 0, problem, scope)
        return None
    if len(pieces) == 1 and isinstance(pieces[0], Embedded):
        bound = _embedded(pieces[0], node, scope, where)
        if bound is None:
            return None
        is_text = text and where is not Where.FLAG
        if is_text or (isinstance(bound, ex.ListOf) and where in _HANDED_ON):
            return bound if writable(bound, scope, where, alone=True) else None
        return bound
    parts: list[ex.Expr] = []
    fine = True
    for piece in pieces:
        if isinstance(piece, str):
            parts.append(ex.Literal(piece, ex.STRING, node.span))
            continue
        part = _embedded(piece, node, scope, where)
        if part is None or not writable(part, scope, where, alone=False):
            fine = False
        else:
            parts.append(part)
    if not fine:
        return None
    return _joined(parts, node.span)


def bind_value(node: Node, scope: Scope, where: Where) -> ex.Expr | None:
    """The expression of a step's input: a scalar, a literal list or object, or artifacts."""
    if isinstance(node, Scalar):
        return bind(node, scope, where, text=False)
    if not has_expression(node):
        return carried(to_value(node), node, scope)
    if isinstance(node, Mapping):
        hint = "give each value an input of its own"
        span = first_expression(node).span
        scope.diagnostics.append(
            error("MLC406", "an object of literals can't hold expressions", span, hint=hint)
        )
        return None
    return _artifact_list(node, scope, where)


def carried(value: JsonValue, node: Node, scope: Scope) -> ex.Literal | None:
    problem = carrying_problem(value)
    if problem:
        scope.diagnostics.append(error("MLC506", problem, node.span))
        return None
    return literal(value, node.span)


def _artifact_list(node: Sequence, scope: Scope, where: Where) -> ex.Expr | None:
    items: list[ex.Expr] = []
    fine = True
    for item in node.items:
        bound = bind(item, scope, where, text=False) if isinstance(item, Scalar) else None
        if not isinstance(item, Scalar):
            message = "a list with expressions takes artifacts only"
            scope.diagnostics.append(error("MLC402", message, item.span))
            fine = False
        elif bound is None:
            fine = False
        elif not isinstance(bound.type, ex.ArtifactType) or bound.type.is_list:
            message = f"a list with expressions takes artifacts only, found {a_type(bound.type)}"
            hint = "give each value an input of its own"
            related = origin(bound, scope=scope)
            scope.diagnostics.append(
                error("MLC402", message, bound.span, hint=hint, related=related)
            )
            fine = False
        else:
            items.append(bound)
    if not fine:
        return None
    kinds = {cast(ex.ArtifactType, item.type).kind for item in items}
    kind = kinds.pop() if len(kinds) == 1 else "Artifact"
    return ex.ArtifactList(tuple(items), ex.ArtifactType(kind, is_list=True), node.span)


def _embedded(piece: Embedded, node: Scalar, scope: Scope, where: Where) -> ex.Expr | None:
    try:
        syntax = parse(piece.inner)
    except ExpressionError as problem:
        _report(node, piece.inner_start, problem, scope)
        return None
    scope = scope.of(node)
    bound = bind_names(syntax, node, piece.inner_start, scope, where)
    if bound is not None and not scope.is_used:  # else it hangs on what the caller gives
        _useless_fallbacks(bound, scope)
    return bound


def _report_nearly(
    node: Scalar, scope: Scope, where: Where, places: Iterator[re.Match[str]]
) -> None:
    """What would be an expression of the spec, were it written as one."""
    for found in places:
        for inner in _in_our_words(found[1]):
            tried = replace(scope, diagnostics=[], used_git=set(scope.used_git))
            try:
                bound = bind_names(parse(inner), node, 0, tried, where)
            except ExpressionError:
                continue
            if bound is None or tried.diagnostics:
                continue
            right = f"${{{{ {inner} }}}}"
            message = f"`{found[0]}` is text: an expression is written `{right}`"
            hint = f"where the text is meant, `${{{{ '{found[0]}' }}}}`"
            span = place(node, *found.span())
            start = node.file.starts[span.line - 1] + span.column - 1
            fix = None
            if node.style in ("'", '"') and node.file.text.startswith(found[0], start):
                fix = mending.replaced(node.file, start, start + len(found[0]), right)
            elif node.text == found[0] and node.plain:
                fix = mending.rewritten(node, f'"{right}"')
            scope.diagnostics.append(error("MLC401", message, span, hint=hint, fix=fix))
            return


def _in_our_words(path: str) -> Iterator[str]:
    """A path as it stands in other tools' templates, by the names of this language."""
    words = path.lstrip("$.").split(".")
    if words[1:2] == ["parameters"] and words[0] in ("inputs", "workflow", "pipeline"):
        yield ".".join(["params", *words[2:]])
        yield ".".join(["inputs", *words[2:]])
    elif words[2:3] == ["outputs"] and words[3:4] in (["parameters"], ["artifacts"]):
        yield ".".join(["steps", words[1], "outputs", *words[4:]])
    else:
        yield ".".join(words)


def _useless_fallbacks(bound: ex.Expr, scope: Scope) -> None:
    for part in ex.walk(bound):
        if type(part) is ex.Operation and part.sign == "??":
            left = part.operands[0]
            if not may_be_missing(left):
                message = "this is never null, so what stands behind `??` is never used"
                hint = "take the `??` away"
                scope.diagnostics.append(warning("MLC410", message, left.span, hint=hint))


def _report(node: Scalar, offset: int, problem: ExpressionError, scope: Scope) -> None:
    span = place(node, offset + problem.start, offset + problem.end)
    hint = problem.hint
    rest = node.file.text[node.end.index :].partition("\n")[0]
    if "without its" in problem.message and rest.lstrip().startswith("#") and node.plain:
        hint = "a ` #` in a plain value starts a comment: quote the value"
    elif "without its" in problem.message:
        hint = "add `}}`"
    scope.diagnostics.append(error("MLC401", problem.message, span, hint=hint))


def _joined(parts: list[ex.Expr], span: Span) -> ex.Expr:
    if all(isinstance(part, ex.Literal) for part in parts):
        text = "".join(to_text(cast(ex.Literal, part).value) for part in parts)
        return ex.Literal(text, ex.STRING, span)
    return ex.Concat(tuple(parts), span)


def writable(found: ex.Expr, scope: Scope, where: Where, *, alone: bool) -> bool:
    """Whether an expression can be written out as text."""
    problem = hint = ""
    code = "MLC402"
    if isinstance(found, ex.SecretRef) and not alone:
        code, problem = "MLC405", "a secret can't be part of a text"
        hint = "give the secret a variable of its own and join them in the step"
    elif isinstance(found, ex.ListOf):
        problem = "a list of values that are known at run time is for `foreach` and `in` alone"
        hint = "give each value by itself, or let a step write the list"
    elif isinstance(found.type, ex.ArtifactType) and found.type.is_list:
        problem = f"a list of artifacts can't be written into {where}"
        hint = "lists of artifacts are for `python:` steps"
    elif isinstance(found.type, ex.ArtifactType) and where is Where.INPUT:
        problem = "an artifact can't be part of a text here, since its path is known in the step"
        hint = "give the artifact an input of its own"
    elif isinstance(found.type, ex.ArtifactType) and where is Where.CACHE_KEY:
        problem = f"{where} takes a value, found {a_type(found.type)}"
        hint = "the identity of input artifacts is in the key anyway"
    elif isinstance(found.type, ex.ValueType) and found.type.nullable:
        code, problem = "MLC403", "this may be null, which has no text"
        hint = "pass it as a flag, which null leaves out, or as an input of a `python:` step"
    if not problem:
        return True
    scope.diagnostics.append(
        error(code, problem, found.span, hint=hint, related=origin(found, scope=scope))
    )
    return False


def has_expression(node: Node) -> bool:
    match node:
        case Scalar():
            return "${{" in node.text
        case Sequence():
            return any(map(has_expression, node.items))
        case Mapping():
            return any(has_expression(entry.value) for _, entry in node)


def first_expression(node: Node) -> Scalar:
    match node:
        case Scalar():
            return node
        case Sequence():
            return first_expression(next(filter(has_expression, node.items)))
        case Mapping():
            return first_expression(
                next(entry.value for _, entry in node if has_expression(entry.value))
            )
