"""Steps that `use` another file: a component becomes one step, an algorithm its own steps.

What is used is closed: its expressions see its own params and inputs, for which stands what the
caller gives, and nothing else of the caller.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct
from msgspec.structs import replace

from compiler import expr as ex
from compiler import ir
from compiler.binding import EVERYTHING, Scope, Signature, bind_output
from compiler.compose import Circle, Library, extend
from compiler.diagnostics import Related, error, listing
from compiler.lower.component import OVERRIDES, component_step
from compiler.lower.given import bind_given, known_early
from compiler.lower.interface import Interface, read_interface
from compiler.lower.outline import output_places, output_types, signatures
from compiler.nodes import Mapping, Scalar, mapping, text
from compiler.resolve import broken_names, resolve
from compiler.settings import Project

_ALWAYS = ("description", "use", "inputs", "needs", "when", "foreach", "parallel")


class _Used(Struct, frozen=True):
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
            places = output_places(used.spec)
            return Signature(types, name.span, broken, places=places)
        given = known_early(node, used.interface, scope)
        inner = _algorithm_scope(name, used, given, scope, library)
        inner.steps = signatures(mapping(used.spec.get("steps")), inner, {}, library)
        outputs = mapping(used.spec.get("outputs"))
        values = _outputs(name, node, outputs, inner)
        types = {key: values[key].type if key in values else None for key, _ in outputs or ()}
        broken = outputs.broken if outputs else frozenset()
        places = {key: entry.key.span for key, entry in outputs or ()}
        return Signature(types, name.span, broken, values=values, places=places)


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
            step = component_step(name, node, used.spec, used.interface, given, scope, project)
            return [step], ()
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
            interface = read_interface(resolved.spec, scope.diagnostics)
            is_component = text(resolved.spec.get("kind")) == "Component"
            yield _Used(resolved.spec, interface, is_component)
    except Circle as circle:
        scope.diagnostics.append(circle.diagnostic)
        yield None


def _not_allowed(name: Scalar, node: Mapping, used: _Used, scope: Scope) -> None:
    """Keys of the step that the file does not let be set."""
    allowed = (*_ALWAYS, *OVERRIDES) if used.is_component else _ALWAYS
    what = "component" if used.is_component else "algorithm"
    for key, entry in node:
        if key not in allowed and key not in ("command", "script", "python", "steps"):
            message = f"`{key}` of `{name.text}` is up to the {what} that it uses"
            hint = f"give the {what} a param for it"
            if used.is_component:
                hint = f"a call can set {listing(OVERRIDES)}"
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
        items_used={},
        reads=set(),
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
        root.added_inputs[free] = replace(wanted, name=free)
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
