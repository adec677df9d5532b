"""Hyperparameters: from their definitions to typed parameters, and the check of a value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from collections.abc import Mapping as Dictionary
from typing import cast

from msgspec.structs import replace

from compiler import mending
from compiler.diagnostics import Diagnostic, Fix, Related, Span, error, listing, nearest
from compiler.ir import REQUIRED, Param
from compiler.nodes import (
    Mapping,
    Node,
    Scalar,
    Sequence,
    SourceFile,
    resolve_plain,
    text,
    to_value,
)
from compiler.values import (
    JsonValue,
    ValueKind,
    ValueTextError,
    as_kind,
    carrying_problem,
    constraint,
    fits,
    from_text,
    kind_of,
    to_json,
)

COMMAND_LINE = "command line"
_ARTICLE = {"integer": "an integer", "array": "an array", "object": "an object"}
# Constraint keys, and the types that they mean something for.
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
# Leading zeros, versions, Python's integers and its null.
_DOUBTFUL = re.compile(r"0\d+|[1-9]\d?\.[1-9]0|\d{1,3}(?:_\d{3})+|None|nil")
_LENGTHS = ("pattern", "minLength", "maxLength")
_NUMBERS = (*_BOUNDS, "minLength", "maxLength")


def a(kind: str) -> str:
    return _ARTICLE.get(kind, f"a {kind}")


def lower_param(name: Scalar, node: Mapping) -> tuple[Param, list[Diagnostic]]:
    """One parameter from its long form; `node` has passed the schema check."""
    found: list[Diagnostic] = []
    default_node = node.get("default")
    declared = node.get("type")
    kind = _kind(name, default_node, declared, found, broken=bool(node.broken))
    items = node.get("items")
    item_kind = text(items.get("type")) if isinstance(items, Mapping) else None
    default = value_of(default_node, kind) if default_node is not None else None
    enum_node = node.get("enum")
    enum: tuple[JsonValue, ...] = ()
    if isinstance(enum_node, Sequence):
        enum = tuple(value_of(item, kind) for item in enum_node.items)
    numbers = {key: _number(entry.value) for key, entry in node if key in _NUMBERS}
    param = Param(
        name=name.text,
        kind=kind,
        default=REQUIRED if default_node is None else default,
        nullable=default_node is not None and default is None,
        description=text(node.get("description")) or "",
        enum=enum,
        minimum=numbers.get("minimum"),
        maximum=numbers.get("maximum"),
        exclusive_minimum=numbers.get("exclusiveMinimum"),
        exclusive_maximum=numbers.get("exclusiveMaximum"),
        pattern=text(node.get("pattern")),
        min_length=cast("int | None", numbers.get("minLength")),
        max_length=cast("int | None", numbers.get("maxLength")),
        items=cast("ValueKind | None", item_kind),
        span=name.span,
    )
    usable = not found
    for key, entry in node:
        bound = entry.value
        if key in _BOUNDS and isinstance(bound, Scalar) and carrying_problem(bound.value):
            found.append(error("MLC504", f"`{key}` is no bound: {bound.text}", bound.span))
    if isinstance(default_node, Scalar) and "${{" in default_node.text:
        message = f"the default of `{name.text}` can't be an expression"
        found.append(error("MLC406", message, default_node.span))
    found += _misplaced(node, kind)
    found += _enum_problems(param, enum_node)
    found += _empty_range(param, node)
    if usable and not found and default_node is not None:
        problem = value_problem(param, default)
        if problem:
            found.append(_wrong_value("default", param, problem, default_node, node))
    return param, found


def value_problem(param: Param, value: JsonValue) -> str | None:
    """Why a value is none for the parameter, or None where it is fine."""
    if value is None:
        return None if param.nullable else f"null is not {a(param.kind)}"
    if not fits(value, param.kind):
        return f"{_shown(value)} is not {a(param.kind)}"
    problem = carrying_problem(value)
    if problem:
        return problem
    if param.enum and value not in param.enum:
        return f"{_shown(value)} is not one of {listing(map(_shown_bare, param.enum))}"
    return _bound_problem(param, value) or _length_problem(param, value) or _item(param, value)


def overlay(
    params: Dictionary[str, Param], values: Iterable[tuple[Scalar, Node]], broken: frozenset[str]
) -> tuple[dict[str, Param], list[Diagnostic]]:
    """Parameters with the values that profiles give them for defaults."""
    result = dict(params)
    found = []
    for key, node in values:
        param = result.get(key.text)
        if param is None:
            if key.text not in broken:
                found.append(unknown_param(key.text, params, key.span, key.file))
            continue
        value = value_of(node, param.kind)
        problem = value_problem(param, value)
        if problem:
            related = (Related(f"`{param.name}` is declared here", param.span),)
            message = f"bad value for `{param.name}`: {problem}"
            fix = unquoted(param, node)
            found.append(error("MLC505", message, node.span, related=related, fix=fix))
        else:
            result[key.text] = replace(param, default=value)
    return result, found


def override(
    params: Dictionary[str, Param], given: Dictionary[str, str]
) -> tuple[dict[str, Param], list[Diagnostic], SourceFile]:
    """Parameters with values from the command line, and the text that findings point at."""
    result = dict(params)
    found: list[Diagnostic] = []
    lines = [f"-p {name}={_one_line(raw)}" for name, raw in given.items()]
    file = SourceFile(COMMAND_LINE, "\n".join(lines))
    for (name, raw), start, line in zip(given.items(), file.starts, lines, strict=False):
        name_span = file.span(start + 3, start + 3 + len(name))
        param = result.get(name)
        if param is None:
            found.append(unknown_param(name, params, name_span))
            continue
        try:
            value = as_kind(_given(raw, param), param.kind)
            problem = value_problem(param, value)
        except ValueTextError as wrong:
            value, problem = None, str(wrong)
        if problem:
            related = (Related(f"`{name}` is declared here", param.span),)
            message = f"bad value for `{name}`: {problem}"
            span = file.span(start + 4 + len(name), start + len(line))
            found.append(error("MLC505", message, span, related=related))
        else:
            result[name] = replace(param, default=value)
    return result, found, file


def _one_line(text: str) -> str:
    line = next(iter(text.splitlines()), "")
    return line if len(line) <= 200 else line[:199] + "…"


def unquoted(param: Param, node: Node) -> Fix | None:
    """A quoted number or truth value, or one of YAML 1.1, as what the parameter wants."""
    if not isinstance(node, Scalar) or node.style not in ("", "'", '"'):
        return None
    if node.plain:
        return mending.as_boolean(node) if param.kind == "boolean" else None
    value = as_kind(resolve_plain(node.text), param.kind)
    return mending.unquoted(node) if value_problem(param, value) is None else None


def unknown_param(
    name: str, params: Iterable[str], span: Span, file: SourceFile | None = None
) -> Diagnostic:
    """Of a name that no parameter has; `file` is where it is written, unless that is no file."""
    known = list(params)
    near = nearest(name, known)
    if near:
        hint = f"did you mean `{near}`?"
    else:
        hint = f"known are {listing(known)}" if known else "the spec has no `params`"
    fix = mending.respelled(file, span, name, known, near) if file else None
    return error("MLC303", f"there is no parameter `{name}`", span, hint=hint, fix=fix)


def value_of(node: Node, kind: ValueKind) -> JsonValue:
    """A node's value where `kind` is wanted: as text, a plain scalar means what it looks like."""
    if kind == "string" and isinstance(node, Scalar) and node.value is not None:
        return node.text
    return as_kind(to_value(node), kind)


def _given(text: str, param: Param) -> JsonValue:
    if param.nullable and text in ("", "null"):
        return None
    return from_text(text, param.kind)


def _kind(
    name: Scalar,
    default: Node | None,
    declared: Node | None,
    found: list[Diagnostic],
    *,
    broken: bool,
) -> ValueKind:
    if isinstance(declared, Scalar):
        return cast(ValueKind, declared.text)
    inferred = kind_of(to_value(default)) if default is not None else None
    if isinstance(default, Scalar) and default.plain and _DOUBTFUL.fullmatch(default.text):
        found.append(_doubtful(name.text, default))
    if inferred is None and not broken:
        why, hint = "there is no default", f"write {name.text}: {{type: number, …}}"
        if default is not None:
            why = "null says nothing of the type"
            hint = f"say it beside the null: `{name.text}: {{type: number, default: null}}`"
        message = f"`{name.text}` needs a `type`: {why}"
        found.append(error("MLC501", message, name.span, hint=hint))
    return inferred or "string"


def _doubtful(name: str, default: Scalar) -> Diagnostic:
    """Of a default that many take for something else than YAML 1.2 does."""
    value = default.value
    read = f"the text {_shown(value)}" if isinstance(value, str) else f"the number {value}"
    message = f"`{name}` needs a `type`: `{default.text}` is {read} here"
    hint = f"write {{type: string, default: {default.text}}}"
    if not isinstance(value, str):
        hint += f", or {{type: {kind_of(value)}, default: {to_json(value)}}}"
    elif default.text[0].isdigit():
        hint += f", or {name}: {default.text.replace('_', '')}"
    else:
        hint += f", or {name}: {{type: string, default: null}}"
    return error("MLC501", message, default.span, hint=hint)


def _misplaced(node: Mapping, kind: ValueKind) -> list[Diagnostic]:
    wrong = []
    for keys, kinds in (
        (_BOUNDS, ("integer", "number")),
        (_LENGTHS, ("string",)),
        (("items",), ("array",)),
    ):
        for key in keys if kind not in kinds else ():
            if key in node.entries:
                message = f"`{key}` means nothing for {a(kind)}"
                hint = f"it is for {' and '.join(f'`{k}`' for k in kinds)}"
                wrong.append(error("MLC502", message, node.entries[key].key.span, hint=hint))
    return wrong


def _enum_problems(param: Param, node: Node | None) -> list[Diagnostic]:
    if not isinstance(node, Sequence):
        return []
    wrong = []
    seen: dict[str, Span] = {}
    for item, value in zip(node.items, param.enum, strict=True):
        # `1` and `1.0` are one number.
        alike = as_kind(value, param.kind)
        text = alike if isinstance(alike, str) else json.dumps(alike, sort_keys=True)
        if value is None or not fits(value, param.kind):
            message = f"{_shown(value)} in `enum` is not {a(param.kind)}"
            hint = f"write {a(param.kind)}, or give the parameter another `type`"
            wrong.append(error("MLC503", message, item.span, hint=hint))
        elif carrying_problem(value):
            wrong.append(error("MLC503", f"in `enum`: {carrying_problem(value)}", item.span))
        elif text in seen:
            message = f"{_shown(value)} is in `enum` twice"
            related = (Related("first given here", seen[text]),)
            hint = "take one of them out"
            wrong.append(error("MLC503", message, item.span, hint=hint, related=related))
        else:
            seen[text] = item.span
    return wrong


def _empty_range(param: Param, node: Mapping) -> list[Diagnostic]:
    lows = [b for b in (param.minimum, param.exclusive_minimum) if b is not None]
    highs = [b for b in (param.maximum, param.exclusive_maximum) if b is not None]
    empty = bool(lows and highs) and (
        max(lows) > min(highs)
        or (
            max(lows) == min(highs)
            and (param.exclusive_minimum == max(lows) or param.exclusive_maximum == min(highs))
        )
    )
    lengths = param.min_length is not None and param.max_length is not None
    if lengths and cast(int, param.min_length) > cast(int, param.max_length):
        empty = True
    if not empty:
        return []
    *others, last = (e.value.span for k, e in node if k in _BOUNDS + _LENGTHS)
    message = f"no value of `{param.name}` can meet its bounds"
    related = tuple(Related("nor this", span) for span in others)
    hint = "raise the upper one, or lower the other"
    return [error("MLC504", message, last, hint=hint, related=related)]


def _wrong_value(
    what: str, param: Param, problem: str, node: Node, definition: Mapping
) -> Diagnostic:
    related = tuple(
        Related("the constraint", definition.entries[key].value.span)
        for key in (*_BOUNDS, *_LENGTHS, "enum", "type", "items")
        if key in definition.entries and _concerns(key, problem)
    )
    message = f"the {what} of `{param.name}` breaks its own definition: {problem}"
    fix = unquoted(param, node) if what == "default" else None
    return error("MLC505", message, node.span, related=related[:1], fix=fix)


def _concerns(key: str, problem: str) -> bool:
    words = {
        "enum": "one of",
        "type": " is not a",
        "items": "item",
        "pattern": "match",
        "minLength": "shorter",
        "maxLength": "longer",
        "minimum": "less than",
        "maximum": "more than",
        "exclusiveMinimum": "has to be more",
        "exclusiveMaximum": "has to be less",
    }
    return words[key] in problem


def _bound_problem(param: Param, value: JsonValue) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if param.minimum is not None and value < param.minimum:
        return f"{_shown_bare(value)} is less than {_shown_bare(param.minimum)}"
    if param.maximum is not None and value > param.maximum:
        return f"{_shown_bare(value)} is more than {_shown_bare(param.maximum)}"
    if param.exclusive_minimum is not None and value <= param.exclusive_minimum:
        return f"{_shown_bare(value)} has to be more than {_shown_bare(param.exclusive_minimum)}"
    if param.exclusive_maximum is not None and value >= param.exclusive_maximum:
        return f"{_shown_bare(value)} has to be less than {_shown_bare(param.exclusive_maximum)}"
    return None


def _length_problem(param: Param, value: JsonValue) -> str | None:
    if not isinstance(value, str):
        return None
    if param.min_length is not None and len(value) < param.min_length:
        return f"{_shown(value)} is shorter than {param.min_length} characters"
    if param.max_length is not None and len(value) > param.max_length:
        return f"{_shown(value)} is longer than {param.max_length} characters"
    if param.pattern is not None and constraint(param.pattern)(value) is None:
        return f"{_shown(value)} does not match {param.pattern}"
    return None


def _item(param: Param, value: JsonValue) -> str | None:
    if param.items is None or not isinstance(value, list):
        return None
    for number, item in enumerate(value):
        if item is None or not fits(item, param.items):
            return f"item {number} ({_shown(item)}) is not {a(param.items)}"
    return None


def _shown(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text if len(text) <= 40 else text[:37] + '…'}`"


def _shown_bare(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _number(node: Node) -> int | float | None:
    value = node.value if isinstance(node, Scalar) else None
    return value if isinstance(value, (int, float)) else None
