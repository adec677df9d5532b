"""What is made of a value on its way into a task: CEL, which the driver evaluates."""

from __future__ import annotations

from compiler.targets.kfp.plan import Around, Field, Otherwise, ParameterType
from compiler.values import JsonValue, to_json


def selector(selection: Field | Otherwise | Around, kind: ParameterType) -> str:
    """The CEL expression that makes the wanted value of `string_value`, the value as text."""
    match selection:
        case Field(path=path):
            return "parseJson(string_value)" + "".join(f"[{quoted(name)}]" for name in path)
        case Otherwise(text=text):
            chosen = f'string_value == "" ? {quoted(text)} : string_value'
            return chosen if kind == "STRING" else f"parseJson({chosen})"
        case Around(before=before, after=after):
            texts = (before and quoted(before), "string_value", after and quoted(after))
            return " + ".join(filter(None, texts))


def quoted(value: JsonValue) -> str:
    """JSON, whose texts are CEL's too, with nothing in them on which an engine acts."""
    text = to_json(value)
    for sign in ("{{", "$"):
        text = text.replace(sign, "".join(f"\\u{ord(c):04x}" for c in sign))
    return text
