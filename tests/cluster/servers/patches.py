"""How objects are matched, merged and compared field by field."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def matches(selector: str, one: Json) -> bool:
    """A label selector: `a=b`, `a!=b`, `a in (b,c)`, `a notin (b)`, `a`, `!a`, joined by commas."""
    labels = one["metadata"].get("labels", {})
    for term in re.findall(r"[^,(]+(?:\([^)]*\))?", selector):
        term = term.strip()
        if found := re.fullmatch(r"(\S+)\s+(in|notin)\s+\(([^)]*)\)", term):
            values = {value.strip() for value in found[3].split(",")}
            if (labels.get(found[1]) in values) != (found[2] == "in"):
                return False
        elif found := re.fullmatch(r"([^!=\s]+)\s*(!=|==?)\s*(\S*)", term):
            if (labels.get(found[1]) == found[3]) != (found[2] != "!="):
                return False
        elif term and (term.lstrip("!") in labels) == term.startswith("!"):
            return False
    return True


def has_fields(selector: str, one: Json) -> bool:
    """A field selector, such as `metadata.name=x`; fields of other depth than two don't exist."""
    for term in filter(None, selector.split(",")):
        path, negated, value = re.split(r"(!?)==?", term)
        parent, _, field = path.partition(".")
        if (str(one.get(parent, {}).get(field, "")) == value) == bool(negated):
            return False
    return True


def select_fields(one: Json, fields: str) -> Json:
    """`fields=status.phase,metadata.name`: only these paths."""
    picked: Json = {}
    for path in fields.split(","):
        source, target = one, picked
        *parents, last = path.split(".")
        for key in parents:
            source, target = source.get(key, {}), target.setdefault(key, {})
        if last in source:
            target[last] = source[last]
    return {"metadata": {}, "spec": {}, **picked}


def intent(one: Json) -> Json:
    """What managers can own: not the status, nor what the API server sets."""
    meta = one.get("metadata", {})
    kept = {key: meta[key] for key in ("labels", "annotations", "ownerReferences") if key in meta}
    rest = {k: v for k, v in one.items() if k not in ("metadata", "status", "apiVersion", "kind")}
    return rest | ({"metadata": kept} if kept else {})


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif path:
        yield path, value


def merge_patch(have: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = copy.deepcopy(have) if isinstance(have, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def remove(one: Json, path: tuple[str, ...]) -> None:
    for key in path[:-1]:
        one = one.get(key, {})
    one.pop(path[-1], None)
