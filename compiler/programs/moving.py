"""Moves the expressions of a program text into the step's `env`: the edits of a file that do it.

Only where what comes of it is certain: the edited file is read again, and has to say what was
meant.
"""

from __future__ import annotations

import functools
import re
import warnings

from msgspec import Struct
from msgspec.structs import replace

from compiler import edits
from compiler.diagnostics import Edit, Fix
from compiler.expressions import Embedded, ExpressionError, split
from compiler.nodes import Mapping, Node, Scalar, Sequence, SourceFile, mapping
from compiler.programs.commandline import EXPRESSION
from compiler.programs.known import Dialect
from compiler.programs.shell import Quoting, quotings
from compiler.source import parse

# More is no file that is mended by hand, and every fix reads its file again.
_MOST_CHARACTERS = 50_000
_KEYS: dict[str, type[Node]] = {"command": Sequence, "args": Sequence, "script": Scalar}
_READY_MADE = {"inputs": "INPUT", "outputs": "OUTPUT"}
_PLAIN_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+")
_LONGEST_NAME = 60


class _Found(Struct, frozen=True):
    """A scalar of a file, the step that it stands in, and that step's key that leads to it."""

    scalar: Scalar
    step: Mapping
    key: str


class _Part(Struct, frozen=True):
    """An expression of a text (`inner`) and what takes its place: `start` to `end` of the text."""

    inner: str
    start: int
    end: int
    variable: str
    text: str


class _Names:
    """Names of variables for expressions, none of which means anything else in the step."""

    def __init__(self, env: Mapping | None, text: str, taken: frozenset[str]) -> None:
        self.text = text
        self.taken = {*taken, *(env.entries if env else ())}
        self.known = {
            entry.value.text.strip()[3:-2].strip(): name
            for name, entry in env or ()
            if isinstance(entry.value, Scalar) and _is_expression(entry.value.text.strip())
        }
        self.new: dict[str, str] = {}

    def name(self, inner: str) -> str:
        if inner in self.known:
            return self.known[inner]
        if inner not in self.new:
            base = free = variable_name(inner)
            number = 2
            while free in self.taken or re.search(rf"\b{free}\b", self.text):
                free, number = f"{base}_{number}", number + 1
            self.taken.add(free)
            self.new[inner] = free
        return self.new[inner]


def variable_name(inner: str) -> str:
    """A name for the variable of an expression, made of all of the first path in it, since
    programs know many a `SEED` and none `PARAMS_SEED`."""
    path = _PLAIN_PATH.search(inner)
    name = re.sub(r"[^A-Za-z0-9]+", "_", path[0] if path else inner).strip("_").upper()
    return name[:_LONGEST_NAME] if name and not name[0].isdigit() else "VALUE"


def moved(
    file: SourceFile, index: int, dialect: Dialect, taken: frozenset[str] = frozenset()
) -> Fix | None:
    """The fix for the program text at an index of a file, None where there is no certain one.

    `taken` are names of the step's environment that the file itself does not show.
    """
    if dialect == "other" or len(file.text) > _MOST_CHARACTERS:
        return None
    found = _only_way(file, index)
    return _moved(file, found.scalar.start.index, dialect, taken) if found else None


def _only_way(file: SourceFile, index: int) -> _Found | None:
    root, problems = _parsed(file)
    if root is None or problems:
        return None
    ways = _ways(root, index, None)
    return ways[0] if len(ways) == 1 and _times(root, ways[0].scalar) == 1 else None


# All expressions of a text are moved at once, and each asks for it.
@functools.lru_cache(maxsize=64)
def _moved(file: SourceFile, start: int, dialect: Dialect, taken: frozenset[str]) -> Fix | None:
    found = _only_way(file, start)
    assert found is not None, "it starts where the one way to it leads"
    env_entry = found.step.entries.get("env")
    env = mapping(env_entry.value) if env_entry else None
    if env_entry and (env is None or env.start.index < env_entry.key.start.index):
        return None
    text = found.scalar.text
    try:
        pieces = split(text)
    except ExpressionError:
        return None
    names = _Names(env, text, taken)
    parts, lead = _parts(pieces, dialect, names, is_script=found.key == "script")
    if not parts:
        return None
    edits = _in_text(file, found.scalar, parts, lead)
    given = _in_env(file, found, env, names.new)
    if edits is None or given is None:
        return None
    fix = Fix(_title(parts), (*given, *edits))
    return fix if _does(file, found, fix, _changed(text, parts, lead), names.new) else None


def scalar_at(file: SourceFile, index: int) -> Scalar | None:
    """The scalar of a command or script at an index of a file."""
    root, _ = _parsed(file)
    found = _ways(root, index, None) if root is not None else []
    return found[0].scalar if found else None


@functools.lru_cache(maxsize=8)
def _parsed(file: SourceFile) -> tuple[Mapping | None, bool]:
    root, problems = parse(file)
    return root, bool(problems)


def _ways(node: Node, index: int, within: _Found | None) -> list[_Found]:
    """Every way to the scalar at an index; there are several where an alias stands for it."""
    if not node.start.index <= index < max(node.end.index, node.start.index + 1):
        return []
    if isinstance(node, Scalar):
        return [replace(within, scalar=node)] if within else []
    found = []
    if isinstance(node, Sequence):
        for item in node.items:
            found += _ways(item, index, within)
        return found
    for key, entry in node:
        inner = within
        if within is None and isinstance(entry.value, _KEYS.get(key, ())):
            inner = _Found(entry.key, node, key)
        found += _ways(entry.value, index, inner)
    return found


def _times(node: Node, scalar: Scalar) -> int:
    """How often a scalar stands in a tree: more than once where it is behind an alias."""
    if isinstance(node, Scalar):
        return int(node is scalar)
    if isinstance(node, Sequence):
        return sum(_times(item, scalar) for item in node.items)
    return sum(_times(entry.value, scalar) for _, entry in node)


def _parts(
    pieces: tuple[str | Embedded, ...], dialect: Dialect, names: _Names, *, is_script: bool
) -> tuple[list[_Part], str]:
    """What takes the places of the expressions, and what has to stand before the text."""
    marked = "".join(EXPRESSION if isinstance(p, Embedded) else p for p in pieces)
    embedded = [piece for piece in pieces if isinstance(piece, Embedded)]
    at = [match.start() for match in re.finditer(EXPRESSION, marked)]
    if dialect == "shell":
        shells = quotings(marked)
    parts = []
    for number, (piece, place) in enumerate(zip(embedded, at, strict=True)):
        inner = piece.inner.strip()
        root, _, rest = inner.partition(".")
        if is_script and root in _READY_MADE and rest.isidentifier():
            variable = f"{_READY_MADE[root]}_{rest.upper()}"
        else:
            variable = names.name(inner)
        before, after = marked[:place], marked[place + 1 :]
        if dialect == "python":
            text, left, right = _python(before, after, variable), 1, 1
        else:
            text, left, right = _shell(shells[number], before, after, variable)
        if not text:
            return [], ""
        parts.append(_Part(inner, piece.start - left, piece.end + right, variable, text))
    if dialect != "python":
        return parts, ""
    return _python_program(marked, parts)


def _shell(quoting: Quoting, before: str, after: str, name: str) -> tuple[str, int, int]:
    """What stands for an expression, and how many characters before and after go with it."""
    if quoting is None:
        return "", 0, 0
    # `$NAME` would take the next letters for its own, or an index or modifier in some shells.
    plain = f"${name}" if not re.match(r"[A-Za-z0-9_\[:\0]", after) else f"${{{name}}}"
    if quoting in ("double", "comment"):
        return plain, 0, 0
    if quoting == "bare":
        return f'"${name}"', 0, 0
    # Out of the single quotes and, where more of the text follows, into them again.
    left, right = before.endswith("'"), after.startswith("'")
    closing, opening = "" if left else "'", "" if right else "'"
    return f'{closing}"${name}"{opening}', int(left), int(right)


def _python(before: str, after: str, name: str) -> str:
    """Only for a string that is nothing but the expression."""
    quote = before[-1:]
    if quote not in ("'", '"') or after[:1] != quote or after[1:2] == quote:
        return ""
    if before[-2:-1] == quote or before[-2:-1].isalnum() or before[-2:-1] in ("_", "\\"):
        return ""
    return f'os.environ["{name}"]'


def _python_program(marked: str, parts: list[_Part]) -> tuple[list[_Part], str]:
    """The parts, with an import where there is none, if what comes of it is a program."""
    import ast

    pieces = marked.split(EXPRESSION)
    text = pieces[0]
    marks = {}
    for number, piece in enumerate(pieces[1:]):
        marks[f"\ue000{number}"] = parts[number].text
        text += f"\ue000{number}{piece}"
    lead = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
            strings = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
            # Each expression is a whole string: not one inside another, nor in a comment.
            if not all(mark in strings for mark in marks):
                return [], ""
            imports = [n for n in tree.body if isinstance(n, ast.Import)]
            names = [a.name for node in imports for a in node.names if not a.asname]
            imported = "os" in names
            if not imported:
                lead = "import os\n" if "\n" in marked else "import os; "
            for mark, new in marks.items():
                for quote in "'\"":
                    text = text.replace(f"{quote}{mark}{quote}", new)
            compile(lead + text, "program", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [], ""
    return parts, lead


def _changed(text: str, parts: list[_Part], lead: str) -> str:
    """The program text as it is meant to be."""
    done, at = lead, 0
    for part in parts:
        done += text[at : part.start] + part.text
        at = part.end
    return done + text[at:]


def _in_text(file: SourceFile, scalar: Scalar, parts: list[_Part], lead: str) -> list[Edit] | None:
    """The edits of the program text, in the style that it is written in."""
    start, end = scalar.start.index, scalar.end.index
    raw, style = file.text[start:end], scalar.style
    changed = _changed(scalar.text, parts, lead)
    if not style and changed[:1] in "\"'`@&*!|>%{[#,?:-":
        style = "rewritten"
    if style == '"' and "\\" not in raw and "\n" not in raw and "'" not in changed:
        style = "rewritten"
    if style == "rewritten":
        if "\n" in raw:
            return None
        quoted = changed.replace("'", "''")
        return [Edit(file.span(start, end), f"'{quoted}'")]
    if "$${{" in scalar.text or raw.count("${{") != len(parts):
        return None
    edits = []
    if lead:
        first = _first_character(raw, style)
        if first is None:
            return None
        indent = re.search(r"[ ]*$", raw[:first])
        wanted = lead.replace("\n", "\n" + (indent[0] if indent else ""))
        edits.append(Edit(file.span(start + first, start + first), wanted))
    at = 0
    for part in parts:
        outer = scalar.text[part.start : part.end]
        before, written, after = outer.partition(_written(outer))
        at = raw.find("${{", at)
        if raw[at : at + len(written)] != written:
            return None
        # A quote in a text of the same quotes is two characters.
        left, right = (2 * len(q) if style and q == style else len(q) for q in (before, after))
        escaped = {"'": part.text.replace("'", "''"), '"': part.text.replace('"', '\\"')}
        span = file.span(start + at - left, start + at + len(written) + right)
        edits.append(Edit(span, escaped.get(style, part.text)))
        at += len(written)
    return edits


def _written(outer: str) -> str:
    """The expression in the text that gives way to a variable."""
    return outer[outer.index("${{") : outer.rindex("}}") + 2]


def _first_character(raw: str, style: str) -> int | None:
    if style in ("|", ">"):
        line = raw.find("\n") + 1
        match = re.compile(r"[ ]*(?=\S)").match(raw, line)
        return match.end() if match else None
    return 1 if style else 0


def _in_env(
    file: SourceFile, found: _Found, env: Mapping | None, new: dict[str, str]
) -> list[Edit] | None:
    """The edits that give the variables their values."""
    if not new:
        return []
    flow = ", ".join(f"{name}: {_quoted(f'${{{{ {inner} }}}}')}" for inner, name in new.items())
    if env is not None and file.text[env.start.index] == "{":
        at = env.start.index + 1
        return [Edit(file.span(at, at), flow + (", " if env.entries else ""))]
    if env is not None:
        first = next(iter(env.entries.values()), None)
        before = _indent(file, first.key.start.index) if first else None
        if first is None or before is None:
            return None
        at = first.key.start.index
        lines = "".join(f"{name}: {_value(inner)}\n{before}" for inner, name in new.items())
        return [Edit(file.span(at, at), lines)]
    at = found.step.entries[found.key].key.start.index
    if file.text[found.step.start.index] == "{":
        return [Edit(file.span(at, at), f"env: {{{flow}}}, ")]
    before = _indent(file, at)
    if before is None:
        return None
    lines = "".join(f"\n{before}  {name}: {_value(inner)}" for inner, name in new.items())
    return [Edit(file.span(at, at), f"env:{lines}\n{before}")]


def _value(inner: str) -> str:
    """The value of a variable in block style, quoted where YAML wants that."""
    written = f"${{{{ {inner} }}}}"
    return written if ": " not in inner and " #" not in inner else _quoted(written)


def _quoted(text: str) -> str:
    if '"' in text or "\\" in text:
        doubled = text.replace("'", "''")
        return f"'{doubled}'"
    return f'"{text}"'


def _indent(file: SourceFile, index: int) -> str | None:
    """The spaces before a key that is the first of its line."""
    _, column = file.position(index)
    before = file.text[index - column + 1 : index]
    return before if not before.strip(" ") else None


def _is_expression(text: str) -> bool:
    return text.startswith("${{") and text.endswith("}}") and text.count("${{") == 1


def _title(parts: list[_Part]) -> str:
    names = list(dict.fromkeys(part.variable for part in parts))
    return f"take the value from the environment: {', '.join('$' + name for name in names)}"


def _does(file: SourceFile, found: _Found, fix: Fix, changed: str, new: dict[str, str]) -> bool:
    """Whether the edited file says what is meant, and is else as it was."""
    text = edits.apply(file.text, fix.edits).text
    root, problems = parse(SourceFile(file.path, text))
    before, _ = _parsed(file)
    if root is None or problems or before is None:
        return False
    return _same(before, root, found, changed, new)


def _same(old: Node, now: Node, found: _Found, changed: str, new: dict[str, str]) -> bool:
    if isinstance(old, Scalar):
        expected = changed if old is found.scalar else old.text
        same_style = old is found.scalar or old.plain == (isinstance(now, Scalar) and now.plain)
        return isinstance(now, Scalar) and now.text == expected and same_style
    if isinstance(old, Sequence):
        if not isinstance(now, Sequence) or len(now.items) != len(old.items):
            return False
        pairs = list(zip(old.items, now.items, strict=True))
        return all(_same(a, b, found, changed, new) for a, b in pairs)
    if not isinstance(now, Mapping) or not old.entries.keys() <= now.entries.keys():
        return False
    added = now.entries.keys() - old.entries.keys()
    pairs = [(entry.value, now.entries[key].value) for key, entry in old]
    if not all(_same(a, b, found, changed, new) for a, b in pairs):
        return False
    if old is found.step and new and "env" not in old.entries:
        env = mapping(now.get("env"))
        return added == {"env"} and env is not None and _holds(env, set(env.entries), new)
    if old is mapping(found.step.get("env")):
        return _holds(now, added, new)
    return not added


def _holds(env: Mapping, added: set[str], new: dict[str, str]) -> bool:
    return added == set(new.values()) and all(
        isinstance(value := env.get(name), Scalar) and value.text == f"${{{{ {inner} }}}}"
        for inner, name in new.items()
    )
