"""What the specs of one project must not share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from compiler.diagnostics import Diagnostic, Related, error
from compiler.ir import Pipeline


def same_names(pipelines: Iterable[Pipeline]) -> Iterator[Diagnostic]:
    """Algorithms of one project that Kubernetes could not tell apart."""
    first: dict[str, Pipeline] = {}
    for pipeline in pipelines:
        other = first.setdefault(pipeline.kubernetes_name, pipeline)
        if other is not pipeline and other.source != pipeline.source:
            message = f"another algorithm is called `{other.name}`"
            if other.name != pipeline.name:
                message += f", which Kubernetes can't tell from `{pipeline.name}`"
            related = (Related("named here", other.span),)
            yield error("MLC310", message, pipeline.span, related=related)
