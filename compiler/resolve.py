"""The spec as it counts: short forms expanded, profiles laid over, defaults handed down.

Works on nodes, so that every value keeps the place it was written at.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass

from compiler.diagnostics import Diagnostic, error, listing, nearest
from compiler.nodes import Entry, Mapping, Node, Scalar, mapping

# What a step inherits from the top level.
DEFAULTS = ("image", "env", "resources", "volumes", "pod", "retry", "timeout", "cache")
VOLUME_KINDS = ("claim", "config_map", "secret", "empty")


@dataclass(frozen=True, slots=True)
class Resolved:
    """`spec` with the profiles in it; `values` are the parameters' values that they set."""

    spec: Mapping
    values: tuple[tuple[Scalar, Node], ...]
    profiles: tuple[str, ...]


def resolve(root: Mapping, profiles: Items[str]) -> tuple[Resolved, list[Diagnostic]]:
    """Expand, overlay the named profiles in order, hand the defaults down to the steps.

    `root` has passed the schema check. Unknown profile names are the caller's affair: see
    `profile_names`.
    """
    diagnostics: list[Diagnostic] = []
    spec = _expanded(root)
    values: list[tuple[Scalar, Node]] = []
    known = mapping(spec.get("profiles"))
    for name in profiles:
        profile = mapping(known.get(name) if known else None)
        if profile is None:
            continue
        profile, found = _own_steps(spec, profile, name)
        diagnostics += found
        settings = _without(_expanded(profile), "params")
        spec = merge(spec, settings)
        given = mapping(profile.get("params"))
        values += [(entry.key, entry.value) for _, entry in given] if given else []
    steps = mapping(spec.get("steps"))
    if steps is not None:
        defaults = _only(spec, DEFAULTS)
        handed = {
            name: Entry(entry.key, _remade(entry.value, merge(defaults, entry.value).entries))
            for name, entry in steps
            if isinstance(entry.value, Mapping)
        }
        spec = _with(spec, "steps", _remade(steps, handed))
    return Resolved(spec, tuple(values), tuple(profiles)), diagnostics


def profile_names(root: Mapping) -> list[str]:
    profiles = mapping(root.get("profiles"))
    return list(profiles.entries) if profiles else []


def merge(base: Mapping, over: Mapping) -> Mapping:
    """Mappings merge key by key, everything else replaces.

    A null stays where it is, to take out what is inherited further down: it is no entry.
    """
    entries = dict(base.entries)
    for key, entry in over:
        below = entries.get(key)
        if isinstance(entry.value, Mapping) and below and isinstance(below.value, Mapping):
            inner = _merge_volumes if key == "volumes" else merge
            entries[key] = Entry(below.key, inner(below.value, entry.value))
        else:
            entries[key] = entry
    return Mapping(base.file, base.start, base.end, entries, base.broken | over.broken)


def _merge_volumes(base: Mapping, over: Mapping) -> Mapping:
    """A volume is of one kind: what the overlay makes it replaces what it was."""
    merged = merge(base, over)
    for name, entry in over:
        volume = merged.get(name)
        if not isinstance(entry.value, Mapping) or not isinstance(volume, Mapping):
            continue
        given = [kind for kind in VOLUME_KINDS if kind in entry.value.entries]
        if given:
            for kind in VOLUME_KINDS:
                if kind not in given:
                    volume.entries.pop(kind, None)
    return merged


def _expanded(root: Mapping) -> Mapping:
    """The long form of everything, in a root, a step or a profile."""
    entries = {}
    for key, entry in root:
        entries[key] = Entry(entry.key, _long_form(key, entry.value))
    return _remade(root, entries)


def _long_form(key: str, value: Node) -> Node:
    if key == "steps" and isinstance(value, Mapping):
        steps = {
            name: Entry(e.key, _expanded(e.value) if isinstance(e.value, Mapping) else e.value)
            for name, e in value
        }
        return _remade(value, steps)
    if key == "resources" and isinstance(value, Mapping):
        return _remade(value, {name: Entry(e.key, _resource(name, e.value)) for name, e in value})
    if key == "outputs" and isinstance(value, Mapping):
        return _remade(value, {name: Entry(e.key, _wrapped(e.value, "type")) for name, e in value})
    if key == "params" and isinstance(value, Mapping):
        return _remade(
            value, {name: Entry(e.key, _wrapped(e.value, "default")) for name, e in value}
        )
    if key == "retry":
        return _wrapped(value, "max")
    if key == "cache":
        return _wrapped(value, "enabled")
    return value


def _resource(name: str, value: Node) -> Node:
    return _wrapped(value, "count") if name == "gpu" else _wrapped(value, "request", "limit")


def _wrapped(value: Node, *keys: str) -> Node:
    if isinstance(value, Mapping):
        return value
    entries = {
        key: Entry(Scalar(value.file, value.start, value.end, key, ""), value) for key in keys
    }
    return Mapping(value.file, value.start, value.end, entries)


def _own_steps(spec: Mapping, profile: Mapping, name: str) -> tuple[Mapping, list[Diagnostic]]:
    """The profile without what it sets for steps that the spec does not have."""
    overlays = mapping(profile.get("steps"))
    steps = mapping(spec.get("steps"))
    if overlays is None or steps is None:
        return profile, []
    found = []
    kept = {}
    for step, entry in overlays:
        if step in steps.entries:
            kept[step] = entry
        elif step not in steps.broken:
            near = nearest(step, steps.entries)
            hint = f"did you mean `{near}`?" if near else f"steps are {listing(steps.entries)}"
            message = f"profile `{name}` sets something for a step `{step}` that is not there"
            found.append(error("MLC301", message, entry.key.span, hint=hint))
    return _with(profile, "steps", _remade(overlays, kept)), found


def _remade(like: Mapping, entries: dict[str, Entry]) -> Mapping:
    return Mapping(like.file, like.start, like.end, entries, like.broken)


def _only(spec: Mapping, keys: tuple[str, ...]) -> Mapping:
    return _remade(spec, {key: entry for key, entry in spec if key in keys})


def _without(spec: Mapping, *keys: str) -> Mapping:
    return _remade(spec, {key: entry for key, entry in spec if key not in keys})


def _with(spec: Mapping, key: str, value: Node) -> Mapping:
    return _remade(spec, {**spec.entries, key: Entry(spec.entries[key].key, value)})
