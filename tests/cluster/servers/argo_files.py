"""The files of artifacts as an Argo Server serves them (server/artifacts/artifact_server.go).

The contract calls the kind of id `workflow`; the server takes `workflows` alone. What goes wrong
before a file is opened is answered by 500, also where there is no such run, node or artifact.
"""

from __future__ import annotations

import re

from .nodes import read_nodes
from .wire import Answer, Request
from .workflows import Cluster

PREFIX = "/artifact-files/"
_FILE = re.compile(PREFIX + "([^/]+)/([^/]+)/([^/]+)/([^/]+)/([^/]+)/([^/]+)")


def serve_file(cluster: Cluster, request: Request) -> Answer:
    found = _FILE.fullmatch(request.path)
    if request.method != "GET":
        return _text(405, "Method Not Allowed")
    if found is None:
        return _text(400, "Bad Request")
    namespace, kind, identity, node_id, direction, name = found.groups()
    if direction not in ("inputs", "outputs"):
        return _text(400, "Bad Request")
    if kind == "workflows":
        workflow = cluster.find("workflows", namespace, identity)
    elif kind == "archived-workflows":
        workflow = cluster.archive.get(identity)
        if workflow is None:
            return _text(404, "Not Found")
        if workflow["metadata"]["namespace"] != namespace:
            return _text(400, "Bad Request")
    else:
        return _text(400, "Bad Request")
    nodes = read_nodes(workflow.get("status", {})) if workflow is not None else {}
    listed = nodes.get(node_id, {}).get(direction, {}).get("artifacts", [])
    artifact = next((one for one in listed if one["name"] == name), None)
    if artifact is None:
        return _text(500, "Internal Server Error")
    content = cluster.files.get(artifact["s3"]["key"])
    if content is None:
        return _text(404, "Not Found")
    return Answer(200, content, {"Content-Type": "application/octet-stream"})


def _text(status: int, text: str) -> Answer:
    return Answer(status, f"{text}\n".encode())
