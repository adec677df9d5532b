"""How findings of the schema check are worded: from a schema's own titles and examples."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Set
from typing import Any

from compiler import mending, schema_hints, synonyms
from compiler.diagnostics import Diagnostic, Fix, error, is_too_many, listing, nearest, short
from compiler.nodes import Mapping, Node, Scalar, resolve_plain
from compiler.schema_hints import Schema

_PLAIN = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
_NAME_OF_TYPE = r"[A-Za-z][A-Za-z0-9_-]*"
_VERSION = re.compile(r"(mlc\W*)?v?1(\.0)*", re.IGNORECASE)


_SUBJECTS = {
    "definition of the parameter": "the definition of a parameter",
    "project": "the project's configuration",
}
_JSON_TYPES = {bool: "boolean", int: "integer", str: "string", type(None): "null"}


def json_type(node: Node) -> str:
    """JSON Schema's name for what a node is."""
    # By `is`: each node of a spec is asked.
    if type(node) is Scalar:
        return "string" if node.style else _plain_type(node.text)
    return "object" if type(node) is Mapping else "array"


@functools.lru_cache(maxsize=4096)
def _plain_type(text: str) -> str:
    value = resolve_plain(text)
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    return _JSON_TYPES[type(value)]


def noun(schema: Schema) -> str:
    """What a schema's title calls its thing, without the article."""
    title: str = schema.get("title", "mapping")
    return title.removeprefix("mlc ").removeprefix("a ").removeprefix("an ")


def meant_key(key: str, schema: Schema, present: Set[str]) -> str | None:
    """The key that an unknown one most likely means, or has to be written with."""
    known = {name for name in schema["properties"] if name not in present}
    instead = synonyms.instead(key, schema["properties"])
    if instead is not None:
        return instead.key
    return mending.synonym(key, synonyms.KEYS, known) or nearest(key, known)


def unknown_key(
    key: Scalar, value: Node, schema: Schema, name: str, present: Set[str]
) -> Diagnostic:
    properties: dict[str, Schema] = schema["properties"]
    thing = noun(schema)
    subject = f"{thing} `{name}`" if thing == "step" and name else thing
    if thing.startswith("mapping") and name:
        subject = f"`{name}`"
    subject = _SUBJECTS.get(subject, subject)
    known = {name for name in properties if name not in present}
    word = mending.synonym(key.text, synonyms.KEYS, known)
    near = word or nearest(key.text, known)
    owned, owner = _owned(key.text, properties)
    if owner and word is None and mending.only_near(key.text, known) is None:
        near = None
    instead = synonyms.instead(key.text, properties)
    if instead:
        near = None
        source = value.file.text[value.start.index : value.end.index]
        hint = instead.hint_for(value.text if isinstance(value, Scalar) else source)
    elif word and nearest(key.text, [word]) is None:
        hint = f"here it is called `{word}`"
    elif near:
        hint = f"did you mean `{near}`?"
    elif owner:
        hint = f"`{owned}` belongs under `{owner}`"
    else:
        hint = f"known here are {listing(properties, most=30)}"
    if word:
        fix = mending.renamed(key.file, key.span, key.text, word)
    else:
        fix = mending.respelled(key.file, key.span, key.text, known, near)
    others = (other for other in present if other != key.text and other not in properties)
    if fix and is_too_many(present):
        fix = None
    if fix and any(mending.only_near(other, known) == near for other in others):
        fix = None  # two keys for one: which of them is it?
    message = f"unknown key `{key.text}` in {subject}"
    return error("MLC101", message, key.span, hint=hint, fix=fix)


def _owned(key: str, properties: dict[str, Schema]) -> tuple[str, str | None]:
    """The key, or the language's word for it, and the key of a mapping that takes it."""
    for owner, inner in properties.items():
        known = inner.get("properties", {})
        word = key if key in known else mending.synonym(key, synonyms.KEYS, known)
        if word:
            return word, owner
    return key, None


def missing_key(key: str, schema: Schema, inner: Schema, place: Node, name: str) -> Diagnostic:
    subject = f"{noun(schema)} `{name}`" if name else f"the {noun(schema)}"
    examples: list[Any] = inner.get("examples") or inner.get("enum") or ["…"]
    line = f"{key}: {inner.get('const', examples[0])}"
    fix = None if name or not isinstance(place, Mapping) else _head_line(key, line, place)
    message = f"{subject} has no `{key}`"
    return error("MLC102", message, place.span, hint=f"add `{line}`", fix=fix)


def _head_line(key: str, line: str, root: Mapping) -> Fix | None:
    """The version before everything else, the kind after it; what has steps is an algorithm."""
    before, (first, column) = root.get("apiVersion"), root.file.position(root.start.index)
    is_indented = root.file.text[root.file.starts[first - 1] : root.start.index].strip(" ")
    if root.file.text[root.start.index : root.start.index + 1] in "{&" or is_indented:
        return None
    line = " " * (column - 1) + line
    if key == "apiVersion":
        return mending.inserted_line(root.file, first, line)
    if key == "kind" and "steps" in root.entries:
        return mending.inserted_line(root.file, before.span.end_line + 1 if before else first, line)
    return None


def wrong_type(node: Node, wanted: list[Schema], name: str) -> Diagnostic:
    subject = f"`{name}`" if name else "this"
    titles = list(dict.fromkeys(t for schema in wanted for t in _titles(schema)))
    if isinstance(node, Scalar) and "${{" in node.text and titles != ["a list"]:
        if name == "foreach":
            hint = schema_hints.named_list(node)
            message = "`foreach` takes lists by name, found one without"
            return error("MLC103", message, node.span, hint=hint)
        return refused_expression(node, name)
    found = _PLAIN[json_type(node)]
    hint, fix = "", None
    if isinstance(node, Scalar):
        if not node.text:
            found = "nothing"
        elif found != "null":
            found += f" (`{short(node.text)}`)"
        if node.plain and titles == ["text"] and node.text:
            hint = f'quote it: "{short(node.text)}"'
        elif titles == ["a list"] and node.text:
            hint = _as_list(node.text, name)
        elif name in ("command", "args") and node.plain and node.value is None:
            hint = f'take it out; for text, quote it: "{node.text}"' if node.text else ""
        elif node.style in ("", "'", '"'):
            hint = schema_hints.without_space(node.text, wanted)
            hint = hint or schema_hints.mapped(node, wanted, json_type(node))
        fix = _retyped(node, titles, name, {t for w in wanted for t in _types(w)})
        definition = next(filter(None, (schema_hints.typed(node, w) for w in wanted)), "")
        if definition:
            hint, fix = f"write `{definition}`", mending.rewritten(node, definition)
    elif isinstance(node, Mapping):
        hint = (
            schema_hints.of_secret(node) if "text" in titles else schema_hints.in_list(node, name)
        )
    elif "a mapping" in titles:
        hint = schema_hints.named(node, name)
    else:
        hint = schema_hints.lines(name)
    message = f"{subject} takes {_either(titles)}, found {found}"
    return error("MLC103", message, node.span, hint=hint, fix=fix)


def _retyped(node: Scalar, titles: list[str], name: str, types: set[str]) -> Fix | None:
    """The same scalar as the type that is wanted, where only the writing was wrong."""
    if titles == ["a list"]:
        return mending.as_list(node) if name in ("command", "args") else mending.in_list(node)
    if titles == ["text"]:
        return mending.quoted(node)
    if "string" in types:
        return None
    found = json_type(Scalar(node.file, node.start, node.end, node.text, ""))
    if found in types or (found == "integer" and "number" in types):
        return mending.unquoted(node)
    return mending.as_boolean(node) if "boolean" in types else None


def _types(schema: Schema) -> set[str]:
    """JSON Schema's names for what a schema takes."""
    if "oneOf" in schema and "properties" not in schema:
        return {found for branch in schema["oneOf"] for found in _types(branch)}
    types = schema.get("type", [])
    return {types} if isinstance(types, str) else set(types)


def _as_list(text: str, name: str) -> str:
    """How to write a text as a list: a command line as its words, anything else as one item."""
    is_line = name in ("command", "args") and len(text) < 1000
    if is_line and (hint := schema_hints.line_of_shell(text)):
        return hint
    words = schema_hints.words(text) if is_line else [f'"{text}"' if "${{" in text else text]
    return f"write [{', '.join(map(short, words))}]"


def not_allowed(node: Scalar, allowed: list[Any], name: str) -> Diagnostic:
    known = [a if isinstance(a, str) else json.dumps(a) for a in allowed]
    word = mending.synonym(node.text, synonyms.TYPES, known) if node.plain else None
    near = word or nearest(node.text, known)
    if len(known) == 1:
        hint = f"write `{known[0]}`"
    elif near:
        hint = f"did you mean `{near}`? Allowed are {listing(known)}"
    else:
        hint = f"allowed are {listing(known)}"
    if word:
        fix = mending.rewritten(node, word)
    elif name == "apiVersion":
        fix = mending.rewritten(node, known[0]) if _VERSION.fullmatch(node.text) else None
    else:
        fix = mending.respelled(node.file, node.span, node.text, known, near)
    message = f"`{name}` can't be `{short(node.text)}`"
    return error("MLC104", message, node.span, hint=hint, fix=fix)


def for_instance(key: str, schema: Schema) -> str:
    """The first example of a key, as it is written in a line."""
    example = schema.get("examples", ["…"])[0]
    written = json.dumps(example, ensure_ascii=False) if isinstance(example, list) else example
    return f"for instance `{key}: {written}`"


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
    if title == "a count" and re.fullmatch(_NAME_OF_TYPE, node.text) and name == "gpu":
        hint = f"write `{{type: {node.text}}}`, which is one of that type"
    if name == "python" and (mended := schema_hints.function(node.text)):
        hint = f"write `{mended}`"
    fix = mending.unquoted(node) if title == "a count" else None
    if fix:
        wanted, hint = "a number, but text", f"take the quotes away: {node.text}"
    return error("MLC107", f"`{short(node.text)}` is not {wanted}", node.span, hint=hint, fix=fix)


def refused_expression(node: Scalar, name: str) -> Diagnostic:
    hint = "it has to be known when the spec is compiled"
    return error("MLC406", f"`{name}` can't be an expression", node.span, hint=hint)


def _titles(schema: Schema) -> list[str]:
    title: str = schema.get("title", "")
    if title.startswith(("a ", "an ", "true", "null")):
        return [title]
    if "oneOf" in schema and "properties" not in schema:
        return [title for branch in schema["oneOf"] for title in _titles(branch)]
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
