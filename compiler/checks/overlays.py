"""Settings that no step takes, since each sets its own, and profiles that change nothing.

Works on nodes: a setting that counts for a step is the node that was written, handed down.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import astuple, replace

from compiler import nulls
from compiler.diagnostics import Diagnostic, Span, error, warning
from compiler.ir import Pipeline
from compiler.nodes import Mapping, Node, mapping
from compiler.resolve import DEFAULTS, Resolved, expanded

_STEPS = ("steps", "finally")


def idle_settings(root: Mapping, resolved: Resolved) -> Iterator[Diagnostic]:
    """Defaults, and with one profile in the spec the settings of that, which count for no step.

    `root` is what was resolved. Bases are not told of: what goes on from them is different.
    """
    taken: set[int] = set()
    for key in _STEPS:
        _collect_settings(mapping(resolved.spec.get(key)), taken)
    if not resolved.profiles:
        for key, entry in root:
            if key in DEFAULTS and entry.key.file is root.file:
                for path, span in _idle(entry.value, key, entry.key.span, taken):
                    yield _idle_default(path, span)
        return
    name = resolved.profiles[-1]
    profile = mapping((mapping(root.get("profiles")) or root).get(name))
    if profile is None or len(resolved.profiles) > 1 or profile.file is not root.file:
        return
    for key, entry in expanded(profile):
        if key in DEFAULTS:
            for path, span in _idle(entry.value, key, entry.key.span, taken):
                message = f"profile `{name}` sets `{path}`, but each step sets its own"
                hint = "what a step says counts more than what is for all: name it under `steps`"
                yield warning("MLC348", message, span, hint=hint)
    for step, entry in mapping(profile.get("steps")) or ():
        for key, setting in mapping(entry.value) or ():
            for path, span in _idle(setting.value, key, setting.key.span, taken):
                message = f"profile `{name}` sets `{path}` of `{step}`, but no step in it takes it"
                hint = "each sets its own, which counts more: name them in the profile"
                yield warning("MLC348", message, span, hint=hint)


def forgotten_values(root: Mapping) -> Iterator[Diagnostic]:
    """Nulls that take out nothing: more likely a value that was forgotten. What bases set is not
    seen any more, so a spec that goes on from one is not told of."""
    if any(entry.key.file is not root.file for _, entry in root):
        return
    for null in nulls.idle(root):
        message = f"null takes out what is set elsewhere, and nothing sets `{null.name}`"
        hint = "give it a value" + (', `""` for the empty text' if null.key == "env" else "")
        yield error("MLC109", message, null.node.span, hint=hint)


def changes_nothing(plain: Pipeline, profiled: Pipeline) -> bool:
    """Whether two pipelines of a spec differ at most in the places of what they say."""
    return _same(replace(plain, profiles=()), replace(profiled, profiles=()))


def no_change(root: Mapping, profile: str) -> Iterator[Diagnostic]:
    """A profile that changes nothing, told at its name."""
    profiles = mapping(root.get("profiles"))
    key = profiles.entries[profile].key if profiles and profile in profiles.entries else None
    if key is not None and key.file is root.file:
        hint = "all that it sets is so without it"
        yield warning("MLC347", f"profile `{profile}` changes nothing", key.span, hint=hint)


def _idle_default(path: str, span: Span) -> Diagnostic:
    message = f"`{path}` here has no effect: no step takes it"
    hint = "each sets its own, or uses another file, which is closed; take it out"
    return warning("MLC348", message, span, hint=hint)


def _idle(node: Node, path: str, place: Span, taken: set[int]) -> Iterator[tuple[str, Span]]:
    """The largest parts of a setting that are nowhere among those that steps have."""
    if not isinstance(node, Mapping):
        if id(node) not in taken:
            yield path, place
        return
    if node.entries and not any(id(leaf) in taken for leaf in _leaves(node)):
        yield path, place
        return
    for name, entry in node:
        yield from _idle(entry.value, f"{path}.{name}", entry.key.span, taken)


def _leaves(node: Node) -> Iterator[Node]:
    if isinstance(node, Mapping):
        for _, entry in node:
            yield from _leaves(entry.value)
    else:
        yield node


def _collect_settings(steps: Mapping | None, taken: set[int]) -> None:
    """The parts of all settings of steps, at every depth."""
    for _, entry in steps or ():
        if isinstance(entry.value, Mapping):
            for key, setting in entry.value:
                if key in DEFAULTS:
                    taken.update(map(id, _leaves(setting.value)))
            _collect_settings(mapping(entry.value.get("steps")), taken)


def _same(one: object, other: object) -> bool:
    if one == other:
        return True
    if isinstance(one, Span) and isinstance(other, Span):
        return True
    if isinstance(one, tuple) and isinstance(other, tuple):
        same_form = type(one) is type(other) and len(one) == len(other)
        return same_form and all(map(_same, one, other))
    if isinstance(one, Struct) and type(one) is type(other):
        return _same(astuple(one), astuple(other))
    return False
