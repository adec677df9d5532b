"""A model of Argo for tests: checks the references of WorkflowTemplates and runs them in thought.

It knows what the compiler writes and fails on all else. What it does with tags and values follows
argo-workflows v4.1.2 (util/template, workflow/common/util.go, workflow/controller/dag.go); the
kubelet's part is modelled in test_kubelet.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from test_kubelet import expand

Manifest = dict[str, Any]


class ModelError(AssertionError):
    """Argo would refuse this, or do something that the compiler must never ask for."""


@dataclass(frozen=True)
class Leaf:
    """A container that runs: `before` are the tasks that have ended by then, whatever happens.

    `container` is the template's, with tags filled in and the kubelet's expansion done.
    """

    task: str
    template: Manifest
    container: Manifest
    artifacts: Mapping[str, Any]
    memoize: str | None
    before: frozenset[str]


@dataclass(frozen=True)
class Result:
    parameters: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, Any] = field(default_factory=dict)


# What a container does: its outputs, or None where it fails.
Act = Callable[[Leaf], "Result | None"]


@dataclass(frozen=True)
class _Ended:
    """A task that has ended: its phase, outputs, and the leaves that must have ended by then."""

    phase: str
    result: Result
    leaves: frozenset[str]


@dataclass(frozen=True)
class Scope:
    """The names that tags may use: those of the template, and outputs of tasks before."""

    values: Mapping[str, str]
    artifacts: Mapping[str, Any]
    tasks: Mapping[str, Result] = field(default_factory=dict)

    def value(self, path: str) -> str | None:
        if made := _TASK_OUTPUT.fullmatch(path):
            task, kind, name = made.groups()
            if kind == "parameters" and task in self.tasks:
                return self.tasks[task].parameters.get(name)
            return None
        return self.values.get(path)

    def artifact(self, tag: str) -> Any:
        path = _simple(tag)
        if made := _TASK_OUTPUT.fullmatch(path):
            task, kind, name = made.groups()
            assert kind == "artifacts"
            if task in self.tasks and name in self.tasks[task].artifacts:
                return self.tasks[task].artifacts[name]
        elif path in self.artifacts:
            return self.artifacts[path]
        raise ModelError(f"nothing is called {path} here")


_TASK_OUTPUT = re.compile(r"tasks\.([^.]+)\.outputs\.(parameters|artifacts)\.([^.]+)")


class Argo:
    """WorkflowTemplates as a cluster has them; the last one is started."""

    def __init__(self, text: str) -> None:
        self.documents: list[Manifest] = list(yaml.load_all(text, yaml.CSafeLoader))
        self.main = self.documents[-1]["metadata"]["name"]
        self.templates: dict[tuple[str, str], Manifest] = {}
        for document in self.documents:
            name = document["metadata"]["name"]
            for template in document["spec"]["templates"]:
                if (name, template["name"]) in self.templates:
                    raise ModelError(f"{template['name']} twice in {name}")
                self.templates[name, template["name"]] = template

    def run(self, arguments: Mapping[str, str], act: Act) -> str:
        """The phase in which a run ends."""
        spec = self.documents[-1]["spec"]
        values = {}
        for parameter in spec.get("arguments", {}).get("parameters", []):
            name = parameter["name"]
            if name not in arguments and "value" not in parameter:
                raise ModelError(f"parameter {name} is not given")
            values[f"workflow.parameters.{name}"] = arguments.get(name, parameter.get("value"))
            if (
                "enum" in parameter
                and values[f"workflow.parameters.{name}"] not in parameter["enum"]
            ):
                raise ModelError(f"{name} is not in its enum")
        values |= {
            "workflow.name": "doc-type-x7k2p",
            "workflow.uid": "0c5a9f8e",
            "workflow.creationTimestamp.RFC3339": "2026-11-23T20:00:00Z",
        }
        self._globals = values
        self._act = act
        return self._execute(self.main, spec["entrypoint"], {}, {}, frozenset(), "").phase

    def _execute(
        self,
        document: str,
        name: str,
        parameters: Mapping[str, str],
        artifacts: Mapping[str, Any],
        before: frozenset[str],
        task: str,
    ) -> _Ended:
        template = self.templates[document, name]
        inputs = template.get("inputs", {})
        for kind, given in (("parameters", parameters), ("artifacts", artifacts)):
            wanted = [i["name"] for i in inputs.get(kind, [])]
            if sorted(wanted) != sorted(given):
                raise ModelError(f"{name} takes {kind} {wanted}, and gets {sorted(given)}")
        values = {**self._globals, **{f"inputs.parameters.{n}": v for n, v in parameters.items()}}
        scope = Scope(values, {f"inputs.artifacts.{n}": a for n, a in artifacts.items()})
        if "dag" in template:
            return self._dag(document, template, scope, before)
        container = _container(template["container"], scope)
        memoize = template.get("memoize", {}).get("key")
        leaf = Leaf(
            task,
            template,
            container,
            artifacts,
            None if memoize is None else fill(memoize, scope),
            before,
        )
        result = self._act(leaf)
        if result is None:
            return _Ended("Failed", Result(), frozenset([task]))
        given = {
            p["name"]: result.parameters[p["name"]] if "valueFrom" in p else fill(p["value"], scope)
            for p in template.get("outputs", {}).get("parameters", [])
        }
        return _Ended("Succeeded", Result(given, result.artifacts), frozenset([task]))

    def _dag(
        self, document: str, template: Manifest, scope: Scope, before: frozenset[str]
    ) -> _Ended:
        dag = template["dag"]
        if dag["failFast"] is not False:
            raise ModelError("a failed task would stop others")
        tasks = {task["name"]: task for task in dag["tasks"]}
        if len(tasks) != len(dag["tasks"]):
            raise ModelError("two tasks with one name")
        waits = {name: _depends(task, tasks) for name, task in tasks.items()}
        ended: dict[str, _Ended] = {}
        closed: dict[str, frozenset[str]] = {}
        ancestors: dict[str, set[str]] = {}
        for name in _ordered(waits):
            others = waits[name]
            ancestors[name] = {a for o in others for a in (o, *ancestors[o])}
            by_then = before.union(*(closed[o] for o in others))
            if any(ended[other].phase != "Succeeded" for other in others):
                ended[name] = _Ended("Omitted", Result(), frozenset())
            else:
                seen = {other: ended[other].result for other in ancestors[name]}
                inside = Scope(scope.values, scope.artifacts, seen)
                ended[name] = self._task(document, tasks[name], inside, by_then)
            closed[name] = by_then | ended[name].leaves
        leaves = frozenset().union(*(end.leaves for end in ended.values()))
        # What depends on a failed task is omitted and counts as failed.
        if any(end.phase != "Succeeded" for end in ended.values()):
            return _Ended("Failed", Result(), leaves)
        results = {name: end.result for name, end in ended.items()}
        inside = Scope(scope.values, scope.artifacts, results)
        outputs = template.get("outputs", {})
        parameters = {
            p["name"]: _present(inside.value(_simple(p["valueFrom"]["parameter"])))
            for p in outputs.get("parameters", [])
        }
        artifacts = {a["name"]: inside.artifact(a["from"]) for a in outputs.get("artifacts", [])}
        return _Ended("Succeeded", Result(parameters, artifacts), leaves)

    def _task(self, document: str, task: Manifest, scope: Scope, before: frozenset[str]) -> _Ended:
        arguments = task.get("arguments", {})
        parameters = {p["name"]: fill(p["value"], scope) for p in arguments.get("parameters", [])}
        artifacts = {}
        for artifact in arguments.get("artifacts", []):
            if "from" in artifact:
                artifacts[artifact["name"]] = scope.artifact(artifact["from"])
            else:
                artifacts[artifact["name"]] = _located(artifact, scope)
        if "templateRef" in task:
            reference = task["templateRef"]
            document, name = reference["name"], reference["template"]
        else:
            name = task["template"]
        return self._execute(document, name, parameters, artifacts, before, task["name"])


def fill(text: str, scope: Scope) -> str:
    """A text with its tags replaced; Argo looks at what comes out again."""

    def one(found: re.Match[str]) -> str:
        tag = found[1]
        if not tag.startswith("="):
            raise ModelError(f"{found[0]} puts a value into text unescaped")
        return evaluate(tag[1:], scope)

    filled = re.sub(r"\{\{(.*?)\}\}", one, text, flags=re.DOTALL)
    if "{{" in filled:
        raise ModelError(f"Argo would act on {filled!r}")
    return filled


def evaluate(expression: str, scope: Scope) -> str:
    """The value of an expression, in the few forms that the compiler writes."""
    if chosen := re.fullmatch(r"(\S+) matches ('.*?') \? (.*) : (.*)", expression):
        matches = re.search(chosen[2][1:-1], evaluate(chosen[1], scope))
        return evaluate(chosen[3] if matches else chosen[4], scope)
    if alternative := re.fullmatch(r"(workflow\.\w+) \?\? (.*)", expression):
        given = scope.value(alternative[1])
        return evaluate(alternative[2], scope) if given is None else given

    def reference(found: re.Match[str]) -> str:
        path = re.sub(r"\['([^']+)'\]", r".\1", found[0])
        value = scope.value(path)
        if value is None:
            raise ModelError(f"nothing is called {path} here")
        return repr(value)

    code = re.sub(
        r"'[^']*'|(?:inputs|workflow|tasks)(?:\.\w+|\['[^']+'\])+",
        lambda found: found[0] if found[0].startswith("'") else reference(found),
        expression,
    )
    functions = {
        "replace": lambda text, old, new: text.replace(old, new),
        "trim": lambda text: text.strip(),
        "split": lambda text, by: text.split(by),
        "join": lambda parts, by: by.join(parts),
        "sprig_trimSuffix": lambda end, text: text.removesuffix(end),
        "sprig_sha256sum": lambda text: hashlib.sha256(text.encode()).hexdigest(),
        "toJson": _go_json,
    }
    code = code.replace("sprig.", "sprig_")
    found = eval(code, {"__builtins__": {}}, functions)
    assert isinstance(found, str)
    return found


def _go_json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029]", lambda sign: f"\\u{ord(sign[0]):04x}", text)


def _container(container: Manifest, scope: Scope) -> Manifest:
    """What the container gets: variables in their order, each expanded with those before it."""
    variables: dict[str, str] = {}
    for variable in container.get("env", []):
        name = variable["name"]
        if "value" in variable:
            variables[name] = expand(fill(variable["value"], scope), variables)
        else:
            variables[name] = "<secret>"
    if "args" in container:
        raise ModelError("long arguments would be moved away")
    command = [expand(fill(word, scope), variables) for word in container["command"]]
    return {**container, "command": command, "env": variables}


def _depends(task: Manifest, tasks: Mapping[str, Manifest]) -> list[str]:
    logic = task.get("depends")
    if logic is None:
        return []
    if not re.fullmatch(
        r"[a-zA-Z][-a-zA-Z0-9]*\.Succeeded( && [a-zA-Z][-a-zA-Z0-9]*\.Succeeded)*", logic
    ):
        raise ModelError(f"{logic} is no form that the compiler writes")
    names = [part.removesuffix(".Succeeded") for part in logic.split(" && ")]
    words = {"and", "contains", "else", "false", "if", "in", "let", "matches", "nil", "not", "or"}
    for name in names:
        if name not in tasks or name in words | {"true"}:
            raise ModelError(f"{task['name']} waits for {name}, which is no task here")
    return names


def _ordered(waits: Mapping[str, list[str]]) -> list[str]:
    done: dict[str, None] = {}
    pending = list(waits)
    while pending:
        ready = [name for name in pending if all(other in done for other in waits[name])]
        if not ready:
            raise ModelError(f"these wait for each other: {pending}")
        done |= dict.fromkeys(ready)
        pending = [name for name in pending if name not in done]
    return list(done)


def _present(value: str | None) -> str:
    if value is None:
        raise ModelError("a part hands on what is not there")
    return value


def _simple(tag: str) -> str:
    if not re.fullmatch(r"\{\{[-.\w]+\}\}", tag):
        raise ModelError(f"{tag} is no name in braces")
    return tag[2:-2]


def _located(artifact: Manifest, scope: Scope) -> Manifest:
    """The location of an artifact from outside, its tags filled in."""
    if artifact["archive"] != {"none": {}}:
        raise ModelError("what is fetched would be unpacked")
    (kind,) = artifact.keys() & {"s3", "gcs", "http"}
    fields = artifact[kind]
    return {
        kind: {
            name: fill(value, scope) if isinstance(value, str) else value
            for name, value in fields.items()
        }
    }
