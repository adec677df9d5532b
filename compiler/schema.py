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
from collections.abc import Iterable
from typing import Any

from compiler import mending, quantities, resources, schema_hints, values
from compiler import schema_words as words
from compiler.diagnostics import Diagnostic, Related, Span, error, listing, short
from compiler.nodes import Mapping, Node, Scalar, Sequence, text
from compiler.schema_hints import Schema

# What a schema can say of a scalar beyond its type.
_BEYOND_TYPE = {"const", "enum", "format", "minLength", "pattern", "minimum", "maximum"}
# Nobody reads more, and what is near to each of them takes time to find.
MOST_ERRORS = 500
KINDS = ("Algorithm", "Component", "Base")


def check(root: Mapping, schema_name: str) -> list[Diagnostic]:
    """Check a document against `schemas/NAME.schema.json`, taking out of it what is wrong."""
    schema = of_kind(text(root.get("kind"))) if schema_name == "language" else load(schema_name)
    return check_against(root, schema)


def check_against(root: Mapping, schema: Linked) -> list[Diagnostic]:
    """As `check`, against a schema that is linked."""
    checker = _Checker()
    try:
        checker.mapping(root, schema, root, "")
    except _EnoughError:
        checker.diagnostics.append(too_many(checker.diagnostics[-1].span))
    return checker.diagnostics


def too_many(place: Span) -> Diagnostic:
    """Told where a file is given up, for which `is_given_up` asks."""
    message = f"more than {MOST_ERRORS} errors in this file: the rest is not looked at"
    return error("MLC008", message, place, hint="mend these first")


def is_given_up(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether so much was wrong that the check ended, and the tree is no use to later phases."""
    return any(diagnostic.code == "MLC008" for diagnostic in diagnostics)


def of_kind(kind: str | None) -> Linked:
    """The schema of a kind of spec; one that does not say its kind is taken for an algorithm."""
    name = kind.lower() if kind in KINDS else "algorithm"
    definition: Linked = load("language")["$defs"][name]
    return definition


@functools.cache
def load(name: str) -> Linked:
    """A schema, linked."""
    return linked(published(name))


def published(name: str) -> Schema:
    """A schema as it is published, with references."""
    schema: Schema = json.loads(resources.read_text(f"schemas/{name}.schema.json"))
    return schema


class Linked(dict[str, Any]):
    """A schema with definitions in place of references."""

    __slots__ = ("_meant", "is_type_alone")

    def __init__(self, schema: Schema) -> None:
        super().__init__(schema)
        self._meant: dict[str, Linked | None] = {}
        self.is_type_alone = _BEYOND_TYPE.isdisjoint(schema)

    def meant(self, found: str) -> Linked | None:
        """What of the schema is for a value of a type, which is all of it where it has no
        alternatives; None where it takes none of that type."""
        try:
            return self._meant[found]
        except KeyError:
            self._meant[found] = meant = self._meant_by(found)
            return meant

    def _meant_by(self, found: str) -> Linked | None:
        if self.get("type") != found and "oneOf" in self and "properties" not in self:
            # The alternatives differ by type.
            branches = (branch.meant(found) for branch in self["oneOf"])
            return next((branch for branch in branches if branch is not None), None)
        return self if _accepts(self, found) else None


def linked(schema: Schema) -> Linked:
    """The schema with definitions in place of references, their words under those that stand
    beside the reference; a step leads back to itself."""
    definitions: dict[str, Schema] = schema.get("$defs", {})
    made: dict[int, tuple[Schema, Linked]] = {}

    def link(inner: Schema) -> Linked:
        while "$ref" in inner:
            definition = definitions[inner["$ref"].removeprefix("#/$defs/")]
            own = {key: value for key, value in inner.items() if key != "$ref"}
            inner = {**definition, **own} if own else definition
        if id(inner) not in made:
            # Kept with what it is made of, so that no other has its id.
            made[id(inner)] = inner, (copy := Linked(inner))
            for key, value in inner.items():
                if isinstance(value, dict):
                    copy[key] = link(value)
                elif isinstance(value, list):
                    copy[key] = [link(v) if isinstance(v, dict) else v for v in value]
        return made[id(inner)][1]

    return link(schema)


class _EnoughError(Exception):
    """There are `MOST_ERRORS`."""


class _Checker:
    """Each method checks one node; False says that the value as a whole is of no use."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []

    def node(self, node: Node, schema: Linked, place: Node, name: str) -> bool:
        if type(node) is Mapping and node.broken and not node.entries:
            return False  # nothing is left of it, and why was told
        meant = schema.meant(words.json_type(node))
        if meant is None:
            alternatives = schema.get("oneOf") if "properties" not in schema else None
            return self.fail(words.wrong_type(node, alternatives or [schema], name))
        if type(node) is Scalar:
            return meant.is_type_alone or self.scalar(node, meant, name)
        if type(node) is Mapping:
            return self.mapping(node, meant, place, name)
        return self.sequence(node, meant, place, name)

    def mapping(self, node: Mapping, schema: Schema, place: Node, name: str) -> bool:
        properties: dict[str, Linked] = schema.get("properties", {})
        additional: Linked | bool = schema.get("additionalProperties", True)
        present = dict.fromkeys(node.entries).keys()  # as it was: wrong ones are taken out
        if additional is False and present.isdisjoint(properties):
            wrong = schema_hints.no_definition(node, schema, name, place)
            if wrong is not None:
                return self.fail(wrong)
        # An alias leads here again: what was taken out the first time is not missing now.
        broken: set[str] = set(node.broken)
        for owner, keys in schema_hints.outdented(node, additional) if not properties else ():
            self.fail(schema_hints.beside(node, owner, keys, name))
            broken |= {owner, *keys}
            for key in filter(None, (owner, *keys)):
                del node.entries[key]
        for key, entry in list(node.entries.items()):
            inner = properties.get(key) or additional
            if inner is True:
                continue
            if inner is False:
                self.fail(words.unknown_key(entry.key, entry.value, schema, name, present))
                del node.entries[key]
                # That one is there, only misspelt: nobody is told that it is missing.
                broken.update(filter(None, [words.meant_key(key, schema, present)]))
            elif (key not in properties and not self.key_name(entry.key, schema)) or not self.node(
                entry.value, inner, entry.key, key
            ):
                broken.add(key)
                del node.entries[key]
        for key in schema.get("required", ()):
            if key not in node.entries and key not in broken:
                broken.add(key)
                self.fail(words.missing_key(key, schema, properties[key], place, name))
        if "oneOf" in schema:
            self.one_form(node, schema, place, name, broken)
        node.broken = frozenset(broken)
        if len(present) < schema.get("minProperties", 0):
            subject = f"`{name}`" if name else words.noun(schema)
            hint = "give it a first entry"
            self.fail(error("MLC102", f"{subject} is empty", place.span, hint=hint))
        return True

    def sequence(self, node: Sequence, schema: Schema, place: Node, name: str) -> bool:
        if len(node.items) < schema.get("minItems", 0):
            hint = "give it a first item, or leave the key out"
            return self.fail(error("MLC102", f"`{name}` is empty", place.span, hint=hint))
        items = schema.get("items")
        if items is not None:
            node.items[:] = [i for i in node.items if self.node(i, items, i, name)]
        return True

    def scalar(self, node: Scalar, schema: Schema, name: str) -> bool:
        value = node.value
        allowed = [schema["const"]] if "const" in schema else schema.get("enum")
        if allowed is not None and value not in allowed:
            if name == "kind" and set(allowed) <= set(KINDS):
                allowed = list(KINDS)
            return self.fail(words.not_allowed(node, allowed, name))
        if "format" in schema:
            return self.formatted(node, schema["format"], name)
        if isinstance(value, str):
            if len(value) < schema.get("minLength", 0):
                hint = "write something, or leave the key out"
                return self.fail(error("MLC106", f"`{name}` is empty", node.span, hint=hint))
            if "pattern" in schema and not _matches(schema["pattern"], value):
                return self.fail(words.bad_text(node, schema, name))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            least = schema.get("minimum")
            if least is not None and value < least:
                message = f"`{name}` is at least {least}, found {node.text}"
                return self.fail(error("MLC106", message, node.span))
            most = schema.get("maximum")
            if most is not None and value > most:
                message = f"`{name}` is at most {most}, found {short(node.text)}"
                return self.fail(error("MLC106", message, node.span))
        return True

    def formatted(self, node: Scalar, form: str, name: str) -> bool:
        """The formats of the language, which JSON Schema does not know."""
        text, shown = node.text, short(node.text)
        if form == "mlc-regex":
            try:
                values.constraint(text)
            except values.PatternError as problem:
                message = f"`{name}` is no regular expression: {problem}"
                hint = "mend it, or put `\\` before a sign that stands for itself"
                return self.fail(error("MLC203", message, node.span, hint=hint))
            return True
        if "${{" in text:
            if form == "mlc-amount":
                return True
            return self.fail(words.refused_expression(node, name))
        if form in ("mlc-cron", "mlc-timezone"):
            from compiler import cron  # only specs with schedules need it

            check = cron.problem if form == "mlc-cron" else cron.timezone_problem
            wrong = check(text)
            if wrong is None:
                return True
            quote = node.style or ('"' if form == "mlc-cron" else "")
            fix = None
            if wrong.right:
                fix = mending.rewritten(node, f"{quote}{wrong.right}{quote}")
            span = node.part(*wrong.at) if wrong.at else node.span
            return self.fail(error("MLC205", wrong.message, span, hint=wrong.hint, fix=fix))
        if form in ("mlc-quantity", "mlc-amount") and quantities.quantity(text) is None:
            hint, right = quantities.quantity_hint(text), quantities.meant_quantity(text)
            fix = mending.rewritten(node, right) if right else None
            message = f"`{shown}` is no quantity"
            return self.fail(error("MLC201", message, node.span, hint=hint, fix=fix))
        if name == "timeout" and quantities.duration(text) == 0:
            message = "a timeout of no time"
            hint = "leave it out for no limit"
            return self.fail(error("MLC202", message, node.span, hint=hint))
        if form == "mlc-duration" and quantities.duration(text) is None:
            hint, right = quantities.duration_hint(text), quantities.meant_duration(text)
            fix = mending.rewritten(node, right) if right else None
            message = f"`{shown}` is no duration"
            return self.fail(error("MLC202", message, node.span, hint=hint, fix=fix))
        return True

    def fail(self, diagnostic: Diagnostic) -> bool:
        self.diagnostics.append(diagnostic)
        if len(self.diagnostics) >= MOST_ERRORS:
            raise _EnoughError
        return False

    def key_name(self, key: Scalar, schema: Schema) -> bool:
        names = schema.get("propertyNames")
        if names is None or _matches(names["pattern"], key.text):
            return True
        return self.fail(words.bad_name(key, names))

    def one_form(
        self,
        node: Mapping,
        schema: Schema,
        place: Node,
        name: str,
        broken: set[str],
    ) -> None:
        """Exactly one of several keys has to be there; the first of too many counts."""
        forms = [form["required"][0] for form in schema["oneOf"]]
        given = [form for form in forms if form in node.entries]
        noun = words.noun(schema)
        if len(given) == 1 or broken & set(forms):
            return
        if not given:
            message = f"{noun} `{name}` needs one of {listing(forms)}"
            hint = words.for_instance(forms[0], schema["properties"][forms[0]])
            self.fail(error("MLC105", message, place.span, hint=hint))
            return
        first, second = (node.entries[form].key for form in given[:2])
        related = (Related(f"`{first.text}` is given here", first.span),)
        message = f"{noun} `{name}` takes only one of {listing(forms)}"
        hint = "take one of them out"
        self.fail(error("MLC105", message, second.span, hint=hint, related=related))
        for form in given[1:]:
            del node.entries[form]


def _matches(pattern: str, text: str) -> bool:
    return values.pattern(pattern).search(text) is not None


def _accepts(schema: Schema, found: str) -> bool:
    types = schema.get("type")
    if types == found:
        return True
    if types is None:
        if "properties" in schema:
            return found == "object"
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        return values is None or found not in ("object", "array")
    if isinstance(types, list) and found in types:
        return True
    return found == "integer" and "number" in types
