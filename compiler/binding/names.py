"""The names of one expression, each looked up in the scope; a wrong one gets its nearest."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

from compiler import expr as ex
from compiler.binding.places import place
from compiler.binding.scope import ALL_ROOTS, COMPILED, GIT_FIELDS, ROOTS, Scope, Signature, Where
from compiler.diagnostics import Related, Span, error, listing, nearest
from compiler.expressions import Accessor, Constant, Items, Operation, Path, Syntax
from compiler.nodes import Scalar
from compiler.values import JsonValue, kind_of


class _BrokenError(Exception):
    """What an expression names is known to be wrong; it has been reported already."""


def bind_names(
    syntax: Syntax, node: Scalar, offset: int, scope: Scope, where: Where
) -> ex.Expr | None:
    """The typed tree of an expression that starts at `offset` of a scalar's text, or None."""
    try:
        return _Binder(node, offset, scope, where).bind(syntax)
    except _BrokenError:
        return None


def literal(value: JsonValue, span: Span) -> ex.Literal:
    """A value with the type that it has by itself."""
    kind = kind_of(value)
    return ex.Literal(value, ex.ValueType(kind, nullable=value is None), span)


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
                return literal(syntax.value, self.span(syntax))
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
        if root.name not in ALL_ROOTS:
            known = [*ALL_ROOTS, *self.scope.params] if not path.accessors else list(ALL_ROOTS)
            near = nearest(root.name, known)
            hint = f"names start with {listing(ROOTS[self.where])}"
            if root.name in self.scope.params:
                hint = f"write `params.{root.name}`"
            elif root.name in self.scope.steps:
                hint = f"write `steps.{root.name}.outputs.NAME`"
            elif near:
                hint = f"did you mean `{near}`?"
            raise self.fail("MLC305", f"unknown name `{root.name}`", root, hint)
        if root.name not in ROOTS[self.where]:
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
            hint = f"known then are {listing(COMPILED)}"
            message = f"`{root.name}` is not known yet when the spec is compiled"
            return self.fail("MLC407", message, root, hint)
        hint = f"names can start with {listing(ROOTS[self.where])} here"
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
            return ex.InputRef(name.name, found, self.span(path))
        outer = self.scope.inputs.get(name.name)
        if outer is None:
            known = list(self.scope.inputs)
            if self.where is not Where.INPUT:
                known = [*own, *known]
            broken = self.scope.broken.get("inputs", frozenset())
            none = "neither the step nor the spec has `inputs`"
            raise self.unknown("MLC304", "input", name, known, broken, none)
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
        if name.name not in GIT_FIELDS:
            raise self.no_field("git", name, GIT_FIELDS)
        git = self.scope.git
        if git is None:
            hint = "commit the project to a git repository, or name the image without `git`"
            message = f"`git.{name.name}` is not known: this is not a git checkout with a commit"
            raise self.fail("MLC309", message, path, hint)
        if name.name == "branch" and not git.branch:
            hint = "check out a branch, or set MLC_GIT_BRANCH"
            raise self.fail("MLC309", "`git.branch` is not known: HEAD is detached", path, hint)
        self.scope.used_git.add(name.name)
        return ex.Literal(git.field(name.name), ex.STRING, self.span(path))
