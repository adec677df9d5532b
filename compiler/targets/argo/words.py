"""The words of a step's container as the manifest has them: literals escaped, values as tags."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from compiler.expr import ArtifactType, Type
from compiler.launch import ArgumentWord, Launch, OutputPathOf, PathOf, Text, ValueOf
from compiler.targets.argo.tags import word
from compiler.targets.kubelet import ESCAPES, Placeholder, escape, escape_text

# Outputs are written below a folder that is there whatever the image is and whoever runs in it:
# an emptyDir is mounted there. Argo mounts each input at its own path, which must not lie in it.
OUTPUTS = "/mlc"
INPUTS = "/mlc-in"


def spelled(launch: Launch) -> tuple[list[str], list[tuple[str, str]]]:
    """The whole argument vector, and the variables with a value.

    Before the variables stand those that escapes in any word stand for.
    """
    spell = _speller(launch)
    command = [_spelled(found, spell) for found in launch.argv]
    variables = [(name, _spelled(found, spell)) for name, found in launch.env]
    escaped = any("$(MLC_" in text for text in (*command, *(value for _, value in variables)))
    return command, [*(ESCAPES if escaped else ()), *variables]


def is_list(type_: Type) -> bool:
    """Whether a captured artifact is a list, which is a folder of them that the shim reads."""
    return isinstance(type_, ArtifactType) and type_.is_list


def _speller(launch: Launch) -> Callable[[Placeholder], str]:
    types = {capture.name: capture.type for capture in launch.captures}

    def spell(slot: Placeholder) -> str:
        match slot:
            case ValueOf(capture=name):
                return word(name, types[name])
            case PathOf(capture=name):
                return f"{INPUTS}/{name}/*" if is_list(types[name]) else f"{INPUTS}/{name}"
            case OutputPathOf(output=name):
                return f"{OUTPUTS}/{name}"

    return spell


def _spelled(found: ArgumentWord, spell: Callable[[Placeholder], str]) -> str:
    """One word; two values in a row are kept apart, as each may be a brace."""
    if len(found) == 1:
        slot = found[0]
        return escape_text(slot.text) if isinstance(slot, Text) else spell(slot)
    cuts = [
        position
        for position, (slot, following) in enumerate(pairwise(found), start=1)
        if isinstance(slot, ValueOf) and isinstance(following, ValueOf)
    ]
    ends = (0, *cuts, len(found))
    return "$(MLC_E)".join(escape(found[start:end], spell) for start, end in pairwise(ends))
