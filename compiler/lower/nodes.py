"""Steps, groups and loops of a file to nodes of the pipeline."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from msgspec import Struct
from msgspec.structs import replace

from compiler import expr as ex
from compiler import ir, mending
from compiler.binding import Scope, bind_condition
from compiler.compose import Library
from compiler.diagnostics import Related, error, has_errors, is_too_many, listing, nearest
from compiler.lower.needs import Need, Needs
from compiler.lower.outline import Lists, bind_lists, note_broken
from compiler.lower.step import lower_step
from compiler.lower.used import lower_used
from compiler.nodes import Mapping, Node, Scalar, Sequence, mapping, text, whole
from compiler.settings import Project

FORMS = ("command", "script", "python", "use", "steps")
# What others, and expressions, call a step.
_OF_STEP = r"(?:\$\{\{ *)?steps\.([a-z]\w*)(?:\.outputs\.\w+)?(?: *\}\})?"
_NOT_FOR_GROUPS = ("inputs", "outputs", "args", "shell", "workdir")


class Around(Struct, frozen=True):
    """What the groups around a step say: their conditions and what they need, by names of the
    file."""

    when: tuple[ex.Expr, ...] = ()
    needs: tuple[Need, ...] = ()


def lower_nodes(
    steps: Mapping | None, scope: Scope, project: Project, library: Library
) -> tuple[ir.Node, ...]:
    """The nodes of `steps` or `finally`, whose signatures are in the scope already."""
    lowering = _Lowering(scope, project, library, bind_lists(steps, scope), Needs(scope.level))
    return lowering.needs.settle(lowering.nodes(steps, Around()))


class _Lowering(Struct, frozen=True):
    scope: Scope
    project: Project
    library: Library
    lists: dict[str, Lists]
    needs: Needs

    def nodes(self, steps: Mapping | None, around: Around) -> list[ir.Node]:
        found: list[ir.Node] = []
        for name, entry in steps or ():
            if not isinstance(entry.value, Mapping):
                continue
            before = len(self.scope.diagnostics)
            made = self.node(entry.key, entry.value, around)
            flawed = has_errors(self.scope.diagnostics[before:]) or _has_broken(entry.value)
            if flawed and "steps" not in entry.value.entries:
                self.scope.flawed.update(step.name for step in ir.steps_of(made))
            self.needs.means[name] = tuple(node.name for node in made)
            found += made
        return found

    def node(self, name: Scalar, node: Mapping, around: Around) -> list[ir.Node]:
        scope = self.scope
        form = form_of(name, node, scope)
        level, each = scope.level, scope.each
        loop = scope.prefix + name.text
        needs = (*around.needs, *_needs(name.text, node.get("needs"), scope))
        lists = self.lists.get(loop)
        if lists is None:
            parallel = node.entries.get("parallel")
            if parallel is not None and "foreach" not in node.broken:
                message = "`parallel` goes with `foreach`"
                hint = "`limits.parallel` is for the steps of a run"
                scope.diagnostics.append(error("MLC105", message, parallel.key.span, hint=hint))
            outer = note_broken(node, scope)
            plain = self.plain(name, node, form, Around(around.when, needs))
            scope.broken["each"] = outer
            return plain
        scope.inside(loop, {}, {}, frozenset())
        scope.each_inside = lists.each
        when = conjunction((*around.when, *self.condition(node)))
        scope.each_inside = {}
        scope.level, scope.each = (*level, loop), {**each, **lists.each}
        body = self.plain(name, node, form, Around(), looped=True)
        scope.level, scope.each = level, each
        description = text(node.get("description")) or ""
        found = ir.Loop(
            name=loop,
            axes=lists.axes,
            body=tuple(body),
            parallel=whole(node.get("parallel")),
            when=when,
            needs=(),
            description=description if form in ("steps", "use") else "",
            span=name.span,
        )
        return self.settled([found], needs)

    def plain(
        self, name: Scalar, node: Mapping, form: str, around: Around, *, looped: bool = False
    ) -> list[ir.Node]:
        """What is under a name, without its loop; that has taken the condition, if there is one."""
        scope = self.scope
        if form == "steps":
            scope.inside(scope.prefix + name.text, {}, {}, frozenset())
            when = () if looped else self.condition(node)
            inner = Around((*around.when, *when), around.needs)
            return self.nodes(mapping(node.get("steps")), inner)
        if form == "use":
            scope.inside(scope.prefix + name.text, {}, {}, frozenset())
            when = () if looped else self.condition(node)
            used, given = lower_used(name, node, scope, self.project, self.library)
            used = [_under((*around.when, *when), part) for part in used]
            strict = (
                Need(group[0].step, group[0].span)
                for e in given
                for group in ex.wanted(e)
                if len(group) == 1
            )
            return self.settled(used, around.needs, strict)
        step = lower_step(name, node, scope, self.project)
        conditions = around.when if looped else (*around.when, *self.condition(node))
        return self.settled([replace(step, when=conjunction(conditions))], around.needs)

    def condition(self, node: Mapping) -> tuple[ex.Expr, ...]:
        when = node.get("when")
        bound = bind_condition(when, self.scope) if isinstance(when, Scalar) else None
        return () if bound is None else (bound,)

    def settled(
        self, nodes: list[ir.Node], needs: Iterable[Need], steps: Iterable[Need] = ()
    ) -> list[ir.Node]:
        """Note what nodes of the present level need: names of the file, and of steps."""
        items = (Need(name, span) for name, span in sorted(self.scope.items_used.items()))
        names, steps = (*needs, *items), tuple(steps)
        for node in nodes:
            self.needs.ask(self.scope.level, node.name, names, steps)
        self.scope.items_used.clear()
        return nodes


def conjunction(conditions: Iterable[ex.Expr]) -> ex.Expr | None:
    """All of the conditions as one, None for none."""
    joined: ex.Expr | None = None
    for condition in conditions:
        if joined is None:
            joined = condition
        else:
            both = (joined, condition)
            joined = ex.Operation("&&", both, ex.ValueType("boolean"), condition.span)
    return joined


def _under(when: tuple[ex.Expr, ...], node: ir.Node) -> ir.Node:
    own = () if node.when is None else (node.when,)
    return replace(node, when=conjunction((*when, *own)))


def form_of(name: Scalar, node: Mapping, scope: Scope, forms: tuple[str, ...] = FORMS) -> str:
    """The one of the forms that a step has; "" where that can't be told."""
    given = [form for form in forms if form in node.entries]
    if len(given) > 1:
        first, second = (node.entries[form].key for form in given[:2])
        message = f"step `{name.text}` takes only one of {listing(forms)}"
        related = (Related(f"`{first.text}` is given here", first.span),)
        hint = "take one of them out, or make two steps of it"
        found = error("MLC105", message, second.span, hint=hint, related=related)
        scope.diagnostics.append(found)
    elif not given and node.broken.isdisjoint(forms):
        message = f"step `{name.text}` needs one of {listing(forms)}"
        hint = "for instance `command: [python, -m, demo.train]`"
        scope.diagnostics.append(error("MLC105", message, name.span, hint=hint))
    form = given[0] if given else ""
    for key in _NOT_FOR_GROUPS if form == "steps" else ():
        if key in node.entries:
            message = f"`{key}` is for single steps, and `{name.text}` is a group"
            hint = "give it to the steps of the group"
            span = node.entries[key].key.span
            scope.diagnostics.append(error("MLC105", message, span, hint=hint))
    return form


def _needs(name: str, node: Node | None, scope: Scope) -> tuple[Need, ...]:
    needs: dict[str, Need] = {}
    for item in node.items if isinstance(node, Sequence) else ():
        if not isinstance(item, Scalar) or item.text in scope.broken["steps"]:
            continue
        if item.text in scope.steps:
            needs.setdefault(item.text, Need(item.text, item.span))
        elif scope.main_steps is not None and item.text in scope.main_steps:
            message = f"`{item.text}` is no step of `finally`, which runs after all others anyway"
            scope.diagnostics.append(error("MLC308", message, item.span, hint="take it out"))
        else:
            others: Collection[str] = scope.steps
            if not is_too_many(others):  # beyond, its own name among them is no harm
                others = [step for step in others if step != name]
            near = nearest(item.text, others)
            hint = f"known are {listing(others)}" if others else "there is no other step"
            hint = f"did you mean `{near}`?" if near else hint
            message = f"there is no step `{item.text}`"
            related = scope.taken_out("steps", item.text)
            fix = mending.respelled(item.file, item.span, item.text, others, near)
            meant = re.fullmatch(_OF_STEP, item.text)
            if meant and meant[1] in others:
                hint, fix = f"write `{meant[1]}`", mending.rewritten(item, meant[1])
            found = error("MLC301", message, item.span, hint=hint, related=related, fix=fix)
            scope.diagnostics.append(found)
    return tuple(needs.values())


def _has_broken(node: Mapping) -> bool:
    if node.broken:
        return True
    inner = [e.value for e in node.entries.values() if isinstance(e.value, Mapping)]
    return any(map(_has_broken, inner))
