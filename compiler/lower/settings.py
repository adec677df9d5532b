"""The settings of a step: resources, volumes, pod, retry, cache, from nodes to the IR."""

from __future__ import annotations

from typing import cast

from compiler import ir, mending
from compiler.binding import Scope, Where, a_type, bind, bind_amount, origin
from compiler.diagnostics import Related, Span, error, listing, nearest
from compiler.expr import Expr, Literal, ValueType
from compiler.nodes import Mapping, Node, Scalar, Sequence, mapping, text, texts, whole
from compiler.quantities import duration, forgotten_unit, quantity, quantity_hint
from compiler.resolve import VOLUME_KINDS
from compiler.settings import GpuType, Project
from compiler.values import to_text


def resources(node: Mapping | None, scope: Scope, project: Project) -> ir.Resources:
    if node is None:
        return ir.Resources()
    gpu = node.entries.get("gpu")
    return ir.Resources(
        cpu=_amount(node, "cpu", scope),
        memory=_amount(node, "memory", scope),
        disk=_amount(node, "disk", scope),
        shm=_amount(node, "shm", scope),
        gpu=_gpu(gpu.key, gpu.value, scope, project) if gpu else None,
    )


def _amount(node: Mapping, key: str, scope: Scope) -> ir.Amount | None:
    entry = node.entries.get(key)
    if entry is None or not isinstance(entry.value, Mapping):
        return None
    sides: dict[str, str | Expr | None] = {}
    for side, given in entry.value:
        value = _bound(given.value, scope)
        if value is None:
            return None
        sides[side] = value
        amount = quantity(value) if isinstance(value, str) else None
        if isinstance(value, str) and amount is None:
            message = f"`{value}` is no quantity"
            hint = quantity_hint(value)
            scope.diagnostics.append(error("MLC201", message, given.value.span, hint=hint))
            return None
        small = (
            forgotten_unit(key, value, amount)
            if isinstance(value, str) and amount is not None
            else None
        )
        if small is not None:
            message, hint = small
            scope.diagnostics.append(error("MLC201", message, given.value.span, hint=hint))
            return None
    request, limit = sides.get("request"), sides.get("limit")
    wanted = quantity(request) if isinstance(request, str) else None
    allowed = quantity(limit) if isinstance(limit, str) else None
    if wanted is not None and allowed is not None and wanted > allowed:
        span = entry.value.entries["request"].value.span
        message = f"`{key}` requests {request}, more than its limit of {limit}"
        related = (Related("the limit", entry.value.entries["limit"].value.span),)
        hint = "raise the limit, or lower the request"
        scope.diagnostics.append(error("MLC204", message, span, hint=hint, related=related))
    written = entry.value.get("limit") or entry.value.get("request") or entry.key
    return ir.Amount(request, limit, entry.key.span, written.span)


def _bound(node: Node, scope: Scope) -> str | Expr | None:
    """A quantity as text, or the expression for one; None where that is wrong."""
    if not isinstance(node, Scalar):
        return None
    if "${{" not in node.text:
        return node.text
    bound = bind_amount(node, scope)
    return to_text(bound.value) if isinstance(bound, Literal) else bound


def _count(node: Node | None, scope: Scope) -> int | Expr | None:
    """The number of GPUs, or the expression for it; None where there is none or it is wrong."""
    if not isinstance(node, Scalar) or "${{" not in node.text:
        return whole(node)
    bound = bind_amount(node, scope)
    if bound is None or bound.type == ValueType("integer"):
        if isinstance(bound, Literal) and isinstance(bound.value, int):
            return bound.value
        return bound
    message = f"a number of GPUs is an integer, found {a_type(bound.type)}"
    related = origin(bound, scope=scope)
    scope.diagnostics.append(error("MLC402", message, bound.span, related=related))
    return None


def _gpu(key: Scalar, node: Node, scope: Scope, project: Project) -> ir.Gpu | None:
    if not isinstance(node, Mapping):
        return None
    count, type_node = _count(node.get("count"), scope), node.get("type")
    kind = GpuType("")
    if isinstance(type_node, Scalar):
        known = project.gpus.get(type_node.text)
        if known is None:
            gpus = mending.same_model(type_node.text, project.gpus)
            near = nearest(type_node.text, gpus)
            if near:
                hint = f"did you mean `{near}`?"
            elif project.gpus:
                hint = f"the project knows {listing(project.gpus)}"
            else:
                table = f"[{project.table_prefix}gpus.{type_node.text}]"
                hint = f"add {table} to the project's configuration"
            message = f"the GPU type `{type_node.text}` is not in the project's catalogue"
            place = type_node.span
            fix = mending.respelled(type_node.file, place, type_node.text, gpus, near)
            scope.diagnostics.append(error("MLC601", message, place, hint=hint, fix=fix))
            return None
        kind = known
    if count == 0:
        return None
    return ir.Gpu(
        count=1 if count is None else count,
        type=kind.name or None,
        resource=kind.resource,
        node_selector=kind.node_selector,
        tolerations=kind.tolerations,
        span=key.span,
        count_span=(node.get("count") or key).span,
        type_span=(type_node or key).span,
    )


def env(node: Mapping | None, scope: Scope) -> tuple[ir.EnvVar, ...]:
    variables = []
    for name, entry in node or ():
        if isinstance(entry.value, Scalar) and entry.value.value is not None:
            value = bind(entry.value, scope, Where.ENV, text=True)
            if value is not None:
                variables.append(ir.EnvVar(name, value, entry.key.span))
    return tuple(variables)


def volumes(node: Mapping | None, scope: Scope) -> tuple[ir.Volume, ...]:
    result = []
    for name, entry in node or ():
        definition = entry.value
        if not isinstance(definition, Mapping):
            continue
        kind = next((k for k in VOLUME_KINDS if k in definition.entries), None)
        mount = fixed(definition.get("mount"), scope)
        if kind is None or mount is None:
            continue
        source = definition.get(kind)
        if kind == "empty":
            size = mapping(source)
            named = text(size.get("size")) if size else None
        else:
            named = fixed(source, scope)
        read_only = definition.get("read_only")
        result.append(
            ir.Volume(
                name=name,
                kind=kind,  # type: ignore[arg-type]
                source=named,
                mount=mount,
                read_only=isinstance(read_only, Scalar) and read_only.value is True,
                sub_path=fixed(definition.get("sub_path"), scope),
                span=entry.key.span,
                value_spans=places(definition),
            )
        )
    return tuple(result)


def pod(node: Mapping | None, scope: Scope) -> ir.Pod:
    if node is None:
        return ir.Pod()
    return ir.Pod(
        node_selector=labels(node.get("node_selector"), scope),
        tolerations=tolerations(node.get("tolerations")),
        labels=labels(node.get("labels"), scope),
        annotations=labels(node.get("annotations"), scope),
        service_account=fixed(node.get("service_account"), scope),
        priority_class=fixed(node.get("priority_class"), scope),
        pull_policy=cast("ir.PullPolicy | None", text(node.get("pull_policy"))),
        pull_secrets=texts(node.get("pull_secrets")),
        security=_security(mapping(node.get("security"))),
        spans=tuple((key, entry.key.span) for key, entry in node),
        key_spans=tuple(
            (f"{key}.{name}", inner.key.span)
            for key in ("labels", "annotations", "node_selector")
            for name, inner in mapping(node.get(key)) or ()
        ),
        value_spans=places(node),
    )


def tolerations(node: Node | None) -> tuple[ir.Toleration, ...]:
    result = []
    for item in node.items if isinstance(node, Sequence) else ():
        if isinstance(item, Mapping):
            operator = text(item.get("operator")) or ("Equal" if item.get("value") else "Exists")
            result.append(
                ir.Toleration(
                    key=text(item.get("key")),
                    operator=operator,  # type: ignore[arg-type]
                    value=text(item.get("value")),
                    effect=cast("ir.Effect | None", text(item.get("effect"))),
                    seconds=whole(item.get("seconds")),
                )
            )
    return tuple(result)


def fixed(node: Node | None, scope: Scope) -> str | None:
    """A text that is known when the spec is compiled, with the names of git in it filled in."""
    if not isinstance(node, Scalar):
        return None
    bound = bind(node, scope, Where.COMPILE_TIME, text=True)
    return to_text(bound.value) if isinstance(bound, Literal) else None


def labels(node: Node | None, scope: Scope) -> ir.Pairs:
    """Name and text pairs of a mapping of scalars."""
    pairs = ((name, fixed(entry.value, scope)) for name, entry in mapping(node) or ())
    return tuple((name, value) for name, value in pairs if value is not None)


def retry(key: Scalar | None, node: Mapping | None, scope: Scope) -> ir.Retry | None:
    if node is None or key is None:
        return None
    tries = whole(node.get("max"))
    if tries is None and "max" not in node.broken:
        hint = "add `max: 2`, the number of tries after the first"
        scope.diagnostics.append(error("MLC102", "`retry` has no `max`", key.span, hint=hint))
    if not tries:
        return None
    return ir.Retry(
        max=tries,
        backoff=seconds(node.get("backoff")) or 0,
        factor=whole(node.get("factor")) or 1,
        max_backoff=seconds(node.get("max_backoff")),
        span=key.span,
        value_spans=places(node),
    )


def cache(key: Scalar | None, node: Mapping | None, scope: Scope, *, default: bool) -> ir.Cache:
    if node is None or key is None:
        return ir.Cache(enabled=default)
    enabled, key_node = node.get("enabled"), node.get("key")
    extra = None
    if isinstance(key_node, Scalar):
        extra = bind(key_node, scope, Where.CACHE_KEY, text=True)
    return ir.Cache(
        enabled=enabled.value is True if isinstance(enabled, Scalar) else default,
        key=extra,
        max_age=seconds(node.get("max_age")),
        span=key.span,
        value_spans=places(node),
    )


def places(node: Node, above: str = "") -> ir.Places:
    """Where the values below a node stand."""
    found: list[tuple[str, Span]] = []
    if isinstance(node, Mapping):
        below = ((name, entry.value) for name, entry in node)
    elif isinstance(node, Sequence):
        below = ((str(number), item) for number, item in enumerate(node.items))
    else:
        return ()
    for name, value in below:
        found.append((above + name, value.span))
        found += places(value, f"{above}{name}.")
    return tuple(found)


def seconds(node: Node | None) -> int | None:
    return duration(node.text) if isinstance(node, Scalar) else None


def _security(node: Mapping | None) -> ir.Security | None:
    if node is None:
        return None
    plain = {
        key: entry.value.value if isinstance(entry.value.value, bool) else whole(entry.value)
        for key, entry in node
        if isinstance(entry.value, Scalar)
    }
    return ir.Security(
        **plain,  # type: ignore[arg-type]
        add_capabilities=texts(node.get("add_capabilities")),
        drop_capabilities=texts(node.get("drop_capabilities")),
    )
