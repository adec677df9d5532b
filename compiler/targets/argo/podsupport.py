"""How resources, volumes and pod settings of a step fare on Argo: nearly all as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import PurePosixPath

from compiler.diagnostics import Span
from compiler.ir import Pairs, Pod, Step
from compiler.targets import Support
from compiler.targets.argo.pods import SHM
from compiler.targets.argo.words import INPUTS, OUTPUTS
from compiler.targets.uses import emulated, exact, impossible, of_gpu

_LABEL_NAME = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_TAG = "Argo would act on the `{{` in it"


def of_resources(step: Step) -> Iterator[Support]:
    where, wanted = f"step {step.name}", step.resources
    for name, amount in (("cpu", wanted.cpu), ("memory", wanted.memory), ("disk", wanted.disk)):
        if amount:
            yield exact(f"resources.{name}", where, amount.span)
    if wanted.shm:
        yield exact("resources.shm", where, wanted.shm.span, "an empty folder in memory")
    yield from of_gpu(step)
    for given in wanted.expressions():
        yield emulated("resources", where, given.span, "known only in the run: a patch of the pod")
        break


def of_volumes(step: Step) -> Iterator[Support]:
    where = f"step {step.name}"
    taken = [INPUTS, OUTPUTS, *([SHM] if step.resources.shm else [])]
    for volume in step.volumes:
        field, mount = f"volumes.{volume.name}", PurePosixPath(volume.mount)
        clash = next((p for p in map(PurePosixPath, taken) if _overlap(p, mount)), None)
        if clash:
            reason = f"{clash} is mlc's own folder in a pod; mount it elsewhere"
            yield impossible(field, where, volume.span, reason)
        elif _tagged((volume.mount, volume.source or "", volume.sub_path or "")):
            yield impossible(field, where, volume.span, _TAG)
        else:
            yield exact(field, where, volume.span)


def of_pod(step: Step) -> Iterator[Support]:
    where, pod = f"step {step.name}", step.pod
    for key, span in pod.spans:
        yield _of_key(key, pod, where, span)


def _of_key(key: str, pod: Pod, where: str, span: Span) -> Support:
    field = f"pod.{key}"
    if _tagged(_texts(key, pod)):
        return impossible(field, where, span, _TAG)
    if key == "labels":
        found = unlabelled(pod.labels)
        return impossible(field, where, span, found) if found else exact(field, where, span)
    if key == "pull_secrets":
        return emulated(field, where, span, "given to all pods of a run")
    return exact(field, where, span)


def unlabelled(labels: Pairs) -> str | None:
    """Why Kubernetes takes one of these for no label, or None."""
    for name, value in labels:
        if not (_LABEL_NAME.fullmatch(name) and _LABEL_VALUE.fullmatch(value)):
            return (
                f"`{name}: {value}` is no label of Kubernetes: at most 63 letters, digits, "
                "dashes, dots and underscores, a letter or digit at both ends"
            )
    return None


def _texts(key: str, pod: Pod) -> Iterable[str]:
    match key:
        case "node_selector":
            return chain.from_iterable(pod.node_selector)
        case "labels":
            return chain.from_iterable(pod.labels)
        case "annotations":
            return chain.from_iterable(pod.annotations)
        case "tolerations":
            return (text for t in pod.tolerations for text in (t.key or "", t.value or ""))
        case "service_account":
            return (pod.service_account or "",)
        case "priority_class":
            return (pod.priority_class or "",)
        case "pull_secrets":
            return pod.pull_secrets
    return ()


def _tagged(texts: Iterable[str]) -> bool:
    return any("{{" in text for text in texts)


def _overlap(one: PurePosixPath, other: PurePosixPath) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)
