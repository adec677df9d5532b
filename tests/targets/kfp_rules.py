"""What KFP's backend wants of a document beyond references that resolve (`kfp_spec.dangling`).

Each rule stands for something that 2.17.0 refuses, fails on in the run, or silently gets wrong;
what it does is in `kfp_mutations`, which has a wrong document for each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from operator import itemgetter
from typing import Any

import cel
from kfp_spec import Tree, Written, dags, is_exit, loops_of, selectors_of

from compiler.ordering import cycles

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_PIPELINE = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
_RETRY = {"maxRetryCount", "backoffDuration", "backoffFactor", "backoffMaxDuration"}
# A value of each type, for which a condition has to be a boolean and no error.
_SAMPLES: dict[str, Any] = {
    "STRING": "",
    "NUMBER_INTEGER": 0.0,
    "NUMBER_DOUBLE": 0.0,
    "BOOLEAN": False,
    "LIST": [],
    "STRUCT": {},
}


def broken(written: Written) -> list[str]:
    """What the backend would refuse, fail on or get wrong, as sentences."""
    spec = written.spec
    found = []
    if spec["schemaVersion"] != "2.1.0":
        found.append(f"schema version {spec['schemaVersion']}")
    if not _PIPELINE.fullmatch(spec["pipelineInfo"]["name"]):
        found.append(f"pipeline name {spec['pipelineInfo']['name']}")
    found += _alike(written)
    for name, component in dags(written):
        found += [f"{name}: {text}" for text in _of_dag(written, component)]
    return found


def _alike(written: Written) -> Iterator[str]:
    """The backend knows a component by the hash of its container (argocompiler/argo.go)."""
    known: dict[str, str] = {}
    for label, executor in sorted(written.spec["deploymentSpec"]["executors"].items()):
        if "container" in executor:
            text = json.dumps(executor["container"], sort_keys=True)
            if text in known:
                yield f"the containers of {known[text]} and {label} are one to the backend"
            known[text] = label


def _of_dag(written: Written, dag: Tree) -> Iterator[str]:
    tasks = dag["dag"]["tasks"]
    components = written.spec["components"]
    for circle in cycles({name: tuple(t.get("dependentTasks", ())) for name, t in tasks.items()}):
        yield f"{', '.join(sorted(circle))} wait for each other"
    if all(map(is_exit, tasks.values())):
        yield "nothing but exit tasks"
    watched = [other for t in tasks.values() if is_exit(t) for other in t["dependentTasks"]]
    yield from (f"two exit tasks of {n}" for n in sorted(set(watched)) if watched.count(n) > 1)
    for name, task in tasks.items():
        if not _NAME.fullmatch(name):
            yield f"{name} is no name for a task"
        if name.removesuffix("-driver") in tasks.keys() - {name}:
            yield f"{name} has the name of a driver"
        component = components[task["componentRef"]["name"]]
        yield from (f"{name}{text}" for text in _of_task(written, task, component))
    for port, output in _outputs(dag):
        sources = selectors_of(output)
        inner = [n for n, _ in sources if "dag" in components[tasks[n]["componentRef"]["name"]]]
        if len(sources) > 1 and inner:
            yield f"{port} is a choice of DAGs, whose states are not to be relied on: {inner}"
        if len(sources) > 1 and any(dag is c for c in loops_of(written)):
            yield f"{port} is a choice that is collected, which the driver does not find"


def _of_task(written: Written, task: Tree, component: Tree) -> Iterator[str]:
    executor = written.spec["deploymentSpec"]["executors"].get(component.get("executorLabel"), {})
    condition = task.get("triggerPolicy", {}).get("condition")
    iterator = task.get("parameterIterator")
    inputs = task.get("inputs", {})
    parameters = inputs.get("parameters", {})
    if condition and "importer" in executor:
        yield ", an importer, has a condition"
    if condition and iterator:
        yield ", a loop, has a condition"
    if condition:
        yield from _of_condition(condition, component, parameters)
    if "artifactIterator" in task:
        yield " loops over artifacts"
    if iterator and "raw" in iterator["items"]:
        try:
            items = json.loads(iterator["items"]["raw"])
        except ValueError:
            items = None
        if not isinstance(items, list):
            yield " loops over no list"
    if task.get("retryPolicy") and task["retryPolicy"].keys() != _RETRY:
        yield " is retried without all four fields"
    for port, source in parameters.items():
        if "runtimeValue" in source and "constant" not in source["runtimeValue"]:
            yield f".{port} is no value"
        selector = source.get("parameterExpressionSelector")
        if selector and iterator:
            yield f".{port} is selected from what is selected already"
        elif selector:
            try:
                cel.compile(selector)
            except ValueError:
                yield f".{port} is selected by {selector}, which is no CEL"
    taken = inputs.get("artifacts", {})
    for (one, source), (other, same) in combinations(sorted(taken.items(), key=itemgetter(0)), 2):
        if source == same:
            yield f" takes one artifact as {one} and {other}"
    if "dag" in component:
        ports = component.get("inputDefinitions", {}).get("artifacts", {})
        lists = [port for port, found in ports.items() if found.get("isArtifactList")]
        yield from (f".{port} is a list, of which a DAG gets one" for port in lists)


def _of_condition(condition: str, component: Tree, given: Tree) -> Iterator[str]:
    types = component.get("inputDefinitions", {}).get("parameters", {})
    values = {name: _SAMPLES[types[name]["parameterType"]] for name in given if name in types}
    context = cel.Context({"inputs": {"parameter_values": values}})
    context.add_function("parseJson", json.loads)
    try:
        found = cel.evaluate(condition, context)
    except (ValueError, TypeError, RuntimeError, KeyError) as error:
        yield f" tests {condition}: {error}"
        return
    if not isinstance(found, bool):
        yield f" tests {condition}, which is no boolean"


def _outputs(dag: Tree) -> Iterator[tuple[str, Tree]]:
    for ports in dag["dag"].get("outputs", {}).values():
        yield from ports.items()
