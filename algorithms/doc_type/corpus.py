"""The documents: docstrings read from a library's source files, without importing it."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

# Not the library's own voice: its tests, its examples, and copies of other projects.
FOREIGN_FOLDERS = {"tests", "testing", "examples", "_examples", "externals", "_extern"}

# What libraries are called in their own documentation. A model that sees these learns no more.
NICKNAMES = {
    "matplotlib": ("mpl", "mplot3d", "plt", "pyplot", "pylab"),
    "networkx": ("nx",),
    "numpy": ("np", "ndarray", "ndarrays"),
    "scipy": ("sp",),
    "sklearn": ("scikit-learn", "scikit"),
}

CODE = re.compile(r"^\s*(?:>>>|\.\.\.|\.\. ).*$", re.MULTILINE)
REFERENCE = re.compile(r":[\w:+-]+:`[^`]*`|https?://\S+|\b[A-Za-z_]\w+(?:\.\w+)+")
MARKUP = re.compile(r"[`*|]|[-=~^]{3,}")


@dataclass(frozen=True, slots=True)
class Document:
    """A docstring. `label` is the library, `module` the file within it, `name` the object."""

    label: str
    module: str
    name: str
    text: str


def documents(library: str, giveaways: re.Pattern[str], max_words: int) -> Iterator[Document]:
    """The documents of an installed library, cut to `max_words`, modules in a fixed random order.

    Documents that had fewer than ten words are left out, and so is a text that came before.

    Raises:
        ModuleNotFoundError: the library is not installed.
    """
    found = importlib.util.find_spec(library)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"{library} is not installed, so it has no documents to read")
    root = Path(found.origin).parent
    modules = (path.relative_to(root).as_posix() for path in root.rglob("*.py"))
    seen: set[str] = set()
    for module in sorted(modules, key=lottery):
        if FOREIGN_FOLDERS.intersection(module.split("/")):
            continue
        for name, docstring in docstrings(ast.parse((root / module).read_bytes())):
            words = clean(docstring, giveaways).split()
            text = " ".join(words[:max_words])
            if text not in seen and len(words) >= 10:
                seen.add(text)
                yield Document(library, module, name, text)


def docstrings(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Names and docstrings of the classes and functions in a syntax tree, in its order."""
    for node in getattr(tree, "body", []):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield node.name, docstring
        yield from docstrings(node)


def clean(docstring: str, giveaways: re.Pattern[str]) -> str:
    """The prose: no code or markup, references and giveaways as `…`."""
    return giveaways.sub("…", MARKUP.sub("", REFERENCE.sub("…", CODE.sub("", docstring))))


def giveaway_words(libraries: Iterable[str]) -> re.Pattern[str]:
    """A pattern for the names by which the libraries go."""
    words = {word for name in libraries for word in (name, *NICKNAMES.get(name, ()))}
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return re.compile(rf"(?i)\b(?:{'|'.join(map(re.escape, longest_first))})\b")


def lottery(text: str) -> float:
    """A number from 0 up to 1 that depends on nothing but the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48
