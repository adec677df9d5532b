"""How values are read in a DAG: the expressions and places that stand in its tasks and outputs."""

from __future__ import annotations

from typing import Literal as OneOf

from msgspec import Struct

from compiler.expr import (
    EachRef,
    Expr,
    Literal,
    ParamRef,
    PipelineInputRef,
    RunRef,
    RunTimeRef,
    StepOutputRef,
    walk,
)
from compiler.ir import Loop
from compiler.targets.argo import conditions, tags
from compiler.targets.argo.crossing import STATUS, FromStep, Item, Places, Source
from compiler.targets.argo.plan import (
    Dag,
    Data,
    Gathered,
    Given,
    GivenArtifact,
    Located,
    Round,
)
from compiler.values import to_json


class Reader(Struct, frozen=True):
    """Prints what is read in the innermost of some DAGs.

    `closed`: where Argo knows the DAG's inputs and tasks alone, as in outputs.
    """

    within: tuple[Dag, ...]
    places: Places
    closed: bool = False

    def text(self, given: Given) -> str:
        """The expression of a value's text."""
        match given:
            case Round(loops=loops):
                return "+'/'+".join(f"toJson({self._pair(loop)}[0])" for loop in loops)
            case ParamRef() | StepOutputRef() | RunRef() | EachRef():
                return self._text(given, optional=False)
        return conditions.as_text(given, self._any_text, self.present)

    def condition(self, when: Expr) -> str:
        """The expression of a condition, a boolean."""
        return conditions.condition(when, self._any_text, self.present)

    def items(self, loop: Loop) -> str:
        """The expression of a loop's items: number and values of each round, as JSON."""
        lists = [f"list{position}" for position in range(len(loop.axes))]
        given = zip(lists, loop.axes, strict=True)
        read = "".join(f"let {name}={self._list(axis.items)};" for name, axis in given)
        counts = [f"len({name})" for name in lists]
        values = ["#"]
        for position, name in enumerate(lists):
            inner = "*".join(counts[position + 1 :])
            index = f"int(#/({inner}))" if inner else "#"
            values.append(f"{name}[{index}{f'%{counts[position]}' if position else ''}]")
        return f"{read}toJson(map(0..({'*'.join(counts)}-1),[{','.join(values)}]))"

    def source(self, source: Source) -> str:
        """The expression of what goes into a DAG under the source's name."""
        if not isinstance(source, FromStep):
            return tags.input_parameter(source.name)
        task = self.places.maker(source, self.within)
        if task is None or not source.optional:
            return self.value(source)
        value = tags.task_parameter_if_any(task, self.places.output(source, self.within))
        return f"{tags.is_there(task)}?toJson([{value}]):'[]'"

    def value(self, source: FromStep) -> str:
        """The expression of an output of a step that has run, or of what stands for it here."""
        task = self.places.maker(source, self.within)
        if task is None:
            return tags.input_parameter(source.name)
        return tags.task_parameter(task, self.places.output(source, self.within))

    def path(self, source: FromStep, kind: OneOf["parameters", "artifacts"]) -> str:
        """The name of an output of a step that has run, for what Argo only looks up."""
        task = self.places.maker(source, self.within)
        if task is None:
            return f"inputs.{kind}.{source.name}"
        return f"tasks.{task}.outputs.{kind}.{self.places.output(source, self.within)}"

    def place(self, given: GivenArtifact) -> Data:
        """The fields of an argument that say where an artifact is."""
        match given:
            case Located(fields=fields):
                return {**fields, "archive": {"none": {}}}
            case Gathered(store=store, prefix=prefix, loops=loops):
                folder = f"workflow.uid+{conditions.quoted(f'/{prefix}')}"
                if loops:
                    folder += f"+'/'+{self.text(Round(loops))}"
                return {store: {"key": tags.expression(folder)}, "archive": {"none": {}}}
            case StepOutputRef(step=step, output=output):
                return {"from": tags.simple(self.path(FromStep(step, output), "artifacts"))}
        # Argo's validator asks for a place beside it, which the controller never looks at
        # (workflow/validate/validate.go, workflow/controller/scope.go).
        return {"fromExpression": self._choice(given), "raw": {"data": ""}}

    def present(self, ref: RunTimeRef) -> str | None:
        """An expression that is true where there is a value; None where there always is one."""
        if not isinstance(ref, StepOutputRef) or not self._optional(ref):
            return None
        source = FromStep(ref.step, ref.output, True)
        task = self.places.maker(source, self.within)
        return f"{tags.input_parameter(source.name)}!='[]'" if task is None else tags.is_there(task)

    def _optional(self, ref: StepOutputRef) -> bool:
        return self.places.flow.optional(ref.step, self.within[-1].level)

    def _any_text(self, ref: RunTimeRef) -> str:
        text = self._text(ref, optional=isinstance(ref, StepOutputRef) and self._optional(ref))
        return f"({text})" if "?" in text else text

    def _text(self, ref: RunTimeRef, *, optional: bool) -> str:
        match ref:
            case ParamRef(name=name):
                return tags.input_parameter(name) if self.closed else tags.workflow_parameter(name)
            case RunRef(field="status"):
                status = tags.input_parameter(STATUS.name)
                return f"{status}=='Succeeded'?'succeeded':'failed'"
            case RunRef(field=field):
                return tags.run_field(field)
            case EachRef():
                return self._item(ref)
            case StepOutputRef(step=step, output=output):
                source = FromStep(step, output, optional)
                task = self.places.maker(source, self.within)
                if not optional:
                    return self.value(source)
                if task is None:
                    return f"fromJSON({tags.input_parameter(source.name)})[0]"
                return tags.task_parameter_if_any(task, self.places.output(source, self.within))
            case PipelineInputRef():
                raise AssertionError("an artifact has no text")

    def _item(self, ref: EachRef) -> str:
        axes = [axis.name for axis in self.places.loops[ref.loop].axes]
        found = f"{self._pair(ref.loop)}[{axes.index(ref.name) + 1}]"
        found += "".join(f"[{conditions.quoted(field)}]" for field in ref.path)
        if ref.type.kind == "string":
            return found
        if ref.type.kind:
            return f"toJson({found})"
        return f"type({found})=='string'?{found}:toJson({found})"

    def _pair(self, loop: str) -> str:
        return f"fromJSON({tags.input_parameter(Item(loop).name)})"

    def _list(self, items: Expr) -> str:
        if isinstance(items, Literal):
            return f"fromJSON({conditions.quoted(to_json(items.value))})"
        return f"fromJSON({self.text(items)})"

    def _choice(self, given: Expr) -> str:
        """The expression of the first of several artifacts that is there."""
        refs = [part for part in walk(given) if isinstance(part, StepOutputRef)]
        found = ""
        for ref in reversed(refs):
            source = FromStep(ref.step, ref.output)
            task = self.places.maker(source, self.within)
            name = self.places.output(source, self.within)
            here = f"inputs.artifacts['{source.name}']"
            if task is not None:
                here = f"tasks['{task}'].outputs.artifacts['{name}']"
            guard = self.present(ref)
            found = f"{guard} ? {here} : {found}" if found and guard else here
        return found
