"""What would go wrong on the cluster, told at once and before anything is made there. What a
target can't express is told earlier, when it is compiled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from compiler.cluster import Engine
from compiler.cluster.records import Act, Health, Manifest
from compiler.ir import Pipeline
from compiler.submission.needs import needs_of, together


class Findings(Struct, frozen=True):
    """`missing` stops a submission; `unknown` is what could not be asked, and why."""

    health: Health
    missing: tuple[str, ...]
    unknown: tuple[str, ...]


def preflight(
    engine: Engine,
    pipelines: Sequence[Pipeline],
    manifests: Iterable[Manifest],
    acts: Iterable[Act],
) -> Findings:
    """Ask the engine, and Kubernetes where it can be asked, for all that runs of these need, for
    the rights to do `acts`, and whether it stores what they are compiled to.

    Raises:
        EngineError: the engine can't be reached, or one is not let in.
    """
    health = engine.check(acts)
    account = engine.settings.service_account
    survey = engine.survey(together([needs_of(pipeline, account) for pipeline in pipelines]))
    missing = dict.fromkeys((*health.missing, *survey.missing, *_too_large(manifests)))
    unknown = dict.fromkeys((*health.notes, *survey.unknown))
    return Findings(health, tuple(missing), tuple(unknown))


def _too_large(manifests: Iterable[Manifest]) -> Iterator[str]:
    for one in manifests:
        if one.most and one.size > one.most:
            yield (
                f"the manifest of {one.algorithm} has {one.size // 1024} KiB, and the engine takes "
                f"at most {one.most // 1024}: put long texts into the image, or split the algorithm"
            )
