"""What the specs of one project must not share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from compiler.diagnostics import Diagnostic, Related, Span, error
from compiler.ir import Pipeline


class Named(Struct, frozen=True):
    """What is known of an algorithm without its pipeline."""

    name: str
    source: str
    span: Span

    @property
    def kubernetes_name(self) -> str:
        return self.name.replace("_", "-")


def same_names(
    pipelines: Iterable[Pipeline | Named], others: Iterable[Named] = ()
) -> Iterator[Diagnostic]:
    """Algorithms of one project that Kubernetes could not tell apart; `others` are told of only
    beside a pipeline."""
    first: dict[str, Pipeline | Named] = {}
    for known in others:
        first.setdefault(known.kubernetes_name, known)
    for pipeline in pipelines:
        other = first.setdefault(pipeline.kubernetes_name, pipeline)
        if other is not pipeline and other.source != pipeline.source:
            message = f"another algorithm is called `{other.name}`"
            if other.name != pipeline.name:
                message += f", which Kubernetes can't tell from `{pipeline.name}`"
            related = (Related("named here", other.span),)
            yield error("MLC310", message, pipeline.span, related=related)
