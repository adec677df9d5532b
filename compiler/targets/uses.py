"""One use of a field of the language, judged: what a target's `explain` is a list of."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.diagnostics import Span
from compiler.ir import Step
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


def of_gpu(step: Step) -> Iterator[Support]:
    """GPUs, which every cluster gives alike, and their type's nodes against the pod's own."""
    gpu, where = step.resources.gpu, f"step {step.name}"
    if gpu is None:
        return
    yield exact("resources.gpu", where, gpu.span)
    chosen = dict(step.pod.node_selector)
    for label, value in gpu.node_selector:
        if chosen.get(label, value) != value:
            reason = (
                f"the GPU's type wants nodes with {label}={value}, `pod.node_selector` "
                f"{label}={chosen[label]}; leave one of them out"
            )
            yield impossible("resources.gpu", where, gpu.span, reason)
