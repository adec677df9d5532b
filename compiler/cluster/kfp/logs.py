"""What the pods of a KFP run printed, from the API server or the UI's."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator

from compiler.cluster.errors import EngineError
from compiler.cluster.kfp.shapes import ARCHIVED_LOG
from compiler.cluster.transport import Transport

# A host that has no such way says so by any of these.
_ABSENT = ("not found", "server", "refused", "login page", "forbidden")


def read(
    transport: Transport, run: str, pod: str, namespace: str | None, follow: bool
) -> Iterator[str]:
    """The lines of a pod. The first way that the host knows is taken; only the API server's own
    follows a log.

    Raises:
        EngineError: none of them leads there.
    """
    doing = f"read the log of {pod}"

    def of_server() -> Iterator[str]:
        path = f"/apis/v1alpha1/runs/{run}/nodes/{pod}/log"
        query = {"follow": "true"} if follow else {}
        return transport.lines(doing, path, query, tries=1)

    def of_ui() -> Iterator[str]:
        query = {"podname": pod, "runid": run}
        if namespace:
            query["podnamespace"] = namespace
        return transport.lines(doing, "/k8s/pod/logs", query, tries=1)

    def of_archive() -> Iterator[str]:
        path = f"/apis/v2beta1/runs/{run}/nodes/{pod}/artifacts/main-logs:read"
        data = transport.json(doing, "GET", path, shape=ARCHIVED_LOG).get("data", "")
        try:
            text = base64.b64decode(data).decode("utf-8", "replace")
        except ValueError:
            raise EngineError(f"can't {doing}: the archive is broken", "not found") from None
        return iter(transport.mask(text).splitlines())

    ways: tuple[Callable[[], Iterator[str]], ...] = (of_server, of_ui, of_archive)
    first: EngineError | None = None
    is_empty = False
    for way in ways:
        try:
            lines = way()
            start = next(lines, None)
        except EngineError as problem:
            if problem.reason not in _ABSENT:
                raise
            first = first or problem
            continue
        if start is None:  # of a pod that is gone the API server's own way gives nothing
            is_empty = True
        elif not _is_error(start):
            yield start
            yield from lines
            return
    if is_empty:
        return
    raise first or EngineError(
        f"can't {doing}: its pod is gone, and the server keeps no logs", "not found", 404
    )


def _is_error(line: str) -> bool:
    """Whether the server says in the place of a log why there is none; its status is 200."""
    try:
        data = json.loads(line)
    except ValueError:
        return False
    return isinstance(data, dict) and "error_message" in data
