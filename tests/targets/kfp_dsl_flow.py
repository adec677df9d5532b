"""What a KFP document comes to, however its tasks are nested: for comparing two of them.

A condition on a DAG around a task, or on one that it waits for, says the same as a condition on the
task itself. So a document is taken to its containers: what goes into each and where that is made,
in which loops it runs, on what condition and after which others.
"""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kfp_spec import PLACEHOLDER, Tree, Written

# Where a value is made: ("param", name), ("output", step, name, collected), ("item", …).
Source = tuple[Any, ...]
_SELECTED = re.compile(r'parseJson\(string_value\)((?:\["[^"]*"\])+)')
_VARIABLE = re.compile(r"inputs\.parameter_values\['([^']*)'\]")
_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|&&|\|\||!=|!|true|false|double|size|<V\d+>|[^']", re.DOTALL)
_AMOUNT = re.compile(r"(cpu|memory)_(request|limit)|pipelinechannel--.*")
_WORDS = {
    "&&": " and ",
    "||": " or ",
    "!": " not ",
    "true": "True",
    "false": "False",
    "double": "float",
    "size": "len",
}


class Condition(NamedTuple):
    """A boolean expression of Python over `v`: the values of sources, each with its type."""

    text: str
    sources: tuple[tuple[Source, str], ...]


@dataclass
class Container:
    """`said` is all that is compared as it stands; `before` are the steps that end before it."""

    step: str
    said: Tree
    conditions: list[Condition]
    before: set[str]


@dataclass
class Flow:
    """The containers by step, and what the document says of the whole."""

    containers: dict[str, Container]
    whole: Tree


@dataclass
class _Dag:
    """A DAG on the way: its component, what its inputs are, and what it inherits."""

    component: Tree
    given: dict[str, Source]
    loops: tuple[Any, ...]
    conditions: list[Condition]
    before: set[str]
    exits: bool
    done: dict[str, _Done] = field(default_factory=dict)


class _Done(NamedTuple):
    """What those that wait for a task get from it: steps, conditions, outputs."""

    steps: set[str]
    conditions: list[Condition]
    outputs: dict[str, Source]


def flow(written: Written) -> Flow:
    """Fails where a reference does not resolve."""
    root = written.spec["root"]
    given: dict[str, Source] = {name: ("param", name) for name in _parameters(root, "input")}
    reader = _Reader(written)
    outputs = reader.dag(_Dag(root, given, (), [], set(), exits=False))
    platform = written.platform.get("platforms", {}).get("kubernetes", {})
    whole = {
        "info": _folded(written.spec["pipelineInfo"]),
        "inputs": _folded(_without(root.get("inputDefinitions", {}), "literals")),
        "outputs": {name: outputs[name] for name in outputs},
        "kinds": _folded(root.get("outputDefinitions", {})),
        "config": {key: value for key, value in platform.items() if key != "deploymentSpec"},
    }
    return Flow(reader.containers, whole)


def differences(one: Flow, other: Flow, *, later: bool = False) -> list[str]:
    """What two documents do not say alike; with `later` the other may wait for more."""
    found = [
        f"{key}: {one.whole[key]} {other.whole[key]}" for key in _unlike(one.whole, other.whole)
    ]
    if one.containers.keys() != other.containers.keys():
        return [*found, f"steps: {set(one.containers) ^ set(other.containers)}"]
    for name, mine in one.containers.items():
        theirs = other.containers[name]
        found += (
            f"{name}.{key}: {mine.said[key]} {theirs.said[key]}"
            for key in _unlike(mine.said, theirs.said)
        )
        if not same(mine.conditions, theirs.conditions):
            found.append(f"{name} runs if {mine.conditions}, {theirs.conditions}")
        if not (mine.before <= theirs.before if later else mine.before == theirs.before):
            found.append(f"{name} waits for {mine.before}, {theirs.before}")
    return found


def _unlike(one: Tree, other: Tree) -> list[str]:
    return [key for key in one if one[key] != other[key]]


def same(one: Iterable[Condition], other: Iterable[Condition]) -> bool:
    """Whether two lists of conditions hold alike for all values that matter to them."""
    one, other = list(one), list(other)
    every = [*one, *other]
    sources = sorted({source for c in every for source in c.sources}, key=repr)
    values = _interesting(c.text for c in every)
    chosen = random.Random(0)
    for _ in range(400):
        v = {source: chosen.choice(values[source[1]]) for source in sources}
        if _holds(one, v) != _holds(other, v):
            return False
    return True


def _holds(conditions: list[Condition], v: dict[tuple[Source, str], Any]) -> bool:
    return all(
        eval(c.text, {"v": [v[source] for source in c.sources]})  # a test's own text
        for c in conditions
    )


class _Reader:
    def __init__(self, written: Written) -> None:
        self.spec = written.spec
        self.executors = written.spec["deploymentSpec"]["executors"]
        platform = written.platform.get("platforms", {}).get("kubernetes", {})
        self.platform = platform.get("deploymentSpec", {}).get("executors", {})
        self.containers: dict[str, Container] = {}

    def dag(self, dag: _Dag) -> dict[str, Source]:
        """Read all tasks of a DAG; gives the sources of its outputs."""
        tasks = dag.component["dag"]["tasks"]
        waiting = dict(tasks)
        while waiting:
            ready = [n for n, t in waiting.items() if not _needed(t) & waiting.keys()]
            assert ready, f"a circle among {set(waiting)}"
            for name in ready:
                dag.done[name] = self._task(dag, waiting.pop(name))
        found = {}
        outputs = dag.component["dag"].get("outputs", {})
        for name, output in outputs.get("parameters", {}).items():
            taken = output["valueFromParameter"]
            found[name] = dag.done[taken["producerSubtask"]].outputs[taken["outputParameterKey"]]
        for name, output in outputs.get("artifacts", {}).items():
            (selector,) = output["artifactSelectors"]
            made = dag.done[selector["producerSubtask"]]
            found[name] = made.outputs[selector["outputArtifactKey"]]
        assert found.keys() == _ports(dag.component, "output")
        return found

    def _task(self, dag: _Dag, task: Tree) -> _Done:
        component = self.spec["components"][task["componentRef"]["name"]]
        inputs = dict(self._inputs(dag, task))
        for name in task.get("dependentTasks", ()):
            assert name in dag.done, f"{name} is no task of this DAG"
        waited = [dag.done[name] for name in task.get("dependentTasks", ())]
        exits = task.get("triggerPolicy", {}).get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED"
        conditions = [c for done in waited for c in done.conditions if not exits]
        own = task.get("triggerPolicy", {}).get("condition", "")
        if own:
            conditions.append(_condition(own, inputs, component))
        before = {step for done in waited for step in done.steps}
        if "executorLabel" in component:
            return self._container(dag, task, component, inputs, conditions, before)
        loops = dag.loops
        iterator = task.get("parameterIterator")
        if iterator:
            made, item = self._loops(dag, task, iterator, component, inputs)
            loops = (*loops, *made)
            inputs[iterator["itemInput"]] = item
        assert inputs.keys() == _ports(component, "input"), "inputs are given as declared"
        inner = _Dag(
            component,
            inputs,
            loops,
            [*dag.conditions, *conditions],
            dag.before | before,
            dag.exits or exits,
        )
        outputs = self.dag(inner)
        if iterator:
            outputs = {name: _collected(source) for name, source in outputs.items()}
        steps = before | {step for done in inner.done.values() for step in done.steps}
        return _Done(steps, conditions, outputs)

    def _loops(
        self, dag: _Dag, task: Tree, iterator: Tree, component: Tree, inputs: dict[str, Source]
    ) -> tuple[list[Any], Source]:
        """The loops that an iterator makes, and what its item is.

        All combinations of some lists are the same as a loop over each in a loop.
        """
        kind = component["inputDefinitions"]["parameters"][iterator["itemInput"]]["parameterType"]
        parallel = task.get("iteratorPolicy", {}).get("parallelismLimit", 0)
        depth = len(dag.loops)
        if "raw" not in iterator["items"]:
            over = inputs[iterator["items"]["inputParameter"]]
            return [(over, kind, parallel)], ("item", depth, over)
        rows = json.loads(iterator["items"]["raw"])
        assert all(_fits(row, kind) for row in rows)
        columns = _columns(rows)
        if len(columns) < 2:
            text = _dumped(rows)
            return [(text, parallel)], ("item", depth, text)
        table = {
            name: ("item", depth + at, json.dumps(values))
            for at, (name, values) in enumerate(columns.items())
        }
        loops = [(over, 0) for _, _, over in table.values()]
        return [(loops[0][0], parallel), *loops[1:]], ("table", tuple(table.items()))

    def _container(
        self,
        dag: _Dag,
        task: Tree,
        component: Tree,
        inputs: dict[str, Source],
        conditions: list[Condition],
        before: set[str],
    ) -> _Done:
        executor = self.executors[component["executorLabel"]]
        declared = _ports(component, "input")
        assert declared <= inputs.keys(), "all inputs are given"
        # What the SDK adds for an amount it does not declare, and the driver lets it pass.
        assert all(_AMOUNT.fullmatch(name) for name in inputs.keys() - declared)
        if "importer" in executor:
            uri = inputs["uri"]
            kind = executor["importer"]["typeSchema"]["schemaTitle"]
            return _Done(set(), conditions, {"artifact": ("import", uri, kind)})
        container = executor["container"]
        step = next(e["value"] for e in container["env"] if e["name"] == "MLC_STEP")
        written = [*container.get("command", ()), *container.get("args", ())]
        named = {m[3] for word in written for m in PLACEHOLDER.finditer(word)}
        amounts = _substituted(_text(container.get("resources", {})), inputs)
        tested = set(_VARIABLE.findall(task.get("triggerPolicy", {}).get("condition", "")))
        tested |= {m[3] for m in PLACEHOLDER.finditer(json.dumps(container.get("resources", {})))}
        types = component.get("inputDefinitions", {}).get("parameters", {})
        said = {
            "image": container["image"],
            "words": [_substituted(word, inputs) for word in written],
            "env": container["env"],
            "resources": amounts,
            "inputs": {
                name: (source, types.get(name, {}).get("parameterType"))
                for name, source in inputs.items()
                if name in named or (name in declared and name not in tested)
            },
            "outputs": _folded(component.get("outputDefinitions", {})),
            "loops": dag.loops,
            "exits": dag.exits,
            "retry": task.get("retryPolicy", {}),
            "cached": task.get("cachingOptions", {}),
            "platform": self.platform.get(component["executorLabel"], {}),
        }
        key = step
        while key in self.containers:
            key += "'"
        everything = [*dag.conditions, *conditions]
        self.containers[key] = Container(step, said, everything, dag.before | before)
        made = {name: ("output", key, name, False) for name in _ports(component, "output")}
        return _Done({key, *before}, conditions, made)

    def _inputs(self, dag: _Dag, task: Tree) -> Iterator[tuple[str, Source]]:
        given = task.get("inputs", {})
        for name, source in given.get("artifacts", {}).items():
            if "componentInputArtifact" in source:
                yield name, dag.given[source["componentInputArtifact"]]
            else:
                made = source["taskOutputArtifact"]
                assert made["producerTask"] in _needed(task)
                yield name, dag.done[made["producerTask"]].outputs[made["outputArtifactKey"]]
        for name, source in given.get("parameters", {}).items():
            selector = source.get("parameterExpressionSelector", "")
            if "componentInputParameter" in source:
                found = dag.given[source["componentInputParameter"]]
            elif "runtimeValue" in source:
                found = ("constant", source["runtimeValue"]["constant"])
            else:
                made = source["taskOutputParameter"]
                assert made["producerTask"] in _needed(task)
                found = dag.done[made["producerTask"]].outputs[made["outputParameterKey"]]
            if selector:
                path = _SELECTED.fullmatch(selector)
                assert path, f"{selector} is no field"
                found = _field(found, re.findall(r'\["([^"]*)"\]', path[1]))
            yield name, found


def _condition(text: str, inputs: dict[str, Source], component: Tree) -> Condition:
    names = list(dict.fromkeys(_VARIABLE.findall(text)))
    numbered = _VARIABLE.sub(lambda m: f"<V{names.index(m[1])}>", text)
    tokens = (
        f"v[{token[2:-1]}]" if token.startswith("<V") else _WORDS.get(token, token)
        for token in _TOKEN.findall(numbered)
    )
    types = component.get("inputDefinitions", {}).get("parameters", {})
    sources = tuple((inputs[name], types[name]["parameterType"]) for name in names)
    return Condition("".join(tokens).strip(), sources)


def _interesting(texts: Iterable[str]) -> dict[str, list[Any]]:
    """Values around those that conditions name."""
    strings, numbers = {"", "other"}, {0.0, 1.0}
    for text in texts:
        bare = re.sub(r"v\[\d+\]", "", text)
        strings |= {eval(found) for found in re.findall(r"'(?:[^'\\]|\\.)*'", bare)}
        bare = re.sub(r"'(?:[^'\\]|\\.)*'", "", bare)
        numbers |= {float(found) for found in re.findall(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?", bare)}
    near = {number + change for number in numbers for change in (-1, 0, 1)}
    return {
        "STRING": sorted(strings),
        "NUMBER_DOUBLE": sorted(near),
        "NUMBER_INTEGER": sorted({float(int(number)) for number in near}),
        "BOOLEAN": [False, True],
    }


_FITS: dict[str, Any] = {
    "STRING": str,
    "NUMBER_INTEGER": int,
    "NUMBER_DOUBLE": int | float,
    "BOOLEAN": bool,
    "LIST": list,
    "STRUCT": dict,
}


def _fits(value: Any, kind: str) -> bool:
    return isinstance(value, _FITS[kind]) and (kind == "BOOLEAN") == isinstance(value, bool)


def _columns(rows: list[Any]) -> dict[str, list[Any]]:
    """The lists of which rows are all combinations, by field, or nothing.

    The order of the lists is found by trying: the SDK sorts the fields of a row.
    """
    if not all(isinstance(row, dict) for row in rows):
        return {}
    for names in itertools.permutations(rows[0]):
        columns = {
            name: list({json.dumps(row.get(name)): row.get(name) for row in rows}.values())
            for name in names
        }
        table = [dict(zip(names, row, strict=True)) for row in itertools.product(*columns.values())]
        if [_dumped(row) for row in table] == [_dumped(row) for row in rows]:
            return columns
    return {}


def _dumped(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _field(source: Source, path: list[str]) -> Source:
    if source[0] == "table":
        found: Source = dict(source[1])[path[0]]
        return (*found, *path[1:])
    return (*source, *path)


def _needed(task: Tree) -> set[str]:
    return set(task.get("dependentTasks", ()))


def _collected(source: Source) -> Source:
    return (*source[:3], True) if source[0] == "output" else source


def _parameters(component: Tree, side: str) -> set[str]:
    return set(component.get(f"{side}Definitions", {}).get("parameters", {}))


def _ports(component: Tree, side: str) -> set[str]:
    definitions = component.get(f"{side}Definitions", {})
    return {name for ports in definitions.values() for name in ports}


def _substituted(text: Any, inputs: dict[str, Source]) -> Any:
    if isinstance(text, dict):
        return {key: _substituted(value, inputs) for key, value in text.items()}
    if isinstance(text, str):
        return PLACEHOLDER.sub(
            lambda m: f"<{inputs[m[3]]} {m[4]}>" if m[1] == "inputs" else m[0], text
        )
    return text


_DEPRECATED = {"cpuLimit", "cpuRequest", "memoryLimit", "memoryRequest", "type", "count"}


def _text(resources: Tree) -> Tree:
    """Amounts without the fields that the SDK writes a second time, for servers before 2.4."""
    return {
        key: _text(value) if isinstance(value, dict) else value
        for key, value in resources.items()
        if key not in _DEPRECATED
    }


def _without(tree: Any, name: str) -> Any:
    if isinstance(tree, dict):
        return {
            key: _without(value, name)
            for key, value in tree.items()
            if not (key == name and "parameterType" in tree)
        }
    return tree


def _folded(tree: Any, key: str = "") -> Any:
    if isinstance(tree, dict):
        return {name: _folded(value, name) for name, value in tree.items()}
    return " ".join(tree.split()) if key == "description" and isinstance(tree, str) else tree
