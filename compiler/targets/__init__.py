"""The targets: what a pipeline is compiled to, and how faithfully.

A target is a module with the two functions of `Target`, pure and deterministic: no disk, clock,
environment or network. They are imported when asked for, since one of them needs Jinja.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, cast

from compiler.diagnostics import Diagnostic, Span, error, warning
from compiler.ir import Pipeline
from compiler.settings import TargetSettings


class Level(StrEnum):
    """How faithfully a target does what a field says."""

    EXACT = "exact"
    EMULATED = "emulated"  # the same result by other means
    WEAKER = "weaker"  # the same result, less economy or less protection
    REFUSED = "refused"  # not possible; an error unless the project accepts the loss


@dataclass(frozen=True, slots=True)
class Support:
    """How one use of a field fares on a target.

    `field` is the name that `accept` takes (`limits.parallel`, `resources.disk`); `where` says
    which part of the spec uses it ("step build_and_fit"); `reason` says how it is done, or why
    not and what to do instead. A loss that would change results has `acceptable` False.
    """

    field: str
    where: str
    level: Level
    reason: str
    span: Span
    acceptable: bool = True


class Target(Protocol):
    """What each module of this package offers."""

    FILENAME: str

    def explain(self, pipeline: Pipeline, settings: TargetSettings) -> list[Support]:
        """How each field that the pipeline uses fares on this target, in the spec's order."""

    def emit(self, pipeline: Pipeline, settings: TargetSettings) -> str:
        """The text of the target's file. Only called where nothing is refused."""


TARGETS = {
    "kfp": "compiler.targets.kfp",
    "kfp-dsl": "compiler.targets.kfp_dsl",
    "argo": "compiler.targets.argo",
}


def target(name: str) -> Target:
    return cast(Target, importlib.import_module(TARGETS[name]))


def judge(name: str, support: list[Support], settings: TargetSettings) -> list[Diagnostic]:
    """Errors for what the target refuses and the project does not accept, warnings for losses."""
    found = []
    for use in support:
        accepted = use.acceptable and use.field in settings.accept
        subject = f"`{use.field}` of {use.where}"
        if use.level is Level.REFUSED and not accepted:
            hint = use.reason
            if use.acceptable:
                hint += f'; or accept the loss: accept = ["{use.field}"] in [targets.{name}]'
            found.append(error("MLC701", f"target {name} can't do {subject}", use.span, hint=hint))
        elif use.level is Level.REFUSED:
            found.append(
                warning("MLC703", f"target {name} leaves out {subject}, as accepted", use.span)
            )
        elif use.level is Level.WEAKER:
            found.append(
                warning(
                    "MLC702", f"target {name} does {subject} less well", use.span, hint=use.reason
                )
            )
    return found
