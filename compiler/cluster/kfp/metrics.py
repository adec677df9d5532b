"""Metrics of a KFP run: the files that its steps left in the object store, read through the UI.

The API of 2.17 tells of no artifact. The workflow that it keeps for runs does: a step's driver
hands on where each output goes, with a random part that can't be guessed. What the server does not
tell, or no one serves, is left out.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from compiler.cluster.compiled import numbers
from compiler.cluster.errors import EngineError
from compiler.cluster.kfp.specs import TaskOf
from compiler.cluster.transport import Transport

_DRIVER = "-driver"
_ROUND = re.compile(r"\((\d+)[:)]")
_INPUT = "--executor_input"
# What a server has not is no reason to give up on the rest.
_ABSENT = ("not found", "server", "refused", "login page", "forbidden")


def read(
    transport: Transport,
    files: Transport,
    run: str,
    known: Mapping[str, TaskOf],
    namespace: str | None,
) -> dict[str, Mapping[str, float]]:
    """By `STEP.OUTPUT`. `files` leads to the host that serves artifacts."""
    if not any(task.metrics for task in known.values()):
        return {}
    try:
        path = f"/apis/v1beta1/runs/{run}"
        data = transport.json(f"read the workflow of the run {run}", "GET", path)
    except EngineError as problem:
        if problem.reason in _ABSENT:
            return {}
        raise
    found: dict[str, Mapping[str, float]] = {}
    for name, address in sorted(_addresses(_workflow(data), known)):
        values = numbers(_file(files, address, namespace))
        if values:
            found[name] = values
    return found


def _workflow(data: Any) -> Any:
    runtime = data.get("pipeline_runtime") if isinstance(data, Mapping) else None
    text = runtime.get("workflow_manifest") if isinstance(runtime, Mapping) else None
    return _json(text)


def _addresses(workflow: Any, known: Mapping[str, TaskOf]) -> Iterator[tuple[str, str]]:
    """Where the metrics of each step instance are, as URIs."""
    nodes = _nodes(workflow)
    for node in nodes.values():
        task = str(node.get("displayName", "")).removesuffix(_DRIVER)
        own = known.get(task)
        if own is None or f"{task}{_DRIVER}" != node.get("displayName"):
            continue
        rounds = _rounds(node, nodes, own.loops)
        outputs = _executor_input(node).get("outputs")
        artifacts = outputs.get("artifacts") if isinstance(outputs, Mapping) else None
        for output in own.metrics:
            listed = (artifacts or {}).get(output)
            for artifact in (listed or {}).get("artifacts") or ():
                if isinstance(artifact, Mapping) and artifact.get("uri"):
                    name = ".".join([own.step, *rounds, output])
                    yield name, str(artifact["uri"])


def _nodes(workflow: Any) -> dict[str, Mapping[str, Any]]:
    status = workflow.get("status") if isinstance(workflow, Mapping) else None
    status = status if isinstance(status, Mapping) else {}
    nodes = status.get("nodes")
    packed = status.get("compressedNodes")
    if not nodes and isinstance(packed, str) and packed:
        try:
            nodes = _json(gzip.decompress(base64.b64decode(packed)))
        except (ValueError, OSError, EOFError):
            nodes = None
    given = nodes.items() if isinstance(nodes, Mapping) else ()
    return {str(name): node for name, node in given if isinstance(node, Mapping)}


def _executor_input(driver: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a driver tells the step's launcher; nothing where the step's results were reused."""
    outputs = driver.get("outputs")
    given = outputs.get("parameters") if isinstance(outputs, Mapping) else None
    for parameter in given or ():
        if not isinstance(parameter, Mapping) or parameter.get("name") != "pod-spec-patch":
            continue
        patch = _json(parameter.get("value"))
        containers = patch.get("containers") if isinstance(patch, Mapping) else None
        for container in containers or ():
            words = [*(container.get("command") or ()), *(container.get("args") or ())]
            for word, following in pairwise(words):
                found = _json(following) if word == _INPUT else None
                if isinstance(found, Mapping):
                    return found
    return {}


def _rounds(
    node: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]], loops: int
) -> list[str]:
    rounds: list[str] = []
    around = nodes.get(str(node.get("boundaryID", "")))
    seen: set[int] = set()
    while around is not None and id(around) not in seen and len(rounds) < loops:
        seen.add(id(around))
        number = _ROUND.search(str(around.get("displayName", "")))
        if number is not None:
            rounds.insert(0, number[1])
        around = nodes.get(str(around.get("boundaryID", "")))
    return rounds


def _file(files: Transport, address: str, namespace: str | None) -> bytes | None:
    parts = urlsplit(address)
    source = {"gs": "gcs"}.get(parts.scheme, parts.scheme)
    query = {"source": source, "bucket": parts.netloc, "key": parts.path.lstrip("/")}
    if namespace:
        query["namespace"] = namespace
    try:
        return files.file(f"read {address}", "/artifacts/get", query, tries=1)
    except EngineError as problem:
        if problem.reason in _ABSENT:
            return None
        raise


def _json(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, (str, bytes)) and text else None
    except ValueError:
        return None
