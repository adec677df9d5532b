"""One use of a field of the language, judged: what a target's `explain` is a list of."""

from __future__ import annotations

from compiler.diagnostics import Span
from compiler.targets import Level, Support


def exact(field: str, where: str, span: Span, reason: str = "") -> Support:
    return Support(field, where, Level.EXACT, reason, span)


def emulated(field: str, where: str, span: Span, reason: str) -> Support:
    return Support(field, where, Level.EMULATED, reason, span)


def weaker(field: str, where: str, span: Span, reason: str) -> Support:
    return Support(field, where, Level.WEAKER, reason, span)


def refused(field: str, where: str, span: Span, reason: str) -> Support:
    """Not possible; a project may live with it."""
    return Support(field, where, Level.REFUSED, reason, span)


def impossible(field: str, where: str, span: Span, reason: str) -> Support:
    """Not possible, and leaving it out would change results or break the run."""
    return Support(field, where, Level.REFUSED, reason, span, acceptable=False)
