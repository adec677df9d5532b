"""The road to Argo straight through Kubernetes, where no Argo Server has to be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kubernetes.client import AuthorizationV1Api, CoreV1Api, CustomObjectsApi, V1DeleteOptions

from compiler.cluster.answers import at
from compiler.cluster.argo.road import WORDS, Json, Kind
from compiler.cluster.argo.server import ServerRoad
from compiler.cluster.argo.shapes import OBJECTS, PAGES, REVIEW
from compiler.cluster.calls import CALL, calling
from compiler.cluster.errors import EngineError
from compiler.cluster.kubernetes import Kubernetes
from compiler.cluster.records import Act

_GROUP, _VERSION = "argoproj.io", "v1alpha1"
_PUT = ("get", "list", "create", "update")
_RIGHTS: dict[Act, dict[Kind, tuple[str, ...]]] = {
    "submit": {"workflows": ("get", "list", "create"), "workflowtemplates": _PUT},
    # A schedule that no spec has any more is deleted by each deploy.
    "deploy": {
        "workflows": ("list",),
        "workflowtemplates": _PUT,
        "cronworkflows": (*_PUT, "delete"),
    },
    "prune": {"workflowtemplates": ("delete",)},
}


class DirectRoad:
    """`files` leads to an Argo Server for the files of runs alone, where the settings name one."""

    def __init__(self, cluster: Kubernetes, files: ServerRoad | None = None) -> None:
        self.cluster = cluster
        self.namespace = cluster.namespace
        self.patience = cluster.transport.patience
        self.verbose = cluster.transport.verbose
        self._files = files
        self._objects = CustomObjectsApi(cluster.api)
        self._core = CoreV1Api(cluster.api)

    def close(self) -> None:
        self.cluster.transport.close()
        if self._files is not None:
            self._files.close()

    def version(self) -> str:
        return self._files.version() if self._files is not None else ""

    def rights(self, acts: Iterable[Act]) -> tuple[str, ...]:
        try:
            method = self._objects.list_namespaced_custom_object
            place = self._place("workflows")
            self.cluster.ask("list workflows", method, *place, shape=PAGES["workflows"], limit=1)
        except EngineError as problem:
            if problem.reason == "not found":
                raise EngineError(
                    "can't list workflows: Argo is not installed in this cluster, or not for the "
                    f"namespace {self.namespace}",
                    "not found",
                    404,
                    hint="look at `context` and `namespace`",
                ) from None
            raise
        wanted = [
            (verb, kind)
            for act in sorted(acts)
            for kind, verbs in _RIGHTS[act].items()
            for verb in verbs
        ]
        return tuple(
            f"no right to {verb} {kind} in the namespace {self.namespace}"
            for verb, kind in dict.fromkeys(wanted)
            if not self._may(verb, kind)
        )

    def find(self, kind: Kind, name: str) -> Json | None:
        method = self._objects.get_namespaced_custom_object
        doing = f"read the {WORDS[kind]} {name}"
        found: Json | None = self.cluster.found(
            doing, method, *self._place(kind), name, shape=OBJECTS[kind]
        )
        return found

    def list(self, kind: Kind, selector: str = "") -> Iterator[Json]:
        named = {"label_selector": selector} if selector else {}
        method = self._objects.list_namespaced_custom_object
        return self.cluster.pages(
            f"list {WORDS[kind]}s", PAGES[kind], method, *self._place(kind), **named
        )

    def create(self, kind: Kind, body: Json) -> Json:
        method = self._objects.create_namespaced_custom_object
        doing = f"create the {WORDS[kind]} {body['metadata']['name']}"
        place = self._place(kind)
        made: Json = self.cluster.ask(
            doing,
            method,
            *place,
            body,
            creates=True,
            shape=OBJECTS[kind],
            field_validation="Strict",
        )
        return made

    def replace(self, kind: Kind, body: Json) -> Json:
        method = self._objects.replace_namespaced_custom_object
        name = body["metadata"]["name"]
        doing = f"update the {WORDS[kind]} {name}"
        made: Json = self.cluster.ask(
            doing, method, *self._place(kind), name, body, shape=OBJECTS[kind]
        )
        return made

    def delete(self, kind: Kind, name: str) -> None:
        method = self._objects.delete_namespaced_custom_object
        options = V1DeleteOptions(propagation_policy="Orphan")
        doing = f"delete the {WORDS[kind]} {name}"
        self.cluster.found(doing, method, *self._place(kind), name, body=options)

    def stop(self, name: str) -> None:
        """By the field that the server itself sets; a merge patch leaves the rest alone."""
        path = f"/apis/{_GROUP}/{_VERSION}/namespaces/{self.namespace}/workflows/{name}"
        transport = self.cluster.transport
        with calling(f"stop the workflow {name}", repeatable=True):
            transport.request(
                CALL.get(),
                "PATCH",
                f"{transport.base}{path}",
                b'{"spec":{"shutdown":"Stop"}}',
                {"Content-Type": "application/merge-patch+json"},
            )

    def lines(self, workflow: str, pod: str, follow: bool) -> Iterator[str]:  # noqa: ARG002
        with calling(f"read the log of {pod}", streams=True):
            call = CALL.get()
            answer: Any = self._core.read_namespaced_pod_log(
                pod, self.namespace, container="main", follow=follow, _preload_content=False
            )
        yield from self.cluster.transport.streamed(call, answer)

    def file(self, workflow: str, node: str, artifact: str) -> bytes | None:
        return None if self._files is None else self._files.file(workflow, node, artifact)

    def _place(self, kind: Kind) -> tuple[str, str, str, str]:
        return _GROUP, _VERSION, self.namespace, kind

    def _may(self, verb: str, kind: str) -> bool:
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {
                "resourceAttributes": {
                    "namespace": self.namespace,
                    "verb": verb,
                    "group": _GROUP,
                    "resource": kind,
                }
            },
        }
        method = AuthorizationV1Api(self.cluster.api).create_self_subject_access_review
        try:
            answer = self.cluster.ask(
                "ask for one's rights", method, review, repeatable=True, shape=REVIEW
            )
        except EngineError as problem:
            if problem.reason in ("forbidden", "not found"):
                return True
            raise
        return bool(at(answer, "status").get("allowed"))
