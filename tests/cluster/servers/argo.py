"""An Argo Server 4.1 over the objects of a cluster (server/workflow, server/cronworkflow, …)."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

from .access import Access
from .argo_files import PREFIX, serve_file
from .argo_lists import list_workflows
from .argo_submit import submitted_workflow
from .contract import ARGO, Contract, load_contract
from .nodes import pod_name, read_nodes
from .objects import ARGO_KINDS, Json, KubeError
from .patches import select_fields
from .wire import Answer, Request
from .workflows import FINISHED, Cluster

# server/utils/errors.go: the code of Kubernetes -> gRPC's, and what the gateway makes of that.
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 422: 3, 429: 8}
_HTTP = {3: 400, 5: 404, 6: 409, 7: 403, 8: 429, 13: 500, 16: 401}
_PLURALS = {
    "workflows": "workflows",
    "workflow-templates": "workflowtemplates",
    "cron-workflows": "cronworkflows",
    "cluster-workflow-templates": "clusterworkflowtemplates",
}
_BODY_KEYS = {
    "workflows": "workflow",
    "workflowtemplates": "template",
    "cronworkflows": "cronWorkflow",
    "clusterworkflowtemplates": "template",
}
_LONGEST = {"workflows": 63, "workflowtemplates": 63, "cronworkflows": 52}


class Argo:
    """The server; `cluster` holds what it and the Kubernetes API share."""

    answers_alone = False

    def __init__(
        self,
        cluster: Cluster | None = None,
        *,
        version: str = "v4.1.2",
        access: Access | None = None,
        checked: bool = True,
    ) -> None:
        self.cluster = cluster or Cluster()
        self.lock = self.cluster.lock
        self.version = version
        self.access = access or Access()
        self.contract: Contract | None = load_contract(ARGO) if checked else None
        self.page_limit: int | None = None

    @property
    def script(self) -> Any:
        return self.cluster.script

    def unauthorized(self) -> Answer:
        return _error(
            16, "token not valid. see https://argo-workflows.readthedocs.io/en/latest/faq/"
        )

    def failure(self, http: int, message: str) -> Answer:
        return Answer(http, _error(_CODES.get(http, 13), message).body)

    def answer(self, request: Request) -> Answer:
        if request.path.startswith(PREFIX):
            return serve_file(self.cluster, request)
        for method, pattern, handler in _ROUTES:
            found = pattern.fullmatch(request.path)
            if found and method == request.method:
                try:
                    body = handler(self, request, *found.groups())
                except KubeError as error:
                    return _error(_CODES.get(error.code, 13), error.message)
                return body if isinstance(body, Answer) else Answer(200, body)
        return _error(5, "Not Found")

    # Any kind.

    def create(self, request: Request, kind: str, namespace: str) -> Json:
        plural, body = _PLURALS[kind], request.json()
        given = self._given(body, plural, namespace)
        self._check(plural, namespace, given)
        if body.get("createOptions", {}).get("dryRun"):
            return given
        try:
            dry_run = bool(body.get("serverDryRun"))
            return self.cluster.create(plural, namespace, given, "argo", dry_run)
        except KubeError as error:
            # Whatever a dry run on the server meets is an invalid argument.
            raise KubeError(400, "BadRequest", error.message) if dry_run else error from None

    def lint(self, request: Request, kind: str, namespace: str) -> Json:
        plural = _PLURALS[kind]
        given = self._given(request.json(), plural, namespace)
        self._check(plural, namespace, given)
        return given

    def list_all(self, request: Request, kind: str, namespace: str) -> Json:
        self._allow(namespace)
        query = request.query
        limit = int(query.get("listOptions.limit") or 0)
        if self.page_limit is not None:
            limit = min(limit or self.page_limit, self.page_limit)
        if kind == "workflows":
            return list_workflows(self.cluster, namespace, query, limit)
        return self.cluster.list_page(
            _PLURALS[kind],
            namespace,
            query.get("listOptions.labelSelector", ""),
            limit,
            query.get("listOptions.continue", ""),
            query.get("listOptions.fieldSelector", ""),
        )

    def get(self, request: Request, kind: str, namespace: str, name: str) -> Json:
        """A look at a workflow moves it on; its nodes are unpacked."""
        self._allow(namespace)
        plural = _PLURALS[kind]
        if kind == "workflows" and self.cluster.find(plural, namespace, name) is None:
            archived = self.cluster.find_archived(namespace, name)
            if archived is not None:
                return archived
        one = self.cluster.get(plural, namespace, name)
        if kind == "workflows":
            status = one.get("status", {})
            if "compressedNodes" in status:
                status["nodes"] = read_nodes(status)
                del status["compressedNodes"]
            self.cluster.advance(namespace, name, self.script.pace)
            if "fields" in request.query:
                return select_fields(one, request.query["fields"])
        return one

    def put(self, request: Request, kind: str, namespace: str, name: str) -> Json:
        plural = _PLURALS[kind]
        given = self._given(request.json(), plural, namespace)
        self._check(plural, namespace, given)
        return self.cluster.replace(plural, namespace, name, given, "argo")

    def delete(self, request: Request, kind: str, namespace: str, name: str) -> Json:
        self._allow(namespace)
        policy = request.query.get("deleteOptions.propagationPolicy", "Background")
        self.cluster.delete(_PLURALS[kind], namespace, name, policy)
        return {}

    # Workflows.

    def submit(self, request: Request, namespace: str) -> Json:
        self._allow(namespace)
        body = request.json()
        workflow = submitted_workflow(self.cluster, namespace, body)
        self._check("workflows", namespace, workflow)
        options = body.get("submitOptions") or {}
        dry_run = bool(options.get("dryRun") or options.get("serverDryRun"))
        return self.cluster.create("workflows", namespace, workflow, "argo", dry_run)

    def shut_down(self, _: Request, namespace: str, name: str, action: str) -> Json:
        self._allow(namespace)
        one = self.cluster.get("workflows", namespace, name)
        if one.get("status", {}).get("phase") in FINISHED:
            place = f'workflow: "{name}", namespace: "{namespace}"'
            text = f"cannot shutdown a completed workflow: {place}"
            raise KubeError(500, "InternalError", text)
        how = "Terminate" if action == "terminate" else "Stop"
        return self.cluster.merge("workflows", namespace, name, {"spec": {"shutdown": how}})

    def retry(self, _: Request, namespace: str, name: str) -> Json:
        self._allow(namespace)
        return self.cluster.retry(namespace, name)

    def suspend(self, _: Request, namespace: str, name: str, action: str) -> Json:
        """A schedule is suspended or resumed by a merge patch, which keeps its status."""
        patch = {"spec": {"suspend": action == "suspend"}}
        return self.cluster.merge("cronworkflows", namespace, name, patch)

    def log(self, request: Request, namespace: str, name: str) -> Answer:
        self._allow(namespace)
        one = self.cluster.get("workflows", namespace, name)
        wanted = request.query.get("podName", "")
        entries = []
        for node in read_nodes(one.get("status", {})).values():
            if node["type"] != "Pod" or wanted not in ("", pod_name(name, node)):
                continue
            default = f"{node['displayName']} has begun"
            text = self.script.pick(self.script.logs, name, node["displayName"], default)
            entries += [
                {"result": {"content": line, "podName": pod_name(name, node)}}
                for line in text.splitlines()
            ]
        tail = int(request.query.get("logOptions.tailLines") or 0)
        return Answer(200, entries[-tail:] if tail else entries, stream=True)

    def events(self, request: Request, namespace: str) -> Answer:
        """The workflows as they are and a few of their next steps; then the stream ends."""
        self._allow(namespace)
        query = request.query
        selector = query.get("listOptions.labelSelector", "")
        fields = query.get("listOptions.fieldSelector", "")
        page = self.cluster.list_page("workflows", namespace, selector, fields=fields)
        events = [{"type": "ADDED", "object": one} for one in page["items"]]
        for _ in range(self.script.pace and self.script.watched):
            for one in page["items"]:
                moved = self.cluster.advance(namespace, one["metadata"]["name"])
                if moved["metadata"]["resourceVersion"] != one["metadata"]["resourceVersion"]:
                    one["metadata"] = copy.deepcopy(moved["metadata"])
                    events.append({"type": "MODIFIED", "object": copy.deepcopy(moved)})
        return Answer(200, [{"result": event} for event in events], stream=True)

    def archived(self, _: Request) -> Json:
        return {"metadata": {}, "items": list(copy.deepcopy(self.cluster.archive).values())}

    def archived_one(self, _: Request, uid: str) -> Json:
        if uid not in self.cluster.archive:
            raise KubeError(404, "NotFound", "not found")
        return copy.deepcopy(self.cluster.archive[uid])

    # The server itself.

    def versions(self, _: Request) -> Json:
        return {
            "version": self.version,
            "buildDate": "2026-08-21T00:00:00Z",
            "gitCommit": "unknown",
            "gitTag": self.version,
            "gitTreeState": "clean",
            "goVersion": "go1.25",
            "compiler": "gc",
            "platform": "linux/amd64",
        }

    def info(self, _: Request) -> Json:
        return {"managedNamespace": "", "links": [], "columns": []}

    def user(self, _: Request) -> Json:
        return {"subject": "user", "serviceAccountName": "user"}

    def _allow(self, namespace: str) -> None:
        if not self.access.may_use(namespace):
            raise KubeError(403, "Forbidden", f'forbidden: User "user" in namespace "{namespace}"')

    def _given(self, body: Json, plural: str, namespace: str) -> Json:
        self._allow(namespace)
        given: Json | None = body.get(_BODY_KEYS[plural])
        if given is None:
            raise KubeError(400, "BadRequest", f"{ARGO_KINDS[plural]} can't be null")
        return given

    def _check(self, plural: str, namespace: str, given: Json) -> None:
        name = given.get("metadata", {}).get("name", "")
        longest = _LONGEST.get(plural, 253)
        if len(name) > longest:
            text = f"{ARGO_KINDS[plural]} name {name!r} must not be more than {longest} characters"
            raise KubeError(400, "BadRequest", text)
        if plural == "workflows":
            self.cluster.check_workflow(namespace, given)
        elif plural == "cronworkflows":
            spec = given.get("spec", {})
            if not spec.get("schedules"):
                raise KubeError(400, "BadRequest", "cron workflow must have at least one schedule")
            self.cluster.check_workflow(namespace, {"spec": spec.get("workflowSpec", {})})


def _error(code: int, message: str) -> Answer:
    return Answer(_HTTP[code], {"code": code, "message": message})


_Handler = Callable[..., Any]
_ROUTES: tuple[tuple[str, re.Pattern[str], _Handler], ...] = tuple(
    (method, re.compile("/api/v1/" + path.replace("{}", "([^/]+)")), handler)
    for method, path, handler in (
        ("GET", "version", Argo.versions),
        ("GET", "info", Argo.info),
        ("GET", "userinfo", Argo.user),
        ("GET", "workflow-events/{}", Argo.events),
        ("GET", "archived-workflows", Argo.archived),
        ("GET", "archived-workflows/{}", Argo.archived_one),
        ("POST", "workflows/{}/submit", Argo.submit),
        ("GET", "workflows/{}/{}/log", Argo.log),
        ("PUT", "workflows/{}/{}/(terminate|stop)", Argo.shut_down),
        ("PUT", "workflows/{}/{}/retry", Argo.retry),
        ("PUT", "cron-workflows/{}/{}/(suspend|resume)", Argo.suspend),
        ("POST", "(workflows|workflow-templates|cron-workflows)/{}/lint", Argo.lint),
        ("GET", "(workflows|workflow-templates|cron-workflows)/{}", Argo.list_all),
        ("POST", "(workflows|workflow-templates|cron-workflows)/{}", Argo.create),
        ("GET", "(workflows|workflow-templates|cron-workflows)/{}/{}", Argo.get),
        ("PUT", "(workflow-templates|cron-workflows)/{}/{}", Argo.put),
        ("DELETE", "(workflows|workflow-templates|cron-workflows)/{}/{}", Argo.delete),
    )
)
