"""Checks the shape of a spec against the published JSON Schema, node by node.

An interpreter of the part of JSON Schema that `schemas/` uses, over nodes with places. What is
found wrong is taken out of the tree and its key remembered in `Mapping.broken`, so that the next
phases can go on without stumbling over it. That it accepts and rejects exactly what the
jsonschema library does is a test; the library is not used here since its import alone takes
longer than a whole `mlc validate` may.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import Any

from compiler import quantities, resources
from compiler.diagnostics import Diagnostic, Related, Span, error, listing, nearest
from compiler.source import Mapping, Node, Scalar, Sequence

_PLURAL = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}

# Parts of the language that this version does not understand yet.
_COMING = {
    "algorithm": {"extends", "finally", "outputs", "schedules"},
    "step": {"when", "foreach", "parallel", "use", "steps"},
}


def check(root: Mapping, schema_name: str) -> list[Diagnostic]:
    """Check a document against `schemas/NAME.schema.json`, taking out of it what is wrong."""
    schema = load(schema_name)
    checker = _Checker(schema)
    checker.mapping(root, schema, root.span, "")
    return checker.diagnostics


@functools.cache
def load(name: str) -> dict[str, Any]:
    """A schema as data."""
    schema: dict[str, Any] = json.loads(resources.read_text(f"schemas/{name}.schema.json"))
    return schema


def json_type(node: Node) -> str:
    """JSON Schema's name for what a node is."""
    match node:
        case Mapping():
            return "object"
        case Sequence():
            return "array"
        case Scalar(value=bool()):
            return "boolean"
        case Scalar(value=int()):
            return "integer"
        case Scalar(value=float() as number):
            return "integer" if number.is_integer() else "number"
        case Scalar(value=None):
            return "null"
    return "string"


class _Checker:
    def __init__(self, schema: dict[str, Any]) -> None:
        self.root = schema
        self.diagnostics: list[Diagnostic] = []

    def resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        reference = schema.get("$ref")
        if reference is None:
            return schema
        target: dict[str, Any] = self.root["$defs"][reference.removeprefix("#/$defs/")]
        return target

    def node(self, node: Node, schema: dict[str, Any], place: Span, name: str) -> bool:
        """Check one value; False where the value as a whole is of no use."""
        schema = self.resolve(schema)
        found = json_type(node)
        if "oneOf" in schema and "properties" not in schema:
            branch = self.branch(found, schema)
            if branch is None:
                self.wrong_type(node, schema["oneOf"], name)
                return False
            return self.node(node, branch, place, name)
        if not _accepts(schema, found):
            self.wrong_type(node, [schema], name)
            return False
        if isinstance(node, Mapping):
            return self.mapping(node, schema, place, name)
        if isinstance(node, Sequence):
            return self.sequence(node, schema, place, name)
        return self.scalar(node, schema, name)

    def branch(self, found: str, schema: dict[str, Any]) -> dict[str, Any] | None:
        for branch in schema["oneOf"]:
            resolved = self.resolve(branch)
            if "oneOf" in resolved and "properties" not in resolved:
                resolved = self.branch(found, resolved) or {"type": []}
            if _accepts(resolved, found):
                return resolved
        return None

    def mapping(self, node: Mapping, schema: dict[str, Any], place: Span, name: str) -> bool:
        properties: dict[str, Any] = schema.get("properties", {})
        additional = schema.get("additionalProperties", True)
        broken: set[str] = set()
        for key, entry in list(node.entries.items()):
            if key in properties:
                inner = properties[key]
            elif additional is False:
                self.unknown_key(node, entry.key, schema, name)
                del node.entries[key]
                continue
            elif additional is True:
                continue
            else:
                inner = additional
                if not self.key_name(entry.key, schema):
                    broken.add(key)
                    del node.entries[key]
                    continue
            if not self.node(entry.value, inner, entry.key.span, key):
                broken.add(key)
                del node.entries[key]
        for key in schema.get("required", ()):
            if key not in node.entries and key not in broken:
                broken.add(key)
                self.missing(key, properties[key], schema, place, name)
        if "oneOf" in schema:
            self.one_form(node, schema, place, name, broken)
        node.broken = frozenset(broken)
        if len(node.entries) + len(broken) < schema.get("minProperties", 0):
            subject = f"`{name}`" if name else _noun(schema)
            self.report("MLC102", f"{subject} is empty", place)
        return True

    def sequence(self, node: Sequence, schema: dict[str, Any], place: Span, name: str) -> bool:
        if len(node.items) < schema.get("minItems", 0):
            self.report("MLC102", f"`{name}` is empty", place)
            return False
        items = schema.get("items")
        if items is not None:
            node.items[:] = [i for i in node.items if self.node(i, items, i.span, name)]
        return True

    def scalar(self, node: Scalar, schema: dict[str, Any], name: str) -> bool:
        value = node.value
        allowed = [schema["const"]] if "const" in schema else schema.get("enum")
        if allowed is not None and value not in allowed:
            return self.not_allowed(node, allowed, name)
        check_format = _FORMATS.get(schema.get("format", ""))
        if check_format is not None:
            return check_format(self, node, name)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_number and value < schema.get("minimum", value):  # type: ignore[operator]
            least = schema["minimum"]
            self.report("MLC106", f"`{name}` is at least {least}, found {node.text}", node.span)
            return False
        if isinstance(value, str):
            if len(value) < schema.get("minLength", 0):
                self.report("MLC106", f"`{name}` is empty", node.span)
                return False
            pattern = schema.get("pattern")
            if pattern is not None and not _matches(pattern, value):
                return self.bad_text(node, schema, name)
        return True

    def report(
        self,
        code: str,
        message: str,
        span: Span,
        hint: str = "",
        label: str = "",
        related: tuple[Related, ...] = (),
    ) -> None:
        self.diagnostics.append(error(code, message, span, hint=hint, label=label, related=related))

    def unknown_key(self, node: Mapping, key: Scalar, schema: dict[str, Any], name: str) -> None:
        noun = _noun(schema)
        subject = f"{noun} `{name}`" if noun == "step" and name else noun
        if key.text in _COMING.get(noun, ()):
            message = f"`{key.text}` is part of mlc/v1, but not of this version of mlc"
            self.report("MLC108", message, key.span)
            return
        properties = schema["properties"]
        near = nearest(key.text, [p for p in properties if p not in node.entries])
        owner = next(
            (
                outer
                for outer, inner in properties.items()
                if key.text in self.resolve(inner).get("properties", {})
            ),
            None,
        )
        if owner and near is None:
            hint = f"`{key.text}` belongs under `{owner}`"
        elif near:
            hint = f"did you mean `{near}`?"
        else:
            hint = f"known here are {listing(properties, most=24)}"
        self.report("MLC101", f"unknown key `{key.text}` in {subject}", key.span, hint)

    def missing(
        self, key: str, inner: dict[str, Any], schema: dict[str, Any], place: Span, name: str
    ) -> None:
        subject = f"{_noun(schema)} `{name}`" if name else f"the {_noun(schema)}"
        inner = self.resolve(inner)
        example = inner.get("const") or next(
            iter(inner.get("examples", inner.get("enum", ()))), "…"
        )
        self.report("MLC102", f"{subject} has no `{key}`", place, f"add `{key}: {example}`")

    def one_form(
        self, node: Mapping, schema: dict[str, Any], place: Span, name: str, broken: set[str]
    ) -> None:
        forms = [form["required"][0] for form in schema["oneOf"]]
        given = [form for form in forms if form in node.entries]
        if len(given) == 1 or broken & set(forms):
            return
        subject = f"{_noun(schema)} `{name}`"
        if not given:
            if _COMING.get(_noun(schema), set()) & self.found_coming(place):
                return
            self.report("MLC105", f"{subject} needs one of {listing(forms)}", place)
            return
        first, second = (node.entries[form].key for form in given[:2])
        related = (Related(f"`{first.text}` is given here", first.span),)
        message = f"{subject} takes only one of {listing(forms)}"
        self.report("MLC105", message, second.span, related=related)
        for form in given[1:]:
            del node.entries[form]

    def found_coming(self, place: Span) -> set[str]:
        return {
            d.message.split("`")[1]
            for d in self.diagnostics
            if d.code == "MLC108" and d.span.line >= place.line
        }

    def key_name(self, key: Scalar, schema: dict[str, Any]) -> bool:
        names = schema.get("propertyNames")
        if names is None or _matches(names["pattern"], key.text):
            return True
        mended = re.sub(r"[^a-z0-9_]", "_", key.text.lower()).strip("_")
        hint = f"for instance `{mended}`" if _matches(names["pattern"], mended) else ""
        message = f"`{_short(key.text)}` is not {names['title']}"
        self.report("MLC107", message, key.span, hint)
        return False

    def wrong_type(self, node: Node, schemas: list[dict[str, Any]], name: str) -> None:
        subject = f"`{name}`" if name else "this"
        if isinstance(node, Scalar) and "${{" in node.text:
            self.report(
                "MLC406",
                f"{subject} can't be an expression",
                node.span,
                "it has to be known when the spec is compiled",
            )
            return
        wanted: list[str] = []
        for schema in schemas:
            for words in self.titles(schema):
                if words not in wanted:
                    wanted.append(words)
        found = _PLURAL[json_type(node)]
        if isinstance(node, Scalar) and node.text:
            found = f"{found} (`{_short(node.text)}`)" if found != "null" else "null"
        elif isinstance(node, Scalar):
            found = "nothing"
        hint = ""
        if isinstance(node, Scalar) and node.plain and wanted == ["text"] and node.text:
            hint = f'quote it: "{_short(node.text)}"'
        elif isinstance(node, Scalar) and wanted == ["a list"] and node.text:
            words = node.text.split() if name == "command" else [node.text]
            hint = f"write [{_short(', '.join(words))}]"
        self.report("MLC103", f"{subject} takes {_either(wanted)}, found {found}", node.span, hint)

    def titles(self, schema: dict[str, Any]) -> list[str]:
        schema = self.resolve(schema)
        if "title" in schema:
            title: str = schema["title"]
            if title.startswith(("a ", "an ", "true", "null")):
                return [title]
        if "oneOf" in schema and "properties" not in schema:
            return [title for branch in schema["oneOf"] for title in self.titles(branch)]
        if "enum" in schema:
            return [listing(map(str, schema["enum"])).replace(" and ", " or ")]
        types = schema.get("type", [])
        types = [types] if isinstance(types, str) else types
        if "string" in types and set(types) <= {"string", "number", "boolean", "integer"}:
            return ["text"]
        return [_PLURAL[t] for t in types]

    def not_allowed(self, node: Scalar, allowed: list[Any], name: str) -> bool:
        known = [a if isinstance(a, str) else json.dumps(a) for a in allowed]
        near = nearest(node.text, known)
        if len(known) == 1:
            hint = f"write `{known[0]}`"
        elif near:
            hint = f"did you mean `{near}`? Allowed are {listing(known)}"
        else:
            hint = f"allowed are {listing(known)}"
        if node.text in _COMING_KINDS and name == "kind":
            message = f"`kind: {node.text}` is part of mlc/v1, but not of this version of mlc"
            self.report("MLC108", message, node.span)
            return False
        self.report("MLC104", f"`{name}` can't be `{_short(node.text)}`", node.span, hint)
        return False

    def bad_text(self, node: Scalar, schema: dict[str, Any], name: str) -> bool:
        title = schema.get("title")
        wanted = title if title and title.startswith("a ") else f"of the form {schema['pattern']}"
        examples = schema.get("examples")
        hint = f"for instance `{examples[0]}`" if examples else ""
        if name == "mount":
            wanted, hint = "an absolute path", f"write `/{node.text}`"
        self.report("MLC107", f"`{_short(node.text)}` is not {wanted}", node.span, hint)
        return False

    def quantity(self, node: Scalar, name: str) -> bool:
        if self.refused_expression(node, name):
            return False
        if quantities.quantity(node.text) is None:
            message = f"`{_short(node.text)}` is no quantity"
            self.report("MLC201", message, node.span, quantities.quantity_hint(node.text))
            return False
        return True

    def duration(self, node: Scalar, name: str) -> bool:
        if self.refused_expression(node, name):
            return False
        if quantities.duration(node.text) is None:
            message = f"`{_short(node.text)}` is no duration"
            self.report("MLC202", message, node.span, quantities.duration_hint(node.text))
            return False
        return True

    def regex(self, node: Scalar, name: str) -> bool:
        try:
            re.compile(node.text)
        except (re.error, OverflowError, RecursionError) as problem:
            self.report("MLC203", f"`{name}` is no regular expression: {problem}", node.span)
            return False
        return True

    def refused_expression(self, node: Scalar, name: str) -> bool:
        if "${{" not in node.text:
            return False
        hint = "it has to be known when the spec is compiled"
        self.report("MLC406", f"`{name}` can't be an expression", node.span, hint)
        return True


_FORMATS: dict[str, Callable[[_Checker, Scalar, str], bool]] = {
    "mlc-quantity": _Checker.quantity,
    "mlc-duration": _Checker.duration,
    "mlc-regex": _Checker.regex,
}
_COMING_KINDS = ("Component", "Base")


@functools.cache
def _pattern(pattern: str) -> re.Pattern[str]:
    # JSON Schema's `$` is the very end of the text, Python's may precede a newline.
    return re.compile(pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern)


def _matches(pattern: str, text: str) -> bool:
    return _pattern(pattern).search(text) is not None


def _accepts(schema: dict[str, Any], found: str) -> bool:
    types = schema.get("type")
    if types is None:
        if "properties" in schema:
            return found == "object"
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        return values is None or found not in ("object", "array")
    if found in types if isinstance(types, list) else found == types:
        return True
    return found == "integer" and "number" in types


def _noun(schema: dict[str, Any]) -> str:
    title: str = schema.get("title", "mapping")
    return title.removeprefix("mlc ").removeprefix("a ").removeprefix("an ")


def _either(wanted: list[str]) -> str:
    return " or ".join(wanted) if len(wanted) < 3 else ", ".join(wanted[:-1]) + " or " + wanted[-1]


def _short(text: str) -> str:
    line = text.replace("\n", "⏎")
    return line if len(line) <= 40 else line[:37] + "…"
