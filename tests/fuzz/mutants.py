"""Files changed at random: their bytes, their lines, or the tree that they say.

Every choice comes from a `Random`, so that a number names a mutant, and hypothesis can stand in for
it and shrink what it finds.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

import yaml

MOST_BYTES = 20_000
_MOST_NODES = 20_000
_EXPRESSION = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)

# Texts that mean something to YAML, to the language, to an engine, a shell or a terminal.
TOKENS = (
    *("${{", "}}", "${{ }}", "$${{", "{{", "}}", "$(", "$$", "'", '"', "\\", "`", "#", " #", ": "),
    *(":", "-", "- ", "? ", "|", ">", "|2", ">-", "&a ", "*a", "!!str ", "!x ", "<<: ", "---\n"),
    *("...\n", "%YAML 1.1\n", "\t", "\r", "\r\n", "\n", "\n\n", "  ", "{", "}", "[", "]", ","),
    *("\0", "\x07", "\x1b[31m", "\x7f", "\x85", "\u00a0", "\u2028", "\ufeff", "\u202e", "\ud7ff"),
    *("é", "e\u0301", "漢字", "😀", "\U0010ffff", "\\ud83d\\ude00", "\\ud83d", "\\x00", "\\u0000"),
    *("null", "~", "true", "no", ".nan", ".inf", "-.inf", "1e999", "0x", "0o17", "1:30", "0644"),
    *("9" * 400, "-0", "1e-3", "1.10", "9007199254740993", "0.1" + "0" * 300, "-1", "1_000"),
    *("../..", "/", "/etc/passwd", "a" * 300, "a-b", "A", "_", "__init__", "9a", "x" * 5000),
    *("5Gi", "500m", "1e30Ei", "2h30m", "99999999999d", "0s", "* * * * *", "0 0 30 2 *", "@daily"),
    *(
        "mlc/v1",
        "Algorithm",
        "Component",
        "Base",
        "# mlc: ignore[MLC101] x",
        "mlc: ignore[",
        "(a+)+$",
    ),
    *("[[x]]\n", "x = 1\n", '"""', "= ", "[policy.severity]\n", "2026-01-01", "def f(", "class X:"),
)
KEYS = (
    *("apiVersion", "kind", "name", "description", "owner", "tags", "labels", "extends", "image"),
    *(
        "env",
        "resources",
        "volumes",
        "pod",
        "retry",
        "timeout",
        "cache",
        "params",
        "inputs",
        "steps",
    ),
    *(
        "finally",
        "outputs",
        "profiles",
        "schedules",
        "limits",
        "sources",
        "command",
        "args",
        "script",
    ),
    *(
        "shell",
        "python",
        "use",
        "needs",
        "when",
        "foreach",
        "parallel",
        "workdir",
        "type",
        "default",
    ),
    *("enum", "minimum", "maximum", "pattern", "minLength", "items", "cpu", "memory", "gpu", "shm"),
    *("count", "request", "limit", "max", "backoff", "key", "max_age", "claim", "empty", "mount"),
    *(
        "cron",
        "timezone",
        "profile",
        "overlap",
        "node_selector",
        "tolerations",
        "security",
        "effect",
    ),
    *(
        "each",
        "run",
        "git",
        "secrets",
        "<<",
        "",
        "a.b",
        "A-B",
        "true",
        "1",
        "gpus",
        "policy",
        "targets",
    ),
)
_OPERATORS = ("||", "&&", "==", "!=", "<", "<=", ">", ">=", "in", "??", "+", "=", "|")
_LITERALS = ("1", "-1", "1e3", "0.5", "'a'", '"b"', "true", "null", "[]", "[1, 'a']", "''", "[[1]]")
_NAMES = (
    *("run.id", "run.status", "git.commit", "algorithm.name", "secrets.a.b", "each.x", "params.n"),
    *(
        "params['n']",
        "steps.a.outputs.b",
        "inputs.x",
        "outputs.y",
        "volumes.v",
        "steps.a.items",
        "x",
    ),
)

Source = Callable[[], bytes]


def mutant(data: bytes, suffix: str, other: Source, choose: Random) -> bytes:
    """A file's bytes, changed in one to four places. `other` gives the bytes of another file of
    the same kind, to take from."""
    ways = [_in_bytes, _in_lines]
    ways += {".yaml": [_in_tree] * 3, ".toml": [_in_table]}.get(suffix, [])
    way = choose.choice(ways)
    for _ in range(choose.choice((1, 1, 1, 1, 2, 3, 4))):
        # Aliases written out can make much of little.
        data = way(data, other, choose)[:MOST_BYTES]
    return data


def _in_bytes(data: bytes, other: Source, choose: Random) -> bytes:
    start = choose.randrange(len(data) + 1)
    end = min(len(data), start + choose.choice((0, 1, 1, 2, 5, 20, 100)))
    match choose.randrange(6):
        case 0:
            new = bytes([choose.randrange(256)])
        case 1:
            new = b""
        case 2:
            new = data[start:end] * choose.choice((2, 3, 50))
        case 3:
            source = other()
            at = choose.randrange(len(source) + 1)
            new = source[at : at + choose.choice((5, 50, 500))]
        case 4:
            end = start
            new = choose.choice(TOKENS).encode()
        case _:
            new = choose.choice(TOKENS).encode()
    return data[:start] + new + data[end:]


def _in_lines(data: bytes, other: Source, choose: Random) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    at = choose.randrange(len(lines))
    to = min(len(lines), at + choose.choice((1, 1, 2, 5)))
    match choose.randrange(8):
        case 0:
            del lines[at:to]
        case 1:
            lines[at:at] = lines[at:to]
        case 2:
            there = choose.randrange(len(lines))
            lines[at], lines[there] = lines[there], lines[at]
        case 3:
            lines[at:to] = [b"  " + line for line in lines[at:to]]
        case 4:
            lines[at:to] = [line.removeprefix(b"  ") for line in lines[at:to]]
        case 5:
            taken = other().splitlines(keepends=True)
            start = choose.randrange(len(taken) + 1)
            lines[at:at] = taken[start : start + choose.choice((1, 3, 10))]
        case 6:
            key, colon, _ = lines[at].partition(b": ")
            lines[at] = key + colon + _word(data, choose).encode("utf-8", "surrogatepass") + b"\n"
        case _:
            lines[at] = lines[at].replace(b"\n", choose.choice((b"\r\n", b"\r", b"", b"\\\n")))
    return b"".join(lines)


def _word(data: bytes, choose: Random) -> str:
    if choose.randrange(3):
        return choose.choice(TOKENS)
    return f"${{{{ {expression(data.decode('utf-8', 'replace'), choose)} }}}}"


def expression(text: str, choose: Random, depth: int = 3) -> str:
    """An expression, right or wrong, of names that a text has."""
    known = [found[3:-2].strip() for found in _EXPRESSION.findall(text)]
    known += [f"params.{name}" for name in re.findall(r"^  (\w+):", text, re.MULTILINE)[:5]]
    if depth == 0 or choose.randrange(3) == 0:
        return choose.choice((*known, *known, *_NAMES, *_LITERALS))
    one, two = (expression(text, choose, depth - 1) for _ in range(2))
    match choose.randrange(8):
        case 0:
            return f"!{one}"
        case 1:
            return f"({one})"
        case 2:
            return f"{one}.{choose.choice(KEYS)}"
        case 3:
            return f"[{one}, {two}]"
        case 4:
            return f"{one} }}}} and ${{{{ {two}"
        case _:
            return f"{one} {choose.choice(_OPERATORS)} {two}"


def _in_tree(data: bytes, other: Source, choose: Random) -> bytes:
    tree = tree_of(data)
    if tree is None:
        return _in_lines(data, other, choose)
    text = data.decode("utf-8", "replace")
    _change(tree, tree_of(other()) or {}, text, choose)
    return _written(tree, choose)


def _in_table(data: bytes, other: Source, choose: Random) -> bytes:
    """A configuration with other values: keys stay TOML, values are anything."""
    try:
        tree = tomllib.loads(data.decode())
    except ValueError:
        return _in_bytes(data, other, choose)
    _change(tree, {}, "", choose)
    lines = []
    for key, value in tree.items():
        if isinstance(value, dict) and choose.randrange(4):
            lines.append(f"[{json.dumps(str(key))}]")
            lines += [f"{json.dumps(str(k))} = {_toml(v)}" for k, v in value.items()]
        else:
            lines.insert(0, f"{json.dumps(str(key))} = {_toml(value)}")
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        inner = (f"{json.dumps(str(k))} = {_toml(v)}" for k, v in value.items())
        return "{ " + ", ".join(inner) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return "nan" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def tree_of(data: bytes) -> Any:
    """What a file says; None for no tree, or one too large with its aliases written out."""
    try:
        tree = yaml.load(data, yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError, AttributeError, TypeError):
        return None
    if not isinstance(tree, (dict, list)) or not tree or _size(tree, {}) > _MOST_NODES:
        return None
    return tree


def _size(tree: Any, known: dict[int, int]) -> int:
    """How many nodes a tree has with its aliases written out; `known` has what was counted."""
    if id(tree) not in known:
        below = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
        # Where it is met again on the way down, an alias stands in what it stands for.
        known[id(tree)] = _MOST_NODES + 1
        known[id(tree)] = 1 + sum(_size(node, known) for node in below)
    return known[id(tree)]


def _written(tree: Any, choose: Random) -> bytes:
    if choose.randrange(4) == 0:
        indent = choose.choice((None, 1, 2))
        text = json.dumps(tree, indent=indent, ensure_ascii=choose.random() < 0.5, default=str)
    else:
        text = yaml.dump(
            tree,
            Dumper=yaml.CSafeDumper,
            sort_keys=False,
            allow_unicode=choose.random() < 0.5,
            default_flow_style=choose.choice((False, False, None, True)),
            width=choose.choice((40, 80, 10_000)),
        )
    return text.encode("utf-8", "surrogatepass")


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Each owner and key below a node."""
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    found = []
    for key in keys:
        found.append((tree, key))
        found += _places(tree[key])
    return found


def _change(tree: Any, taken: Any, text: str, choose: Random) -> None:
    places = _places(tree)
    if not places:
        return
    if choose.randrange(3) == 0:
        _exchange(places, choose)
        return
    owner, key = choose.choice(places)
    there, its_key = choose.choice(places)
    value = owner[key]
    match choose.randrange(12):
        case 0:
            del owner[key]
        case 1:
            _set(owner, key, _renamed(owner, choose), value)
        case 2:
            _put(owner, _renamed(owner, choose), deepcopy(value))
        case 3:
            moved = deepcopy(value)
            del owner[key]
            if isinstance(there, dict) or its_key < len(there):
                _put(there, key, moved)
        case 4 | 5:
            owner[key] = _anything(text, choose)
        case 6:
            fragment = f"${{{{ {expression(text, choose)} }}}}"
            is_text = isinstance(value, str) and choose.randrange(2)
            owner[key] = f"{value}{fragment}" if is_text else fragment
        case 7:
            owner[key] = choose.choice(([value], [value, value], {choose.choice(KEYS): value}))
        case 8:
            inner = _places(taken)
            if inner:
                from_owner, from_key = choose.choice(inner)
                _put(owner, choose.choice((key, from_key)), deepcopy(from_owner[from_key]))
        case 9:
            there[its_key], owner[key] = deepcopy(value), deepcopy(there[its_key])
        case 10:
            _put(owner, choose.choice(KEYS), _anything(text, choose))
        case _:
            if isinstance(value, str):
                at = choose.randrange(len(value) + 1)
                owner[key] = value[:at] + choose.choice(TOKENS) + value[at + choose.randrange(3) :]
            else:
                owner[key] = None


def _exchange(places: list[tuple[Any, Any]], choose: Random) -> None:
    """Give a scalar the value of another of its kind: what is right often stays so."""
    leaves = [place for place in places if not isinstance(place[0][place[1]], (dict, list))]
    if not leaves:
        return
    owner, key = choose.choice(leaves)
    value = owner[key]
    alike = [o[k] for o, k in leaves if type(o[k]) is type(value) and _form(o[k]) == _form(value)]
    if isinstance(value, (int, float)) and choose.randrange(2):
        alike = [0, 1, -value, value * 1000, value + 1]
    owner[key] = choose.choice(alike)


def _form(value: Any) -> tuple[bool, bool]:
    text = str(value)
    return "${{" in text, text.isidentifier()


def _renamed(owner: Any, choose: Random) -> Any:
    siblings = list(owner) if isinstance(owner, dict) else []
    return choose.choice((*siblings, *KEYS, choose.choice(TOKENS)))


def _set(owner: Any, key: Any, name: Any, value: Any) -> None:
    """Rename a key in its place."""
    if not isinstance(owner, dict):
        owner[key] = value
        return
    entries = [(name if k == key else k, v) for k, v in owner.items()]
    owner.clear()
    owner.update(entries)


def _put(owner: Any, key: Any, value: Any) -> None:
    if isinstance(owner, list):
        owner.insert(len(owner) // 2, value)
    else:
        owner[key] = value


def _anything(text: str, choose: Random) -> Any:
    match choose.randrange(12):
        case 0:
            return None
        case 1:
            return choose.choice((True, False))
        case 2:
            return choose.choice((0, 1, -1, 2, 10**6, 2**53 + 1, 10**30, 0.5, 1e300, -0.0))
        case 3:
            return choose.choice((float("inf"), float("nan"), 1e-300, 3.10))
        case 4 | 5:
            return choose.choice(TOKENS)
        case 6 | 7:
            return f"${{{{ {expression(text, choose)} }}}}"
        case 8:
            return [choose.choice(TOKENS) for _ in range(choose.choice((0, 1, 3, 60)))]
        case 9:
            return {
                choose.choice(KEYS): choose.choice(TOKENS) for _ in range(choose.choice((0, 1, 4)))
            }
        case 10:
            nested: Any = choose.choice(TOKENS)
            for _ in range(choose.choice((1, 5, 70))):
                nested = choose.choice(([nested], {"a": nested}))
            return nested
        case _:
            return choose.choice(KEYS)
