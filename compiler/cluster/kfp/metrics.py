"""Metrics of a KFP run: the files that its steps left in the object store, read through the UI.

The API of 2.17 tells of no artifact. The workflow that it keeps for runs does: a step's driver
hands on where each output goes, with a random part that can't be guessed. What the server does not
tell, or no one serves, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from urllib.parse import urlsplit

from compiler.cluster.answers import at, nested, unpacked
from compiler.cluster.compiled import numbers
from compiler.cluster.errors import EngineError
from compiler.cluster.kfp import shapes
from compiler.cluster.kfp.client import Json
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
        data = transport.json(
            f"read the workflow of the run {run}", "GET", path, shape=shapes.DETAIL
        )
    except EngineError as problem:
        if problem.reason in _ABSENT:
            return {}
        raise
    found: dict[str, Mapping[str, float]] = {}
    for name, address in sorted(_addresses(_nodes(data), known)):
        values = numbers(_file(files, address, namespace))
        if values:
            found[name] = values
    return found


def _nodes(data: Json) -> Mapping[str, Json]:
    """The nodes of a run's workflow, packed where they were many."""
    manifest = at(data, "pipeline_runtime").get("workflow_manifest")
    status = at(nested(shapes.WORKFLOW, manifest), "status")
    found: Mapping[str, Json] = status.get("nodes") or unpacked(
        shapes.NODES, status.get("compressedNodes")
    )
    return found


def _addresses(nodes: Mapping[str, Json], known: Mapping[str, TaskOf]) -> Iterator[tuple[str, str]]:
    """Where the metrics of each step instance are, as URIs."""
    for node in nodes.values():
        task = node.get("displayName", "").removesuffix(_DRIVER)
        own = known.get(task)
        if own is None or f"{task}{_DRIVER}" != node.get("displayName"):
            continue
        rounds = _rounds(node, nodes, own.loops)
        artifacts = at(_executor_input(node), "outputs", "artifacts")
        for output in own.metrics:
            for artifact in at(artifacts, output).get("artifacts", ()):
                if artifact.get("uri"):
                    yield ".".join([own.step, *rounds, output]), artifact["uri"]


def _executor_input(driver: Json) -> Json:
    """What a driver tells the step's launcher; nothing where the step's results were reused."""
    for parameter in at(driver, "outputs").get("parameters", ()):
        if parameter.get("name") != "pod-spec-patch":
            continue
        patch = nested(shapes.PATCH, parameter.get("value"))
        for container in patch.get("containers", ()):
            words = [*container.get("command", ()), *container.get("args", ())]
            for word, following in pairwise(words):
                if word == _INPUT:
                    found: Json = nested(shapes.EXECUTOR_INPUT, following)
                    return found
    return {}


def _rounds(node: Json, nodes: Mapping[str, Json], loops: int) -> list[str]:
    rounds: list[str] = []
    around = nodes.get(node.get("boundaryID", ""))
    seen: set[int] = set()
    while around is not None and id(around) not in seen and len(rounds) < loops:
        seen.add(id(around))
        number = _ROUND.search(around.get("displayName", ""))
        if number is not None:
            rounds.insert(0, number[1])
        around = nodes.get(around.get("boundaryID", ""))
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
