"""What KFP's backend refuses, or runs wrongly, though each reference in the document resolves.

Its compiler (argocompiler), driver and launcher are not in the tests; these are their rules, from
docs/engines.md and their sources.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from kfp_spec import Written, dags

from compiler import graph

Tree = dict[str, Any]
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_RETRY = {"maxRetryCount", "backoffDuration", "backoffFactor", "backoffMaxDuration"}
_EXIT = "ALL_UPSTREAM_TASKS_COMPLETED"


def broken(written: Written) -> list[str]:
    """What is wrong, as sentences; empty where all is well. References have been looked at."""
    spec = written.spec
    found = []
    if spec["schemaVersion"] != "2.1.0":
        found.append(f"schema version {spec['schemaVersion']}")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,127}", spec["pipelineInfo"]["name"]):
        found.append(f"the pipeline is called {spec['pipelineInfo']['name']}")
    for name, dag in dags(written):
        found += [f"{name}: {text}" for text in _of_dag(written, dag)]
    return [*found, *_alike(spec)]


def _of_dag(written: Written, dag: Tree) -> Iterator[str]:
    tasks: Tree = dag["dag"]["tasks"]
    edges = {name: tuple(task.get("dependentTasks", ())) for name, task in tasks.items()}
    yield from (f"{' waits for '.join(way)}" for way in graph.cycles(edges))
    exits = [n for n, t in tasks.items() if t.get("triggerPolicy", {}).get("strategy") == _EXIT]
    if len(exits) > 1:
        yield f"of {exits} one is run"
    for name, task in tasks.items():
        if not _NAME.fullmatch(name):
            yield f"{name} is no name of a task"
        if name.endswith("-driver") and name.removesuffix("-driver") in tasks:
            yield f"{name} is what the driver of another task is called"
        component = written.spec["components"][task["componentRef"]["name"]]
        yield from (f"{name} {text}" for text in _of_task(written, task, component))
    for kind in dag["dag"].get("outputs", {}).values():
        for port, output in kind.items():
            yield from _of_choice(written, tasks, port, output)


def _of_task(written: Written, task: Tree, component: Tree) -> Iterator[str]:
    condition = task.get("triggerPolicy", {}).get("condition")
    executor = _executor(written, component)
    if condition and "importer" in executor:
        yield "is an importer with a condition"
    if condition and "parameterIterator" in task:
        yield "is a loop with a condition, which is not heeded"
    if "artifactIterator" in task:
        yield "iterates over artifacts"
    raw = task.get("parameterIterator", {}).get("items", {}).get("raw")
    if raw is not None and not _is_list(raw):
        yield f"loops over {raw}, which is no list"
    if "retryPolicy" in task and not task["retryPolicy"].keys() >= _RETRY:
        yield "is never tried again: not all fields of the retry are there"
    for port, source in task.get("inputs", {}).get("parameters", {}).items():
        if "parameterIterator" in task and "parameterExpressionSelector" in source:
            yield f"is a loop that selects {port}, which is done twice"
        if source.get("runtimeValue") == {}:
            yield f"gets no value for {port}"


def _of_choice(written: Written, tasks: Tree, port: str, output: Tree) -> Iterator[str]:
    chosen = output.get("valueFromOneof", {}).get("parameterSelectors", ())
    chosen = chosen or output.get("artifactSelectors", ())
    if len(chosen) < 2:
        return
    for one in chosen:
        component = written.spec["components"][
            tasks[one["producerSubtask"]]["componentRef"]["name"]
        ]
        if "container" not in _executor(written, component):
            yield f"{port} is chosen from {one['producerSubtask']}, which is no container"


def _alike(spec: Tree) -> Iterator[str]:
    """Containers are stored under a hash of their own, without what their components declare."""
    seen: dict[str, str] = {}
    for name, executor in spec["deploymentSpec"]["executors"].items():
        text = json.dumps(executor.get("container"), sort_keys=True)
        if "container" in executor and seen.setdefault(text, name) != name:
            yield f"{name} is run as {seen[text]}"


def _executor(written: Written, component: Tree) -> Tree:
    label = component.get("executorLabel")
    found: Tree = written.spec["deploymentSpec"]["executors"][label] if label else {}
    return found


def _is_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except ValueError:
        return False
