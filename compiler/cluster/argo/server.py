"""The road to Argo by the REST interface of its server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from compiler.cluster.answers import Garbled, at, read
from compiler.cluster.argo.road import WORDS, Json, Kind
from compiler.cluster.argo.shapes import LOG_LINE, OBJECTS, PAGES, VERSION
from compiler.cluster.errors import EngineError
from compiler.cluster.records import Act
from compiler.cluster.transport import Transport

_PATHS: dict[Kind, str] = {
    "workflows": "workflows",
    "workflowtemplates": "workflow-templates",
    "cronworkflows": "cron-workflows",
}
# The field of a request that holds the object.
_FIELDS: dict[Kind, str] = {
    "workflows": "workflow",
    "workflowtemplates": "template",
    "cronworkflows": "cronWorkflow",
}
_PAGE = "100"


class ServerRoad:
    def __init__(self, transport: Transport, namespace: str) -> None:
        self.transport = transport
        self.namespace = namespace
        self.patience = transport.patience
        self.verbose = transport.verbose

    def close(self) -> None:
        self.transport.close()

    def version(self) -> str:
        found = self.transport.json(
            "ask for the server's version", "GET", "/api/v1/version", shape=VERSION
        )
        return str(found.get("version", ""))

    def rights(self, acts: Iterable[Act]) -> tuple[str, ...]:  # noqa: ARG002
        """The server tells of no rights; it is asked for a list, which wants one."""
        query = {"listOptions.limit": "1"}
        path, shape = self._path("workflows"), PAGES["workflows"]
        self.transport.json("list workflows", "GET", path, query=query, shape=shape)
        return ()

    def find(self, kind: Kind, name: str) -> Json | None:
        try:
            found: Json = self.transport.json(
                f"read the {WORDS[kind]} {name}",
                "GET",
                self._path(kind, name),
                shape=OBJECTS[kind],
            )
        except EngineError as problem:
            if problem.reason == "not found":
                return None
            raise
        return found

    def list(self, kind: Kind, selector: str = "") -> Iterator[Json]:
        query = {"listOptions.limit": _PAGE}
        if selector:
            query["listOptions.labelSelector"] = selector
        while True:
            doing = f"list {WORDS[kind]}s"
            path, shape = self._path(kind), PAGES[kind]
            page = self.transport.json(doing, "GET", path, query=query, shape=shape)
            yield from page.get("items", ())
            token = at(page, "metadata").get("continue")
            if not token or token == query.get("listOptions.continue"):
                return
            query["listOptions.continue"] = token

    def create(self, kind: Kind, body: Json) -> Json:
        name = body["metadata"]["name"]
        given = {"namespace": self.namespace, _FIELDS[kind]: body}
        made: Json = self.transport.json(
            f"create the {WORDS[kind]} {name}",
            "POST",
            self._path(kind),
            given,
            creates=True,
            shape=OBJECTS[kind],
        )
        return made

    def replace(self, kind: Kind, body: Json) -> Json:
        name = body["metadata"]["name"]
        given = {"namespace": self.namespace, "name": name, _FIELDS[kind]: body}
        doing = f"update the {WORDS[kind]} {name}"
        made: Json = self.transport.json(
            doing, "PUT", self._path(kind, name), given, shape=OBJECTS[kind]
        )
        return made

    def delete(self, kind: Kind, name: str) -> None:
        query = {"deleteOptions.propagationPolicy": "Orphan"}
        try:
            doing = f"delete the {WORDS[kind]} {name}"
            self.transport.json(doing, "DELETE", self._path(kind, name), query=query)
        except EngineError as problem:
            if problem.reason != "not found":
                raise

    def stop(self, name: str) -> None:
        path = f"{self._path('workflows', name)}/stop"
        given = {"namespace": self.namespace, "name": name}
        self.transport.json(f"stop the workflow {name}", "PUT", path, given)

    def lines(self, workflow: str, pod: str, follow: bool) -> Iterator[str]:
        query = {"podName": pod, "logOptions.container": "main"}
        if follow:
            query["logOptions.follow"] = "true"
        path = f"{self._path('workflows', workflow)}/log"
        for line in self.transport.lines(f"read the log of {pod}", path, query):
            if line.strip():
                yield from _content(line, pod)

    def file(self, workflow: str, node: str, artifact: str) -> bytes | None:
        names = "/".join(quote(name, safe="") for name in (workflow, node))
        path = f"/artifact-files/{self.namespace}/workflows/{names}/outputs/{quote(artifact)}"
        try:
            return self.transport.file(f"read {artifact} of {workflow}", path)
        except EngineError as problem:
            if problem.reason == "not found":
                return None
            raise

    def _path(self, kind: Kind, name: str = "") -> str:
        path = f"/api/v1/{_PATHS[kind]}/{quote(self.namespace)}"
        return f"{path}/{quote(name, safe='')}" if name else path


def _content(line: str, pod: str) -> Iterator[str]:
    """A line of a log in its envelope, `{"result": {"content": …}}`."""
    try:
        data = read(LOG_LINE, json.loads(line))
    except (ValueError, RecursionError):
        return
    except Garbled as problem:
        raise EngineError(
            f"a line of the log of {pod} is garbled: {problem}", "misshapen"
        ) from None
    if "error" in data:
        status = int(data["error"].get("http_code", 0))
        raise EngineError(
            f"can't read the log of {pod}: {data['error'].get('message', 'the server broke off')}",
            "not found" if status == 404 else "server",
            status,
        )
    if "result" in data:
        yield data["result"].get("content", "")
