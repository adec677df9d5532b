"""The spec as it counts: short forms expanded, profiles laid over, defaults handed down.

Works on nodes, so that every value keeps the place it was written at.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Items

from msgspec import Struct

from compiler import mending
from compiler.diagnostics import Diagnostic, error, listing, nearest
from compiler.nodes import Entry, Mapping, Node, Scalar, mapping, text

# What a step inherits from the top level.
DEFAULTS = ("image", "env", "resources", "volumes", "pod", "retry", "timeout", "cache")
# Keys that hold steps.
_STEPS = ("steps", "finally")
_SHORT_FORMS = {"resources", "outputs", "params", "retry", "cache"}
VOLUME_KINDS = ("claim", "config_map", "secret", "empty")


class Resolved(Struct, frozen=True):
    """`spec` with the profiles in it; `values` are the parameters' values that they set.

    Every step has its defaults; groups have handed theirs on and keep none. Steps that `use`
    another file have none either: what is used is closed.
    """

    spec: Mapping
    values: tuple[tuple[Scalar, Node], ...]
    profiles: tuple[str, ...]


def resolve(root: Mapping, profiles: Items[str]) -> tuple[Resolved, list[Diagnostic]]:
    """Expand, overlay the named profiles in order, hand the defaults down to the steps.

    `root` has passed the schema check, and bases are in it. Unknown profile names are the
    caller's affair: see `profile_names`.
    """
    diagnostics: list[Diagnostic] = []
    spec = _without_nulls(expanded(root), diagnostics)
    values: list[tuple[Scalar, Node]] = []
    known = mapping(spec.get("profiles"))
    for name in profiles:
        profile = mapping(known.get(name) if known else None)
        if profile is None:
            continue
        given = mapping(profile.get("params"))
        values += [(entry.key, entry.value) for _, entry in given] if given else []
        overlays = mapping(profile.get("steps"))
        spec = merge(spec, _without(expanded(profile), "params", "steps"))
        if overlays is not None:
            diagnostics += _unknown_steps(spec, overlays, name)
            spec = _over_steps(spec, _expanded_steps(overlays))
    defaults = _only(spec, DEFAULTS)
    for key in _STEPS:
        steps = mapping(spec.get(key))
        if steps is not None:
            spec = _with(spec, key, _handed_down(steps, defaults))
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


def expanded(root: Mapping) -> Mapping:
    """The long form of everything in a root or a profile."""
    return _expanded(root, is_step=text(root.get("kind")) == "Component")


def _expanded(node: Mapping, *, is_step: bool) -> Mapping:
    entries = {}
    for key, entry in node:
        value = entry.value
        if isinstance(value, Mapping) and key in _STEPS:
            value = _expanded_steps(value)
        elif not is_step and key == "outputs":
            pass  # those of an algorithm are expressions
        else:
            value = _long_form(key, value)
        entries[key] = entry if value is entry.value else Entry(entry.key, value)
    return _remade(node, entries)


def _expanded_steps(steps: Mapping) -> Mapping:
    return _mapped(steps, lambda _, step: _expanded(step, is_step=True))


def _mapped(node: Mapping, change: Callable[[str, Mapping], Mapping]) -> Mapping:
    """The same mapping with what is a mapping in it changed."""
    entries = {
        name: Entry(e.key, change(name, e.value) if isinstance(e.value, Mapping) else e.value)
        for name, e in node
    }
    return _remade(node, entries)


def _long_form(key: str, value: Node) -> Node:
    if key not in _SHORT_FORMS:
        return value
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


def _without_nulls(spec: Mapping, diagnostics: list[Diagnostic]) -> Mapping:
    """Without entries that are null, which take out what a base has: here there is none left."""
    for key in (*_STEPS, "inputs", "outputs", "profiles", "schedules"):
        found = mapping(spec.get(key))
        kept = {}
        for name, entry in found or ():
            if isinstance(entry.value, Scalar) and entry.value.value is None:
                message = f"null takes out what a base has, and no base has a `{name}`"
                hint = "give it a value or take it out"
                diagnostics.append(error("MLC109", message, entry.value.span, hint=hint))
                continue
            inner = entry.value
            if key in _STEPS and isinstance(inner, Mapping) and "steps" in inner.entries:
                inner = _without_nulls(inner, diagnostics)
            kept[name] = entry if inner is entry.value else Entry(entry.key, inner)
        if found is not None:
            broken = found.broken | (found.entries.keys() - kept.keys())
            spec = _with(spec, key, Mapping(found.file, found.start, found.end, kept, broken))
    return spec


def step_names(spec: Mapping) -> dict[str, Scalar]:
    """The names of all steps and groups, at every depth, `finally` included."""
    found: dict[str, Scalar] = {}
    for key in _STEPS:
        for name, entry in mapping(spec.get(key)) or ():
            found.setdefault(name, entry.key)
            if isinstance(entry.value, Mapping):
                found = {**step_names(entry.value), **found}
    return found


def broken_names(steps: Mapping | None) -> frozenset[str]:
    """The names of steps, at every depth, of which nothing is known but that they are wrong."""
    broken = steps.broken if steps else frozenset()
    for _, entry in steps or ():
        if isinstance(entry.value, Mapping):
            broken |= broken_names(mapping(entry.value.get("steps")))
    return broken


def _unknown_steps(spec: Mapping, overlays: Mapping, profile: str) -> list[Diagnostic]:
    """What a profile sets for steps that the spec does not have."""
    known = step_names(spec)
    broken = broken_names(mapping(spec.get("steps"))) | broken_names(mapping(spec.get("finally")))
    found = []
    for name, entry in overlays:
        if name not in known and name not in broken and known:
            near = nearest(name, known)
            hint = f"did you mean `{near}`?" if near else f"known are {listing(known)}"
            message = f"profile `{profile}` sets something for a step `{name}` that is not there"
            fix = mending.respelled(entry.key.file, entry.key.span, name, known, near)
            found.append(error("MLC301", message, entry.key.span, hint=hint, fix=fix))
    return found


def _over_steps(spec: Mapping, overlays: Mapping) -> Mapping:
    """Settings laid over the steps that they are for, wherever these stand."""

    def over(name: str, step: Mapping) -> Mapping:
        overlay = overlays.get(name)
        if isinstance(overlay, Mapping):
            step = _remade(step, merge(step, overlay).entries)
        return _over_steps(step, overlays) if "steps" in step.entries else step

    for key in _STEPS:
        steps = mapping(spec.get(key))
        if steps is not None:
            spec = _with(spec, key, _mapped(steps, over))
    return spec


def _handed_down(steps: Mapping, defaults: Mapping) -> Mapping:
    def with_defaults(_: str, step: Mapping) -> Mapping:
        if "use" in step.entries:
            return step
        merged = _remade(step, merge(defaults, step).entries)
        inner = mapping(step.get("steps"))
        if inner is None:
            return merged
        handed = _handed_down(inner, _only(merged, DEFAULTS))
        return _with(_without(merged, *DEFAULTS), "steps", handed)

    return _mapped(steps, with_defaults)


def _remade(like: Mapping, entries: dict[str, Entry]) -> Mapping:
    return Mapping(like.file, like.start, like.end, entries, like.broken)


def _only(spec: Mapping, keys: tuple[str, ...]) -> Mapping:
    return _remade(spec, {key: entry for key, entry in spec if key in keys})


def _without(spec: Mapping, *keys: str) -> Mapping:
    return _remade(spec, {key: entry for key, entry in spec if key not in keys})


def _with(spec: Mapping, key: str, value: Node) -> Mapping:
    return _remade(spec, {**spec.entries, key: Entry(spec.entries[key].key, value)})
