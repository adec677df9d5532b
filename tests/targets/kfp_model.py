"""A model of how KFP's backend runs a document, as far as values and conditions decide it.

After backend/src/v2/driver/{resolve,dag,container}.go and compiler/argocompiler/dag.go of 2.17:
inputs are resolved and their types checked before a condition is looked at, what depends on a task
that was skipped or failed is left out, a choice takes the first container that has run, and loops
collect breadth first. Containers are those of mlc's helpers and of the conformance tests' `ECHO`,
unless `act` stands for those of steps; a path is the content of its file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kfp_flows import ECHO
from kfp_spec import CONDITION_INPUT, PLACEHOLDER, Tree, Written

from compiler.values import to_text

# An optional parameter, and what stands for null: in a condition, and in a selector.
_INPUT = r"inputs\[[^\]]+\]"
_NULLABLE = re.compile(
    rf"\(({_INPUT}) == '' \? ('(?:[^'\\]|\\.)*'|[^ :]+) : (double\([^()]*\)|{_INPUT})\)"
)
_FALLBACK = re.compile(r'(parseJson\()?string_value == "" \? ("(?:[^"\\]|\\.)*") : string_value\)?')


@dataclass
class Execution:
    """What is known of a task that was started: `inner` are the tasks of a DAG, `rounds` those of
    a loop."""

    task: str
    component: Tree
    state: str = "succeeded"
    outputs: dict[str, Any] = field(default_factory=dict)
    inner: dict[str, Execution] = field(default_factory=dict)
    rounds: list[Execution] | None = None


@dataclass
class Outcome:
    """`containers` are steps with how they ended and what they wrote, in no order."""

    status: str
    containers: list[tuple[str, str, dict[str, Any]]]
    outputs: dict[str, Any]


class File(str):
    """The content of an artifact, which is itself and no other of the same content."""


class BrokenError(Exception):
    """What KFP's own components would fail on."""


class Cel(NamedTuple):
    """Who evaluates conditions and selectors: `holds` by the inputs, `selected` by a value."""

    holds: Callable[[str, Mapping[str, Any]], bool]
    selected: Callable[[str, Any], Any]


# What a step's container writes, by the step and the numbers of its rounds; None where it fails.
Act = Callable[[str, tuple[int, ...]], "Mapping[str, Any] | None"]


def run(
    written: Written, params: Mapping[str, Any], cel: Cel | None = None, act: Act | None = None
) -> Outcome:
    """Run a document with values for its parameters. Raises BrokenError."""
    backend = _Backend(written, cel or Cel(holds, selected), act)
    root = Execution("root", written.spec["root"])
    backend.run_dag(root, dict(params))
    outputs = {}
    if root.state == "succeeded":
        found = written.spec["root"]["dag"].get("outputs", {})
        names = [name for kind in found.values() for name in kind]
        outputs = {name: backend.output(root, name) for name in names}
    return Outcome(root.state, backend.containers, outputs)


class _Backend:
    def __init__(self, written: Written, cel: Cel, act: Act | None) -> None:
        self.written = written
        self.cel = cel
        self.act = act
        self.rounds: tuple[int, ...] = ()
        self.containers: list[tuple[str, str, dict[str, Any]]] = []

    def run_dag(self, dag: Execution, given: dict[str, Any]) -> None:
        tasks = dag.component["dag"]["tasks"]
        last = [name for name, task in tasks.items() if _is_exit(task)]
        todo = [name for name in tasks if name not in last]
        while todo:
            ready = [n for n in todo if not set(tasks[n].get("dependentTasks", ())) & set(todo)]
            if not ready:
                raise BrokenError(f"{todo} wait for each other")
            for name in ready:
                todo.remove(name)
                upstream = tasks[name].get("dependentTasks", ())
                if all(dag.inner[other].state == "succeeded" for other in upstream):
                    dag.inner[name] = self.run_task(dag, name, tasks[name], given)
                else:
                    dag.inner[name] = Execution(name, {}, "omitted")
        if any(task.state == "failed" for task in dag.inner.values()):
            dag.state = "failed"
        for name in last:
            # A hook: what becomes of it is not the run's business.
            dag.inner[name] = self.run_task(dag, name, tasks[name], given)

    def run_task(self, dag: Execution, name: str, task: Tree, given: dict[str, Any]) -> Execution:
        component = self.written.spec["components"][task["componentRef"]["name"]]
        made = Execution(name, component)
        inputs = self.inputs(dag, task, component, given)
        iterator = task.get("parameterIterator")
        condition = task.get("triggerPolicy", {}).get("condition")
        if condition and iterator:
            raise BrokenError(f"{name}: a loop that is skipped counts as one that succeeded")
        if condition and not self.cel.holds(condition, inputs):
            made.state = "skipped"
        elif iterator:
            self.run_loop(made, task, inputs)
        elif "dag" in component:
            self.run_dag(made, inputs)
        else:
            self.run_container(made, inputs)
        return made

    def run_loop(self, loop: Execution, task: Tree, inputs: dict[str, Any]) -> None:
        iterator = task["parameterIterator"]
        items_input = iterator["items"].get("inputParameter")
        items = inputs[items_input] if items_input else json.loads(iterator["items"]["raw"])
        kinds = loop.component["inputDefinitions"]["parameters"]
        loop.rounds = []
        for number, item in enumerate(items):
            # The driver of a round selects once more from what that of the loop has selected.
            for source in task.get("inputs", {}).get("parameters", {}).values():
                if "parameterExpressionSelector" in source:
                    raise BrokenError(f"{loop.task}: selects from what is selected already")
            given = {key: value for key, value in inputs.items() if key != items_input}
            name = iterator["itemInput"]
            given[name] = converted(item, kinds[name]["parameterType"])
            inside = Execution(loop.task, loop.component)
            around, self.rounds = self.rounds, (*self.rounds, number)
            self.run_dag(inside, given)
            self.rounds = around
            loop.rounds.append(inside)
        if any(inside.state == "failed" for inside in loop.rounds):
            loop.state = "failed"

    def run_container(self, made: Execution, inputs: dict[str, Any]) -> None:
        label = made.component["executorLabel"]
        container = self.written.spec["deploymentSpec"]["executors"][label]["container"]
        step = next(v["value"] for v in container["env"] if v["name"] == "MLC_STEP")
        argv = [filled(w, inputs) for w in (*container["command"], *container.get("args", ()))]
        written: dict[str, str] = {}
        is_helper = len(argv) > 2 and "copy) cp" in argv[2]
        if is_helper:
            words = argv[4:]
            for what, text, path in zip(words[::3], words[1::3], words[2::3], strict=True):
                written[path] = "" if what == "empty" else text
        elif self.act is not None:
            told = self.act(step, self.rounds)
            if told is None:
                made.state = "failed"
            else:
                kinds = made.component.get("outputDefinitions", {})
                files = kinds.get("artifacts", {})
                made.outputs = {n: File(v) if n in files else v for n, v in told.items()}
            self.containers.append((step, made.state, made.outputs))
            return
        else:
            words = argv[argv.index(ECHO) + 2 :]
            if words[0] == words[1]:
                made.state = "failed"
            else:
                written = dict(zip(words[3::2], words[2::2], strict=True))
        if made.state == "succeeded":
            for kind in ("parameters", "artifacts"):
                ports = made.component.get("outputDefinitions", {}).get(kind, {})
                for name, port in ports.items():
                    text = written[f"<{name}>"]
                    type_ = port.get("parameterType", "STRING")
                    value = text if type_ == "STRING" else json.loads(text)
                    made.outputs[name] = File(text) if kind == "artifacts" else value
        if not is_helper:
            self.containers.append((step, made.state, made.outputs))

    def inputs(
        self, dag: Execution, task: Tree, component: Tree, given: dict[str, Any]
    ) -> dict[str, Any]:
        found = {}
        for kind, ports in task.get("inputs", {}).items():
            for name, source in ports.items():
                value = self.source(dag, source, given)
                if "parameterExpressionSelector" in source:
                    value = self.cel.selected(source["parameterExpressionSelector"], value)
                if kind == "parameters":
                    port = component["inputDefinitions"]["parameters"][name]
                    value = converted(value, port["parameterType"])
                found[name] = value
        # MLMD notes once that an execution takes an artifact, and has one for each name of a DAG.
        files = [found[name] for name in task.get("inputs", {}).get("artifacts", {})]
        if "dag" in component and any(isinstance(file, list) for file in files):
            raise BrokenError(f"a DAG gets one file of a list: {task['componentRef']['name']}")
        each = [f for file in files for f in (file if isinstance(file, list) else [file])]
        if len({id(file) for file in each}) < len(each):
            raise BrokenError(f"{task['componentRef']['name']} takes one artifact twice")
        return found

    def source(self, dag: Execution, source: Tree, given: dict[str, Any]) -> Any:
        if "runtimeValue" in source:
            return source["runtimeValue"]["constant"]
        for kind in ("Parameter", "Artifact"):
            if name := source.get(f"componentInput{kind}"):
                if name not in given:
                    raise BrokenError(f"the parent DAG has no input {name}")
                return given[name]
            if made := source.get(f"taskOutput{kind}"):
                return self.output(dag.inner[made["producerTask"]], made[f"output{kind}Key"])
        raise BrokenError(f"unknown source {source}")

    def output(self, made: Execution, key: str) -> Any:
        """An output of a task that has ended, through DAGs and their choices."""
        while made.rounds is None and "dag" in made.component:
            made, key = self.chosen(made, key)
        if made.rounds is None:
            if key not in made.outputs:
                raise BrokenError(f"{made.task} has not written {key}")
            return made.outputs[key]
        if not made.rounds:
            raise BrokenError(f"{made.task} had no rounds to collect {key} from")
        return self.collected(made, key)

    def chosen(self, dag: Execution, key: str) -> tuple[Execution, str]:
        outputs = dag.component["dag"]["outputs"]
        output = next(kind[key] for kind in outputs.values() if key in kind)
        selectors = output.get("artifactSelectors") or output.get("valueFromOneof", {}).get(
            "parameterSelectors", [output.get("valueFromParameter")]
        )
        for selector in selectors:
            inner = dag.inner[selector["producerSubtask"]]
            name = selector.get("outputParameterKey") or selector["outputArtifactKey"]
            if len(selectors) > 1 and "dag" in inner.component:
                raise BrokenError(
                    f"{dag.task}: the state of the DAG {inner.task} is not to be told"
                )
            if len(selectors) == 1 or inner.state == "succeeded":
                return inner, name
        raise BrokenError(f"{dag.task}: nothing that {key} could come from has run")

    def collected(self, loop: Execution, key: str) -> list[Any]:
        """Breadth first, with one name for the output that is looked for, which is put back where
        a task has the name of the one before it (CollectInputs)."""
        values = []
        queue = [loop]
        before, before_key = loop.task, key
        while queue:
            at = queue.pop(0)
            if at.task == before:
                key = before_key
            before, before_key = at.task, key
            if "dag" not in at.component:
                if key not in at.outputs:
                    raise BrokenError(f"{at.task} has not written {key}")
                values.append(at.outputs[key])
            elif at.rounds is not None:
                _, key = self.chosen_name(at, key)
                queue += at.rounds
            else:
                inner, key = self.chosen(at, key)
                queue.append(inner)
        return values

    def chosen_name(self, loop: Execution, key: str) -> tuple[str, str]:
        outputs = loop.component["dag"]["outputs"]
        output = next(kind[key] for kind in outputs.values() if key in kind)
        first = (output.get("artifactSelectors") or [output.get("valueFromParameter")])[0]
        return first["producerSubtask"], first.get("outputParameterKey") or first[
            "outputArtifactKey"
        ]


def holds(condition: str, inputs: Mapping[str, Any]) -> bool:
    """A condition in CEL, as far as Python says the same."""
    text = condition.replace("&&", " and ").replace("||", " or ").replace("size(", "len(")
    text = re.sub(r"!(?!=)", " not ", text)
    text = re.sub(r"\b(true|false)\b", lambda m: m[1].title(), text)
    text = CONDITION_INPUT.sub(lambda m: f"inputs[{m[1]!r}]", text)
    text = _NULLABLE.sub(r"(\2 if \1 == '' else \3)", text)
    try:
        found = eval(text, {"inputs": inputs, "double": float})
    except (TypeError, KeyError) as error:
        raise BrokenError(f"{condition} of {inputs}: {error}") from None
    if not isinstance(found, bool):
        raise BrokenError(f"{condition} is no boolean: {found!r}")
    return found


def selected(selector: str, value: Any) -> Any:
    """What the selectors that we write make of a value."""
    text = to_text(value)
    if selector.startswith("parseJson(string_value)["):
        found = json.loads(text)
        for name in re.findall(r'\["((?:[^"\\]|\\.)*)"\]', selector):
            found = found[json.loads(f'"{name}"')]
        return found
    if match := _FALLBACK.fullmatch(selector):
        chosen = json.loads(match[2]) if text == "" else text
        return json.loads(chosen) if match[1] else chosen
    raise BrokenError(f"unknown selector {selector}")


def converted(value: Any, kind: str) -> Any:
    """A value as an input of this type: text is made of any, else the types have to agree."""
    if kind == "STRING":
        return to_text(value)
    found = {bool: "BOOLEAN", int: "NUMBER", float: "NUMBER", str: "STRING", list: "LIST"}
    if not kind.startswith(found.get(type(value), "STRUCT")):
        raise BrokenError(f"{value!r} is no {kind}")
    return value


def filled(word: str, inputs: Mapping[str, Any]) -> str:
    """A word with its placeholders filled in; the path of an output is `<its name>`."""

    def value(match: re.Match[str]) -> str:
        return to_text(inputs[match[3]]) if match[1] == "inputs" else f"<{match[3]}>"

    return PLACEHOLDER.sub(value, word.replace("$(MLC_D)", "$").replace("$(MLC_E)", ""))


def _is_exit(task: Tree) -> bool:
    return task.get("triggerPolicy", {}).get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED"
