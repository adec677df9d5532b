"""What runs of a pipeline want of the cluster that is not in their manifest: secrets, claims,
service accounts, nodes with GPUs. A preflight asks for all of it before anything is made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from compiler.cluster.records import Needs
from compiler.expr import SecretRef
from compiler.ir import Amount, Pipeline
from compiler.quantities import quantity


def needs_of(pipeline: Pipeline, service_account: str | None = None) -> Needs:
    """What the steps name. `service_account` is the one of runs, where the engine's settings have
    one; amounts that are known only in the run count for nothing."""
    secrets: dict[str, set[str]] = defaultdict(set)
    config_maps: dict[str, set[str]] = defaultdict(set)
    claims: set[str] = set()
    accounts = {service_account} if service_account else set()
    gpus: set[tuple[str, tuple[tuple[str, str], ...], int]] = set()
    users: dict[tuple[object, ...], set[tuple[str, str]]] = defaultdict(set)
    for step in pipeline.steps:

        def want(*thing: object, step: str = step.name) -> None:
            users[thing].add((pipeline.name, step))

        for variable in step.env:
            if isinstance(variable.value, SecretRef):
                secrets[variable.value.name].add(variable.value.key)
                want("secret", variable.value.name, variable.value.key)
        for volume in step.volumes:
            if volume.kind == "claim" and volume.source:
                claims.add(volume.source)
                want("persistent volume claim", volume.source, "")
            elif volume.kind != "empty" and volume.source:
                is_secret = volume.kind == "secret"
                _ = (secrets if is_secret else config_maps)[volume.source]
                want("secret" if is_secret else "config map", volume.source, "")
        for name in step.pod.pull_secrets:
            _ = secrets[name]
            want("secret", name, "")
        if step.pod.service_account:
            accounts.add(step.pod.service_account)
            want("service account", step.pod.service_account, "")
        gpu = step.resources.gpu
        if gpu is not None:
            count = gpu.count if isinstance(gpu.count, int) else 1
            wanted = (gpu.resource, (*gpu.node_selector, *step.pod.node_selector), count)
            gpus.add(wanted)
            want(*wanted)
            want(gpu.resource, count)
        want("cpu", _most([step.resources.cpu]))
        want("memory", _most([step.resources.memory]))
    return Needs(
        secrets={name: frozenset(keys) for name, keys in sorted(secrets.items())},
        config_maps={name: frozenset(keys) for name, keys in sorted(config_maps.items())},
        claims=frozenset(claims),
        service_accounts=frozenset(accounts),
        gpus=tuple(sorted(gpus)),
        cpu=_most(step.resources.cpu for step in pipeline.steps),
        memory=_most(step.resources.memory for step in pipeline.steps),
        users={thing: frozenset(found) for thing, found in users.items()},
    )


def together(every: Iterable[Needs]) -> Needs:
    """The needs of several pipelines as one."""
    needs = list(every)
    return Needs(
        secrets=_merged(one.secrets for one in needs),
        config_maps=_merged(one.config_maps for one in needs),
        claims=frozenset().union(*(one.claims for one in needs)),
        service_accounts=frozenset().union(*(one.service_accounts for one in needs)),
        gpus=tuple(sorted({gpu for one in needs for gpu in one.gpus})),
        cpu=max((one.cpu for one in needs), default=0.0),
        memory=max((one.memory for one in needs), default=0.0),
        users={
            thing: frozenset().union(*(one.users.get(thing, frozenset()) for one in needs))
            for one in needs
            for thing in one.users
        },
    )


def _merged(every: Iterable[Mapping[str, frozenset[str]]]) -> dict[str, frozenset[str]]:
    merged: dict[str, frozenset[str]] = {}
    for one in every:
        for name, keys in one.items():
            merged[name] = merged.get(name, frozenset()) | keys
    return dict(sorted(merged.items()))


def _most(amounts: Iterable[Amount | None]) -> float:
    """The largest request, in cores or bytes."""
    found = 0.0
    for amount in amounts:
        text = (amount.request or amount.limit) if amount is not None else None
        known = quantity(text) if isinstance(text, str) else None
        found = max(found, float(known or 0))
    return found
