"""Components: files that are one step, used by others or checked alone."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from compiler import expr as ex
from compiler import ir
from compiler.binding import Git, Scope
from compiler.diagnostics import Diagnostic, Related, Span, error, has_errors
from compiler.lower.interface import Interface, read_interface, type_of
from compiler.nodes import Mapping, Scalar, text
from compiler.resolve import merge, resolve
from compiler.settings import Project

# What a call may set over a component.
OVERRIDES = ("env", "resources", "volumes", "pod", "retry", "timeout", "cache")
_FORMS = ("command", "script", "python")
# What of a component's file is no part of its step.
_OF_FILES = ("apiVersion", "kind", "name", "owner", "tags", "labels", "params", "sources")


def lower_component(root: Mapping, project: Project, git: Git | None) -> tuple[ir.Pipeline, Scope]:
    """A pipeline of a component alone, to check it by; the scope has what was found."""
    resolved, found = resolve(root, ())
    scope = Scope(text(root.get("name")) or "", {}, {}, {}, git, found)
    interface = read_interface(resolved.spec, scope.diagnostics)
    params, inputs = interface.params, interface.inputs
    given: dict[str, ex.Expr] = {
        **{p.name: ex.ParamRef(p.name, type_of(p), p.span) for p in params.values()},
        **{i.name: ex.PipelineInputRef(i.name, i.type, i.span) for i in inputs.values()},
    }
    scope.component_params = {p.name: type_of(p) for p in params.values()}
    scope.params = params
    step = _own_step(interface.title, _own(resolved.spec), interface, given, scope, project)
    pipeline = ir.Pipeline(
        name=scope.algorithm,
        description="",
        owner="",
        tags=(),
        labels=(),
        params=tuple(params.values()),
        inputs=tuple(inputs.values()),
        nodes=(step,),
        limits=ir.Limits(),
        profiles=(),
        git_commit=None,
        span=step.span,
        source=root.file.path,
    )
    # Params and inputs are those of its one step.
    scope.reads |= {(key, "", name) for key in ("params", "inputs") for name in given}
    if has_errors(scope.diagnostics):
        scope.flawed.add(step.name)
    return pipeline, scope


def component_step(
    name: Scalar,
    node: Mapping,
    spec: Mapping,
    interface: Interface,
    given: dict[str, ex.Expr],
    scope: Scope,
    project: Project,
) -> ir.Step:
    """A component with what the step that uses it gives and sets over it."""
    inner = replace(
        scope,
        params=interface.params,
        inputs={},
        steps={},
        broken={"params": interface.broken, "inputs": interface.broken},
        removed={},
        each={},
        given={},
        component_params={p.name: type_of(p) for p in interface.params.values()},
        items_used={},
        reads=set(),
        file=spec.file,
        caller=scope,
    )
    # Whether the component uses it is for its own file to say.
    scope.reads.update(("inputs", scope.prefix + name.text, key) for key in given)
    over = {key: entry for key, entry in node if key in (*OVERRIDES, "description")}
    broken = node.broken.intersection(OVERRIDES)
    overlay = Mapping(node.file, node.start, node.end, over, broken)
    return _own_step(name, merge(_own(spec), overlay), interface, given, inner, project)


def _own(spec: Mapping) -> Mapping:
    """The step that a component describes."""
    own = {key: entry for key, entry in spec if key not in _OF_FILES}
    return Mapping(spec.file, spec.start, spec.end, own, spec.broken)


def _own_step(
    name: Scalar,
    step: Mapping,
    interface: Interface,
    given: dict[str, ex.Expr],
    scope: Scope,
    project: Project,
) -> ir.Step:
    # Lowering steps leads here.
    from compiler.lower.nodes import form_of
    from compiler.lower.step import lower_step

    form = form_of(interface.title, step, scope, _FORMS)
    if form == "script":
        scope.diagnostics.extend(_alike(interface))
    inputs = tuple(ir.Input(key, value.type, value, value.span) for key, value in given.items())
    return lower_step(name, step, scope, project, inputs)


def _alike(interface: Interface) -> Iterator[Diagnostic]:
    """Params and inputs that a script could not tell apart."""
    first: dict[str, tuple[str, Span]] = {}
    spans = {p.name: p.span for p in interface.params.values()}
    spans |= {i.name: i.span for i in interface.inputs.values()}
    for name, span in spans.items():
        variable = f"INPUT_{name.upper()}"
        other, place = first.setdefault(variable, (name, span))
        if other != name:
            related = (Related("the other one", place),)
            message = f"`{name}` and `{other}` are both {variable} to the script"
            hint = "give one of them another name"
            yield error("MLC311", message, span, hint=hint, related=related)
