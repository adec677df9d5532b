"""Volumes and memory of one step."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.diagnostics import Diagnostic, Related, Span, error, warning
from compiler.ir import Step, Volume
from compiler.quantities import quantity
from compiler.settings import Project

_OF_THE_IMAGE = frozenset(
    ("/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr")
)
_LEAST_MEMORY = 6 * 2**20


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


def hidden_folders(step: Step, _: Project) -> Iterator[Diagnostic]:
    """Volumes over folders that programs of the image live in."""
    for volume in step.volumes:
        path = volume.mount.rstrip("/") or "/"
        if path in _OF_THE_IMAGE:
            message = f"`{volume.name}` hides what the image has in {path}"
            hint = f"mount it in a folder of its own, for instance `/mnt/{volume.name}`"
            yield warning("MLC462", message, _mount(volume), hint=hint)


def least_memory(step: Step, _: Project) -> Iterator[Diagnostic]:
    """A limit under which no container is started."""
    memory = step.resources.memory
    limit = quantity(memory.limit) if memory and isinstance(memory.limit, str) else None
    if memory and limit is not None and limit < _LEAST_MEMORY:
        message = f"a memory limit of {memory.limit} is less than what any container starts with"
        hint = "runtimes refuse less than 6Mi, some less than 12Mi: is `Gi` meant?"
        yield warning("MLC463", message, memory.place, hint=hint)


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
