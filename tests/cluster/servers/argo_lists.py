"""Argo's list of workflows (ListWorkflows of workflow_server.go)."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from .objects import Json
from .patches import has_fields, matches
from .workflows import Cluster


def list_workflows(cluster: Cluster, namespace: str, query: Mapping[str, str], limit: int) -> Json:
    """The live ones and then the archived ones, the newest first; pages go by numbers."""
    live = cluster.of("workflows", namespace)
    uids = {one["metadata"]["uid"] for one in live}
    archived = [one for uid, one in cluster.archive.items() if uid not in uids]
    archived = [one for one in archived if one["metadata"]["namespace"] == namespace]
    found: list[Json] = []
    for group in (live, archived):
        group.sort(key=lambda one: str(one.get("status", {}).get("startedAt", "~")))
        found += reversed(group)
    labels = query.get("listOptions.labelSelector", "")
    fields = query.get("listOptions.fieldSelector", "")
    found = [one for one in found if matches(labels, one) and has_fields(fields, one)]
    start = int(query.get("listOptions.continue") or 0)
    page = found[start : start + limit] if limit else found[start:]
    meta: Json = {"resourceVersion": "1"}
    if start + len(page) < len(found):
        meta["continue"] = str(start + len(page))
    return {"metadata": meta, "items": copy.deepcopy(page)}
