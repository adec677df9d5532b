"""What a spec takes from outside: its parameters and its inputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from msgspec import Struct

from compiler import expr as ex
from compiler import ir
from compiler.binding import EVERYTHING
from compiler.diagnostics import Diagnostic, Related, error
from compiler.nodes import Mapping, Node, Scalar, mapping, text
from compiler.params import lower_param, overlay


class Interface(Struct, frozen=True):
    """The params and inputs of a file that others use; `broken` names those that are wrong in it.

    `title` is its name.
    """

    title: Scalar
    params: dict[str, ir.Param]
    inputs: dict[str, ir.PipelineInput]
    broken: frozenset[str]


def read_interface(spec: Mapping, diagnostics: list[Diagnostic]) -> Interface:
    """The interface of a resolved spec."""
    params_node, inputs_node = mapping(spec.get("params")), mapping(spec.get("inputs"))
    params = lower_params(params_node, (), diagnostics)
    inputs = lower_inputs(inputs_node, diagnostics)
    diagnostics += same_names(params, inputs)
    broken = frozenset[str]()
    for part in (params_node, inputs_node):
        broken |= part.broken if part else frozenset()
    if not spec.broken.isdisjoint(("params", "inputs")):
        broken = EVERYTHING
    title = spec.get("name")
    if not isinstance(title, Scalar):
        title = Scalar(spec.file, spec.start, spec.start, "", "")
    return Interface(title, params, {i.name: i for i in inputs}, broken)


def type_of(param: ir.Param) -> ex.ValueType:
    items = ex.ValueType(param.items) if param.items else None
    return ex.ValueType(param.kind, param.nullable, items)


def lower_params(
    node: Mapping | None, values: Iterable[tuple[Scalar, Node]], diagnostics: list[Diagnostic]
) -> dict[str, ir.Param]:
    """The parameters by name, with values of profiles for defaults."""
    params: dict[str, ir.Param] = {}
    for _, entry in node or ():
        if isinstance(entry.value, Mapping):
            param, found = lower_param(entry.key, entry.value)
            diagnostics += found
            if node and found and param.default is None and "type" not in entry.value.entries:
                node.broken |= {param.name}  # of what type is not known, so no use is wrong
            else:
                params[param.name] = param
    params, found = overlay(params, values, node.broken if node else frozenset())
    diagnostics += found
    return params


def lower_inputs(
    node: Mapping | None, diagnostics: list[Diagnostic]
) -> tuple[ir.PipelineInput, ...]:
    """The inputs of an algorithm or a component; these have no defaults, and a short form."""
    inputs = []
    for name, entry in node or ():
        definition = mapping(entry.value)
        default = definition.get("default") if definition else None
        if default is not None and "${{" in (text(default) or ""):
            message = f"the default of `{name}` can't be an expression"
            diagnostics.append(error("MLC406", message, default.span))
        kind = text(definition.get("type") if definition else entry.value) or "Artifact"
        inputs.append(
            ir.PipelineInput(
                name=name,
                type=ex.ArtifactType(cast(ex.ArtifactKind, kind)),
                default=text(default),
                description=(text(definition.get("description")) if definition else None) or "",
                span=entry.key.span,
            )
        )
    return tuple(inputs)


def same_names(params: dict[str, ir.Param], inputs: Iterable[ir.PipelineInput]) -> list[Diagnostic]:
    """Both are parameters of a run for the engines, for `-p` and for callers."""
    return [
        error(
            "MLC311",
            f"`{given.name}` is both a parameter and an input",
            given.span,
            hint="give one of them another name",
            related=(Related("the parameter", params[given.name].span),),
        )
        for given in inputs
        if given.name in params
    ]
