"""The order of keys: that of the published schema, but for what reads better elsewhere."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

# What a file or a step is and when it runs comes first, what is long last.
_FIRST = ("apiVersion", "kind", "name", "description", "owner", "tags", "labels", "extends")
_FIRST_OF_STEP = ("when", "needs", "foreach", "parallel")
_FIRST_OF_COMPONENT = ("image", "params", "inputs", "outputs")
_LAST_OF_STEP = ("shell", "script", "steps")
_PARAM = (
    *("type", "items", "default", "enum", "minimum", "exclusiveMinimum", "maximum"),
    *("exclusiveMaximum", "pattern", "minLength", "maxLength", "description"),
)


def mapping_shape(shape: Schema | None) -> Schema | None:
    """What a schema says of a mapping, following alternatives."""
    return _shape(shape, "properties", "additionalProperties")


def value_shape(shape: Schema | None, key: str) -> Schema | None:
    """The schema of an entry of a mapping."""
    shape = mapping_shape(shape) or {}
    found = shape.get("properties", {}).get(key, shape.get("additionalProperties"))
    return found if isinstance(found, dict) else None


def item_shape(shape: Schema | None) -> Schema | None:
    """The schema of the items of a list."""
    found = (_shape(shape, "items") or {}).get("items")
    return found if isinstance(found, dict) else None


def in_order(keys: list[str], shape: Schema | None) -> list[int]:
    """The places of keys in their canonical order. One that the schema does not know stays behind
    the one that it was written after."""
    properties = list((mapping_shape(shape) or {}).get("properties", {}))
    rank = {key: number for number, key in enumerate(_arranged(properties))}
    ranks, last = [], -1
    for key in keys:
        last = rank.get(key, last)
        ranks.append(last)
    return sorted(range(len(keys)), key=lambda i: ranks[i])


def _arranged(properties: list[str]) -> list[str]:
    if "image" not in properties:  # a definition, or settings
        first: tuple[str, ...] = _PARAM if "exclusiveMinimum" in properties else ()
        last: tuple[str, ...] = ("description",)
    else:
        is_step = "shell" in properties
        special = _FIRST_OF_COMPONENT if "kind" in properties else _FIRST_OF_STEP
        first = _FIRST + (special if is_step else ())
        last = _LAST_OF_STEP if is_step else ()
    middle = [key for key in properties if key not in (*first, *last)]
    return [*first, *middle, *last]


def _shape(shape: Schema | None, *keys: str) -> Schema | None:
    if shape is None:
        return None
    if any(key in shape for key in keys):
        return shape
    return next((s for one in shape.get("oneOf", ()) if (s := _shape(one, *keys))), None)
