"""What to write instead of a value of another shape: a list of named things for a mapping of
them, as other tools have it, a line of a shell for a list of words."""

from __future__ import annotations

import itertools
import re
from typing import Any

from compiler import mending, synonyms
from compiler.diagnostics import Diagnostic, Related, error, listing
from compiler.nodes import Mapping, Node, Scalar, Sequence

Schema = dict[str, Any]
# Keys under which others give the items of a list their names.
_NAMES = ("name", "id", "key")
_NAME = r"[A-Za-z_][A-Za-z0-9_-]{0,59}"
_SETTING = r"([A-Za-z_]\w{0,59})="
_MOUNT = r"[^:\s]+:(/[^:\s]*)(?::(?:ro|rw))?"
# Signs that a shell does something with; quotes alone only hold words together.
_OF_SHELL = r"^[A-Za-z_]\w*=|&&|\|\||[|;<>`]|\$\w|\$\(|\$\{(?!\{)|&$|(?<!\S)\*|\*(?!\S)"
# How Kubernetes and others name what stands in a secret, without case and `_`.
_OF_SECRET = ("secret", "secretkeyref", "secretref", "fromsecret")
_SECRETS_NAME = r"[A-Za-z0-9._-]+"
_LONGEST = 60
_NO_SPACE = r"([A-Za-z_][\w-]*):(?!//)\S"
_URI = r"[a-z][a-z0-9+.-]*://[^\s\"'\\]+\Z"
_FUNCTION = r"(?a)(?:\./)?([A-Za-z_]\w*(?:[./][A-Za-z_]\w*)*)(?:\.py:|\.)([A-Za-z_]\w*)"

_EACH = r"\$\{\{\s*each\.([a-z][a-z0-9_]*)"
_FOR_EACH_KEY = {
    "foreach": "name the list, `foreach: {item: […]}`, and write `${{ each.item }}` in the step",
    "schedules": 'give it a name instead of the dash, `nightly: {cron: "0 3 * * *"}`',
}


def named(node: Sequence, name: str) -> str:
    """What to write for a list where a mapping of names is wanted."""
    if name in _FOR_EACH_KEY:
        return _FOR_EACH_KEY[name]
    first = node.items[0] if node.items else None
    if isinstance(first, Scalar):
        mount, setting = re.fullmatch(_MOUNT, first.text), re.match(_SETTING, first.text)
        if name == "volumes" and mount:
            return f"name each, and say what it is: `data: {{claim: NAME, mount: {mount[1]}}}`"
        if setting:
            return f"write a name and its value, `{setting[1]}: …`"
        if re.fullmatch(_NAME, first.text):
            return f"write a name and what it is, `{first.text}: …`"
    if isinstance(first, Mapping) and first.entries:
        inner = next((first.get(key) for key in _NAMES if key in first.entries), None)
        if inner is None and len(first.entries) == 1:
            return "take the dashes out, and let all stand below each other"
        if isinstance(inner, Scalar) and re.fullmatch(_NAME, inner.text):
            if name == "env" and "value" in first.entries:
                return f"write each as `{inner.text}: …`, a name and its value"
            return f"the names are keys: write `{inner.text}: …` instead of the dash and its name"
    return "" if first is not None else f"leave `{name}` out, or give it a first entry"


def named_list(node: Scalar) -> str:
    """What to write for a list to loop over that has no name: that by which it is used below."""
    used = re.search(_EACH, node.file.text[node.end.index :])
    name = used[1] if used else "item"
    quote = "'" if '"' in node.text else '"'
    hint = f"name it: `foreach: {{{name}: {quote}{node.text}{quote}}}`"
    return hint if used else f"{hint}, and write `${{{{ each.item }}}}` in the step"


def line_of_shell(text: str) -> str:
    """What to write for a command that is a line of a shell; "" where it is only words."""
    if re.search(_OF_SHELL, re.sub(r"\$\{\{.*?\}\}", "", text)) is None:
        return ""
    if "${{" in text:
        return "only a shell can read that: write it as `script`, with the values from `env`"
    shown = f"script: {text}" if len(text) <= _LONGEST and "\n" not in text else "script: …"
    return f"only a shell can read that: write `{shown}`"


def words(text: str) -> list[str]:
    """The words of a line, each as an item of a list between `[ ]`."""
    found = re.findall(r"""(?:\$\{\{.*?\}\}|"[^"\\]*"|'[^']*'|[^\s"'])+|["']""", text)
    return [_item(word) for word in found]


def _item(word: str) -> str:
    for quote in ('"', "'"):
        inner = word[1:-1]
        if len(word) > 1 and word[0] == word[-1] == quote and quote not in inner:
            return word
    if "${{" in word:
        return f'"{word}"' if '"' not in word else f"'{word}'"
    return word


def outdented(node: Mapping, schema: Schema | bool) -> list[tuple[str, list[str]]]:
    """Names without a value, each with the keys right behind it that can only be meant to stand
    in it, as `command` behind the name of a step; "" for those that have no name above them."""
    entries = node.entries
    branches = schema.get("oneOf", (schema,)) if isinstance(schema, dict) else ()
    if not branches or all(type(entry.value) is Mapping for entry in entries.values()):
        return []
    if any("properties" not in one and one.get("type") != "null" for one in branches):
        return []  # these keys are names here as good as others: a param that is called `default`
    known = set().union(*map(_keys, branches))
    names = ["", *entries]
    found = []
    for at, name in enumerate(names):
        value = entries[name].value if at else None
        if at and (not isinstance(value, Scalar) or value.text or value.style or name in known):
            continue
        behind = list(itertools.takewhile(known.__contains__, names[at + 1 :]))
        # A mapping might be what the name says: a step that is called `env`.
        values = [entries[key].value for key in behind]
        if any(isinstance(v, Sequence) or (isinstance(v, Scalar) and v.value) for v in values):
            found.append((name, behind))
    is_flow = node.file.text.startswith("{", node.start.index)
    return [(name, keys) for name, keys in found if not name or not is_flow]


def beside(node: Mapping, owner: str, keys: list[str], name: str) -> Diagnostic:
    """Of an entry without a value, and what is meant for it beside it; or of that without it."""
    listed = listing(keys)
    if not owner:
        hint = f"write a name above, and below that {listed}, indented by two more spaces"
        if node.file.text.startswith("{", node.start.index):
            hint = f"write a name before it, `{{one: {{{keys[0]}: …}}}}`"
        message = f"`{name}` takes names and what each is: {listed} {_verb(keys)} below none"
        return error("MLC103", message, node.entries[keys[0]].key.span, hint=hint)
    message = f"`{owner}` is empty: {listed} {_verb(keys)} beside it"
    hint = (
        f"indent {listed} by two more spaces, so that {'it is' if len(keys) == 1 else 'they are'}"
    )
    related = (Related(f"`{keys[0]}` is here", node.entries[keys[0]].key.span),)
    span = node.entries[owner].key.span
    return error("MLC103", message, span, hint=f"{hint} in `{owner}`", related=related)


def _verb(keys: list[str]) -> str:
    return "stands" if len(keys) == 1 else "stand"


def no_definition(node: Mapping, schema: Schema, name: str, place: Node) -> Diagnostic | None:
    """Of a mapping that is meant for the value of a parameter: it has no key of a definition, nor
    what could be meant for one."""
    known = schema["properties"]
    if schema.get("title") != "a definition of the parameter" or not node.entries:
        return None
    for key in node.entries:
        if mending.synonym(key, synonyms.KEYS, known) or mending.only_near(key, known):
            return None
        if synonyms.instead(key, known):
            return None
    message = f"a mapping is the definition of a parameter, and `{name}` has nothing of one"
    hint = f"for a default that is an object write `{name}: {{default: {{…}}}}`"
    return error("MLC101", message, place.span, hint=hint)


def _keys(schema: Schema) -> set[str]:
    """The keys of the mappings that a schema takes."""
    found = set(schema.get("properties", ()))
    return found.union(*(_keys(branch) for branch in schema.get("oneOf", ())))


def without_space(text: str, wanted: list[Schema]) -> str:
    """What to write for a key and its value that have no space between them; "" for other text."""
    found = re.match(_NO_SPACE, text)
    if found and any(found[1] in _keys(schema) or _is_open(schema) for schema in wanted):
        return f"a space is missing after `{found[1]}:`"
    if re.match(_URI, text) and any({"type", "default"} <= _keys(schema) for schema in wanted):
        return f'write `{{default: "{text}"}}`'
    return ""


def lines(name: str) -> str:
    """What to write for a list where one text is wanted."""
    if name != "script":
        return ""
    return "write one text: `script: |`, and each of these on a line of its own below it"


def comparisons(node: Mapping) -> str:
    """What to write for gates that are given by the names of metrics."""
    name, entry = next(iter(node), ("", None))
    value = entry.value if entry else None
    if not isinstance(value, Scalar):
        return "write each as a comparison, `- loss <= 0.3`"
    if value.text.startswith((">", "<")):
        return f"write each as a comparison: `- {name} {value.text}`"
    return f"write each as a comparison: `- {name} >= {value.text}`, or with `<=`"


def mapped(node: Scalar, wanted: list[Schema], found: str) -> str:
    """What to write for a mere value where a mapping says more; "" where that is not clear."""
    keys = set().union(*map(_keys, wanted))
    if "cron" in keys and " " in node.text and '"' not in node.text:
        return f'write `{{cron: "{node.text}"}}`'
    if keys == {"type", "description", "items"} and node.plain and found != "null":
        return f"an output is declared by its type: write `{found}`, and let the step write it"
    return "give it a value, or take it out" if found == "null" else ""


def _is_open(schema: Schema) -> bool:
    return isinstance(schema.get("additionalProperties"), dict)


def in_list(node: Mapping, name: str) -> str:
    """What to write for a mapping where a list, or a word of a list, is wanted."""
    key = next(iter(node.entries), None)
    if name == "gates":
        return comparisons(node)
    if name == "args" and key is not None:
        return f"it is an item of the list: write `- {key}: …`"
    if name == "command" and key is not None:
        return f"flags with their values stand in `args`: `- {key}: …`"
    return ""


def of_secret(node: Mapping) -> str:
    """What to write for a variable that says in another tool's words which secret it is from."""
    inner = node.get("valueFrom") or node.get("value_from")
    place = inner if isinstance(inner, Mapping) else node
    for word, entry in place:
        if word.casefold().replace("_", "") in _OF_SECRET:
            own = entry.value if isinstance(entry.value, Mapping) else place
            names = (own.get("name") or entry.value, own.get("key"))
            shown = "".join(_accessor(*pair) for pair in zip(names, ("NAME", "KEY"), strict=True))
            return f'write "${{{{ secrets{shown} }}}}"'
    return ""


def _accessor(found: Node | None, otherwise: str) -> str:
    name = found.text if isinstance(found, Scalar) else ""
    name = name if re.fullmatch(_SECRETS_NAME, name) else otherwise
    return f".{name}" if name.isidentifier() else f"['{name}']"


def function(text: str) -> str:
    """The function that a path with dots throughout means, or one in a file; "" for other text."""
    found = re.fullmatch(_FUNCTION, text)
    return f"{found[1].replace('/', '.')}:{found[2]}" if found else ""


def typed(node: Scalar, schema: dict[str, object]) -> str:
    """The definition that stands for a mere type, for what takes no short form."""
    properties = schema.get("properties")
    kind = properties.get("type") if isinstance(properties, dict) else None
    types = kind.get("enum", ()) if isinstance(kind, dict) else ()
    return f"{{type: {node.text}}}" if node.text in types else ""
