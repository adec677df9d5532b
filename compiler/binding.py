"""Gives the names in expressions their meaning: syntax and a scope in, typed expressions out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

from compiler import expr as ex
from compiler.diagnostics import Diagnostic, Related, Span, error, listing, nearest
from compiler.expressions import (
    Accessor,
    Constant,
    Embedded,
    ExpressionError,
    Items,
    Operation,
    Path,
    Syntax,
    parse,
    split,
)
from compiler.ir import Param
from compiler.source import Mapping, Node, Scalar, Sequence, to_value
from compiler.values import JsonValue, kind_of, to_text


class Where(StrEnum):
    """What an expression stands in; the value is how messages call it."""

    ARGUMENT = "an argument"
    FLAG = "a flag"
    ENV = "the environment"
    INPUT = "an input"
    CACHE_KEY = "a cache key"
    COMPILE_TIME = "a place that is fixed when the spec is compiled"


_RUN_TIME = ("params", "inputs", "steps", "run")
_COMPILED = ("git", "algorithm")
# Names that an expression can start with, by where it stands.
_ROOTS: dict[Where, tuple[str, ...]] = {
    Where.ARGUMENT: (*_RUN_TIME, "outputs", "volumes", *_COMPILED),
    Where.FLAG: (*_RUN_TIME, "outputs", "volumes", *_COMPILED),
    Where.ENV: (*_RUN_TIME, "outputs", "volumes", "secrets", *_COMPILED),
    Where.INPUT: (*_RUN_TIME, *_COMPILED),
    Where.CACHE_KEY: (*_RUN_TIME, *_COMPILED),
    Where.COMPILE_TIME: _COMPILED,
}
_ALL_ROOTS = (
    "params",
    "inputs",
    "steps",
    "outputs",
    "volumes",
    "secrets",
    "run",
    "git",
    "algorithm",
)
_GIT_FIELDS = ("commit", "short_commit", "branch")


@dataclass(frozen=True, slots=True)
class Git:
    """The checkout that a spec is compiled from; `branch` is empty on a detached head."""

    commit: str
    branch: str

    def field(self, name: str) -> str:
        return {"commit": self.commit, "short_commit": self.commit[:8], "branch": self.branch}[name]


@dataclass(frozen=True, slots=True)
class Signature:
    """What other steps can take from a step: outputs by name, None for a type that is broken."""

    outputs: dict[str, ex.Type | None]
    span: Span
    broken: frozenset[str] = frozenset()


@dataclass(slots=True)
class Scope:
    """The names that expressions of one spec can use; those of one step are set by `inside`.

    `git` is None outside a git checkout. Filled on the way: `used_git` tells whether it was asked
    for, `used` what was referred to, `flawed` the steps with something wrong in them.
    """

    algorithm: str
    params: dict[str, Param]
    inputs: dict[str, ex.ArtifactType]
    steps: dict[str, Signature]
    git: Git | None
    diagnostics: list[Diagnostic] = field(default_factory=list)
    used_git: bool = False
    used: set[tuple[str, ...]] = field(default_factory=set)
    broken: dict[str, frozenset[str]] = field(default_factory=dict)
    flawed: set[str] = field(default_factory=set)
    step: str | None = None
    step_inputs: dict[str, ex.Type | None] = field(default_factory=dict)
    step_outputs: dict[str, ex.Type | None] = field(default_factory=dict)
    step_volumes: frozenset[str] = frozenset()

    def inside(
        self,
        step: str,
        inputs: dict[str, ex.Type | None],
        outputs: dict[str, ex.Type | None],
        volumes: frozenset[str],
    ) -> None:
        self.step, self.step_inputs = step, inputs
        self.step_outputs, self.step_volumes = outputs, volumes


class _BrokenError(Exception):
    """What an expression names is known to be wrong; it has been reported already."""


def bind(node: Scalar, scope: Scope, where: Where, *, text: bool) -> ex.Expr | None:
    """The expression that a scalar stands for; None where something was wrong with it.

    With `text`, what stands there is written out, so that `1.10` means just that; else a literal
    has the type that YAML gives it.
    """
    if "${{" not in node.text:
        if not text and not isinstance(node.value, str):
            return _literal(node.value, node.span)
        return ex.Literal(node.text, ex.STRING, node.span)
    try:
        pieces = split(node.text)
    except ExpressionError as problem:
        _report(node, 0, problem, scope)
        return None
    if len(pieces) == 1 and isinstance(pieces[0], Embedded):
        bound = _embedded(pieces[0], node, scope, where)
        if bound is not None and text and where is not Where.FLAG:
            return bound if _writable(bound, scope, where, alone=True) else None
        return bound
    parts: list[ex.Expr] = []
    fine = True
    for piece in pieces:
        if isinstance(piece, str):
            parts.append(ex.Literal(piece, ex.STRING, node.span))
            continue
        part = _embedded(piece, node, scope, where)
        if part is None or not _writable(part, scope, where, alone=False):
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
    if not _has_expression(node):
        return _literal(to_value(node), node.span)
    if isinstance(node, Mapping):
        hint = "give each value an input of its own"
        span = _first_expression(node).span
        scope.diagnostics.append(
            error("MLC406", "an object of literals can't hold expressions", span, hint=hint)
        )
        return None
    return _artifact_list(node, scope, where)


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
            related = _origin(bound, scope)
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


def a_type(found: ex.Type) -> str:
    """A type in a sentence."""
    text = str(found)
    return f"an {text}" if text[0] in "aeioAEIO" else f"a {text}"


def _embedded(piece: Embedded, node: Scalar, scope: Scope, where: Where) -> ex.Expr | None:
    try:
        syntax = parse(piece.inner)
    except ExpressionError as problem:
        _report(node, piece.inner_start, problem, scope)
        return None
    try:
        return _Binder(node, piece.inner_start, scope, where).bind(syntax)
    except _BrokenError:
        return None


def place(node: Scalar, start: int, end: int) -> Span:
    """The place in the file of a range of a scalar's text.

    Escapes and folded lines move the text; an expression is then found again by its `${{`.
    """
    file = node.file
    raw = file.text[node.start.index : node.end.index]
    skip = 1 if node.style in ("'", '"') else 0
    if raw[skip : skip + len(node.text)] == node.text:
        first = node.start.index + skip
        return file.span(first + start, first + end)
    opened = node.text.rfind("${{", 0, start + 3)
    if opened < 0:
        return node.span
    nth = node.text.count("${{", 0, opened)
    at = -1
    for _ in range(nth + 1):
        at = raw.find("${{", at + 1)
    if at < 0:
        return node.span
    if raw[at : at + end - opened] == node.text[opened:end]:
        first = node.start.index + at
        return file.span(first + start - opened, first + end - opened)
    closed = raw.find("}}", at)
    return file.span(
        node.start.index + at, node.start.index + (closed + 2 if closed > 0 else at + 3)
    )


def _report(node: Scalar, offset: int, problem: ExpressionError, scope: Scope) -> None:
    span = place(node, offset + problem.start, offset + problem.end)
    hint = problem.hint
    rest = node.file.text[node.end.index :].partition("\n")[0]
    if "without its" in problem.message and rest.lstrip().startswith("#") and node.plain:
        hint = "a ` #` in a plain value starts a comment: quote the value"
    elif "without its" in problem.message:
        hint = "add `}}`"
    scope.diagnostics.append(error("MLC401", problem.message, span, hint=hint))


def _literal(value: JsonValue, span: Span) -> ex.Literal:
    kind = kind_of(value)
    return ex.Literal(value, ex.ValueType(kind, nullable=value is None), span)


def _joined(parts: list[ex.Expr], span: Span) -> ex.Expr:
    if all(isinstance(part, ex.Literal) for part in parts):
        text = "".join(to_text(cast(ex.Literal, part).value) for part in parts)
        return ex.Literal(text, ex.STRING, span)
    return ex.Concat(tuple(parts), span)


def _writable(found: ex.Expr, scope: Scope, where: Where, *, alone: bool) -> bool:
    """Whether an expression can be written out as text."""
    problem = hint = ""
    code = "MLC402"
    if isinstance(found, ex.SecretRef) and not alone:
        code, problem = "MLC405", "a secret can't be part of a text"
        hint = "give the secret a variable of its own and join them in the step"
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
        error(code, problem, found.span, hint=hint, related=_origin(found, scope))
    )
    return False


def _origin(found: ex.Expr, scope: Scope) -> tuple[Related, ...]:
    match found:
        case ex.ParamRef(name=name):
            return (Related(f"`{name}` is defined here", scope.params[name].span),)
        case ex.StepOutputRef(step=step, output=output):
            return (Related(f"`{output}` comes from this step", scope.steps[step].span),)
    return ()


def _has_expression(node: Node) -> bool:
    match node:
        case Scalar():
            return "${{" in node.text
        case Sequence():
            return any(map(_has_expression, node.items))
        case Mapping():
            return any(_has_expression(entry.value) for _, entry in node)


def _first_expression(node: Node) -> Scalar:
    match node:
        case Scalar():
            return node
        case Sequence():
            return _first_expression(next(filter(_has_expression, node.items)))
        case Mapping():
            return _first_expression(
                next(entry.value for _, entry in node if _has_expression(entry.value))
            )


class _Binder:
    """Binds one expression; the place of each part of it follows from the scalar's."""

    def __init__(self, node: Scalar, offset: int, scope: Scope, where: Where) -> None:
        self.node = node
        self.offset = offset
        self.scope = scope
        self.where = where

    def span(self, part: Syntax | Accessor) -> Span:
        return place(self.node, self.offset + part.start, self.offset + part.end)

    def fail(
        self,
        code: str,
        message: str,
        part: Syntax | Accessor,
        hint: str = "",
        related: tuple[Related, ...] = (),
    ) -> _BrokenError:
        self.scope.diagnostics.append(
            error(code, message, self.span(part), hint=hint, related=related)
        )
        return _BrokenError()

    def unknown(
        self,
        code: str,
        what: str,
        part: Accessor,
        known: Collection[str],
        broken: frozenset[str] = frozenset(),
        none: str = "",
    ) -> _BrokenError:
        if part.name in broken:
            return _BrokenError()
        near = nearest(part.name, known)
        if near:
            hint = f"did you mean `{near}`?"
        else:
            hint = f"known are {listing(known)}" if known else none
        return self.fail(code, f"there is no {what} `{part.name}`", part, hint)

    def no_field(self, root: str, part: Accessor, known: Collection[str]) -> _BrokenError:
        near = nearest(part.name, known)
        hint = f"did you mean `{near}`?" if near else f"it has {listing(known)}"
        return self.fail("MLC306", f"`{root}` has no field `{part.name}`", part, hint)

    def bind(self, syntax: Syntax) -> ex.Expr:
        match syntax:
            case Constant():
                return _literal(syntax.value, self.span(syntax))
            case Operation() | Items():
                what = f"`{syntax.sign}`" if isinstance(syntax, Operation) else "a list"
                message = (
                    f"{what} in an expression is part of mlc/v1, but not of this version of mlc"
                )
                raise self.fail("MLC108", message, syntax)
            case Path():
                return self.path(syntax)

    def path(self, path: Path) -> ex.Expr:
        root = path.root
        if root.name not in _ALL_ROOTS:
            known = [*_ALL_ROOTS, *self.scope.params] if not path.accessors else list(_ALL_ROOTS)
            near = nearest(root.name, known)
            hint = f"names start with {listing(_ROOTS[self.where])}"
            if root.name in self.scope.params:
                hint = f"write `params.{root.name}`"
            elif root.name in self.scope.steps:
                hint = f"write `steps.{root.name}.outputs.NAME`"
            elif near:
                hint = f"did you mean `{near}`?"
            raise self.fail("MLC305", f"unknown name `{root.name}`", root, hint)
        if root.name not in _ROOTS[self.where]:
            raise self.not_here(root)
        match root.name:
            case "params":
                return self.param(path)
            case "inputs":
                return self.input(path)
            case "steps":
                return self.step_output(path)
            case "outputs":
                return self.own_output(path)
            case "volumes":
                (name,) = self.names(path, "volumes.NAME", 1)
                if name.name not in self.scope.step_volumes:
                    none = "the step has no `volumes`"
                    raise self.unknown(
                        "MLC307", "volume", name, sorted(self.scope.step_volumes), frozenset(), none
                    )
                return ex.VolumePath(name.name, self.span(path))
            case "secrets":
                name, key = self.names(path, "secrets.NAME.KEY", 2)
                return ex.SecretRef(name.name, key.name, self.span(path))
            case "run":
                return self.run(path)
        return self.compiled(path)

    def not_here(self, root: Accessor) -> _BrokenError:
        if root.name == "secrets":
            hint = "secrets are for `env` only: env: {TOKEN: ${{ secrets.NAME.KEY }}}"
            return self.fail("MLC405", f"a secret can't stand in {self.where}", root, hint)
        if self.where is Where.COMPILE_TIME:
            hint = f"known then are {listing(_COMPILED)}"
            message = f"`{root.name}` is not known yet when the spec is compiled"
            return self.fail("MLC407", message, root, hint)
        hint = f"names can start with {listing(_ROOTS[self.where])} here"
        return self.fail("MLC308", f"`{root.name}` can't be used in {self.where}", root, hint)

    def names(self, path: Path, form: str, count: int) -> tuple[Accessor, ...]:
        if len(path.accessors) < count:
            raise self.fail("MLC306", f"incomplete name, write `{form}`", path)
        if len(path.accessors) > count:
            extra = path.accessors[count]
            shown = self.node.text[self.offset + path.start : self.offset + extra.start].rstrip(
                ". ["
            )
            raise self.fail("MLC306", f"`{shown}` has no fields", extra, f"write `{form}`")
        return path.accessors

    def param(self, path: Path) -> ex.Expr:
        (name,) = self.names(path, "params.NAME", 1)
        param = self.scope.params.get(name.name)
        if param is None:
            known, broken = list(self.scope.params), self.scope.broken.get("params", frozenset())
            raise self.unknown(
                "MLC303", "parameter", name, known, broken, "the spec has no `params`"
            )
        self.scope.used.add(("params", name.name))
        items = ex.ValueType(param.items) if param.items else None
        kind = ex.ValueType(param.kind, param.nullable, items)
        return ex.ParamRef(name.name, kind, self.span(path))

    def input(self, path: Path) -> ex.Expr:
        (name,) = self.names(path, "inputs.NAME", 1)
        own = self.scope.step_inputs
        if name.name in own and self.where is not Where.INPUT:
            found = own[name.name]
            if found is None:
                raise _BrokenError
            self.scope.used.add(("inputs", str(self.scope.step), name.name))
            return ex.InputRef(name.name, found, self.span(path))
        outer = self.scope.inputs.get(name.name)
        if outer is None:
            known = list(self.scope.inputs)
            if self.where is not Where.INPUT:
                known = [*own, *known]
            broken = self.scope.broken.get("inputs", frozenset())
            none = "neither the step nor the spec has `inputs`"
            raise self.unknown("MLC304", "input", name, known, broken, none)
        self.scope.used.add(("root inputs", name.name))
        return ex.PipelineInputRef(name.name, outer, self.span(path))

    def step_output(self, path: Path) -> ex.Expr:
        form = "steps.STEP.outputs.OUTPUT"
        if len(path.accessors) != 3 or path.accessors[1].name != "outputs":
            self.known_step(path.accessors[0]) if path.accessors else None
            if len(path.accessors) >= 2 and path.accessors[1].name != "outputs":
                wrong = path.accessors[1]
                raise self.fail("MLC306", f"a step has no `{wrong.name}`", wrong, f"write `{form}`")
            self.names(path, form, 3)
        step, _, output = path.accessors
        signature = self.known_step(step)
        if output.name not in signature.outputs:
            related = (Related(f"step `{step.name}`", signature.span),)
            none = f"step `{step.name}` declares no `outputs`"
            if output.name in signature.broken:
                raise _BrokenError
            known = list(signature.outputs)
            near = nearest(output.name, known)
            hint = (
                f"did you mean `{near}`?"
                if near
                else (f"its outputs are {listing(known)}" if known else none)
            )
            message = f"step `{step.name}` has no output `{output.name}`"
            raise self.fail("MLC302", message, output, hint, related)
        found = signature.outputs[output.name]
        if found is None:
            raise _BrokenError
        self.scope.used.add(("steps", step.name, output.name))
        return ex.StepOutputRef(step.name, output.name, found, self.span(path))

    def known_step(self, step: Accessor) -> Signature:
        signature = self.scope.steps.get(step.name)
        if signature is None:
            known, broken = list(self.scope.steps), self.scope.broken.get("steps", frozenset())
            raise self.unknown("MLC301", "step", step, known, broken, "the spec has no steps")
        return signature

    def own_output(self, path: Path) -> ex.Expr:
        (name,) = self.names(path, "outputs.NAME", 1)
        if name.name not in self.scope.step_outputs:
            known = list(self.scope.step_outputs)
            broken = self.scope.broken.get("step outputs", frozenset())
            none = "the step declares no `outputs`"
            raise self.unknown("MLC302", "output", name, known, broken, none)
        return ex.OutputPath(name.name, self.span(path))

    def run(self, path: Path) -> ex.Expr:
        (name,) = self.names(path, "run.FIELD", 1)
        usable = [f for f in ex.RUN_FIELDS if f != "status"]
        if name.name == "status":
            message = "`run.status` is for `finally` steps only"
            raise self.fail("MLC308", message, name)
        if name.name not in usable:
            raise self.no_field("run", name, usable)
        return ex.RunRef(cast(ex.RunField, name.name), self.span(path))

    def compiled(self, path: Path) -> ex.Expr:
        root = path.root.name
        (name,) = self.names(path, f"{root}.FIELD", 1)
        if root == "algorithm":
            if name.name != "name":
                raise self.no_field("algorithm", name, ["name"])
            return ex.Literal(self.scope.algorithm, ex.STRING, self.span(path))
        if name.name not in _GIT_FIELDS:
            raise self.no_field("git", name, _GIT_FIELDS)
        git = self.scope.git
        if git is None:
            hint = "commit the project to a git repository, or name the image without `git`"
            message = f"`git.{name.name}` is not known: this is not a git checkout with a commit"
            raise self.fail("MLC309", message, path, hint)
        if name.name == "branch" and not git.branch:
            hint = "check out a branch, or set MLC_GIT_BRANCH"
            raise self.fail("MLC309", "`git.branch` is not known: HEAD is detached", path, hint)
        self.scope.used_git = True
        return ex.Literal(git.field(name.name), ex.STRING, self.span(path))
