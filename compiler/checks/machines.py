"""Amounts that no machine has, and GPUs that no node will give."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from compiler.diagnostics import Diagnostic, Related, error, listing, warning
from compiler.ir import Amount, Step
from compiler.quantities import quantity
from compiler.settings import Project

# Above the largest machines that clouds rent out (1,920 cores, 32 TiB, 16 GPUs in 2025).
_MOST_CORES = 2048
_MOST_BYTES = 64 * 2**40
_MOST_GPUS = 16


def amounts(step: Step, _: Project) -> Iterator[Diagnostic]:
    """More than any machine has: units that were mixed up."""
    wanted = step.resources
    for key, amount in (("cpu", wanted.cpu), ("memory", wanted.memory), ("shm", wanted.shm)):
        most = _MOST_CORES if key == "cpu" else _MOST_BYTES
        found = _largest(amount)
        if amount is None or found is None or found[1] <= most:
            continue
        text, value = found
        if key == "cpu":
            millis = f"{int(value)}m"
            hint = f"for thousandths of a core write `{millis}`" if text.isdigit() else _FOR_CPU
            message = f"`cpu` of {text} is {value:,.0f} cores, more than any machine has"
        else:
            hint = "units are `Mi`, `Gi` and `Ti`"
            message = f"`{key}` of {text} is {value / 2**40:,.0f} TiB, more than any machine has"
        yield error("MLC620", message, amount.place, hint=hint)
    gpu = wanted.gpu
    if gpu and isinstance(gpu.count, int) and gpu.count > _MOST_GPUS:
        message = f"no machine has {gpu.count} GPUs, and a step runs on one"
        hint = "a step is one container: loop over parts of the work for more machines"
        yield warning("MLC621", message, gpu.count_span or gpu.span, hint=hint)


_FOR_CPU = "a number of cores has no unit, or `m` for thousandths: `500m`, `4`"


def gpu_nodes(step: Step, project: Project) -> Iterator[Diagnostic]:
    """GPUs without a type where the project knows types, or with one that the pod rules out."""
    gpu, pod = step.resources.gpu, step.pod
    if gpu is None:
        return
    spans = dict(pod.value_spans)
    if gpu.type is None:
        typed = project.gpus.values()
        if typed and all(kind.node_selector or kind.tolerations for kind in typed):
            if pod.node_selector or pod.tolerations:
                return
            message = "a GPU of no type gets neither node selector nor tolerations"
            hint = f"name a type of the project: {listing(project.gpus)}"
            yield warning("MLC622", message, gpu.span, hint=hint)
        return
    chosen = dict(pod.node_selector)
    for label, value in gpu.node_selector:
        if chosen.get(label, value) != value:
            message = (
                f"GPUs of type `{gpu.type}` are on nodes with {label}={value}, and the pod asks "
                f"for {label}={chosen[label]}"
            )
            place = spans.get(f"node_selector.{label}", step.span)
            related = (Related("what the pod asks for", place),)
            hint = f"leave `{label}` out of `pod.node_selector`, or change the type"
            yield error("MLC623", message, gpu.type_span or gpu.span, hint=hint, related=related)


def _largest(amount: Amount | None) -> tuple[str, Decimal] | None:
    """The larger side of an amount that is written out, as text and number."""
    found: tuple[str, Decimal] | None = None
    for text in (amount.request, amount.limit) if amount else ():
        value = quantity(text) if isinstance(text, str) else None
        if isinstance(text, str) and value is not None and (found is None or value > found[1]):
            found = text, value
    return found
