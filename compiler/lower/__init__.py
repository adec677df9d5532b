"""Nodes to the engine-neutral pipeline: names bound, values typed, defaults filled in.

Expects a resolved spec (`compiler.resolve`) and goes on past every error, so that all are found
in one pass. What comes out then lacks the parts that were wrong and is for further checks only.
"""

from __future__ import annotations

from compiler import ir
from compiler.binding import EVERYTHING, Git, Scope, bind_output
from compiler.compose import Library
from compiler.diagnostics import Diagnostic
from compiler.lower.gates import lower_gates
from compiler.lower.interface import lower_inputs, lower_params, same_names
from compiler.lower.nodes import lower_nodes
from compiler.lower.outline import signatures
from compiler.lower.schedules import lower_schedules
from compiler.lower.settings import labels, places, seconds
from compiler.nodes import Mapping, Scalar, mapping, text, texts, whole
from compiler.resolve import Resolved, broken_names
from compiler.settings import Project


def lower(
    resolved: Resolved, project: Project, git: Git | None, library: Library
) -> tuple[ir.Pipeline, Scope, list[Diagnostic]]:
    """The pipeline of a resolved spec, the scope with what its expressions used, and findings."""
    spec = resolved.spec
    diagnostics: list[Diagnostic] = []
    params_node = mapping(spec.get("params"))
    params = lower_params(params_node, resolved.values, diagnostics)
    inputs = lower_inputs(mapping(spec.get("inputs")), diagnostics)
    steps_node = mapping(spec.get("steps"))
    diagnostics += same_names(params, inputs)
    scope = Scope(
        algorithm=text(spec.get("name")) or "",
        params=params,
        inputs={i.name: i.type for i in inputs},
        input_spans={i.name: i.span for i in inputs},
        steps={},
        git=git,
        diagnostics=diagnostics,
        removed=library.removed.get(spec.file.path, {}),
        broken={
            "params": _broken(spec, "params"),
            "inputs": _broken(spec, "inputs"),
            "steps": EVERYTHING if "steps" in spec.broken else broken_names(steps_node),
        },
    )
    scope.steps = signatures(steps_node, scope, {}, library)
    nodes = lower_nodes(steps_node, scope, project, library)
    scope.inside("", {}, {}, frozenset())
    outputs = _handed_on(mapping(spec.get("outputs")), scope)
    finally_node = mapping(spec.get("finally"))
    main_steps = scope.steps
    scope.main_steps = frozenset(main_steps)
    scope.steps = signatures(finally_node, scope, main_steps, library)
    scope.broken["steps"] = broken_names(finally_node)
    finally_nodes = lower_nodes(finally_node, scope, project, library)
    limits = _limits(mapping(spec.get("limits")))
    pipeline = ir.Pipeline(
        name=scope.algorithm,
        description=text(spec.get("description")) or "",
        owner=text(spec.get("owner")) or "",
        tags=texts(spec.get("tags")),
        labels=labels(spec.get("labels"), scope),
        params=tuple(params.values()),
        inputs=(*inputs, *scope.added_inputs.values()),
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
        schedules=lower_schedules(spec, params, inputs, scope.broken["params"], diagnostics),
        gates=lower_gates(spec, (*nodes, *finally_nodes), diagnostics),
    )
    return pipeline, scope, diagnostics


def _broken(spec: Mapping, key: str) -> frozenset[str]:
    if key in spec.broken:
        return EVERYTHING
    node = spec.get(key)
    return node.broken if isinstance(node, Mapping) else frozenset()


def _handed_on(node: Mapping | None, scope: Scope) -> tuple[ir.PipelineOutput, ...]:
    found = []
    for name, entry in node or ():
        value = bind_output(entry.value, scope) if isinstance(entry.value, Scalar) else None
        if value is not None:
            found.append(ir.PipelineOutput(name, value, value.type, "", entry.key.span))
    return tuple(found)


def _limits(node: Mapping | None) -> ir.Limits:
    if node is None:
        return ir.Limits()
    return ir.Limits(
        parallel=whole(node.get("parallel")),
        timeout=seconds(node.get("timeout")),
        ttl=seconds(node.get("ttl")),
        spans=tuple((key, entry.key.span) for key, entry in node),
        value_spans=places(node),
    )
