"""`extends`: bases merged into a spec, every value with the place that it was written at."""

from __future__ import annotations

from compiler.binding.scope import EVERYTHING
from compiler.compose.library import Circle, Library
from compiler.diagnostics import Diagnostic, Span, error
from compiler.nodes import Entry, Mapping, Node, Scalar, mapping, text
from compiler.resolve import expanded, merge

# What a spec says of itself alone.
_OWN = ("apiVersion", "kind", "name", "description", "extends")
_FORMS = ("command", "script", "python", "use", "steps")
_OF_FORMS = ("args", "shell")
_STEPS = ("steps", "finally")
# Keys with entries that a null takes out. Those of `env` and `volumes` stay as nulls, since they
# take out what steps inherit further down.
_REMOVABLE = (*_STEPS, "params", "inputs", "outputs", "profiles", "schedules")


def extend(root: Mapping, library: Library) -> tuple[Mapping, list[Diagnostic]]:
    """The spec with its bases in it, and without `extends`.

    `root` has passed the schema check. What was taken out by null is noted in the library.
    """
    diagnostics: list[Diagnostic] = []
    spec = _extended(root, library, diagnostics)
    is_part = text(spec.get("kind")) in ("Component", "Base")
    if not is_part and "steps" not in spec.entries and "steps" not in spec.broken:
        message = "the algorithm has no `steps`"
        diagnostics.append(error("MLC102", message, spec.span, hint="add `steps: …`"))
        spec = Mapping(spec.file, spec.start, spec.end, spec.entries, spec.broken | {"steps"})
    return spec, diagnostics


def _extended(root: Mapping, library: Library, diagnostics: list[Diagnostic]) -> Mapping:
    reference = root.get("extends")
    if not isinstance(reference, Scalar):
        return root
    base, found = library.find(reference, "extends")
    diagnostics += found
    if base is not None:
        try:
            with library.inside(reference):
                base = _extended(base, library, diagnostics)
            removed = library.removed.setdefault(root.file.path, {})
            return _merged(base, root, removed)
        except Circle as circle:
            diagnostics.append(circle.diagnostic)
    return _without_base(root, reference)


def _without_base(root: Mapping, reference: Scalar) -> Mapping:
    """The spec alone. What its base would have given is not known, so nothing is missing in it."""
    entries = {key: entry for key, entry in root if key != "extends"}
    for key in (*_REMOVABLE, "volumes"):
        own = mapping(root.get(key))
        kept = {name: entry for name, entry in own or () if name not in _nulls(own)}
        given = Mapping(root.file, reference.start, reference.end, kept, EVERYTHING)
        entries[key] = Entry(entries[key].key if key in entries else reference, given)
    return Mapping(root.file, root.start, root.end, entries, root.broken)


def _merged(base: Mapping, over: Mapping, removed: dict[str, dict[str, Span]]) -> Mapping:
    """A spec laid over its base, both in their long forms."""
    nulls = {key: _nulls(over.get(key)) for key in _REMOVABLE}
    base, over = _long(base), _long(over)
    own = {key: entry for key, entry in over if key in _OWN and key != "extends"}
    merged = merge(_without(base, *_OWN), _without(over, *_OWN))
    for key in _STEPS:
        below, above = mapping(base.get(key)), mapping(over.get(key))
        if below is not None and above is not None:
            merged.entries[key] = Entry(base.entries[key].key, _merged_steps(below, above))
    for key, names in nulls.items():
        below, kept = mapping(base.get(key)), mapping(merged.get(key))
        for name, null in names.items():
            if below is not None and kept is not None and name in below.entries:
                del kept.entries[name]
                removed.setdefault(key, {})[name] = null.span
    broken = (base.broken - over.entries.keys()) | over.broken
    return Mapping(over.file, over.start, over.end, {**own, **merged.entries}, broken)


def _long(root: Mapping) -> Mapping:
    """The long form of a spec, its profiles included; the params of a profile are plain values."""
    root = expanded(root)
    profiles = mapping(root.get("profiles"))
    if profiles is None:
        return root
    entries = {}
    for name, entry in profiles:
        if isinstance(entry.value, Mapping):
            long = expanded(_without(entry.value, "params"))
            kept = {**entry.value.entries, **long.entries}
            entry = Entry(entry.key, _remade(entry.value, kept))
        entries[name] = entry
    inner = Entry(root.entries["profiles"].key, _remade(profiles, entries))
    return _remade(root, {**root.entries, "profiles": inner})


def _merged_steps(base: Mapping, over: Mapping) -> Mapping:
    """Steps laid over steps: one that names a form is of that form alone."""
    forms_replaced = {}
    for name, entry in base:
        above = mapping(over.get(name))
        if isinstance(entry.value, Mapping) and above is not None:
            given = above.entries.keys() | above.broken
            if not given.isdisjoint(_FORMS):
                entry = Entry(entry.key, _without(entry.value, *_FORMS, *_OF_FORMS))
        forms_replaced[name] = entry
    return merge(_remade(base, forms_replaced), over)


def _nulls(node: Node | None) -> dict[str, Scalar]:
    """The entries of a mapping that are null."""
    return {
        name: entry.value
        for name, entry in mapping(node) or ()
        if isinstance(entry.value, Scalar) and entry.value.value is None
    }


def _without(node: Mapping, *keys: str) -> Mapping:
    return _remade(node, {key: entry for key, entry in node if key not in keys})


def _remade(like: Mapping, entries: dict[str, Entry]) -> Mapping:
    return Mapping(like.file, like.start, like.end, entries, like.broken)
