"""Amounts that no machine has or that lack their unit, and GPUs that no node will give."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from compiler.diagnostics import Diagnostic, Related, Span, error, listing, warning
from compiler.expr import Expr, InputRef, Literal, ParamRef
from compiler.ir import Amount, Pipeline, Step
from compiler.quantities import forgotten_unit, quantity, quantity_hint
from compiler.settings import Project
from compiler.values import to_text

# Above the largest machines that clouds rent out (1,920 cores, 32 TiB, 16 GPUs in 2025).
_MOST_CORES = 2048
# Above what all but a few have: `cpu: 500` mostly was to be `500m`.
_MANY_CORES = 256
_MOST_BYTES = 64 * 2**40
_MOST_GPUS = 16


def amounts(step: Step, _: Project) -> Iterator[Diagnostic]:
    """More than any machine has, or than most have: units that were mixed up."""
    for key, amount in _amounts(step):
        found = _largest(amount)
        if found is not None and key != "disk":
            yield from _too_much(key, *found, amount.place)
    gpu = step.resources.gpu
    if gpu and isinstance(gpu.count, int) and gpu.count > _MOST_GPUS:
        message = f"no machine has {gpu.count} GPUs, and a step runs on one"
        hint = "a step is one container: loop over parts of the work for more machines"
        yield warning("MLC621", message, gpu.count_span or gpu.span, hint=hint)


def amounts_from_params(step: Step, pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Defaults of params, and values given to components, that are whole amounts: held to the same
    as amounts that are written out."""
    for key, amount in _amounts(step):
        related = (Related("what it is for", amount.place),)
        for given in amount.sides:
            found = _given(given, step, pipeline)
            if found is None:
                continue
            text, place = found
            value = quantity(text)
            small = forgotten_unit(key, text, value) if value is not None else None
            if value is None:
                message = f"`{text}` is no quantity, and it is for `{key}`"
                hint = quantity_hint(text)
                yield error("MLC201", message, place, hint=hint, related=related)
            elif small is not None:
                yield error("MLC201", small[0], place, hint=small[1], related=related)
            elif key != "disk":
                yield from _too_much(key, text, value, place, related)


def _amounts(step: Step) -> Iterator[tuple[str, Amount]]:
    wanted = step.resources
    for key in ("cpu", "memory", "disk", "shm"):
        amount: Amount | None = getattr(wanted, key)
        if amount is not None:
            yield key, amount


def _given(given: str | Expr | None, step: Step, pipeline: Pipeline) -> tuple[str, Span] | None:
    """The text and the place of what an amount gets from elsewhere, if it is that alone."""
    if isinstance(given, InputRef):
        given = next((i.value for i in step.inputs if i.name == given.name), None)
    if isinstance(given, Literal) and isinstance(given.value, (str, int, float)):
        return to_text(given.value), given.span
    if isinstance(given, ParamRef):
        param = next((p for p in pipeline.params if p.name == given.name), None)
        if param is not None and isinstance(param.default, (str, int, float)):
            return to_text(param.default), param.span
    return None


def _too_much(
    key: str, text: str, value: Decimal, place: Span, related: tuple[Related, ...] = ()
) -> Iterator[Diagnostic]:
    hint = f"for thousandths of a core write `{text}m`" if text.isdigit() else _FOR_CPU
    if key == "cpu" and value > _MOST_CORES:
        message = f"`cpu` of {text} is {value:,.0f} cores, more than any machine has"
        yield error("MLC620", message, place, hint=hint, related=related)
    elif key == "cpu" and value > _MANY_CORES:
        message = f"`cpu` of {text} is {value:,.0f} cores, more than most machines have"
        yield warning("MLC640", message, place, hint=hint, related=related)
    elif key != "cpu" and value > _MOST_BYTES:
        message = f"`{key}` of {text} is {value / 2**40:,.0f} TiB, more than any machine has"
        hint = "units are `Mi`, `Gi` and `Ti`"
        yield error("MLC620", message, place, hint=hint, related=related)


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


def _largest(amount: Amount) -> tuple[str, Decimal] | None:
    """The larger side of an amount that is written out, as text and number."""
    found: tuple[str, Decimal] | None = None
    for text in amount.sides:
        value = quantity(text) if isinstance(text, str) else None
        if isinstance(text, str) and value is not None and (found is None or value > found[1]):
            found = text, value
    return found
