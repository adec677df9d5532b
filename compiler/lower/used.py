"""Steps that `use` another file: a component becomes one step, an algorithm its own steps.

What is used is closed: its expressions see its own params and inputs, for which stands what the
caller gives, and nothing else of the caller.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from compiler import expr as ex
from compiler import ir
from compiler.binding import EVERYTHING, Git, Scope, Signature, bind_output
from compiler.compose import Circle, Library, extend
from compiler.diagnostics import Related, error, listing
from compiler.lower.given import Interface, bind_given, known_early, type_of
from compiler.lower.interface import lower_inputs, lower_params, same_names
from compiler.lower.outline import output_types, signatures
from compiler.nodes import Mapping, Scalar, mapping, text
from compiler.resolve import broken_names, merge, resolve
from compiler.settings import Project

_ALWAYS = ("description", "use", "inputs", "needs", "when", "foreach", "parallel")
# What a call may set over a component.
_OVERRIDES = ("env", "resources", "volumes", "pod", "retry", "timeout", "cache")
_FORMS = ("command", "script", "python")
# What of a component's file is no part of its step.
_OF_FILES = ("apiVersion", "kind", "name", "owner", "tags", "labels", "params", "sources")


class _Used(NamedTuple):
    spec: Mapping
    interface: Interface
    is_component: bool


def used_signature(name: Scalar, node: Mapping, scope: Scope, library: Library) -> Signature:
    """What can be taken from a step that uses a file."""
    with _opened(node, scope, library) as used:
        if used is None:
            return Signature({}, name.span, EVERYTHING)
        if used.is_component:
            types, broken = output_types(used.spec)
            return Signature(types, name.span, broken)
        given = known_early(node, used.interface, scope)
        inner = _algorithm_scope(name, used, given, scope, library)
        inner.steps = signatures(mapping(used.spec.get("steps")), inner, {}, library)
        outputs = mapping(used.spec.get("outputs"))
        values = _outputs(name, node, outputs, inner)
        types = {key: values[key].type if key in values else None for key, _ in outputs or ()}
        broken = outputs.broken if outputs else frozenset()
        return Signature(types, name.span, broken, values=values)


def lower_used(
    name: Scalar, node: Mapping, scope: Scope, project: Project, library: Library
) -> tuple[list[ir.Node], tuple[ex.Expr, ...]]:
    """The nodes of a step that uses a file, under names of their own, and what it gives.

    Without the caller's `when` and `needs`. All of the nodes wait for what is given.
    """
    with _opened(node, scope, library) as used:
        if used is None:
            return [], ()
        _not_allowed(name, node, used, scope)
        given = bind_given(name, node, used.interface, scope)
        if used.is_component:
            return [_component(name, node, used, given, scope, project)], ()
        # Lowering a step leads here and from here to the steps of another file.
        from compiler.lower.nodes import lower_nodes

        steps = mapping(used.spec.get("steps"))
        values = given | _defaults(name, used, given, scope)
        inner = _algorithm_scope(name, used, values, scope, library)
        inner.steps = signatures(steps, inner, {}, library)
        finally_ = used.spec.entries.get("finally")
        if finally_ is not None:
            related = (Related("its `finally`", finally_.key.span),)
            message = f"`{name.text}` uses an algorithm with `finally`, which belongs to a run"
            hint = "move these steps to the `finally` of the algorithm that is run"
            span = node.entries["use"].value.span
            scope.diagnostics.append(error("MLC334", message, span, hint=hint, related=related))
        nodes = lower_nodes(steps, inner, project, library)
        return list(nodes), tuple(given.values())


def lower_component(root: Mapping, project: Project, git: Git | None) -> tuple[ir.Pipeline, Scope]:
    """A pipeline of a component alone, to check it by; the scope has what was found."""
    resolved, found = resolve(root, ())
    scope = Scope(text(root.get("name")) or "", {}, {}, {}, git, found)
    used = _used(resolved.spec, scope)
    params, inputs = used.interface.params, used.interface.inputs
    given: dict[str, ex.Expr] = {
        **{p.name: ex.ParamRef(p.name, type_of(p), p.span) for p in params.values()},
        **{i.name: ex.PipelineInputRef(i.name, i.type, i.span) for i in inputs.values()},
    }
    scope.component_params = {p.name: type_of(p) for p in params.values()}
    scope.params = params
    name = _title(root)
    step = _own_step(
        name, used, given, Mapping(root.file, root.start, root.end, {}), scope, project
    )
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
    )
    if scope.diagnostics:
        scope.flawed.add(step.name)
    return pipeline, scope


@contextmanager
def _opened(node: Mapping, scope: Scope, library: Library) -> Iterator[_Used | None]:
    """The file that a step uses, resolved; while it is open, nothing in it may lead back to it."""
    reference = node.get("use")
    if not isinstance(reference, Scalar):
        yield None
        return
    root, found = library.find(reference, "use")
    scope.diagnostics.extend(found)
    if root is None:
        yield None
        return
    try:
        with library.inside(reference):
            root, found = extend(root, library)
            resolved, more = resolve(root, ())
            scope.diagnostics.extend([*found, *more])
            yield _used(resolved.spec, scope)
    except Circle as circle:
        scope.diagnostics.append(circle.diagnostic)
        yield None


def _used(spec: Mapping, scope: Scope) -> _Used:
    params_node, inputs_node = mapping(spec.get("params")), mapping(spec.get("inputs"))
    params = lower_params(params_node, (), scope.diagnostics)
    inputs = lower_inputs(inputs_node, scope.diagnostics)
    scope.diagnostics.extend(same_names(params, inputs))
    broken = frozenset[str]()
    for part in (params_node, inputs_node):
        broken |= part.broken if part else frozenset()
    for key in ("params", "inputs"):
        if key in spec.broken:
            broken = EVERYTHING
    interface = Interface(params, {i.name: i for i in inputs}, broken)
    return _Used(spec, interface, text(spec.get("kind")) == "Component")


def _not_allowed(name: Scalar, node: Mapping, used: _Used, scope: Scope) -> None:
    """Keys of the step that the file does not let be set."""
    allowed = (*_ALWAYS, *_OVERRIDES) if used.is_component else _ALWAYS
    what = "component" if used.is_component else "algorithm"
    for key, entry in node:
        if key not in allowed and key not in ("command", "script", "python", "steps"):
            message = f"`{key}` of `{name.text}` is for the {what} that it uses to say"
            hint = f"give the {what} a param for it"
            if used.is_component:
                hint = f"a call can set {listing(_OVERRIDES)}"
            scope.diagnostics.append(error("MLC105", message, entry.key.span, hint=hint))


def _algorithm_scope(
    name: Scalar, used: _Used, given: dict[str, ex.Expr], scope: Scope, library: Library
) -> Scope:
    interface = used.interface
    return replace(
        scope,
        algorithm=text(used.spec.get("name")) or "",
        params=interface.params,
        inputs={i.name: i.type for i in interface.inputs.values()},
        steps={},
        broken={
            "params": interface.broken,
            "inputs": interface.broken,
            "steps": broken_names(mapping(used.spec.get("steps"))),
        },
        removed=library.removed.get(used.spec.file.path, {}),
        each={},
        main_steps=None if scope.main_steps is None else frozenset(),
        prefix=f"{scope.prefix}{name.text}.",
        given=given,
        items_used=set(),
        root=scope.root or scope,
    )


def _defaults(
    name: Scalar, used: _Used, given: dict[str, ex.Expr], scope: Scope
) -> dict[str, ex.Expr]:
    """Inputs that the call does not give are inputs of the whole pipeline, with their default."""
    found: dict[str, ex.Expr] = {}
    root = scope.root or scope
    for wanted in used.interface.inputs.values():
        if wanted.name in given or wanted.default is None:
            continue
        path = f"{scope.prefix}{name.text}.{wanted.name}".replace(".", "_")
        taken = {*root.params, *root.inputs, *root.added_inputs}
        number = 2
        free = path
        while free in taken:
            free, number = f"{path}_{number}", number + 1
        root.added_inputs[free] = wanted._replace(name=free)
        found[wanted.name] = ex.PipelineInputRef(free, wanted.type, wanted.span)
    return found


def _outputs(
    name: Scalar, node: Mapping, outputs: Mapping | None, inner: Scope
) -> dict[str, ex.Expr]:
    """What the outputs of an algorithm come to in the pipeline of its caller."""
    found = {}
    inner.inside("", {}, {}, frozenset())
    for key, entry in outputs or ():
        value = bind_output(entry.value, inner) if isinstance(entry.value, Scalar) else None
        if value is None:
            continue
        unknown = next((part for part in ex.walk(value) if isinstance(part, ex.InputRef)), None)
        if unknown is None:
            found[key] = value
            continue
        related = (Related(f"output `{key}` falls back on it", entry.value.span),)
        message = f"`{name.text}` has to give `{unknown.name}` without `steps` and `each`"
        hint = "give a literal or a param, or let a step of the algorithm write the output"
        given = mapping(node.get("inputs"))
        place = given.entries[unknown.name].key if given and unknown.name in given.entries else name
        inner.diagnostics.append(error("MLC334", message, place.span, hint=hint, related=related))
    return found


def _component(
    name: Scalar,
    node: Mapping,
    used: _Used,
    given: dict[str, ex.Expr],
    scope: Scope,
    project: Project,
) -> ir.Step:
    """A component with what its caller sets over it."""
    interface = used.interface
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
        items_used=set(),
        file=used.spec.file,
        caller=scope,
    )
    over = {key: entry for key, entry in node if key in (*_OVERRIDES, "description")}
    broken = node.broken.intersection(_OVERRIDES)
    overlay = Mapping(node.file, node.start, node.end, over, broken)
    return _own_step(name, used, given, overlay, inner, project)


def _own_step(
    name: Scalar,
    used: _Used,
    given: dict[str, ex.Expr],
    overlay: Mapping,
    scope: Scope,
    project: Project,
) -> ir.Step:
    from compiler.lower.nodes import form_of
    from compiler.lower.step import lower_step

    spec = used.spec
    own = {key: entry for key, entry in spec if key not in _OF_FILES}
    step = Mapping(spec.file, spec.start, spec.end, own, spec.broken)
    form_of(_title(spec), step, scope, _FORMS)
    inputs = tuple(ir.Input(key, value.type, value, value.span) for key, value in given.items())
    return lower_step(name, merge(step, overlay), scope, project, inputs)


def _title(spec: Mapping) -> Scalar:
    """The name of a file, or what stands for it where that is wrong."""
    title = spec.get("name")
    return title if isinstance(title, Scalar) else Scalar(spec.file, spec.start, spec.start, "", "")
