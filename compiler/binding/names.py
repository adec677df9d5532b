"""The names of one expression, each looked up in the scope; a wrong one gets its nearest."""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from compiler import expr as ex
from compiler import mending
from compiler.binding import operators
from compiler.binding.origin import origin
from compiler.binding.places import place
from compiler.binding.scope import (
    ALL_ROOTS,
    COMPILED,
    GIT_FIELDS,
    ROOTS,
    Misspelt,
    Scope,
    Signature,
    Where,
)
from compiler.diagnostics import Fix, Related, Span, error, listing, nearest
from compiler.expressions import Accessor, Constant, Items, Operation, Path, Syntax
from compiler.nodes import Scalar
from compiler.synonyms import FUNCTIONS
from compiler.values import JsonValue, kind_of

_OF_PYTHON = {"True": "true", "False": "false", "None": "null"}
_KEYS = {"step": "steps", "parameter": "params", "input": "inputs"}


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
    if isinstance(value, str):
        return ex.Literal(value, ex.STRING, span)
    return ex.Literal(value, ex.ValueType(kind_of(value), nullable=value is None), span)


class _Binder:
    """Binds one expression; the place of each part of it follows from the scalar's."""

    def __init__(self, node: Scalar, offset: int, scope: Scope, where: Where) -> None:
        self.node = node
        self.offset = offset
        self.scope = scope
        self.where = where
        # Under an operator, and in conditions, a step's inputs are what they are bound to.
        self.operand = where is Where.WHEN

    def span(self, part: Syntax | Accessor) -> Span:
        return place(self.node, self.offset + part.start, self.offset + part.end)

    def fail(
        self,
        code: str,
        message: str,
        part: Syntax | Accessor,
        hint: str = "",
        related: tuple[Related, ...] = (),
        fix: Fix | None = None,
    ) -> _BrokenError:
        self.scope.diagnostics.append(
            error(code, message, self.span(part), hint=hint, related=related, fix=fix)
        )
        return _BrokenError()

    def respelled(self, part: Accessor, known: Collection[str], near: str | None) -> Fix | None:
        return mending.respelled(self.node.file, self.span(part), part.name, known, near)

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
        related = self.scope.taken_out(_KEYS.get(what, ""), part.name)
        fix = self.respelled(part, known, near)
        return self.fail(code, f"there is no {what} `{part.name}`", part, hint, related, fix)

    def no_field(self, root: str, part: Accessor, known: Collection[str]) -> _BrokenError:
        near = nearest(part.name, known)
        hint = f"did you mean `{near}`?" if near else f"it has {listing(known)}"
        fix = self.respelled(part, known, near)
        return self.fail("MLC306", f"`{root}` has no field `{part.name}`", part, hint, (), fix)

    def bind(self, syntax: Syntax) -> ex.Expr:
        match syntax:
            case Constant():
                return literal(syntax.value, self.span(syntax))
            case Operation():
                return self.operation(syntax)
            case Items():
                return self.items(syntax)
            case Path():
                return self.path(syntax)

    def operation(self, syntax: Operation) -> ex.Expr:
        outer, self.operand = self.operand, True
        operands = tuple(self.bind(operand) for operand in syntax.operands)
        self.operand = outer
        settled = operators.settled(syntax, operands, self.span(syntax))
        if settled is not None and self.scope.is_used:
            return settled
        self.check_plain(operands, syntax.operands)
        try:
            found = operators.operation(syntax, operands, self.span(syntax))
        except operators.TypeProblem as problem:
            part = syntax.operands[problem.operand] if problem.operand is not None else syntax
            related = origin(*problem.about(operands), scope=self.scope)
            raise self.fail(problem.code, problem.message, part, problem.hint, related) from None
        return operators.folded(found)

    def check_plain(self, operands: tuple[ex.Expr, ...], parts: tuple[Syntax, ...]) -> None:
        """An operator takes single values; inputs and params may stand for what is none."""
        for operand, part in zip(operands, parts, strict=True):
            if isinstance(operand, (ex.Concat, ex.ArtifactList)):
                message = "what is given for this is put together, so no operator can take it"
                raise self.fail("MLC409", message, part, "give it as one value")

    def items(self, syntax: Items) -> ex.Expr:
        outer, self.operand = self.operand, True
        items = tuple(self.bind(item) for item in syntax.items)
        self.operand = outer
        self.check_plain(items, syntax.items)
        try:
            return operators.list_of(items, self.span(syntax))
        except operators.TypeProblem as problem:
            part = syntax.items[problem.operand] if problem.operand is not None else syntax
            related = origin(*problem.about(items), scope=self.scope)
            raise self.fail(problem.code, problem.message, part, problem.hint, related) from None

    def path(self, path: Path) -> ex.Expr:
        root = path.root
        if root.name not in ALL_ROOTS:
            known = [*ALL_ROOTS, *self.scope.params] if not path.accessors else list(ALL_ROOTS)
            near = nearest(root.name, known)
            hint = f"names start with {listing(ROOTS[self.where])}"
            fix = None
            quote = '"' if self.node.style == "'" else "'"
            quoted = f"{quote}{root.name}{quote}" if self.operand and not path.accessors else ""
            if root.name in self.scope.params:
                hint, right = f"write `params.{root.name}`", f"params.{root.name}"
                if not {root.name} & {*self.scope.step_inputs, *self.scope.each}:
                    fix = mending.renamed(self.node.file, self.span(root), root.name, right)
            elif root.name in self.scope.steps:
                as_text = f"{quoted} for the text, or " if quoted else ""
                hint = f"write {as_text}`steps.{root.name}.outputs.NAME`"
            elif not path.accessors and (word := _OF_PYTHON.get(root.name)):
                hint = f"write `{word}`"
                fix = mending.renamed(self.node.file, self.span(root), root.name, word)
            elif root.name in FUNCTIONS and not path.accessors:
                hint = FUNCTIONS[root.name]
            elif near:
                hint = f"did you mean `{near}`?"
                if near in ALL_ROOTS:
                    fix = self.respelled(root, known, near)
            elif quoted:
                hint = f"write {quoted} for the text; {hint}"
            raise self.fail("MLC305", f"unknown name `{root.name}`", root, hint, (), fix)
        if root.name not in ROOTS[self.where]:
            raise self.not_here(root)
        match root.name:
            case "params":
                return self.param(path)
            case "inputs":
                return self.input(path)
            case "steps":
                return self.step_output(path)
            case "each":
                return self.each(path)
            case "outputs" | "volumes" | "secrets" if self.operand:
                message = f"`{root.name}` can't stand in an operation"
                raise self.fail("MLC308", message, root, "let it stand alone")
            case "outputs":
                return self.own_output(path)
            case "volumes":
                (name,) = self.names(path, "volumes.NAME", 1)
                if name.name not in self.scope.step_volumes:
                    known = sorted(self.scope.step_volumes)
                    broken = self.scope.broken.get("step volumes", frozenset())
                    none = "the step has no `volumes`"
                    raise self.unknown("MLC307", "volume", name, known, broken, none)
                return ex.VolumePath(name.name, self.span(path))
            case "secrets":
                name, key = self.names(path, "secrets.NAME.KEY", 2)
                return ex.SecretRef(name.name, key.name, self.span(path))
            case "run":
                return self.run(path)
        return self.compiled(path)

    def not_here(self, root: Accessor) -> _BrokenError:
        if root.name == "secrets":
            hint = "secrets are for `env` only: `env: {TOKEN: '${{ secrets.NAME.KEY }}'}`"
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
        component = self.scope.component_params.get(name.name)
        if component is not None:
            return self.own_input(name, component, path)
        self.scope.reads.add(("params", "", name.name))
        if name.name in self.scope.given:
            return self.given(name, path)
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
            return self.own_input(name, found, path)
        self.scope.reads.add(("inputs", "", name.name))
        if name.name in self.scope.given:
            return self.given(name, path)
        outer = self.scope.inputs.get(name.name)
        if outer is None:
            known = list(self.scope.inputs)
            if self.where is not Where.INPUT:
                known = [*own, *known]
            broken = self.scope.broken.get("step inputs", frozenset())
            broken |= self.scope.broken.get("inputs", frozenset())
            none = "neither the step nor the spec has `inputs`"
            raise self.unknown("MLC304", "input", name, known, broken, none)
        return ex.PipelineInputRef(name.name, outer, self.span(path))

    def given(self, name: Accessor, path: Path) -> ex.Expr:
        """What the caller of this file gives for a param or an input."""
        return replace(self.scope.given[name.name], span=self.span(path))

    def own_input(self, name: Accessor, found: ex.Type, path: Path) -> ex.Expr:
        """An input of the step, or under an operator what that is bound to."""
        self.scope.reads.add(("inputs", self.scope.step or "", name.name))
        if not self.operand:
            return ex.InputRef(name.name, found, self.span(path))
        value = self.scope.step_values.get(name.name)
        if value is None:
            raise _BrokenError
        return value

    def each(self, path: Path) -> ex.Expr:
        if not path.accessors:
            raise self.fail("MLC306", "incomplete name, write `each.NAME`", path)
        name, *fields = path.accessors
        item = self.scope.each.get(name.name)
        self.scope.reads.add(("each", item.loop if item else "", name.name))
        if item is None:
            if name.name in self.scope.each_inside and self.where is Where.WHEN:
                message = "`when` beside `foreach` is looked at once, before there is an item"
                hint = (
                    "to skip single rounds keep `foreach` here, and put the rest with this `when` "
                    "in a step below: `steps: {NAME: …}`"
                )
                raise self.fail("MLC308", message, path.root, hint)
            none = "`each` is for steps with `foreach`, and what is in them"
            names, broken = list(self.scope.each), self.scope.broken.get("each", frozenset())
            raise self.unknown("MLC305", "list to loop over", name, names, broken, none)
        found = item.type
        known = item.fields
        for field in fields:
            if found.kind not in ("object", None):
                shown = f"`{name.name}` is {operators.a_type(found)}, which has no fields"
                raise self.fail("MLC306", shown, field, "fields are for lists of objects")
            if known is not None and field.name not in known:
                raise self.no_field(f"each.{name.name}", field, list(known))
            found = known[field.name] if known is not None else ex.ValueType(None)
            known = None
        fields_ = tuple(field.name for field in fields)
        return ex.EachRef(item.loop, name.name, fields_, found, self.span(path))

    def step_output(self, path: Path) -> ex.Expr:
        form = "steps.STEP.outputs.OUTPUT"
        if len(path.accessors) == 2 and path.accessors[1].name == "items":
            return self.step_items(*path.accessors, path)
        if len(path.accessors) != 3 or path.accessors[1].name != "outputs":
            self.known_step(path.accessors[0]) if path.accessors else None
            if len(path.accessors) > 3 and path.accessors[1].name == "outputs":
                field = path.accessors[3]
                message = f"`steps.{path.accessors[0].name}.outputs.{path.accessors[2].name}` "
                hint = f"what is in it is not looked at: let the step write `{field.name}` as an "
                hint += f"output of its own, and write `steps.{path.accessors[0].name}.outputs."
                hint += f"{field.name}`"
                raise self.fail("MLC306", f"{message}has no fields", field, hint)
            if len(path.accessors) >= 2 and path.accessors[1].name != "outputs":
                wrong = path.accessors[1]
                raise self.fail("MLC306", f"a step has no `{wrong.name}`", wrong, f"write `{form}`")
            self.names(path, form, 3)
        step, _, output = path.accessors
        signature = self.known_step(step)
        if signature.is_group:
            hint = f"name the step in it: `steps.STEP.outputs.{output.name}`"
            raise self.fail("MLC302", f"`{step.name}` is a group, which has no outputs", step, hint)
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
            self.note_misspelt(self.scope.prefix + step.name, output, near)
            fix = self.respelled(output, known, near)
            raise self.fail("MLC302", message, output, hint, related, fix)
        found = signature.outputs[output.name]
        if found is None:
            raise _BrokenError
        self.scope.reads.add(("outputs", self.scope.prefix + step.name, output.name))
        collected = self.outside_of(signature)
        value = signature.values[output.name] if signature.values else None
        if isinstance(value, ex.Operation):
            if collected:
                hint = "let a step of the algorithm write it"
                message = f"`{output.name}` falls back on another value, so it can't be collected"
                raise self.fail("MLC334", message, path, hint)
            return replace(value, span=self.span(path))
        if isinstance(found, ex.ArtifactType):
            collected += found.is_list
            if collected > 1:
                hint = "collect them loop by loop: let a step of the outer loop join them"
                message = f"artifacts of {collected} nested loops can't be one input"
                declared = signature.places.get(output.name, signature.span)
                related = (Related(f"`{output.name}` is declared here", declared),)
                raise self.fail("MLC402", message, path, hint, related)
            found = ex.ArtifactType(found.kind, is_list=collected == 1)
        else:
            for _ in range(collected):
                found = ex.ValueType("array", items=found)
        if isinstance(value, ex.StepOutputRef):
            return replace(value, type=found, span=self.span(path))
        return ex.StepOutputRef(self.scope.prefix + step.name, output.name, found, self.span(path))

    def step_items(self, step: Accessor, items: Accessor, path: Path) -> ex.Expr:
        signature = self.known_step(step)
        if not signature.loops:
            message = f"`{step.name}` has no `foreach`, so it has no `items`"
            hint = "take its outputs: `steps.STEP.outputs.OUTPUT`"
            raise self.fail("MLC306", message, items, hint)
        if self.outside_of(signature) != 1:
            message = f"`steps.{step.name}.items` is for steps right outside of its loop"
            raise self.fail("MLC308", message, path)
        if signature.items is None:
            if self.scope.prefix + step.name in self.scope.flawed:
                raise _BrokenError
            hint = "let the step write its items as an output, which is collected"
            message = "the items of several lists are not known before the run"
            raise self.fail("MLC308", message, path, hint)
        self.scope.items_used.setdefault(step.name, self.span(path))
        self.scope.reads.add(("items", self.scope.prefix + step.name, ""))
        return replace(signature.items, span=self.span(path))

    def outside_of(self, signature: Signature) -> int:
        """The number of loops around a step that this expression is not in."""
        shared = 0
        for theirs, mine in zip(signature.home, self.scope.level, strict=False):
            if theirs != mine:
                break
            shared += 1
        return len(signature.home) - shared

    def known_step(self, step: Accessor) -> Signature:
        signature = self.scope.steps.get(step.name)
        main = self.scope.main_steps
        if signature is None and main is not None and step.name in main:
            message = f"`finally` can't take anything from `{step.name}`, which may not have run"
            hint = "it can use `params`, `run`, `git`, `secrets` and other steps of `finally`"
            raise self.fail("MLC308", message, step, hint)
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
            self.note_misspelt(self.scope.step or "", name, nearest(name.name, known), is_own=True)
            raise self.unknown("MLC302", "output", name, known, broken, none)
        self.scope.reads.add(("paths", self.scope.step or "", name.name))
        return ex.OutputPath(name.name, self.span(path))

    def note_misspelt(
        self, step: str, part: Accessor, near: str | None, *, is_own: bool = False
    ) -> None:
        if near is not None and not self.scope.is_used:
            found = Misspelt(step, part.name, near, self.span(part), is_own)
            self.scope.misspelt.append(found)

    def run(self, path: Path) -> ex.Expr:
        (name,) = self.names(path, "run.FIELD", 1)
        in_finally = self.scope.main_steps is not None
        usable = [f for f in ex.RUN_FIELDS if f != "status" or in_finally]
        if name.name == "status" and not in_finally:
            message = "`run.status` is for `finally` steps only"
            hint = "it is not known before the other steps have ended"
            raise self.fail("MLC308", message, name, hint)
        if name.name not in usable:
            raise self.no_field("run", name, usable)
        return ex.RunRef(name.name, self.span(path))

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
