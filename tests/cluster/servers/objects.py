"""The objects of a Kubernetes cluster: versions, selectors, pages, patches, owners."""

from __future__ import annotations

import base64
import copy
import itertools
import json
import re
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from .kfp_records import stamp
from .patches import has_fields, intent, leaves, matches, merge_patch, remove

Json = dict[str, Any]
ARGO_KINDS = {
    "workflows": "Workflow",
    "workflowtemplates": "WorkflowTemplate",
    "cronworkflows": "CronWorkflow",
    "clusterworkflowtemplates": "ClusterWorkflowTemplate",
}
CORE_KINDS = {
    "secrets": "Secret",
    "configmaps": "ConfigMap",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "serviceaccounts": "ServiceAccount",
    "resourcequotas": "ResourceQuota",
    "limitranges": "LimitRange",
    "pods": "Pod",
    "nodes": "Node",
    "namespaces": "Namespace",
}
KINDS = ARGO_KINDS | CORE_KINDS
CLUSTER_WIDE = ("nodes", "namespaces", "clusterworkflowtemplates")


class KubeError(Exception):
    """A refusal of the API server: HTTP code, reason, message."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message


def full_name(plural: str) -> str:
    return f"{plural}.argoproj.io" if plural in ARGO_KINDS else plural


def api_version(plural: str) -> str:
    return "argoproj.io/v1alpha1" if plural in ARGO_KINDS else "v1"


class Objects:
    """All objects by (plural, namespace, name). What is handed out is a copy."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.all: dict[tuple[str, str, str], Json] = {}
        # Who set each field last: (plural, namespace, name) -> path -> managers.
        self._owners: dict[tuple[str, str, str], dict[tuple[str, ...], set[str]]] = {}
        self._versions = itertools.count(1000)
        # Workflows that were deleted while they ran: (name, by what).
        self.killed: list[tuple[str, str]] = []

    def now(self) -> str:
        return stamp(int(self.clock()))

    def of(self, plural: str, namespace: str | None = None) -> list[Json]:
        """The kept objects themselves, for tests and for what moves them."""
        return [
            one
            for (kind, where, _), one in sorted(self.all.items())
            if kind == plural and (namespace is None or where == namespace)
        ]

    def find(self, plural: str, namespace: str, name: str) -> Json | None:
        return self.all.get((plural, namespace, name))

    def get(self, plural: str, namespace: str, name: str) -> Json:
        found = self.find(plural, namespace, name)
        if found is None:
            raise KubeError(404, "NotFound", f'{full_name(plural)} "{name}" not found')
        return copy.deepcopy(found)

    def create(
        self, plural: str, namespace: str, given: Json, manager: str = "", dry_run: bool = False
    ) -> Json:
        one = copy.deepcopy(given)
        meta = one.setdefault("metadata", {})
        if meta.get("resourceVersion"):
            raise KubeError(
                400, "BadRequest", "resourceVersion should not be set on objects to be created"
            )
        if not meta.get("name"):
            if not meta.get("generateName"):
                raise _invalid(plural, "", "metadata.name", "name or generateName is required")
            meta["name"] = meta["generateName"] + uuid.uuid4().hex[:5]
        name = meta["name"]
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name) or len(name) > 253:
            raise _invalid(
                plural,
                name,
                "metadata.name",
                "a lowercase RFC 1123 subdomain must consist of "
                "lower case alphanumeric characters, '-' or '.'",
            )
        for key, value in meta.get("labels", {}).items():
            if not re.fullmatch(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", str(value)):
                raise _invalid(
                    plural,
                    name,
                    "metadata.labels",
                    f"a valid label must be at most 63 characters "
                    f"of letters, digits, '-', '_', '.': {key}={value}",
                )
        if (plural, namespace, name) in self.all:
            raise KubeError(409, "AlreadyExists", f'{full_name(plural)} "{name}" already exists')
        one |= {"apiVersion": api_version(plural), "kind": KINDS[plural]}
        meta |= {"uid": str(uuid.uuid4()), "creationTimestamp": self.now(), "generation": 1}
        if plural not in CLUSTER_WIDE:
            meta["namespace"] = namespace
        meta["resourceVersion"] = str(next(self._versions))
        if not dry_run:
            key = (plural, namespace, name)
            self.all[key] = one
            self._owners[key] = {path: {manager} for path, _ in leaves(intent(one))}
        return copy.deepcopy(one)

    def replace(
        self,
        plural: str,
        namespace: str,
        name: str,
        given: Json,
        manager: str = "",
        dry_run: bool = False,
        versioned: bool = True,
    ) -> Json:
        """PUT: all is replaced, the status with it; the version that was read must be named."""
        have = self.get(plural, namespace, name)
        version = given.get("metadata", {}).get("resourceVersion")
        if versioned and not version:
            raise _invalid(
                plural, name, "metadata.resourceVersion", "must be specified for an update"
            )
        if version and version != have["metadata"]["resourceVersion"]:
            raise KubeError(
                409,
                "Conflict",
                f'Operation cannot be fulfilled on {full_name(plural)} "{name}": the object has '
                "been modified; please apply your changes to the latest version and try again",
            )
        one = copy.deepcopy(given)
        one |= {"apiVersion": have["apiVersion"], "kind": have["kind"]}
        meta = one.setdefault("metadata", {})
        for key in ("uid", "creationTimestamp", "namespace", "name", "generation"):
            if key in have["metadata"]:
                meta[key] = have["metadata"][key]
        meta["resourceVersion"] = have["metadata"]["resourceVersion"]
        if one == have:
            return have
        meta["resourceVersion"] = str(next(self._versions))
        if one.get("spec") != have.get("spec"):
            meta["generation"] = int(meta["generation"]) + 1
        if not dry_run:
            key3 = (plural, namespace, name)
            before, owners = dict(leaves(intent(have))), self._owners[key3]
            for path, value in leaves(intent(one)):
                if before.get(path, leaves) != value:
                    owners[path] = {manager}
            self.all[key3] = one
        return copy.deepcopy(one)

    def merge(
        self,
        plural: str,
        namespace: str,
        name: str,
        patch: Json,
        manager: str = "",
        dry_run: bool = False,
    ) -> Json:
        """A JSON merge patch (RFC 7386)."""
        merged = merge_patch(self.get(plural, namespace, name), patch)
        return self.replace(plural, namespace, name, merged, manager, dry_run, versioned=False)

    def apply(
        self,
        plural: str,
        namespace: str,
        name: str,
        given: Json,
        manager: str,
        force: bool,
        dry_run: bool = False,
    ) -> Json:
        """Server-side apply: fields that the manager gave before and gives no more are removed."""
        key = (plural, namespace, name)
        if key not in self.all:
            given = merge_patch(given, {"metadata": {"name": name}})
            return self.create(plural, namespace, given, manager, dry_run)
        have, owners = self.get(plural, namespace, name), self._owners[key]
        current, wanted = dict(leaves(intent(have))), dict(leaves(intent(given)))
        conflicts = [
            (path, owners.get(path, set()) - {manager})
            for path, value in wanted.items()
            if current.get(path, value) != value and owners.get(path, set()) - {manager}
        ]
        if conflicts and not force:
            path, others = conflicts[0]
            raise KubeError(
                409,
                "Conflict",
                f"Apply failed with {len(conflicts)} conflict(s): conflict with "
                f'"{sorted(others)[0]}": .{".".join(path)}',
            )
        merged = merge_patch(have, intent(given))
        for path in [path for path, who in owners.items() if manager in who and path not in wanted]:
            if owners[path] == {manager}:
                remove(merged, path)
        one = self.replace(plural, namespace, name, merged, manager, dry_run, versioned=False)
        if not dry_run:
            for path in list(owners):
                if path not in wanted:
                    owners[path].discard(manager)
            for path in wanted:
                same = current.get(path) == wanted[path]
                owners[path] = owners.get(path, set()) | {manager} if same else {manager}
        return one

    def delete(self, plural: str, namespace: str, name: str, policy: str = "Background") -> Json:
        """What belongs to it goes with it, unless the policy is `Orphan`."""
        one = self.get(plural, namespace, name)
        phase = one.get("status", {}).get("phase", "")
        if plural == "workflows" and phase in ("", "Pending", "Running"):
            self.killed.append((name, f"delete of {plural} {name}"))
        del self.all[(plural, namespace, name)], self._owners[(plural, namespace, name)]
        uid = one["metadata"]["uid"]
        for (kind, where, child), other in list(self.all.items()):
            owners = other["metadata"].get("ownerReferences", [])
            if policy != "Orphan" and any(owner["uid"] == uid for owner in owners):
                self.delete(kind, where, child)
        return one

    def touch(self, one: Json) -> None:
        """After a controller wrote a status."""
        one["metadata"]["resourceVersion"] = str(next(self._versions))

    def list_page(
        self,
        plural: str,
        namespace: str | None,
        selector: str = "",
        limit: int = 0,
        token: str = "",
        fields: str = "",
    ) -> Json:
        found = [
            one
            for one in self.of(plural, namespace)
            if matches(selector, one) and has_fields(fields, one)
        ]
        start = 0
        if token:
            try:
                after = tuple(json.loads(base64.b64decode(token, validate=True)))
            except (ValueError, TypeError):
                raise KubeError(400, "BadRequest", "continue key is not valid") from None
            start = sum(1 for one in found if _place(one) <= after)
        page = found[start : start + limit] if limit else found[start:]
        meta: Json = {"resourceVersion": str(next(self._versions))}
        rest = len(found) - start - len(page)
        if rest > 0:
            meta["continue"] = base64.b64encode(json.dumps(_place(page[-1])).encode()).decode()
            if not selector:
                meta["remainingItemCount"] = rest
        return {
            "apiVersion": api_version(plural),
            "kind": f"{KINDS[plural]}List",
            "metadata": meta,
            "items": copy.deepcopy(page),
        }


def _place(one: Json) -> tuple[str, str]:
    return one["metadata"].get("namespace", ""), one["metadata"]["name"]


def _invalid(plural: str, name: str, field: str, text: str) -> KubeError:
    kind = KINDS[plural] + (".argoproj.io" if plural in ARGO_KINDS else "")
    return KubeError(422, "Invalid", f'{kind} "{name}" is invalid: {field}: Invalid value: {text}')
