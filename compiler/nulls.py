"""Nulls of `env` and `volumes`, which are there to take out what a step inherits: which do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from compiler.nodes import Entry, Mapping, Node, Scalar, mapping

_KEYS = ("env", "volumes")
# Where mappings stand that have such keys.
_HOLDERS = ("steps", "finally", "profiles")


class Null(NamedTuple):
    key: str
    name: str
    node: Node


def idle(spec: Mapping) -> list[Null]:
    """The nulls of names that nothing sets, in the spec, its profiles and its steps."""
    nulls, given = [], set()
    for key, held in _everywhere(spec):
        for name, entry in held:
            if isinstance(entry.value, Scalar) and entry.value.value is None:
                nulls.append(Null(key, name, entry.value))
            else:
                given.add((key, name))
    return [null for null in nulls if null[:2] not in given]


def without_idle(spec: Mapping) -> Mapping:
    """The spec without them, and without `env` and `volumes` in which nothing is left."""
    names = {(null.key, null.name) for null in idle(spec)}
    return _without(spec, names) if names else spec


def _without(node: Mapping, names: set[tuple[str, str]]) -> Mapping:
    entries = {}
    for key, entry in node:
        held = mapping(entry.value)
        if held is not None and key in _KEYS:
            kept = {name: e for name, e in held if (key, name) not in names}
            if held.entries and not kept:
                continue
            entry = Entry(entry.key, _remade(held, kept))
        elif held is not None and key in _HOLDERS:
            inner = {
                name: Entry(
                    e.key, _without(e.value, names) if isinstance(e.value, Mapping) else e.value
                )
                for name, e in held
            }
            entry = Entry(entry.key, _remade(held, inner))
        entries[key] = entry
    return _remade(node, entries)


def _everywhere(node: Mapping) -> Iterator[tuple[str, Mapping]]:
    """The mappings under the keys, with the key, at every depth."""
    for key, entry in node:
        held = entry.value
        if key in _KEYS and isinstance(held, Mapping):
            yield key, held
        elif key in _HOLDERS and isinstance(held, Mapping):
            for _, inner in held:
                if isinstance(inner.value, Mapping):
                    yield from _everywhere(inner.value)


def _remade(like: Mapping, entries: dict[str, Entry]) -> Mapping:
    return Mapping(like.file, like.start, like.end, entries, like.broken)
