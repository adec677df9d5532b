"""A model of Argo for tests: checks the references of WorkflowTemplates and runs them in thought.

It knows what the compiler writes and fails on all else. What it does with tags and values follows
argo-workflows v4.1.2 (util/template, workflow/common/util.go, workflow/controller/dag.go,
operator.go, scope.go, exit_handler.go); the kubelet's part is modelled in test_kubelet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import expr_lang
import yaml
from expr_lang import ExprError
from test_kubelet import expand

Manifest = dict[str, Any]


class ModelError(AssertionError):
    """Argo would refuse this, or do something that the compiler must never ask for."""


@dataclass(frozen=True)
class Leaf:
    """A container that runs: `before` are the tasks that have ended by then, whatever happens.

    `container` is the template's, with tags filled in and the kubelet's expansion done; `patch`
    is that of its pod. `rounds` are the numbers of the rounds that it is in.
    """

    task: str
    template: Manifest
    container: Manifest
    artifacts: Mapping[str, Any]
    memoize: str | None
    before: frozenset[str]
    rounds: tuple[int, ...] = ()
    patch: Any = None

    @property
    def instance(self) -> str:
        return ".".join((self.task, *map(str, self.rounds)))


@dataclass(frozen=True)
class Result:
    parameters: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, Any] = field(default_factory=dict)


# What a container does: its outputs, or None where it fails.
Act = Callable[[Leaf], "Result | None"]
NONE_BEFORE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Ended:
    """A task that has ended: its phase, outputs, and the leaves that must have ended by then."""

    phase: str
    result: Result = Result()
    leaves: frozenset[str] = NONE_BEFORE


class Argo:
    """Manifests as a cluster has them; the last WorkflowTemplate is started.

    `outputs_of_skipped` is what tasks see of one that was skipped: names without a value, as from
    3.7.16 and 4.0.7 on, or no names at all.
    """

    def __init__(self, text: str, *, outputs_of_skipped: bool = True) -> None:
        documents: list[Manifest] = list(yaml.load_all(text, yaml.CSafeLoader))
        self.documents = [d for d in documents if d["kind"] == "WorkflowTemplate"]
        self.crons = documents[len(self.documents) :]
        if any(d["kind"] != "CronWorkflow" for d in self.crons):
            raise ModelError("a schedule stands before a template")
        self.main = self.documents[-1]["metadata"]["name"]
        self.templates: dict[tuple[str, str], Manifest] = {}
        self._outputs_of_skipped = outputs_of_skipped
        for document in self.documents:
            name = document["metadata"]["name"]
            for template in document["spec"]["templates"]:
                if (name, template["name"]) in self.templates:
                    raise ModelError(f"{template['name']} twice in {name}")
                self.templates[name, template["name"]] = template
                _check_names(template)

    def run(self, arguments: Mapping[str, str], act: Act) -> str:
        """The phase in which a run ends; `outputs` are the workflow's from then on, `phases` the
        states of all tasks by name and rounds."""
        spec = self.documents[-1]["spec"]
        values: dict[str, str] = {}
        for parameter in spec.get("arguments", {}).get("parameters", []):
            name = parameter["name"]
            if name not in arguments and "value" not in parameter:
                raise ModelError(f"parameter {name} is not given")
            values[name] = arguments.get(name, parameter.get("value"))
            if "enum" in parameter and values[name] not in parameter["enum"]:
                raise ModelError(f"{name} is not in its enum")
        self._globals = {
            "parameters": values,
            "name": "doc-type-x7k2p",
            "uid": "0c5a9f8e",
            "creationTimestamp": {"RFC3339": "2026-11-23T20:00:00Z"},
        }
        self._act = act
        self.outputs: dict[str, Any]
        self.phases: dict[str, str] = {}
        # What was written to keys of the store that the manifest itself chose.
        self.store: dict[str, Any] = {}
        ended = self._execute(self.main, spec["entrypoint"], {}, {}, NONE_BEFORE, "", ())
        self.outputs = {**ended.result.parameters, **ended.result.artifacts}
        return ended.phase

    def _execute(
        self,
        document: str,
        name: str,
        parameters: Mapping[str, str],
        artifacts: Mapping[str, Any],
        before: frozenset[str],
        task: str,
        rounds: tuple[int, ...],
    ) -> _Ended:
        template = self.templates[document, name]
        inputs = template.get("inputs", {})
        if sorted(i["name"] for i in inputs.get("parameters", [])) != sorted(parameters):
            raise ModelError(f"{name} does not take {sorted(parameters)}")
        wanted = {i["name"]: i.get("optional", False) for i in inputs.get("artifacts", [])}
        missing = {n for n, optional in wanted.items() if n not in artifacts and not optional}
        if missing or not wanted.keys() >= artifacts.keys():
            raise ModelError(f"{name} takes {sorted(wanted)}, and gets {sorted(artifacts)}")
        env = {
            "workflow": self._globals,
            "inputs": {"parameters": dict(parameters), "artifacts": dict(artifacts)},
        }
        if "dag" in template:
            return self._dag(document, template, env, before, rounds)
        return self._container(template, env, artifacts, before, task, rounds)

    def _container(
        self,
        template: Manifest,
        env: Manifest,
        artifacts: Mapping[str, Any],
        before: frozenset[str],
        task: str,
        rounds: tuple[int, ...],
    ) -> _Ended:
        memoize = template.get("memoize", {}).get("key")
        patch = template.get("podSpecPatch")
        leaf = Leaf(
            task,
            template,
            _container(template["container"], env),
            artifacts,
            None if memoize is None else fill(memoize, env),
            before,
            rounds,
            None if patch is None else json.loads(fill_json(patch, env)),
        )
        result = self._act(leaf)
        leaves = frozenset([leaf.instance])
        if result is None:
            return _Ended("Failed", Result(), leaves)
        given = {
            p["name"]: result.parameters[p["name"]] if "valueFrom" in p else fill(p["value"], env)
            for p in template.get("outputs", {}).get("parameters", [])
        }
        for artifact in template.get("outputs", {}).get("artifacts", []):
            for kind in artifact.keys() & {"s3", "gcs"}:
                key = fill(artifact[kind]["key"], env)
                if key in self.store:
                    raise ModelError(f"{key} is written twice")
                self.store[key] = result.artifacts[artifact["name"]]
        return _Ended("Succeeded", Result(given, result.artifacts), leaves)

    def _dag(
        self,
        document: str,
        template: Manifest,
        env: Manifest,
        before: frozenset[str],
        rounds: tuple[int, ...],
    ) -> _Ended:
        dag = template["dag"]
        if dag["failFast"] is not False:
            raise ModelError("a failed task would stop others")
        tasks = {task["name"]: task for task in dag["tasks"]}
        if len(tasks) != len(dag["tasks"]):
            raise ModelError("two tasks with one name")
        waits = {name: _depends(task, tasks) for name, task in tasks.items()}
        ended: dict[str, _Ended] = {}
        seen: dict[str, Manifest] = {}
        closed: dict[str, frozenset[str]] = {}
        ancestors: dict[str, set[str]] = {}
        for name in _ordered(waits):
            others = waits[name]
            ancestors[name] = {a for o in others for a in (o, *ancestors[o])}
            by_then = before.union(*(closed[o] for o in others))
            inside = {**env, "tasks": {o: seen[o] for o in ancestors[name]}}
            if _may_run(tasks[name], {o: ended[o].phase for o in others}):
                ended[name] = self._task(document, tasks[name], inside, by_then, rounds)
            else:
                ended[name] = _Ended("Omitted")
            self.phases[".".join((name, *map(str, rounds)))] = ended[name].phase
            seen[name] = self._node(document, tasks[name], ended[name])
            closed[name] = by_then | ended[name].leaves
            hook = tasks[name].get("hooks", {}).get("exit")
            if hook and ended[name].phase in ("Succeeded", "Failed"):
                self._hook(document, name, hook, ended[name].phase, closed[name])
        leaves = NONE_BEFORE.union(*(end.leaves for end in ended.values()))
        if _failed(waits, {name: end.phase for name, end in ended.items()}):
            return _Ended("Failed", Result(), leaves)
        inside = {"inputs": env["inputs"], "tasks": seen}
        outputs = template.get("outputs", {})
        parameters = {p["name"]: _output(p, inside) for p in outputs.get("parameters", [])}
        artifacts = {a["name"]: _artifact(a, inside) for a in outputs.get("artifacts", [])}
        return _Ended("Succeeded", Result(parameters, artifacts), leaves)

    def _hook(
        self, document: str, task: str, hook: Manifest, phase: str, before: frozenset[str]
    ) -> None:
        arguments = {}
        for parameter in hook.get("arguments", {}).get("parameters", []):
            if parameter["value"] != f"{{{{tasks.{task}.status}}}}":
                raise ModelError(f"{parameter['value']} is not known to a hook")
            arguments[parameter["name"]] = phase
        document, name = self._called(document, hook)
        self.last = self._execute(document, name, arguments, {}, before, "", ())

    def _node(self, document: str, task: Manifest, ended: _Ended) -> Manifest:
        """What other tasks see of one."""
        if ended.phase == "Succeeded":
            outputs = {
                "parameters": dict(ended.result.parameters),
                "artifacts": dict(ended.result.artifacts),
            }
            return {"status": ended.phase, "outputs": outputs}
        if not self._outputs_of_skipped:
            return {"status": ended.phase}
        declared = self.templates[self._called(document, task)].get("outputs", {})
        names = [p["name"] for p in declared.get("parameters", [])]
        return {"status": ended.phase, "outputs": {"parameters": dict.fromkeys(names)}}

    def _called(self, document: str, task: Manifest) -> tuple[str, str]:
        if "templateRef" in task:
            return task["templateRef"]["name"], task["templateRef"]["template"]
        return document, task["template"]

    def _task(
        self,
        document: str,
        task: Manifest,
        env: Manifest,
        before: frozenset[str],
        rounds: tuple[int, ...],
    ) -> _Ended:
        if "when" in task:
            told = fill(task["when"], env)
            if told not in ("true", "false"):
                raise ModelError(f"{told} is no condition")
            if told == "false":
                return _Ended("Skipped")
        if "withParam" not in task:
            return self._call(document, task, env, before, rounds)
        if "when" in task:
            raise ModelError("a condition for each item")
        items = json.loads(fill(task["withParam"], env))
        if not items:
            return _Ended("Skipped")
        ends = []
        for number, item in enumerate(items):
            if not isinstance(item, list):
                raise ModelError("an item that Argo alters")
            inside = {**env, "item": expr_lang.to_json(expr_lang.from_json(json.dumps(item)))}
            ends.append(self._call(document, task, inside, before, (*rounds, number)))
        leaves = NONE_BEFORE.union(*(end.leaves for end in ends))
        if any(end.phase == "Failed" for end in ends):
            return _Ended("Failed", Result(), leaves)
        names = ends[0].result.parameters
        joined = {n: _joined([end.result.parameters[n] for end in ends]) for n in names}
        return _Ended("Succeeded", Result(joined), leaves)

    def _call(
        self,
        document: str,
        task: Manifest,
        env: Manifest,
        before: frozenset[str],
        rounds: tuple[int, ...],
    ) -> _Ended:
        arguments = task.get("arguments", {})
        parameters = {p["name"]: fill(p["value"], env) for p in arguments.get("parameters", [])}
        artifacts = {}
        for artifact in arguments.get("artifacts", []):
            if "from" in artifact or "fromExpression" in artifact:
                artifacts[artifact["name"]] = _artifact(artifact, env)
                continue
            found = _located(artifact, env)
            for place in found.values():
                if place.keys() == {"key"}:
                    found = self._folder(place["key"])
            if found is not None:
                artifacts[artifact["name"]] = found
        document, name = self._called(document, task)
        return self._execute(document, name, parameters, artifacts, before, task["name"], rounds)

    def _folder(self, key: str) -> dict[str, Any] | None:
        found = {k[len(key) + 1 :]: v for k, v in self.store.items() if k.startswith(f"{key}/")}
        return found or None


def fill(text: str, env: Manifest) -> str:
    """A text with its tags replaced; Argo looks at what comes out again."""
    return _filled(text, env, lambda value: value if isinstance(value, str) else _json(value))


def fill_json(text: str, env: Manifest) -> str:
    """The same for text that is JSON itself: what is put in stands there as it is."""
    return fill(text, env)


def _filled(text: str, env: Manifest, write: Callable[[Any], str]) -> str:
    def one(found: re.Match[str]) -> str:
        tag = found[1]
        if not tag.startswith("="):
            raise ModelError(f"{found[0]} puts a value into text unescaped")
        return write(evaluate(tag[1:], env))

    filled = re.sub(r"\{\{(.*?)\}\}", one, text, flags=re.DOTALL)
    if "{{" in filled:
        raise ModelError(f"Argo would act on {filled!r}")
    return filled


def evaluate(expression: str, env: Manifest) -> Any:
    """The value of an expression in a tag. Each path in it must be there, wanted or not."""
    if '"' in expression:
        raise ModelError(f"{expression} stands inside JSON")
    for path in expr_lang.paths(expression):
        if path.startswith("tasks.") and not _is_there(path, env):
            raise ModelError(f"Argo would wait for {path} for ever")
    try:
        found = expr_lang.evaluate(expression, env)
    except ExprError as error:
        raise ModelError(f"{expression}: {error}") from error
    if found is None:
        raise ModelError(f"{expression} has no value")
    return found


def _is_there(path: str, env: Any) -> bool:
    for part in path.split("."):
        if not isinstance(env, Mapping) or part not in env:
            return False
        env = env[part]
    return True


def _json(value: Any) -> str:
    return expr_lang.to_json(value)


def _joined(values: list[str]) -> str:
    """What Argo makes of an output of several tasks: JSON where each is a list or an object."""
    try:
        parsed = [json.loads(value) for value in values]
    except ValueError:
        parsed = []
    if parsed and all(isinstance(value, list | dict) for value in parsed):
        return _json([expr_lang.from_json(value) for value in values])
    return _json(values)


def _check_names(template: Manifest) -> None:
    """What Argo's linter looks at, and what it does not in expressions: all names are names."""
    inputs = template.get("inputs", {})
    known = {f"inputs.{kind}.{i['name']}" for kind in inputs for i in inputs[kind]}
    if "dag" not in template:
        _check(template, known)
        return
    tasks = {task["name"]: task for task in template["dag"]["tasks"]}
    waits = {name: _depends(task, tasks) for name, task in tasks.items()}
    before: dict[str, set[str]] = {}
    for name in _ordered(waits):
        before[name] = {a for other in waits[name] for a in (other, *before[other])}
        own = {n: value for n, value in tasks[name].items() if n != "hooks"}
        _check(own, known, {f"tasks.{other}" for other in before[name]})
    _check(template.get("outputs", {}), known, {f"tasks.{name}" for name in tasks})


def _check(value: Any, known: set[str], tasks: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    for expression in expressions([value]):
        for path in expr_lang.paths(expression):
            name = ".".join(path.split(".")[:2]) if path.startswith("tasks.") else path
            if path.split(".")[0] in ("workflow", "item") or name in known | tasks:
                continue
            raise ModelError(f"nothing is called {path} here")


def _output(parameter: Manifest, env: Manifest) -> str:
    """An output of a DAG; its expressions know neither the workflow nor tags."""
    way = parameter["valueFrom"]
    try:
        if "expression" in way:
            found = expr_lang.evaluate(way["expression"], env)
        else:
            found = expr_lang.evaluate(_by_index(way["parameter"]), env)
    except ExprError as error:
        raise ModelError(f"{parameter['name']}: {error}") from error
    if not isinstance(found, str):
        raise ModelError(f"{parameter['name']} hands on {found!r}")
    return found


def _artifact(argument: Manifest, env: Manifest) -> Any:
    expression = argument.get("fromExpression") or _by_index(argument["from"])
    try:
        found = expr_lang.evaluate(expression, env)
    except ExprError as error:
        raise ModelError(f"{argument['name']}: {error}") from error
    if found is None:
        raise ModelError(f"nothing is called {expression} here")
    return found


def _by_index(tag: str) -> str:
    if not re.fullmatch(r"\{\{[-.\w]+\}\}", tag):
        raise ModelError(f"{tag} is no name in braces")
    root, *rest = tag[2:-2].split(".")
    return root + "".join(f"['{name}']" for name in rest)


def _container(container: Manifest, env: Manifest) -> Manifest:
    """What the container gets: variables in their order, each expanded with those before it."""
    variables: dict[str, str] = {}
    for variable in container.get("env", []):
        name = variable["name"]
        if "value" in variable:
            variables[name] = expand(fill(variable["value"], env), variables)
        else:
            variables[name] = "<secret>"
    if "args" in container:
        raise ModelError("long arguments would be moved away")
    command = [expand(fill(word, env), variables) for word in container["command"]]
    return {**container, "command": command, "env": variables}


_RESULT = re.compile(r"([a-zA-Z][-a-zA-Z0-9]*)\.(Succeeded|Skipped|Omitted)")
_WORDS = {"and", "contains", "else", "false", "if", "in", "let", "matches", "nil", "not", "or"}


def _depends(task: Manifest, tasks: Mapping[str, Manifest]) -> list[str]:
    logic = task.get("depends")
    if logic is None:
        return []
    if re.sub(r"[()]|&&|\|\|", "", _RESULT.sub("", logic)).strip():
        raise ModelError(f"{logic} is no form that the compiler writes")
    names = list(dict.fromkeys(found[1] for found in _RESULT.finditer(logic)))
    for name in names:
        if name not in tasks or name in _WORDS | {"true"}:
            raise ModelError(f"{task['name']} waits for {name}, which is no task here")
    return names


def _may_run(task: Manifest, phases: Mapping[str, str]) -> bool:
    logic = task.get("depends")
    if logic is None:
        return True
    results = {
        name.replace("-", "_"): {r: phase == r for r in ("Succeeded", "Skipped", "Omitted")}
        for name, phase in phases.items()
    }
    return expr_lang.evaluate(logic.replace("-", "_"), results) is True


def _failed(waits: Mapping[str, list[str]], phases: Mapping[str, str]) -> bool:
    """Whether a DAG has failed: by its last tasks, which take on what was before where not run."""
    branch: dict[str, set[str]] = {}
    for name in _ordered(waits):
        if phases[name] in ("Succeeded", "Failed"):
            branch[name] = {phases[name]}
        else:
            branch[name] = set().union(*(branch[o] for o in waits[name])) or {"Succeeded"}
    waited_for = {other for others in waits.values() for other in others}
    return any("Failed" in branch[name] for name in phases if name not in waited_for)


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


def _located(artifact: Manifest, env: Manifest) -> Manifest:
    """The location of an artifact from outside, its tags filled in."""
    if artifact["archive"] != {"none": {}}:
        raise ModelError("what is fetched would be unpacked")
    (kind,) = artifact.keys() & {"s3", "gcs", "http"}
    fields = artifact[kind]
    return {
        kind: {
            name: fill(value, env) if isinstance(value, str) else value
            for name, value in fields.items()
        }
    }


def expressions(documents: list[Manifest]) -> Iterator[str]:
    """All expressions in manifests: those in tags, and those that stand alone."""

    def walk(value: Any, key: str = "") -> Iterator[str]:
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from walk(inner, name)
        elif isinstance(value, list):
            for inner in value:
                yield from walk(inner)
        elif key in ("expression", "fromExpression"):
            yield value
        elif isinstance(value, str):
            yield from re.findall(r"\{\{=(.*?)\}\}", value, flags=re.DOTALL)

    yield from walk(documents)
