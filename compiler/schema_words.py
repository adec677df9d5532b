"""How findings of the schema check are worded: from a schema's own titles and examples."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from compiler.diagnostics import Diagnostic, Span, error, listing, nearest
from compiler.nodes import Mapping, Node, Scalar, Sequence

Schema = dict[str, Any]
Resolve = Callable[[Schema], Schema]

_PLAIN = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


_TYPES = {bool: "boolean", int: "integer", str: "string", type(None): "null"}


def json_type(node: Node) -> str:
    """JSON Schema's name for what a node is."""
    if isinstance(node, Mapping):
        return "object"
    if isinstance(node, Sequence):
        return "array"
    value = node.value
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    return _TYPES[type(value)]


def noun(schema: Schema) -> str:
    """What a schema's title calls its thing, without the article."""
    title: str = schema.get("title", "mapping")
    return title.removeprefix("mlc ").removeprefix("a ").removeprefix("an ")


def short(text: str) -> str:
    """A text in a message: one line, not too long."""
    line = text.replace("\n", "⏎")
    return line if len(line) <= 40 else line[:37] + "…"


def unknown_key(
    key: Scalar, schema: Schema, name: str, present: Iterable[str], resolve: Resolve
) -> Diagnostic:
    properties: dict[str, Schema] = schema["properties"]
    thing = noun(schema)
    subject = f"{thing} `{name}`" if thing == "step" and name else thing
    if thing.startswith("mapping") and name:
        subject = f"`{name}`"
    near = nearest(key.text, set(properties) - set(present))
    owner = next(
        (
            outer
            for outer, inner in properties.items()
            if key.text in resolve(inner).get("properties", {})
        ),
        None,
    )
    if near:
        hint = f"did you mean `{near}`?"
    elif owner:
        hint = f"`{key.text}` belongs under `{owner}`"
    else:
        hint = f"known here are {listing(properties, most=24)}"
    return error("MLC101", f"unknown key `{key.text}` in {subject}", key.span, hint=hint)


def missing_key(key: str, schema: Schema, inner: Schema, place: Span, name: str) -> Diagnostic:
    subject = f"{noun(schema)} `{name}`" if name else f"the {noun(schema)}"
    examples: list[Any] = inner.get("examples") or inner.get("enum") or ["…"]
    hint = f"add `{key}: {inner.get('const', examples[0])}`"
    return error("MLC102", f"{subject} has no `{key}`", place, hint=hint)


def wrong_type(node: Node, wanted: list[Schema], name: str, resolve: Resolve) -> Diagnostic:
    subject = f"`{name}`" if name else "this"
    titles = list(dict.fromkeys(t for schema in wanted for t in _titles(schema, resolve)))
    if isinstance(node, Scalar) and "${{" in node.text and titles != ["a list"]:
        return refused_expression(node, name)
    found = _PLAIN[json_type(node)]
    hint = ""
    if isinstance(node, Scalar):
        if not node.text:
            found = "nothing"
        elif found != "null":
            found += f" (`{short(node.text)}`)"
        if node.plain and titles == ["text"] and node.text:
            hint = f'quote it: "{short(node.text)}"'
        elif titles == ["a list"] and node.text:
            hint = f"write [{', '.join(_words(node.text, name))}]"
    message = f"{subject} takes {_either(titles)}, found {found}"
    return error("MLC103", message, node.span, hint=hint)


def _words(text: str, name: str) -> list[str]:
    """A command line as the items of a list; expressions stay whole, and need quotes there."""
    found = re.findall(r"(?:\$\{\{.*?\}\}|\S)+", text) if name in ("command", "args") else [text]
    return [f'"{word}"' if "${{" in word else short(word) for word in found]


def not_allowed(node: Scalar, allowed: list[Any], name: str) -> Diagnostic:
    known = [a if isinstance(a, str) else json.dumps(a) for a in allowed]
    near = nearest(node.text, known)
    if len(known) == 1:
        hint = f"write `{known[0]}`"
    elif near:
        hint = f"did you mean `{near}`? Allowed are {listing(known)}"
    else:
        hint = f"allowed are {listing(known)}"
    return error("MLC104", f"`{name}` can't be `{short(node.text)}`", node.span, hint=hint)


def bad_name(key: Scalar, names: Schema) -> Diagnostic:
    mended = re.sub(r"[^a-z0-9_]", "_", key.text.lower()).strip("_")
    hint = f"for instance `{mended}`" if re.search(names["pattern"], mended) else ""
    return error("MLC107", f"`{short(key.text)}` is not {names['title']}", key.span, hint=hint)


def bad_text(node: Scalar, schema: Schema, name: str) -> Diagnostic:
    title = schema.get("title", "")
    wanted = title if title.startswith("a ") else f"of the form {schema['pattern']}"
    hint = f"for instance `{schema['examples'][0]}`" if "examples" in schema else ""
    if name == "mount":
        wanted, hint = "an absolute path", f"write `/{node.text}`"
    return error("MLC107", f"`{short(node.text)}` is not {wanted}", node.span, hint=hint)


def refused_expression(node: Scalar, name: str) -> Diagnostic:
    hint = "it has to be known when the spec is compiled"
    return error("MLC406", f"`{name}` can't be an expression", node.span, hint=hint)


def _titles(schema: Schema, resolve: Resolve) -> list[str]:
    schema = resolve(schema)
    title: str = schema.get("title", "")
    if title.startswith(("a ", "an ", "true", "null")):
        return [title]
    if "oneOf" in schema and "properties" not in schema:
        return [title for branch in schema["oneOf"] for title in _titles(branch, resolve)]
    if "enum" in schema:
        return [listing(map(str, schema["enum"])).replace(" and ", " or ")]
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if "string" in types and set(types) <= {"string", "number", "boolean", "integer"}:
        return ["text"]
    return [_PLAIN[t] for t in types]


def _either(wanted: list[str]) -> str:
    if len(wanted) < 3:
        return " or ".join(wanted)
    return ", ".join(wanted[:-1]) + " or " + wanted[-1]
