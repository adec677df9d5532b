"""The part of the Kubernetes API that speaks of Argo's objects and of what they need."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from .access import Access
from .contract import Contract
from .kubernetes_shapes import Shapes, check_schema
from .nodes import pod_name, read_nodes
from .objects import ARGO_KINDS, CLUSTER_WIDE, CORE_KINDS, Json, KubeError, full_name
from .wire import Answer, Request
from .workflows import Cluster

_ARGO = re.compile(r"/apis/argoproj\.io/v1alpha1(?:/namespaces/([^/]+))?/([a-z]+)(?:/([^/]+))?")
_CORE = re.compile(r"/api/v1(?:/namespaces/([^/]+))?/([a-z]+)(?:/([^/]+))?")
_LOG = re.compile(r"/api/v1/namespaces/([^/]+)/pods/([^/]+)/log")
_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    429: "TooManyRequests",
    500: "InternalError",
    502: "InternalError",
    503: "ServiceUnavailable",
}


class Kubernetes:
    """The API server; `denied` holds (verb, plural) that the user may not."""

    answers_alone = True

    def __init__(
        self,
        cluster: Cluster | None = None,
        *,
        version: str = "v1.34.1",
        access: Access | None = None,
        argo_installed: bool = True,
    ) -> None:
        self.cluster = cluster or Cluster()
        self.lock = self.cluster.lock
        self.version = version
        self.access = access or Access()
        self.argo_installed = argo_installed
        self.denied: set[tuple[str, str]] = set()
        self.contract: Contract | Shapes | None = Shapes()
        self.page_limit: int | None = None

    @property
    def script(self) -> Any:
        return self.cluster.script

    def add(self, plural: str, namespace: str, name: str, **content: Any) -> Json:
        """Put a core object there, such as `add("secrets", "ml", "s3", data={…})`."""
        return self.cluster.create(plural, namespace, {"metadata": {"name": name}, **content})

    def unauthorized(self) -> Answer:
        return self.failure(401, "Unauthorized")

    def failure(self, http: int, message: str) -> Answer:
        return _status(http, _REASONS.get(http, ""), message)

    def answer(self, request: Request) -> Answer:
        try:
            return self._answer(request)
        except KubeError as error:
            return _status(error.code, error.reason, error.message)

    def _answer(self, request: Request) -> Answer:
        if request.path.rstrip("/") == "/version":
            major, minor = self.version.lstrip("v").split(".")[:2]
            fields = ("gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform")
            rest = dict.fromkeys(fields, "")
            return Answer(200, {"major": major, "minor": minor, "gitVersion": self.version, **rest})
        if request.path == _REVIEW and request.method == "POST":
            return Answer(201, self._review(request.json()))
        if found := _LOG.fullmatch(request.path):
            return self._log(request, *found.groups())
        for pattern, kinds in ((_ARGO, ARGO_KINDS), (_CORE, CORE_KINDS)):
            found = pattern.fullmatch(request.path)
            if found and found[2] in kinds and (kinds is CORE_KINDS or self.argo_installed):
                wide = found[2] in CLUSTER_WIDE
                if found[1] or wide or (request.method == "GET" and not found[3]):
                    return self._object(request, found[2], found[1], found[3])
        return Answer(404, b"404 page not found\n")

    def _object(
        self, request: Request, plural: str, namespace: str | None, name: str | None
    ) -> Answer:
        verb = {"GET": "get" if name else "list", "POST": "create", "PUT": "update"}.get(
            request.method, request.method.lower()
        )
        where = "" if plural in CLUSTER_WIDE else namespace
        self._allow(verb, plural, where, name or "")
        query = request.query
        dry_run = query.get("dryRun") == "All"
        manager = query.get("fieldManager") or request.headers.get("user-agent", "").split("/")[0]
        if verb == "list":
            limit = int(query.get("limit") or 0)
            if self.page_limit is not None:
                limit = min(limit or self.page_limit, self.page_limit)
            selector, token = query.get("labelSelector", ""), query.get("continue", "")
            fields = query.get("fieldSelector", "")
            page = self.cluster.list_page(plural, where, selector, limit, token, fields)
            return Answer(200, page)
        namespace, name = where or "", name or ""
        if verb == "get":
            one = self.cluster.get(plural, namespace, name)
            if plural == "workflows":
                self.cluster.advance(namespace, name, self.script.pace)
            return Answer(200, one)
        if verb == "delete":
            policy = query.get("propagationPolicy") or (request.json() or {}).get(
                "propagationPolicy", "Background"
            )
            if dry_run:
                return Answer(200, self.cluster.get(plural, namespace, name))
            gone = self.cluster.delete(plural, namespace, name, policy)
            details = {"name": name, "kind": plural, "uid": gone["metadata"]["uid"]}
            return Answer(200, {**_SUCCESS, "details": details})
        body = self._body(request)
        strict = query.get("fieldValidation", "Warn")
        if verb == "patch":
            kind = request.headers.get("content-type", "").split(";")[0]
            if kind == "application/apply-patch+yaml":
                if not query.get("fieldManager"):
                    text = 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value'
                    raise KubeError(422, "Invalid", text)
                checked = check_schema(plural, body, strict)
                known = self.cluster.find(plural, namespace, name) is not None
                force = query.get("force", "").lower() == "true"
                one = self.cluster.apply(plural, namespace, name, checked, manager, force, dry_run)
                return Answer(200 if known else 201, one)
            if kind != "application/merge-patch+json":
                text = f"the body of the request was in an unknown format: {kind}"
                raise KubeError(415, "UnsupportedMediaType", text)
            merged = self.cluster.merge(plural, namespace, name, body, manager, True)
            check_schema(plural, merged, strict)
            return Answer(200, self.cluster.merge(plural, namespace, name, body, manager, dry_run))
        checked = check_schema(plural, body, strict)
        if verb == "create":
            return Answer(201, self.cluster.create(plural, namespace, checked, manager, dry_run))
        return Answer(200, self.cluster.replace(plural, namespace, name, checked, manager, dry_run))

    def _allow(self, verb: str, plural: str, namespace: str | None, name: str) -> None:
        allowed = self.access.may_use(namespace) if namespace else True
        if (verb, plural) in self.denied or not allowed:
            group = "argoproj.io" if plural in ARGO_KINDS else ""
            place = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
            raise KubeError(
                403,
                "Forbidden",
                f"{full_name(plural)}{f' {json.dumps(name)}' if name else ''} is forbidden: User "
                f'"user" cannot {verb} resource "{plural}" in API group "{group}"{place}',
            )

    def _review(self, body: Json) -> Json:
        asked = body["spec"].get("resourceAttributes", {})
        try:
            self._allow(asked["verb"], asked["resource"], asked.get("namespace"), "")
        except KubeError as error:
            return {**body, "status": {"allowed": False, "reason": error.message}}
        return {**body, "status": {"allowed": True}}

    def _log(self, request: Request, namespace: str, pod: str) -> Answer:
        self._allow("get", "pods/log", namespace, pod)
        for one in self.cluster.of("workflows", namespace):
            name = one["metadata"]["name"]
            for node in read_nodes(one.get("status", {})).values():
                if pod_name(name, node) != pod:
                    continue
                task = node["displayName"]
                text = self.script.pick(self.script.logs, name, task, f"{task} has begun\n")
                tail = int(request.query.get("tailLines") or 0)
                lines = text.splitlines(keepends=True)
                return Answer(200, "".join(lines[-tail:] if tail else lines).encode())
        raise KubeError(404, "NotFound", f'pods "{pod}" not found')

    def _body(self, request: Request) -> Json:
        try:
            body = yaml.safe_load(request.body)
        except yaml.YAMLError:
            body = None
        if not isinstance(body, dict):
            raise KubeError(400, "BadRequest", "the object provided is unrecognized")
        return body


_SUCCESS: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


def _status(code: int, reason: str, message: str) -> Answer:
    body = {**_SUCCESS, "status": "Failure", "message": message, "reason": reason, "code": code}
    headers = {"Retry-After": "1"} if code == 429 else {}
    return Answer(code, body, headers)


def write_kubeconfig(
    path: Path,
    url: str,
    *,
    namespace: str = "default",
    token: str | None = None,
    ca: Path | None = None,
    certificate: tuple[Path, Path] | None = None,
) -> Path:
    """A kubeconfig with one context called `test`."""
    cluster: Json = {"server": url}
    user: Json = {}
    if ca is not None:
        cluster["certificate-authority"] = str(ca)
    if token is not None:
        user["token"] = token
    if certificate is not None:
        user |= {"client-certificate": str(certificate[0]), "client-key": str(certificate[1])}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": user}],
        "contexts": [
            {"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}
        ],
    }
    path.write_text(yaml.safe_dump(config))
    return path
