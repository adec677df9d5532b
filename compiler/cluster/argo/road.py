"""What both roads to Argo can do: objects of Kubernetes as plain data, and the logs of pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, Protocol

from compiler.cluster.calls import Patience
from compiler.cluster.records import Act

Kind = Literal["workflows", "workflowtemplates", "cronworkflows"]
Json = Mapping[str, Any]
WORDS: dict[Kind, str] = {
    "workflows": "workflow",
    "workflowtemplates": "workflow template",
    "cronworkflows": "cron workflow",
}


class Road(Protocol):
    """Methods raise EngineError, with reasons as the protocol of engines wants them."""

    namespace: str
    patience: Patience
    verbose: bool

    def close(self) -> None: ...

    def version(self) -> str:
        """Argo's version; the empty text where it can't be asked."""

    def rights(self, acts: Iterable[Act]) -> tuple[str, ...]:
        """What one has no right to and these want, each as a sentence."""

    def find(self, kind: Kind, name: str) -> Json | None: ...

    def list(self, kind: Kind, selector: str = "") -> Iterator[Json]:
        """All that fit a label selector, page by page."""

    def create(self, kind: Kind, body: Json) -> Json:
        """Make it; its name makes sure that there is no second one."""

    def replace(self, kind: Kind, body: Json) -> Json:
        """Put another in its place; a conflict where its `resourceVersion` is not the newest."""

    def delete(self, kind: Kind, name: str) -> None:
        """Delete it, and nothing that belongs to it; no error where it is not there."""

    def stop(self, name: str) -> None:
        """Stop a workflow; its exit handlers run."""

    def lines(self, workflow: str, pod: str, follow: bool) -> Iterator[str]:
        """What the container `main` of a pod printed."""

    def file(self, workflow: str, node: str, artifact: str) -> bytes | None:
        """An output artifact of a node; None where there is none, or no way to it."""
