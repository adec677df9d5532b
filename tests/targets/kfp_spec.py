"""Reads KFP's IR as its own consumers do, and makes what two writers wrote comparable."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from kfp import compiler as kfp_compiler
from kfp import components
from kfp.kubernetes import kubernetes_executor_config_pb2 as kubernetes_pb
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

Tree = dict[str, Any]
PLACEHOLDER = re.compile(
    r"\{\{\$\.(inputs|outputs)\.(parameters|artifacts)\['([^']+)'\](?:\.(path|output_file))?\}\}"
)
CONDITION_INPUT = re.compile(r"inputs\.parameter_values\['([^']+)'\]")


@dataclass(frozen=True)
class Written:
    """Both documents in protobuf's JSON form, with nothing spelled out that absence means too."""

    spec: Tree
    platform: Tree


def read(text: str) -> Written:
    """Parse strictly: the API server refuses what the messages don't know, or drops it silently."""
    documents = list(yaml.safe_load_all(text))
    assert len(documents) in (1, 2)
    spec = _strict(documents[0], pb.PipelineSpec())
    # A Struct to the PipelineSpec, and a message of its own to the backend.
    spec["deploymentSpec"] = _strict(spec["deploymentSpec"], pb.PipelineDeploymentConfig())
    if len(documents) == 1:
        return Written(spec, {})
    platform = _strict(documents[1], pb.PlatformSpec())
    assert set(platform["platforms"]) == {"kubernetes"}
    executors = platform["platforms"]["kubernetes"].get("deploymentSpec", {}).get("executors", {})
    for label, config in executors.items():
        executors[label] = _strict(config, kubernetes_pb.KubernetesExecutorConfig())
    return Written(spec, platform)


def normalised(written: Written, imports: dict[str, str]) -> Written:
    """What is left of a document when its writer's habits are taken away.

    `imports` gives the name of the import task for the URI's parameter. What goes, and why:

    - `sdkVersion`: says who wrote it.
    - `literals`: the SDK has no way to write them; explained as a loss of kfp-dsl.
    - The numbers in `resources` and `accelerator.{type,count}`: the SDK writes each amount a second
      time into the deprecated field, for servers before 2.4.
    - White space in descriptions: docstrings fold it.
    - `importer`, `importer-2` …: the SDK names importer tasks so, whatever they import; the backend
      knows tasks by their name and by nothing else, so all that counts is that references follow.
    """
    tasks = written.spec["root"]["dag"]["tasks"]
    renamed = {
        name: imports[task["inputs"]["parameters"]["uri"]["componentInputParameter"]]
        for name, task in tasks.items()
        if "importer" in executor(written, name)
    }
    return Written(
        _without_habits({k: v for k, v in written.spec.items() if k != "sdkVersion"}, renamed),
        _without_habits(written.platform, {}),
    )


def import_names(written: Written) -> dict[str, str]:
    """The import tasks by the parameter that holds their URI."""
    tasks = written.spec["root"]["dag"]["tasks"]
    return {
        task["inputs"]["parameters"]["uri"]["componentInputParameter"]: name
        for name, task in tasks.items()
        if "importer" in executor(written, name)
    }


def executor(written: Written, task: str) -> Tree:
    """The executor of a task of the root."""
    component = written.spec["root"]["dag"]["tasks"][task]["componentRef"]["name"]
    label = written.spec["components"][component]["executorLabel"]
    found: Tree = written.spec["deploymentSpec"]["executors"][label]
    return found


def words(written: Written, task: str) -> list[str]:
    """The words of a task's container."""
    container = executor(written, task)["container"]
    return [*container["command"], *container.get("args", ())]


def assert_read(text: str, tmp_path: Path) -> None:
    """All references resolve, and the SDK takes it for a component and gives it back."""
    written = read(text)
    assert not dangling(written)
    loaded = components.load_component_from_text(text)
    out = tmp_path / "again.yaml"
    kfp_compiler.Compiler().compile(loaded, str(out))
    again = read(out.read_text(encoding="utf-8"))
    assert again.spec["root"] == written.spec["root"]
    assert again.spec["deploymentSpec"] == written.spec["deploymentSpec"]
    assert again.platform == written.platform


def dags(written: Written) -> Iterator[tuple[str, Tree]]:
    """Every DAG of the document, the root first, with the name of its component."""
    yield "root", written.spec["root"]
    for name, component in written.spec["components"].items():
        if "dag" in component:
            yield name, component


def dangling(written: Written) -> list[str]:
    """References that don't resolve in their own DAG, as sentences; empty where all is well."""
    found = list(_dangling_names(written))
    if found:
        return found
    for name, component in dags(written):
        found += [f"{name}: {text}" for text in _dangling(written, component)]
    return found


def _dangling_names(written: Written) -> Iterator[str]:
    spec = written.spec
    executors = spec["deploymentSpec"]["executors"]
    config = written.platform.get("platforms", {}).get("kubernetes", {})
    for label in config.get("deploymentSpec", {}).get("executors", {}):
        if label not in executors:
            yield f"platform settings of {label}, which is no executor"
    used = [
        task["componentRef"]["name"]
        for _, dag in dags(written)
        for task in dag["dag"]["tasks"].values()
    ]
    # The SDK and we give each task a component of its own; a loop's may serve no other.
    if sorted(used) != sorted(spec["components"]):
        yield f"components {sorted(spec['components'])}, used {sorted(used)}"
    labels = [c["executorLabel"] for c in spec["components"].values() if "executorLabel" in c]
    if sorted(labels) != sorted(executors):
        yield f"executors {sorted(executors)}, used {sorted(labels)}"


def _dangling(written: Written, dag: Tree) -> Iterator[str]:
    tasks, given = dag["dag"]["tasks"], _ports(dag, "input")
    for name, task in tasks.items():
        if task["taskInfo"]["name"] != name:
            yield f"{name} is shown as another task"
        component = written.spec["components"][task["componentRef"]["name"]]
        upstream = set(task.get("dependentTasks", ()))
        if upstream - tasks.keys():
            yield f"{name} waits for {upstream - tasks.keys()}"
        passed = set()
        for kind in ("parameters", "artifacts"):
            for port, source in task.get("inputs", {}).get(kind, {}).items():
                passed.add((kind, port))
                wanted = component.get("inputDefinitions", {}).get(kind, {}).get(port)
                if wanted is None:
                    yield f"{name} gets {port}, which its component does not take"
                else:
                    yield from _dangling_source(
                        written, tasks, f"{name}.{port}", wanted, source, given, upstream
                    )
        iterator = task.get("parameterIterator")
        if iterator:
            passed.add(("parameters", iterator["itemInput"]))
            items = iterator["items"].get("inputParameter")
            if items and ("parameters", items) not in passed:
                yield f"{name} loops over {items}, which it does not get"
        if passed != _ports(component, "input").keys():
            yield f"{name} gets {passed}, its component takes {_ports(component, 'input')}"
        for found in CONDITION_INPUT.findall(task.get("triggerPolicy", {}).get("condition", "")):
            if ("parameters", found) not in passed:
                yield f"{name} tests {found}, which it does not get"
        yield from _dangling_words(written, name, component)
    # What rounds give one by one is a list outside, and so it is declared.
    is_loop = dag in loops_of(written)
    for (kind, port), type_ in _ports(dag, "output").items():
        selectors = selectors_of(dag["dag"].get("outputs", {})[kind][port])
        if not selectors:
            yield f"output {port} comes from nowhere"
        for task_name, key in selectors:
            if task_name not in tasks:
                yield f"output {port} comes from {task_name}, which is not there"
                continue
            made = written.spec["components"][tasks[task_name]["componentRef"]["name"]]
            found = _ports(made, "output").get((kind, key))
            if found is None or not (is_loop or _is_like(found, type_)):
                yield f"output {port} of type {type_} comes from {task_name}.{key}: {found}"


def loops_of(written: Written) -> list[Tree]:
    """The components of loops."""
    return [
        written.spec["components"][task["componentRef"]["name"]]
        for _, dag in dags(written)
        for task in dag["dag"]["tasks"].values()
        if "parameterIterator" in task
    ]


def _dangling_words(written: Written, name: str, component: Tree) -> Iterator[str]:
    label = component.get("executorLabel")
    container = written.spec["deploymentSpec"]["executors"].get(label, {}).get("container", {})
    known = {
        (side + "puts", *port) for side in ("in", "out") for port in _ports(component, side + "put")
    }
    amounts = [v for v in container.get("resources", {}).values() if isinstance(v, str)]
    accelerator = container.get("resources", {}).get("accelerator", {}).values()
    for word in (*container.get("command", ()), *container.get("args", ()), *amounts, *accelerator):
        for found in PLACEHOLDER.finditer(word):
            if (found[1], found[2], found[3]) not in known:
                yield f"{name} uses {found[0]}"
        if "{{" in PLACEHOLDER.sub("", word).replace(":{{$}}", ""):
            yield f"{name} has braces in {word!r} that are no placeholder"


def _dangling_source(
    written: Written,
    tasks: Tree,
    port: str,
    wanted: Tree,
    source: Tree,
    given: dict[tuple[str, str], str],
    upstream: set[str],
) -> Iterator[str]:
    """A source has to be there, and to give what its reader wants: the driver makes text of any
    value, and nothing of text."""
    type_ = _type(wanted)
    for kind, key in (("Parameter", "parameters"), ("Artifact", "artifacts")):
        name = source.get(f"componentInput{kind}")
        found = None
        if name is not None:
            found = given.get((key, name))
        elif made := source.get(f"taskOutput{kind}"):
            if made["producerTask"] not in upstream:
                yield f"{port} comes from {made['producerTask']}, which it does not wait for"
                continue
            producer = tasks[made["producerTask"]]
            component = written.spec["components"][producer["componentRef"]["name"]]
            found = _ports(component, "output").get((key, made[f"output{kind}Key"]))
        else:
            continue
        if found is None:
            yield f"{port} comes from {source}"
        elif "parameterExpressionSelector" not in source and not _is_like(found, type_):
            yield f"{port} is {type_} and comes from {found}"


def _is_like(found: str, wanted: str) -> bool:
    numbers = {"NUMBER_INTEGER", "NUMBER_DOUBLE"}
    return found == wanted or wanted == "STRING" or {found, wanted} <= numbers


def _ports(component: Tree, side: str) -> dict[tuple[str, str], str]:
    """Inputs or outputs with their types."""
    definitions = component.get(f"{side}Definitions", {})
    return {
        (kind, name): _type(port)
        for kind, ports in definitions.items()
        for name, port in ports.items()
    }


def _type(port: Tree) -> str:
    if "parameterType" in port:
        return str(port["parameterType"])
    return f"{port['artifactType']['schemaTitle']}{'[]' if port.get('isArtifactList') else ''}"


def selectors_of(output: Tree) -> list[tuple[str, str]]:
    """The tasks that an output of a DAG comes from, with the names of their outputs."""
    found = output.get("artifactSelectors") or output.get("valueFromOneof", {}).get(
        "parameterSelectors", [output.get("valueFromParameter")]
    )
    return [
        (f["producerSubtask"], f.get("outputParameterKey") or f.get("outputArtifactKey"))
        for f in found
    ]


@dataclass(frozen=True)
class Flat:
    """A container in a document without its DAGs: what it takes in and when it runs.

    `inputs` says where values come from in the end: `param rate`, `fit.model` (a container's name
    and its output), `each of fit.model` for what a loop collects, `first of …` for a choice,
    `item of [1, 2]`, with what is selected of it. `tests` are its conditions and those of all that
    it waits for, `rounds` the lists of the loops around it with their limits, from the outermost,
    and `after` the containers that have to be done first, directly or not.
    """

    inputs: dict[str, str]
    tests: frozenset[str]
    rounds: tuple[str, ...]
    after: frozenset[str]


def flat(written: Written) -> dict[str, Flat]:
    """The containers of a document by the step that they run (`MLC_STEP`)."""
    reader = _Reader(written)
    return {
        reader.name(task): Flat(
            {
                f"{kind[:-1]} {port}": reader.source(scope, name, kind, port)
                for kind, ports in task.get("inputs", {}).items()
                for port in ports
            },
            reader.tests(scope, name),
            tuple(reader.rounds(scope)),
            reader.after(scope, name),
        )
        for scope in reader.scopes
        for name, task in scope.tasks.items()
        if "dag" not in reader.component(task)
    }


def flat_outputs(written: Written) -> dict[str, str]:
    """Where the pipeline's own outputs come from."""
    reader = _Reader(written)
    (root,) = (scope for scope in reader.scopes if scope.parent is None)
    found = written.spec["root"]["dag"].get("outputs", {})
    return {
        name: reader.chosen(root, output) for kind in found for name, output in found[kind].items()
    }


@dataclass(frozen=True, eq=False)
class _Scope:
    """A DAG in its place: `task` is its task in the scope `parent`."""

    tasks: Tree
    outputs: Tree
    parent: _Scope | None
    task: str


class _Reader:
    def __init__(self, written: Written) -> None:
        self.written = written
        self.scopes: list[_Scope] = []
        self.within: dict[tuple[int, str], _Scope] = {}
        self._read(written.spec["root"], None, "")

    def component(self, task: Tree) -> Tree:
        found: Tree = self.written.spec["components"][task["componentRef"]["name"]]
        return found

    def name(self, task: Tree) -> str:
        label = self.component(task)["executorLabel"]
        made = self.written.spec["deploymentSpec"]["executors"][label]
        if "importer" in made:
            uri = task["inputs"]["parameters"]["uri"]
            return f"import of {uri.get('componentInputParameter')}"
        names = {v["name"]: v.get("value", "") for v in made["container"].get("env", ())}
        return str(names["MLC_STEP"])

    def source(self, scope: _Scope, task: str, kind: str, port: str) -> str:
        """Where an input of a task comes from in the end."""
        given = scope.tasks[task]["inputs"][kind][port]
        selected = given.get("parameterExpressionSelector")
        text = self._given(scope, kind, given)
        return f"{selected} of {text}" if selected else text

    def chosen(self, scope: _Scope, output: Tree) -> str:
        """Where an output of a DAG comes from."""
        found = [self._made(scope, task, key) for task, key in selectors_of(output)]
        return found[0] if len(found) == 1 else f"first of {', '.join(found)}"

    def tests(self, scope: _Scope, name: str) -> frozenset[str]:
        task = scope.tasks[name]
        found = set()
        for test in conjuncts(task.get("triggerPolicy", {}).get("condition", "")):

            def resolved(match: re.Match[str]) -> str:
                return f"<{self.source(scope, name, 'parameters', match[1])}>"

            found.add(CONDITION_INPUT.sub(resolved, test))
        for waited in task.get("dependentTasks", ()):
            if not is_exit(task):
                found |= self.tests(scope, waited)
        if scope.parent is not None:
            found |= self.tests(scope.parent, scope.task)
        return frozenset(found)

    def rounds(self, scope: _Scope) -> Iterator[str]:
        if scope.parent is None:
            return
        yield from self.rounds(scope.parent)
        task = scope.parent.tasks[scope.task]
        if "parameterIterator" in task:
            limit = task.get("iteratorPolicy", {}).get("parallelismLimit", "all")
            yield f"{self._items(scope.parent, scope.task)}, {limit} at once"

    def after(self, scope: _Scope, name: str) -> frozenset[str]:
        found = set()
        for waited in scope.tasks[name].get("dependentTasks", ()):
            found |= self._containers(scope, waited) | self.after(scope, waited)
        if scope.parent is not None:
            found |= self.after(scope.parent, scope.task)
        return frozenset(found)

    def _read(self, component: Tree, parent: _Scope | None, task: str) -> None:
        dag = component["dag"]
        scope = _Scope(dag["tasks"], dag.get("outputs", {}), parent, task)
        self.scopes.append(scope)
        if parent is not None:
            self.within[id(parent), task] = scope
        for name, found in dag["tasks"].items():
            inner = self.component(found)
            if "dag" in inner:
                self._read(inner, scope, name)

    def _containers(self, scope: _Scope, name: str) -> set[str]:
        inner = self.within.get((id(scope), name))
        if inner is None:
            return {self.name(scope.tasks[name])}
        return {found for task in inner.tasks for found in self._containers(inner, task)}

    def _given(self, scope: _Scope, kind: str, given: Tree) -> str:
        if "runtimeValue" in given:
            return f"constant {given['runtimeValue']['constant']}"
        for word in ("Parameter", "Artifact"):
            if made := given.get(f"taskOutput{word}"):
                return self._made(scope, made["producerTask"], made[f"output{word}Key"])
            if name := given.get(f"componentInput{word}"):
                if scope.parent is None:
                    return f"param {name}"
                task = scope.parent.tasks[scope.task]
                if task.get("parameterIterator", {}).get("itemInput") == name:
                    return f"item of {self._items(scope.parent, scope.task)}"
                return self.source(scope.parent, scope.task, kind, name)
        raise AssertionError(given)

    def _items(self, scope: _Scope, name: str) -> str:
        items = scope.tasks[name]["parameterIterator"]["items"]
        if "raw" in items:
            return str(json.loads(items["raw"]))
        return self.source(scope, name, "parameters", items["inputParameter"])

    def _made(self, scope: _Scope, task: str, key: str) -> str:
        inner = self.within.get((id(scope), task))
        if inner is None:
            return f"{self.name(scope.tasks[task])}.{key}"
        output = next(kind[key] for kind in inner.outputs.values() if key in kind)
        each = "each of " if "parameterIterator" in scope.tasks[task] else ""
        return each + self.chosen(inner, output)


def is_exit(task: Tree) -> bool:
    return task.get("triggerPolicy", {}).get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED"


def conjuncts(condition: str) -> list[str]:
    """The parts of a condition that all have to hold, without brackets around them."""
    text = condition.strip()
    depth, quoted, start = 0, False, 0
    parts, closes = [], []
    for at, sign in enumerate(text):
        if sign == "'" and text[at - 1 : at] != "\\":
            quoted = not quoted
        elif quoted:
            continue
        elif sign in "([":
            depth += 1
        elif sign in ")]":
            depth -= 1
            closes += [at] if depth == 0 else []
        elif depth == 0 and text.startswith("||", at):
            return [text]
        elif depth == 0 and text.startswith("&&", at):
            parts.append(text[start:at])
            start = at + 2
    if parts:
        return [found for part in (*parts, text[start:]) for found in conjuncts(part)]
    if text.startswith("(") and closes[:1] == [len(text) - 1]:
        return conjuncts(text[1:-1])
    return [text] if text else []


def _strict(tree: Tree, message: Any) -> Tree:
    json_format.ParseDict(tree, message, ignore_unknown_fields=False)
    parsed: Tree = json_format.MessageToDict(message)
    return parsed


_NUMBERS = {"cpuLimit", "cpuRequest", "memoryLimit", "memoryRequest", "type", "count"}


def _without_habits(tree: Any, renamed: dict[str, str], path: tuple[str, ...] = ()) -> Any:
    if isinstance(tree, dict):
        names = {"components", "executors", "tasks"} & set(path[-1:])
        return {
            (_renamed(key, renamed) if names else key): _without_habits(
                value, renamed, (*path, key)
            )
            for key, value in tree.items()
            if not (key == "literals" and "parameterType" in tree)
            and not ({"resources", "accelerator"} & set(path[-1:]) and key in _NUMBERS)
        }
    if isinstance(tree, list):
        items = [_without_habits(item, renamed, path) for item in tree]
        return sorted(items) if path[-1:] == ("dependentTasks",) else items
    if isinstance(tree, str):
        if path[-1] == "description":
            return " ".join(tree.split())
        in_graph = {"dependentTasks", "producerTask", "executorLabel"} & set(path[-1:])
        if in_graph or path[-2:] in (("componentRef", "name"), ("taskInfo", "name")):
            return _renamed(tree, renamed)
    return tree


def _renamed(name: str, renamed: dict[str, str]) -> str:
    for prefix in ("comp-", "exec-", ""):
        if name.startswith(prefix) and name.removeprefix(prefix) in renamed:
            return prefix + renamed[name.removeprefix(prefix)]
    return name


def delivered(
    written: Written, task: str, values: dict[str, str], files: dict[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Argument vector and environment of a task's process, as the driver and launcher make them.

    `values` are the texts of input parameters, `files` the paths of input artifacts and of outputs.
    The container goes to the driver as an argument (expanded by its kubelet), the driver puts in
    parameters where a word names no output, the pod's kubelet expands again, and the launcher puts
    in the rest.
    """
    container = executor(written, task)["container"]
    variables: dict[str, str] = {}
    for variable in container.get("env", ()):
        value = expanded(variable.get("value", ""), {"KFP_POD_NAME": "driver"})
        variables[variable["name"]] = expanded(value, variables)
    argv = []
    for word in words(written, task):
        text = expanded(word, {"KFP_POD_NAME": "driver"})
        if "$.outputs" not in text:
            assert not text.strip().startswith('{"IfPresent":'), "the driver takes it for a clause"
            text = PLACEHOLDER.sub(lambda m: values.get(m[3], m[0]) if not m[4] else m[0], text)
        text = expanded(text, variables)
        argv.append(PLACEHOLDER.sub(lambda m: files[m[3]] if m[4] else values[m[3]], text))
    return argv, variables


def expanded(text: str, variables: dict[str, str]) -> str:
    """What the kubelet makes of a text: `$$` is `$`, `$(NAME)` a known variable's value."""
    return re.sub(
        r"\$\$|\$\(([^)]*)\)",
        lambda m: "$" if m[0] == "$$" else variables.get(m[1], m[0]),
        text,
        flags=re.DOTALL,
    )
