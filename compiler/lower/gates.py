"""`gates` of a spec: read, and their names bound to the outputs of steps."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from compiler import gates, ir
from compiler.diagnostics import Diagnostic, Span, error, listing, nearest
from compiler.expr import ArtifactType
from compiler.nodes import Mapping, Scalar, Sequence


def lower_gates(
    spec: Mapping, nodes: tuple[ir.Node, ...], diagnostics: list[Diagnostic]
) -> tuple[ir.Gate, ...]:
    """The gates that are sound; what is wrong with the others is in `diagnostics`."""
    given = spec.get("gates")
    outputs = dict(_outputs(nodes))
    found = []
    for node in given.items if isinstance(given, Sequence) else ():
        if not isinstance(node, Scalar):
            continue
        gate = _gate(node, outputs, diagnostics)
        if gate is not None:
            found.append(gate)
    return tuple(found)


def _gate(
    node: Scalar, outputs: dict[tuple[str, str], bool], diagnostics: list[Diagnostic]
) -> ir.Gate | None:
    try:
        read = gates.parse(node.text)
    except gates.GateError as problem:
        hint = "as in `evaluate.metrics.f1 >= baseline.evaluate.metrics.f1 - 0.005`"
        place = _part(node, problem.start, problem.end)
        diagnostics.append(
            error("MLC353", f"a gate that can't be read: {problem}", place, hint=hint)
        )
        return None
    flawed = False

    def bind(metric: gates.Metric) -> gates.Metric:
        nonlocal flawed
        places = _places(metric, outputs)
        if len(places) == 1:
            (step, output, name) = places[0]
            if outputs[step, output]:
                return replace(metric, name=name, step=step, output=output)
        flawed = True
        diagnostics.append(_unbound(metric, node, places, outputs))
        return metric

    whole = gates.bound(read, bind)
    if flawed:
        return None
    if all(metric.of_baseline for metric in gates.metrics_in(whole)):
        message = "the gate is about no metric of the run, so each run fares the same"
        hint = (
            f"name one as STEP.OUTPUT.METRIC, of {listing(_names(outputs)) or 'a Metrics output'}"
        )
        diagnostics.append(error("MLC355", message, node.span, hint=hint))
        return None
    return ir.Gate(node.text, whole, node.span)


def _places(
    metric: gates.Metric, outputs: dict[tuple[str, str], bool]
) -> list[tuple[str, str, str]]:
    """The outputs that a name may be of: it has its step and output, or there is one alone."""
    for step, output in outputs:
        start = f"{step}.{output}."
        if metric.name.startswith(start) and "." not in metric.name[len(start) :]:
            return [(step, output, metric.name[len(start) :])]
    if "." not in metric.name:
        single = [(*place, metric.name) for place, is_single in outputs.items() if is_single]
        return single or [(*place, metric.name) for place in outputs]
    return []


def _unbound(
    metric: gates.Metric,
    node: Scalar,
    places: list[tuple[str, str, str]],
    outputs: dict[tuple[str, str], bool],
) -> Diagnostic:
    length = len(metric.name) + (len(gates.BASELINE) + 1 if metric.of_baseline else 0)
    place = _part(node, metric.start, metric.start + length)
    if len(places) == 1:
        step, output, _ = places[0]
        message = f"`{step}` is in a loop, so `{output}` is there once for each round"
        hint = "take the metrics together in a step after the loop, and name that one"
        return error("MLC354", message, place, hint=hint)
    names = _names(outputs)
    if places:
        message = f"`{metric.name}` may be of {listing(names)}"
        hint = f"write `{names[0]}.{metric.name}`, or that of another"
        return error("MLC354", message, place, hint=hint)
    if not names:
        message = f"there is no `{metric.name}`: no step has an output of type Metrics"
        return error("MLC354", message, place, hint="give one `outputs: {metrics: Metrics}`")
    message = f"`{metric.name}` is of no output of type Metrics"
    stem, _, last = metric.name.rpartition(".")
    near = nearest(stem, names)
    hint = f"did you mean `{near}.{last}`?" if near else f"there are {listing(names)}"
    return error("MLC354", message, place, hint=hint)


def _names(outputs: dict[tuple[str, str], bool]) -> list[str]:
    return [f"{step}.{output}" for (step, output), is_single in outputs.items() if is_single]


def _outputs(
    nodes: tuple[ir.Node, ...], is_single: bool = True
) -> Iterator[tuple[tuple[str, str], bool]]:
    """Outputs of type Metrics, and whether there is one alone of each in a run."""
    for node in nodes:
        if isinstance(node, ir.Loop):
            yield from _outputs(node.body, is_single=False)
            continue
        for output in node.outputs:
            if isinstance(output.type, ArtifactType) and output.type.kind == "Metrics":
                yield (node.name, output.name), is_single


def _part(node: Scalar, start: int, end: int) -> Span:
    """A part of a text, where the file has the text as it is; else all of it."""
    first, last = node.start.index, node.end.index
    written = node.file.text[first:last]
    quote = 1 if node.style in ("'", '"') else 0
    if written[quote : len(written) - quote] != node.text:
        return node.span
    return node.file.span(first + quote + start, first + quote + min(end, len(node.text)))
