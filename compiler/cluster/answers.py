"""Answers of servers, read by the shapes that the records are made of: the one place that knows
what may be wrong with them.

What is null counts as left out, and what no shape names is kept as it is: servers of later
versions say more. What has another type than its shape is told by its place.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

# A name is a text by which a thing is asked for: it has to be there. An amount is a number, or a
# text of one, as Kubernetes and proto-JSON write them.
Leaf = Literal["text", "name", "number", "flag", "amount", "mapping", "anything"]


class Fields(Struct, frozen=True):
    """A mapping with these keys; all but names may be left out."""

    known: Mapping[str, Shape]


class Values(Struct, frozen=True):
    """A mapping with any keys."""

    of: Shape


class Items(Struct, frozen=True):
    """A list."""

    of: Shape


Shape = Leaf | Fields | Values | Items
_TYPES: dict[Leaf, tuple[type, ...]] = {
    "text": (str,),
    "name": (str,),
    "number": (int, float),
    "flag": (bool,),
    "amount": (str, int, float),
    "mapping": (dict,),
    "anything": (object,),
}
_FOUND: dict[type, str] = {
    bool: "true or false",
    str: "a text",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a mapping",
    type(None): "null",
    type(...): "left out",
}
_WANTED: dict[Leaf, str] = {"flag": "true or false", "amount": "a number"}
# The start of the year 9999: later ones are beyond what a calendar here holds.
_LATEST = 253370764800.0


class Garbled(Exception):  # noqa: N818 - told as an EngineError, by who knows what was asked
    """What an answer is not as its shape is; the message tells the place."""

    def __init__(self, found: Any, wanted: str, path: str = "") -> None:
        self.found, self.wanted, self.path = found, wanted, path
        what = f"`{path.lstrip('.')}`" if path else "it"
        is_ = "empty" if found == "" else _FOUND[type(found)]
        super().__init__(f"{what} is {is_}, where {wanted} has to be")

    def inside(self, step: str) -> Garbled:
        return Garbled(self.found, self.wanted, f"{step}{self.path}")


def read(shape: Shape, data: Any) -> Any:
    """The data, without what is null.

    Raises:
        Garbled: something is not as its shape is.
    """
    if isinstance(shape, Fields):
        mapping = _of(data, dict, "a mapping")
        found = dict(mapping)
        for name, inner in shape.known.items():
            value = mapping.get(name)
            if value is not None:
                found[name] = _inside(f".{name}", inner, value)
            elif inner == "name" or (isinstance(inner, Fields) and "name" in inner.known.values()):
                raise Garbled(..., "a name" if inner == "name" else "a mapping", f".{name}")
            else:
                found.pop(name, None)
        return found
    if isinstance(shape, Values):
        values = _of(data, dict, "a mapping").items()
        return {n: _inside(f".{n}", shape.of, value) for n, value in values if value is not None}
    if isinstance(shape, Items):
        items = enumerate(_of(data, list, "a list"))
        return [_inside(f"[{number}]", shape.of, item) for number, item in items]
    is_flag = isinstance(data, bool) and shape not in ("flag", "anything")
    if is_flag or not isinstance(data, _TYPES[shape]) or (shape == "name" and not data):
        raise Garbled(data, _WANTED.get(shape, f"a {shape}"))
    return data


def _of(data: Any, kind: type, wanted: str) -> Any:
    if not isinstance(data, kind):
        raise Garbled(data, wanted)
    return data


def _inside(step: str, shape: Shape, data: Any) -> Any:
    try:
        return read(shape, data)
    except Garbled as problem:
        raise problem.inside(step) from None


def nested(shape: Shape, text: str | bytes | None) -> Any:
    """A mapping that stands as JSON in a text of an answer; an empty one where it is broken or
    not as its shape is, since such a text comes from others than the server."""
    try:
        return read(shape, json.loads(text)) if text else {}
    except (ValueError, RecursionError, Garbled):
        return {}


def unpacked(shape: Shape, text: str | None) -> Any:
    """As `nested`, of what Argo packs by gzip where it is large."""
    try:
        return nested(shape, gzip.decompress(base64.b64decode(text or "")) if text else None)
    except (ValueError, OSError, EOFError, zlib.error):
        return {}


def texts(*names: str) -> dict[str, Shape]:
    """Fields that are texts."""
    return dict.fromkeys(names, "text")


def page(items: str, of: Shape, token: Mapping[str, Shape]) -> Fields:
    """A list that comes in pages; `token` is where it says that there is more."""
    return Fields({items: Items(of), **token})


def at(data: Any, *keys: str) -> Mapping[str, Any]:
    """The mapping that stands under keys; an empty one where none does."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data if isinstance(data, Mapping) else {}


def seconds(text: str | None) -> float | None:
    """A time in seconds since the epoch; what was never set is told as 1970 or 0001."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return found if 0 < found < _LATEST else None
