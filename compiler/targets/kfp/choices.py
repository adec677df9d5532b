"""Choices: DAGs of tasks of which one runs, whose outputs are those of the one that did.

The driver takes an output from the first container that was run or found in the cache. It looks
at containers only, and, where loops collect, under one name for all of them
(driver/resolve.go): so a loop's values are copied out by a container.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field

from compiler.expr import ArtifactType, Expr, Literal, ValueType
from compiler.ir import Loop, Node
from compiler.targets.kfp.carrying import unwritable
from compiler.targets.kfp.conditions import Turn, condition
from compiler.targets.kfp.helpers import Content, Helper, Taken, Written
from compiler.targets.kfp.levels import Alternative, Path, UnfitError
from compiler.targets.kfp.loops import Rounds, name_of
from compiler.targets.kfp.plan import FromTask
from compiler.targets.kfp.scopes import Frame, Member
from compiler.targets.kfp.sources import Context, Given, given, kind_of
from compiler.values import to_text


class Choice(Struct):
    """A node that always has outputs: `frame` holds its task `core`, which runs if `tests` hold
    and `lists` have items, and containers for when it does not."""

    context: Context
    frame: Frame
    node: Node
    path: Path
    core: Member
    tests: Sequence[Expr]
    lists: Sequence[Given]
    known: dict[tuple[str, str], FromTask] = field(default_factory=dict)
    helpers: dict[str, Helper] = field(default_factory=dict)

    @property
    def task(self) -> str:
        return self.frame.name

    def give(self, step: str, output: str, /) -> FromTask:
        if (step, output) not in self.known:
            self.known[step, output] = self._give(step, output)
        return self.known[step, output]

    def _give(self, step: str, wanted: str) -> FromTask:
        other = self._alternative(step, wanted) if self.tests else None
        output = other.output if other else wanted
        if isinstance(self.core, Rounds):
            kind, name = self.core.kind(step, output), name_of(step, output)
            if kind.parameter is None:
                reason = "KFP can't collect files where there may have been no round at all"
                raise UnfitError(self.core.loop.axes[0].items, reason, "foreach")
            source = self.core.gathered(step, output)
            first = self._helper("collect", None)
            taken = first.inputs.add(name, Given(name, kind, source).port)
            first.write(name, kind, Taken(taken))
            sources = [FromTask(first.name, name)]
        else:
            kind, name = self.context.kind(step, output), output
            sources = [self.core.give(step, output)]
        if self.lists:
            empty = self._helper("empty", "empty")
            empty.write(name, kind, Written("[]"))
            sources.append(FromTask(empty.name, name))
        if other:
            kind = kind_of(other.type)
            helper = self._helper("else", "not", other.number)
            helper.write(name, kind, self._content(helper, other))
            sources.append(FromTask(helper.name, name))
        return self.frame.hand_out(name, kind, *sources)

    def _alternative(self, step: str, output: str) -> Alternative:
        declared = self.context.steps[step].output(output.partition(" ")[0]).type
        if isinstance(self.node, Loop) and not isinstance(declared, ArtifactType):
            declared = ValueType("array", items=declared)
        return self.context.part.alternative(step, output, declared)

    def _content(self, helper: Helper, other: Alternative) -> Content:
        if other.value is None:
            return None
        if isinstance(other.value, Literal):
            text = to_text(other.value.value)
            found = "{{$" if "{{$" in text else unwritable(text)
            if found:
                raise UnfitError(other.value, f"KFP can't carry {found}; leave it out")
            return Written(text)
        value = given(self.context, self.frame, other.value, self.path)
        return Taken(helper.inputs.add(value.wanted, value.port))

    def _helper(self, what: str, turn: Turn | None, number: int = 0) -> Helper:
        """A container of the choice, made when it is wanted; `turn` says when it runs."""
        key = f"{what}-{number}"
        if key not in self.helpers:
            context = self.context
            name = context.names.task(f"{what}-{self.node.name}")
            made = Helper(name, context.names.component(name), self.node.name, context.image)
            if turn is not None:
                lists = self.lists if turn == "empty" else ()
                made.condition = condition(
                    context, self.frame, made.inputs, self.tests, self.path, lists=lists, turn=turn
                )
            self.frame.drafts.append(made)
            self.helpers[key] = made
        return self.helpers[key]
