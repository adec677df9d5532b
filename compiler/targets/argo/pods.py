"""What a template says of its pod: resources, volumes, where it may run and as whom."""

from __future__ import annotations

from compiler.expr import Expr
from compiler.ir import Amount, Gpu, Resources, Retry, Security, Step, Toleration, Volume
from compiler.targets.argo.names import volume_name
from compiler.targets.argo.plan import Data
from compiler.targets.argo.tags import readable
from compiler.targets.argo.words import OUTPUTS

_OUTPUTS_VOLUME = "mlc-outputs"
SHM = "/dev/shm"
SHM_VOLUME = "mlc-shm"
_DESCRIPTION = "workflows.argoproj.io/description"


def resources(wanted: Resources) -> Data:
    """`requests` and `limits` as written; a GPU is a limit, which is its request too."""
    amounts = (
        ("cpu", wanted.cpu),
        ("memory", wanted.memory),
        ("ephemeral-storage", wanted.disk),
    )
    requests: Data = {n: a.request for n, a in amounts if a and isinstance(a.request, str)}
    limits: Data = {n: a.limit for n, a in amounts if a and isinstance(a.limit, str)}
    if wanted.gpu and isinstance(wanted.gpu.count, int):
        limits[wanted.gpu.resource] = str(wanted.gpu.count)
    sides = {"requests": requests, "limits": limits}
    return {name: side for name, side in sides.items() if side}


def volumes(step: Step) -> list[tuple[Data, Data]]:
    """The volumes of a step's pod, each with its mount."""
    found = [(_volume(volume), _mount(volume)) for volume in step.volumes]
    if step.resources.shm:
        memory: Data = {"medium": "Memory"}
        size = shm_size(step.resources.shm)
        if isinstance(size, str):
            memory["sizeLimit"] = size
        found.append(_own(SHM_VOLUME, memory, SHM))
    if step.outputs:
        found.append(_own(_OUTPUTS_VOLUME, {}, OUTPUTS))
    return found


def scheduling(step: Step) -> Data:
    """The fields of a template about its pod beside its container and volumes."""
    pod, gpu = step.pod, step.resources.gpu
    annotations = dict(pod.annotations)
    if step.description:
        annotations.setdefault(_DESCRIPTION, readable(step.description))
    metadata: Data = {}
    if pod.labels:
        metadata["labels"] = dict(pod.labels)
    if annotations:
        metadata["annotations"] = dict(annotations)
    tolerations = dict.fromkeys((*pod.tolerations, *(gpu.tolerations if gpu else ())))
    fields: Data = {
        "metadata": metadata,
        "nodeSelector": dict((*pod.node_selector, *_selector(gpu))),
        "tolerations": [_toleration(toleration) for toleration in tolerations],
        "serviceAccountName": pod.service_account,
        "priorityClassName": pod.priority_class,
    }
    return {name: value for name, value in fields.items() if value}


def robustness(step: Step) -> Data:
    """Retries and the time that each try has from its pod's start."""
    fields: Data = {}
    if step.timeout:
        fields["activeDeadlineSeconds"] = step.timeout.seconds
    if step.retry and step.retry.max:
        fields["retryStrategy"] = _retry(step.retry)
    return fields


def security(wanted: Security | None) -> Data:
    """The `securityContext` of the container."""
    if wanted is None:
        return {}
    capabilities: Data = {}
    if wanted.add_capabilities:
        capabilities["add"] = list(wanted.add_capabilities)
    if wanted.drop_capabilities:
        capabilities["drop"] = list(wanted.drop_capabilities)
    fields: Data = {
        "runAsUser": wanted.run_as_user,
        "runAsGroup": wanted.run_as_group,
        "runAsNonRoot": wanted.run_as_non_root,
        "readOnlyRootFilesystem": wanted.read_only_root,
        "privileged": wanted.privileged,
        "allowPrivilegeEscalation": wanted.allow_escalation,
        "capabilities": capabilities or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _selector(gpu: Gpu | None) -> tuple[tuple[str, str], ...]:
    return gpu.node_selector if gpu else ()


def _toleration(given: Toleration) -> Data:
    fields: Data = {
        "key": given.key,
        "operator": given.operator,
        "value": given.value,
        "effect": given.effect,
        "tolerationSeconds": given.seconds,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _retry(given: Retry) -> Data:
    data: Data = {"limit": str(given.max), "retryPolicy": "Always"}
    if given.backoff:
        backoff: Data = {"duration": f"{given.backoff}s", "factor": str(given.factor)}
        if given.max_backoff is not None:
            backoff["cap"] = f"{given.max_backoff}s"
        data["backoff"] = backoff
    return data


def _volume(volume: Volume) -> Data:
    source: dict[str, tuple[str, Data]] = {
        "claim": ("persistentVolumeClaim", {"claimName": volume.source}),
        "config_map": ("configMap", {"name": volume.source}),
        "secret": ("secret", {"secretName": volume.source}),
        "empty": ("emptyDir", {"sizeLimit": volume.source} if volume.source else {}),
    }
    field, value = source[volume.kind]
    return {"name": volume_name(volume.name), field: value}


def _mount(volume: Volume) -> Data:
    mount: Data = {"name": volume_name(volume.name), "mountPath": volume.mount}
    if volume.read_only:
        mount["readOnly"] = True
    if volume.sub_path:
        mount["subPath"] = volume.sub_path
    return mount


def _own(name: str, empty_dir: Data, path: str) -> tuple[Data, Data]:
    return {"name": name, "emptyDir": empty_dir}, {"name": name, "mountPath": path}


def shm_size(amount: Amount) -> str | Expr | None:
    return amount.limit or amount.request
