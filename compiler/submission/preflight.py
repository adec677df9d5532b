"""What would go wrong on the cluster, told at once and before anything is made there. What an
engine's limits refuse of a manifest is told earlier, when it is compiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compiler.cluster import Engine
from compiler.cluster.records import Health
from compiler.ir import Pipeline
from compiler.submission.needs import needs_of, together


@dataclass(frozen=True, slots=True)
class Findings:
    """`missing` stops a submission; `unknown` is what could not be asked, and why."""

    health: Health
    missing: tuple[str, ...]
    unknown: tuple[str, ...]


def preflight(engine: Engine, pipelines: Sequence[Pipeline]) -> Findings:
    """Ask the engine, and Kubernetes where it can be asked, for all that runs of these need.

    Raises:
        EngineError: the engine can't be reached, or one is not let in.
    """
    health = engine.check()
    account = engine.settings.service_account
    survey = engine.survey(together([needs_of(pipeline, account) for pipeline in pipelines]))
    missing = dict.fromkeys((*health.missing, *survey.missing))
    unknown = dict.fromkeys((*health.notes, *survey.unknown))
    return Findings(health, tuple(missing), tuple(unknown))
