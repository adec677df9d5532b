"""The nodes of a workflow's status: their order, names and pods."""

from __future__ import annotations

import base64
import gzip
import json

from .objects import Json


def pod_name(workflow: str, node: Json) -> str:
    """The pod of a node: `WORKFLOW-TEMPLATE-HASH`, the hash being that of the node's id."""
    return f"{workflow}-{node['templateName']}-{node['id'].rpartition('-')[2]}"


def node_hash(text: str) -> int:
    """FNV-1a of 32 bits, by which Argo names nodes."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 % 2**32
    return value


def read_nodes(status: Json) -> dict[str, Json]:
    if "compressedNodes" in status:
        packed = gzip.decompress(base64.b64decode(status["compressedNodes"]))
        unpacked: dict[str, Json] = json.loads(packed)
        return unpacked
    return dict(status.get("nodes", {}))


def task_names(spec: Json) -> list[tuple[str, str]]:
    """Each task and its template, depth first in order of dependence."""
    templates = {one["name"]: one for one in spec.get("templates", [])}

    def walk(name: str, seen: tuple[str, ...]) -> list[tuple[str, str]]:
        template = templates.get(name, {})
        tasks = template.get("dag", {}).get("tasks", [])
        tasks = tasks or [step for group in template.get("steps", []) for step in group]
        if not tasks:
            return [(name, name)] if not seen else []
        found: list[tuple[str, str]] = []
        for task in tasks:
            inner = task.get("template", "")
            nested = walk(inner, (*seen, name)) if inner not in seen else []
            found += nested or [(task["name"], inner)]
        return found

    return walk(spec.get("entrypoint", ""), ())
