"""Nodes to the engine-neutral pipeline: names bound, values typed, defaults filled in.

Expects a resolved spec (`compiler.resolve`) and goes on past every error, so that all are found
in one pass. What comes out then lacks the parts that were wrong and is for further checks only.
"""

from __future__ import annotations

from typing import cast

from compiler import expr as ex
from compiler import ir
from compiler.binding import Git, Scope, bind_output
from compiler.diagnostics import Diagnostic, Related, error
from compiler.lower.nodes import lower_nodes
from compiler.lower.outline import signatures
from compiler.lower.schedules import lower_schedules
from compiler.lower.settings import labels, seconds
from compiler.nodes import Mapping, Node, Scalar, mapping, text, texts, whole
from compiler.params import lower_param, overlay
from compiler.resolve import Resolved, broken_names
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
        steps={},
        git=git,
        diagnostics=diagnostics,
        broken={
            "params": broken_params,
            "inputs": _broken(spec.get("inputs")),
            "steps": broken_names(steps_node),
        },
    )
    scope.steps = signatures(steps_node, scope, {})
    nodes = lower_nodes(steps_node, scope, project)
    scope.inside("", {}, {}, frozenset())
    outputs = _handed_on(mapping(spec.get("outputs")), scope)
    finally_node = mapping(spec.get("finally"))
    main_steps = scope.steps
    scope.main_steps = frozenset(main_steps)
    scope.steps = signatures(finally_node, scope, main_steps)
    scope.broken["steps"] = broken_names(finally_node)
    finally_nodes = lower_nodes(finally_node, scope, project)
    limits = _limits(mapping(spec.get("limits")))
    pipeline = ir.Pipeline(
        name=scope.algorithm,
        description=text(spec.get("description")) or "",
        owner=text(spec.get("owner")) or "",
        tags=texts(spec.get("tags")),
        labels=labels(spec.get("labels"), scope),
        params=tuple(params.values()),
        inputs=inputs,
        nodes=nodes,
        limits=limits,
        profiles=resolved.profiles,
        git_commit=git.commit if git and scope.used_git else None,
        git_branch=git.branch if git and "branch" in scope.used_git else None,
        span=(spec.get("name") or spec).span,
        sources=texts(spec.get("sources")),
        source=spec.file.path,
        finally_nodes=finally_nodes,
        outputs=outputs,
        schedules=lower_schedules(spec, params, inputs, diagnostics),
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


def _broken(node: Node | None) -> frozenset[str]:
    return node.broken if isinstance(node, Mapping) else frozenset()


def _handed_on(node: Mapping | None, scope: Scope) -> tuple[ir.PipelineOutput, ...]:
    found = []
    for name, entry in node or ():
        value = bind_output(entry.value, scope) if isinstance(entry.value, Scalar) else None
        if value is not None:
            found.append(ir.PipelineOutput(name, value, value.type, "", entry.key.span))
    return tuple(found)


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
