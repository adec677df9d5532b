"""What KFP's platform document is to say of a step's pod."""

from __future__ import annotations

from compiler.ir import Amount, Gpu, Pairs, Pod, Step, Toleration
from compiler.launch import Launch
from compiler.targets.kfp.names import dashed, unique
from compiler.targets.kfp.plan import EmptyDir, Mount, Platform, SecretVariable

SHM_VOLUME = "mlc-shm"


def platform(step: Step, launch: Launch) -> Platform:
    """The platform settings of a step; `compiler.targets.kfp.support` tells what gets lost."""
    pod, gpu = step.pod, step.resources.gpu
    return Platform(
        secrets=tuple(SecretVariable(name, ref.name, ref.key) for name, ref in launch.secrets),
        secret_mounts=_mounts(step, "secret"),
        config_mounts=_mounts(step, "config_map"),
        claims=_mounts(step, "claim"),
        empty_dirs=_empty_dirs(step),
        node_selector=node_selector(pod, gpu),
        tolerations=_tolerations(pod, gpu),
        labels=pod.labels,
        annotations=pod.annotations,
        pull_policy=pod.pull_policy,
        pull_secrets=pod.pull_secrets,
        timeout=step.timeout.seconds if step.timeout else None,
        security=pod.security,
    )


def node_selector(pod: Pod, gpu: Gpu | None) -> Pairs:
    """The labels that the GPU's type wants of a node, and those that the author adds."""
    return tuple({**dict(gpu.node_selector if gpu else ()), **dict(pod.node_selector)}.items())


def _tolerations(pod: Pod, gpu: Gpu | None) -> tuple[Toleration, ...]:
    return tuple(dict.fromkeys((*(gpu.tolerations if gpu else ()), *pod.tolerations)))


def _mounts(step: Step, kind: str) -> tuple[Mount, ...]:
    return tuple(
        Mount(volume.source, volume.mount, volume.sub_path)
        for volume in step.volumes
        if volume.kind == kind and volume.source
    )


def _empty_dirs(step: Step) -> tuple[EmptyDir, ...]:
    folders: list[EmptyDir] = []
    for volume in step.volumes:
        if volume.kind == "empty":
            taken = {folder.name for folder in folders}
            name = unique(f"mlc-empty-{dashed(volume.name)}", taken, "-")
            folders.append(EmptyDir(name, volume.mount, in_memory=False, size=volume.source))
    if step.resources.shm:
        folders.append(_shared_memory(step.resources.shm))
    return tuple(folders)


def _shared_memory(amount: Amount) -> EmptyDir:
    """Its size is literal: what is worked out in a run `support` refuses."""
    size = amount.limit or amount.request
    written = size if isinstance(size, str) else None
    return EmptyDir(SHM_VOLUME, "/dev/shm", in_memory=True, size=written)
