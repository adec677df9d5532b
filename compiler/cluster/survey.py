"""What Kubernetes says of the things that a spec needs, asked before anything is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from compiler.cluster.answers import Fields, Shape, Values, at, page, texts
from compiler.cluster.calls import Patience
from compiler.cluster.errors import EngineError
from compiler.cluster.records import Needs, Survey
from compiler.quantities import quantity
from compiler.settings import EngineSettings

if TYPE_CHECKING:
    from compiler.cluster.kubernetes import Kubernetes

# How many algorithms, and steps of each, are named with what they want.
_MOST = 3
_KEYED = Fields({"data": "mapping", "binaryData": "mapping"})
_METADATA = Fields({"name": "text", "labels": Values("text")})
_CONTINUE: dict[str, Shape] = {"metadata": Fields(texts("continue"))}
_AMOUNTS = Values("amount")
_NODE = Fields({"metadata": _METADATA, "status": Fields({"allocatable": _AMOUNTS})})
_HARD = Fields({"hard": _AMOUNTS})
_QUOTA = Fields({"metadata": _METADATA, "status": _HARD, "spec": _HARD})
_NODES, _QUOTAS = page("items", _NODE, _CONTINUE), page("items", _QUOTA, _CONTINUE)


def survey(
    settings: EngineSettings,
    needs: Needs,
    verbose: bool = False,
    patience: Patience | None = None,
) -> Survey:
    """Everything that is missing, and what could not be asked."""
    from compiler.cluster import kubernetes

    if not kubernetes.can_be_asked(settings):
        return Survey(is_asked=False)
    cluster = kubernetes.connect(settings, verbose, patience)
    try:
        return ask(cluster, needs)
    finally:
        cluster.transport.close()


def ask(cluster: Kubernetes, needs: Needs) -> Survey:
    """As `survey`, of a cluster that one has."""
    from kubernetes.client import CoreV1Api

    core = CoreV1Api(cluster.api)
    space = cluster.namespace
    missing: list[str] = []
    unknown: list[str] = []
    keyed = (
        ("secret", needs.secrets, core.read_namespaced_secret),
        ("config map", needs.config_maps, core.read_namespaced_config_map),
    )
    for kind, wanted, method in keyed:
        for name, keys in sorted(wanted.items()):
            found = _ask(cluster, f"read the {kind} {name}", unknown, method, name, space)
            missing += _keys(needs, kind, name, keys, found, space)
    named = (
        ("persistent volume claim", needs.claims, core.read_namespaced_persistent_volume_claim),
        ("service account", needs.service_accounts, core.read_namespaced_service_account),
    )
    for kind, names, method in named:
        for name in sorted(names):
            if _ask(cluster, f"read the {kind} {name}", unknown, method, name, space) is None:
                users = _users(needs, (kind, name, ""))
                missing.append(f"there is no {kind} `{name}` in the namespace {space}{users}")
    if needs.gpus:
        nodes = _list(cluster, "list nodes", _NODES, unknown, core.list_node)
        missing += _gpus(needs, nodes)
    if needs.cpu or needs.memory or needs.gpus:
        method = core.list_namespaced_resource_quota
        quotas = _list(cluster, "read quotas", _QUOTAS, unknown, method, space)
        missing += _quotas(needs, quotas or ())
    return Survey(tuple(missing), tuple(unknown))


# What could not be asked is no sign that it is missing.
_UNASKED: Mapping[str, Any] = {"unasked": True}


def _ask(
    cluster: Kubernetes,
    doing: str,
    unknown: list[str],
    method: Callable[..., Any],
    *given: str,
) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] | None = cluster.found(doing, method, *given, shape=_KEYED)
    except EngineError as problem:
        if problem.reason not in ("forbidden", "unauthenticated"):
            raise
        unknown.append(f"no right to {doing}")
        return _UNASKED
    return found


def _list(
    cluster: Kubernetes,
    doing: str,
    shape: Shape,
    unknown: list[str],
    method: Callable[..., Any],
    *given: str,
) -> list[Mapping[str, Any]] | None:
    try:
        return list(cluster.pages(doing, shape, method, *given))
    except EngineError as problem:
        if problem.reason not in ("forbidden", "unauthenticated"):
            raise
        unknown.append(f"no right to {doing}")
        return None


def _users(needs: Needs, *things: tuple[object, ...]) -> str:
    """Who wants these, as `(fit: `learn`, `score`)`; empty where that is the engine's settings."""
    steps: dict[str, list[str]] = {}
    found = (needs.users.get(thing, frozenset()) for thing in things)
    for algorithm, step in sorted(frozenset().union(*found)):
        steps.setdefault(algorithm, []).append(f"`{step}`")
    each = [f"{name}: {_some(own)}" for name, own in steps.items()]
    return f" ({'; '.join(each[:_MOST])}{_more(each)})" if each else ""


def _some(steps: list[str]) -> str:
    return ", ".join(steps[:_MOST]) + _more(steps)


def _more(every: list[str]) -> str:
    return f" and {len(every) - _MOST} more" if len(every) > _MOST else ""


def _keys(
    needs: Needs,
    kind: str,
    name: str,
    keys: frozenset[str],
    found: Mapping[str, Any] | None,
    space: str,
) -> Iterator[str]:
    if found is None:
        users = _users(needs, *((kind, name, key) for key in ("", *keys)))
        yield f"there is no {kind} `{name}` in the namespace {space}{users}"
    elif found is not _UNASKED:
        # Names of keys alone; what stands under them is let go at once.
        have = {*at(found, "data"), *at(found, "binaryData")}
        for key in sorted(keys - have):
            known = ", ".join(f"`{k}`" for k in sorted(have)) or "none"
            users = _users(needs, (kind, name, key))
            yield f"the {kind} `{name}` has no key `{key}`{users}; it has {known}"


def _gpus(needs: Needs, nodes: list[Mapping[str, Any]] | None) -> Iterator[str]:
    if nodes is None:
        return
    for resource, labels, count in needs.gpus:
        users = _users(needs, (resource, labels, count))
        fitting = [n for n in nodes if _has_labels(n, labels)]
        where = ", ".join(f"{key}={value}" for key, value in labels)
        if not fitting:
            yield f"no node has the labels {where}, which {resource} asks for{users}"
            continue
        most = max(_allocatable(node, resource) for node in fitting)
        if most < count:
            what = f"of {count} {resource}" if count > 1 else f"with {resource}"
            on = f" among those with {where}" if where else ""
            yield f"there is no node {what}{on}{users}; the most is {most:g}"


def _has_labels(node: Mapping[str, Any], labels: tuple[tuple[str, str], ...]) -> bool:
    own = at(node, "metadata", "labels")
    return all(own.get(key) == value for key, value in labels)


def _allocatable(node: Mapping[str, Any], resource: str) -> float:
    return _amount(at(node, "status", "allocatable").get(resource, "0"))


def _quotas(needs: Needs, quotas: Any) -> Iterator[str]:
    wanted = {"requests.cpu": needs.cpu, "cpu": needs.cpu}
    wanted |= {"requests.memory": needs.memory, "memory": needs.memory}
    for resource, _, count in needs.gpus:
        wanted[f"requests.{resource}"] = max(wanted.get(f"requests.{resource}", 0), count)
    for quota in quotas:
        hard = at(quota, "status", "hard") or at(quota, "spec", "hard")
        name = at(quota, "metadata").get("name", "")
        for resource, text in sorted(hard.items()):
            if wanted.get(resource, 0) > _amount(text):
                most = wanted[resource]
                users = _users(needs, (resource.removeprefix("requests."), most))
                yield (
                    f"the quota `{name}` allows {text} of {resource} in all, and one step wants "
                    f"{_shown(most)}{users}"
                )


def _amount(text: Any) -> float:
    found = quantity(str(text))
    return float(found) if found is not None else 0.0


def _shown(amount: float) -> str:
    gib = amount / 2**30
    return f"{gib:g}Gi" if gib >= 1 else f"{amount:g}"
