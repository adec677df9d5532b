"""Nodes to the engine-neutral pipeline: names bound, values typed, defaults filled in.

Expects a resolved spec (`compiler.resolve`) and goes on past every error, so that all are found
in one pass. What comes out then lacks the parts that were wrong and is for further checks only.
"""

from __future__ import annotations

from typing import cast

from compiler import expr as ex
from compiler import ir
from compiler.binding import Git, Scope, Signature
from compiler.diagnostics import Diagnostic, Related, error
from compiler.lower.settings import labels, seconds
from compiler.lower.step import lower_step, output_type
from compiler.nodes import Mapping, Node, mapping, text, texts, whole
from compiler.params import lower_param, overlay
from compiler.resolve import Resolved
from compiler.settings import Project


def lower(
    resolved: Resolved, project: Project, git: Git | None
) -> tuple[ir.Pipeline, Scope, list[Diagnostic]]:
    """The pipeline of a resolved spec, the scope with what its expressions used, and findings."""
    spec = resolved.spec
    diagnostics: list[Diagnostic] = []
    params: dict[str, ir.Param] = {}
    params_node = mapping(spec.get("params"))
    for _, entry in params_node or ():
        if isinstance(entry.value, Mapping):
            param, found = lower_param(entry.key, entry.value)
            params[param.name] = param
            diagnostics += found
    broken_params = params_node.broken if params_node else frozenset()
    params, found = overlay(params, resolved.values, broken_params)
    diagnostics += found
    inputs = _inputs(mapping(spec.get("inputs")), diagnostics)
    steps_node = mapping(spec.get("steps"))
    diagnostics += _same_names(params, inputs)
    scope = Scope(
        algorithm=text(spec.get("name")) or "",
        params=params,
        inputs={i.name: i.type for i in inputs},
        steps=_signatures(steps_node),
        git=git,
        diagnostics=diagnostics,
        broken={
            "params": broken_params,
            "inputs": _broken(spec.get("inputs")),
            "steps": steps_node.broken if steps_node else frozenset(),
        },
    )
    nodes = []
    for step_name, entry in steps_node or ():
        if isinstance(entry.value, Mapping):
            before = len(diagnostics)
            nodes.append(lower_step(entry.key, entry.value, scope, project))
            if len(diagnostics) > before or _has_broken(entry.value):
                scope.flawed.add(step_name)
    limits = _limits(mapping(spec.get("limits")))
    pipeline = ir.Pipeline(
        name=scope.algorithm,
        description=text(spec.get("description")) or "",
        owner=text(spec.get("owner")) or "",
        tags=texts(spec.get("tags")),
        labels=labels(spec.get("labels"), scope),
        params=tuple(params.values()),
        inputs=inputs,
        nodes=tuple(nodes),
        limits=limits,
        profiles=resolved.profiles,
        git_commit=git.commit if git and scope.used_git else None,
        git_branch=git.branch if git and "branch" in scope.used_git else None,
        span=(spec.get("name") or spec).span,
        sources=texts(spec.get("sources")),
        source=spec.file.path,
    )
    return pipeline, scope, diagnostics


def _same_names(
    params: dict[str, ir.Param], inputs: tuple[ir.PipelineInput, ...]
) -> list[Diagnostic]:
    """Both are parameters of a run for the engines and for `-p`."""
    return [
        error(
            "MLC311",
            f"`{given.name}` is both a parameter and an input",
            given.span,
            related=(Related("the parameter", params[given.name].span),),
        )
        for given in inputs
        if given.name in params
    ]


def _signatures(steps: Mapping | None) -> dict[str, Signature]:
    signatures = {}
    for name, entry in steps or ():
        if not isinstance(entry.value, Mapping):
            continue
        outputs = mapping(entry.value.get("outputs"))
        types = {o: output_type(e.value) for o, e in outputs} if outputs else {}
        broken = outputs.broken if outputs else frozenset()
        if "outputs" in entry.value.broken:
            broken = _Everything()
        signatures[name] = Signature(types, entry.key.span, broken)
    return signatures


class _Everything(frozenset[str]):
    """Contains every name: the whole mapping is broken, so nothing can be said to be missing."""

    def __contains__(self, name: object) -> bool:
        return True


def _has_broken(node: Mapping) -> bool:
    inner = (entry.value for _, entry in node if isinstance(entry.value, Mapping))
    return bool(node.broken) or any(map(_has_broken, inner))


def _broken(node: Node | None) -> frozenset[str]:
    return node.broken if isinstance(node, Mapping) else frozenset()


def _inputs(node: Mapping | None, diagnostics: list[Diagnostic]) -> tuple[ir.PipelineInput, ...]:
    inputs = []
    for name, entry in node or ():
        definition = entry.value
        if not isinstance(definition, Mapping):
            continue
        default = definition.get("default")
        if default is not None and "${{" in (text(default) or ""):
            message = f"the default of `{name}` can't be an expression"
            diagnostics.append(error("MLC406", message, default.span))
        kind = cast(ex.ArtifactKind, text(definition.get("type")) or "Artifact")
        inputs.append(
            ir.PipelineInput(
                name=name,
                type=ex.ArtifactType(kind),
                default=text(default),
                description=text(definition.get("description")) or "",
                span=entry.key.span,
            )
        )
    return tuple(inputs)


def _limits(node: Mapping | None) -> ir.Limits:
    if node is None:
        return ir.Limits()
    return ir.Limits(
        parallel=whole(node.get("parallel")),
        timeout=seconds(node.get("timeout")),
        ttl=seconds(node.get("ttl")),
        spans=tuple((key, entry.key.span) for key, entry in node),
    )
