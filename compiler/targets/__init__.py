"""The targets: what a pipeline is compiled to, and how faithfully.

A target is a module with the two functions of `Target`, pure and deterministic: no disk, clock,
environment or network. They are imported when asked for, since one of them needs Jinja.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Protocol, cast

from msgspec import Struct

from compiler.diagnostics import Diagnostic, Span, error, warning
from compiler.ir import Pipeline
from compiler.settings import Project, TargetSettings


class Level(StrEnum):
    """How faithfully a target does what a field says."""

    EXACT = "exact"
    EMULATED = "emulated"  # the same result by other means
    WEAKER = "weaker"  # the same result, less economy or less protection
    REFUSED = "refused"  # not possible; an error unless the project accepts the loss


class Support(Struct, frozen=True):
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


class Compiled(Struct, frozen=True):
    """What a target makes of a pipeline: how each field fares, and the text of its file. That is
    written when it is called for, which is right only where nothing is refused."""

    uses: list[Support]
    text: Callable[[], str]


class Target(Protocol):
    """What each module of this package offers: both at once, planned once, and each alone."""

    FILENAME: str

    def compiled(self, pipeline: Pipeline, settings: TargetSettings) -> Compiled:
        """What `explain` and `emit` say."""

    def explain(self, pipeline: Pipeline, settings: TargetSettings) -> list[Support]:
        """How each field that the pipeline uses fares on this target, in the spec's order."""

    def emit(self, pipeline: Pipeline, settings: TargetSettings) -> str:
        """The text of the target's file. Only called where nothing is refused."""


TARGETS = {
    "kfp": "compiler.targets.kfp",
    "kfp-dsl": "compiler.targets.kfp_dsl",
    "argo": "compiler.targets.argo",
}

# The reason that is told in words of its own: nothing is there that a target could do.
NO_IMAGE = "give `image` to the step, or to all at the top"


def target(name: str) -> Target:
    return cast(Target, importlib.import_module(TARGETS[name]))


def losses(pipeline: Pipeline, project: Project, names: Iterable[str]) -> list[Diagnostic]:
    """What the targets of these names say against a pipeline."""
    uses = {name: target(name).explain(pipeline, project.target(name)) for name in names}
    return judge(uses, project)


def judge(uses: dict[str, list[Support]], project: Project) -> list[Diagnostic]:
    """Errors for what targets refuse and the project does not accept, warnings for losses.

    `uses` is what each target says of a pipeline, by the target's name. Targets that say the
    same of the same field share a diagnostic; a loss that is accepted by name is not warned of.
    """
    found: dict[tuple[Span, str, str, str], tuple[list[str], list[str], Support]] = {}
    for name, support in uses.items():
        accepted = project.target(name).accept
        for use in support:
            by_name = use.acceptable and use.field in accepted
            if use.level is Level.REFUSED:
                code = "MLC703" if by_name else "MLC701"
            elif use.level is Level.WEAKER and not by_name:
                code = "MLC702"
            else:
                continue
            names, reasons, _ = found.setdefault(
                (use.span, use.field, use.where, code), ([], [], use)
            )
            if name not in names:
                names.append(name)
            reasons.append(use.reason)
    return [
        _finding(code, names, list(dict.fromkeys(reasons)), use, project.table_prefix)
        for (_, _, _, code), (names, reasons, use) in found.items()
    ]


def _finding(
    code: str, names: list[str], reasons: list[str], use: Support, prefix: str
) -> Diagnostic:
    subject = f"`{use.field}` of {use.where}"
    who = f"target {names[0]}" if len(names) == 1 else f"targets {', '.join(names)}"
    several = len(names) > 1
    hint = "; ".join(reasons)
    if reasons == [NO_IMAGE]:
        verb = "need" if several else "needs"
        return error(code, f"{use.where} has no image, which {who} {verb}", use.span, hint=hint)
    if code == "MLC703":
        verb = "leave" if several else "leaves"
        return warning(code, f"{who} {verb} out {subject}, as accepted", use.span)
    if code == "MLC702":
        verb = "do" if several else "does"
        return warning(code, f"{who} {verb} {subject} less well", use.span, hint=hint)
    if use.acceptable:
        tables = ", ".join(f"[{prefix}targets.{name}]" for name in names)
        hint += f'; or accept the loss: accept = ["{use.field}"] in {tables}'
    return error(code, f"{who} can't do {subject}", use.span, hint=hint)
