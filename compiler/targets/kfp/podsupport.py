"""How resources, volumes and pod settings of a step fare on KFP (server 2.17).

What the driver makes of them: backend/src/v2/driver/{driver,k8s,security_context}.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from compiler.ir import Security, Step
from compiler.targets import Support
from compiler.targets.kfp.carrying import unwritable
from compiler.targets.uses import exact, impossible, of_gpu, refused

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NO_FIELD = "KFP has no field for it"


def of_resources(step: Step) -> Iterator[Support]:
    where, wanted = f"step {step.name}", step.resources
    for name, amount in (("cpu", wanted.cpu), ("memory", wanted.memory)):
        if amount:
            yield exact(f"resources.{name}", where, amount.span)
    if wanted.disk:
        reason = "KFP can't ask for scratch space; mount a claim, or an empty volume with a size"
        yield refused("resources.disk", where, wanted.disk.span, reason)
    if wanted.shm:
        sizes = (wanted.shm.request, wanted.shm.limit)
        if all(size is None or isinstance(size, str) for size in sizes):
            yield exact("resources.shm", where, wanted.shm.span, "an empty folder in memory")
        else:
            reason = "on KFP its size is fixed when the spec is compiled; write it out"
            yield impossible("resources.shm", where, wanted.shm.span, reason)
    yield from of_gpu(step)


def of_volumes(step: Step) -> Iterator[Support]:
    where = f"step {step.name}"
    kinds: dict[str, str] = {}
    for volume in step.volumes:
        field = f"volumes.{volume.name}"
        yield exact(field, where, volume.span)
        writable = volume.kind in ("claim", "empty")
        if volume.read_only and writable:
            reason = "KFP mounts it for writing; ask for a claim whose volume is read-only"
            yield refused("volumes.read_only", where, volume.span, reason)
        if volume.sub_path and volume.kind != "claim":
            reason = "KFP mounts the whole of it; mount it and take the path from there"
            yield impossible("volumes.sub_path", where, volume.span, reason)
        if volume.kind == "empty" or volume.source is None:
            continue
        if not _DNS_LABEL.fullmatch(volume.source):
            reason = (
                f"KFP names the pod's volume after it, and `{volume.source}` is no name for that: "
                "at most 63 lower-case letters, digits and dashes"
            )
            yield impossible(field, where, volume.span, reason)
        if kinds.setdefault(volume.source, volume.kind) != volume.kind:
            reason = (
                f"KFP names volumes after their source, and two of different kinds are called "
                f"`{volume.source}`; rename one of them"
            )
            yield impossible(field, where, volume.span, reason)


def of_pod(step: Step) -> Iterator[Support]:
    where, pod = f"step {step.name}", step.pod
    for key, span in pod.spans:
        field = f"pod.{key}"
        match key:
            case "service_account":
                reason = "on KFP a run has one service account, given when it is submitted"
                yield refused(field, where, span, reason)
            case "priority_class":
                yield refused(field, where, span, _NO_FIELD)
            case "security":
                yield exact(field, where, span, "all capabilities are dropped in any case")
                for name, reason in _security_losses(pod.security):
                    yield refused(f"{field}.{name}", where, span, reason)
            case "labels" | "annotations":
                pairs = pod.labels if key == "labels" else pod.annotations
                broken = next(filter(None, (_broken(text) for pair in pairs for text in pair)), "")
                if broken:
                    reason = f"{broken} in it: Argo, beneath KFP, would act on it"
                    yield impossible(field, where, span, reason)
                else:
                    yield exact(field, where, span)
            case _:
                yield exact(field, where, span)


def _broken(text: str) -> str | None:
    return "`{{`" if "{{" in text else unwritable(text)


def _security_losses(security: Security | None) -> Iterator[tuple[str, str]]:
    if security is None:
        return
    if security.read_only_root:
        yield "read_only_root", _NO_FIELD
    if security.privileged:
        yield "privileged", "KFP runs no privileged containers"
    if security.allow_escalation:
        yield "allow_escalation", "KFP forbids gaining privileges"
    if security.add_capabilities:
        yield "add_capabilities", "KFP drops all capabilities"
