"""Volumes and memory of one step."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.diagnostics import Diagnostic, Related, Span, error, warning
from compiler.ir import Step, Volume
from compiler.quantities import quantity
from compiler.settings import Project


def mounts(step: Step, _: Project) -> Iterator[Diagnostic]:
    """Volumes of one step at the same path."""
    seen: dict[str, Volume] = {}
    for volume in step.volumes:
        path = volume.mount.rstrip("/") or "/"
        other = seen.setdefault(path, volume)
        if other is not volume:
            message = f"volumes `{other.name}` and `{volume.name}` are both mounted at {path}"
            related = (Related(f"the mount of `{other.name}`", _mount(other)),)
            hint = "give one of them another path"
            yield error("MLC602", message, _mount(volume), hint=hint, related=related)


def _mount(volume: Volume) -> Span:
    return dict(volume.value_spans).get("mount", volume.span)


def shared_memory(step: Step, _: Project) -> Iterator[Diagnostic]:
    """Shared memory counts against the memory limit, so it can't be larger."""
    shm, memory = step.resources.shm, step.resources.memory
    size = quantity(shm.limit) if shm and isinstance(shm.limit, str) else None
    limit = quantity(memory.limit) if memory and isinstance(memory.limit, str) else None
    if shm and memory and size is not None and limit is not None and size > limit:
        message = f"`shm` of {shm.limit} is more than the memory limit of {memory.limit}"
        related = (Related("the memory limit", memory.place),)
        hint = "shared memory counts as memory: raise the one or lower the other"
        yield warning("MLC603", message, shm.place, hint=hint, related=related)
