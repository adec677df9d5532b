"""Which files of the project a program can load, told from its source and never by running it.

Python is followed through its imports. What is put together at run time can't be seen here; that
is what `sources` in a spec is for.
"""

from __future__ import annotations

import ast
import os.path
import re
import tomllib
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

# What may be a path or a module among the words of a command or a script.
_WORD = re.compile(r"[\w./@+~-]+")


class Source(Struct, frozen=True):
    """What a Python file imports, as module and names taken from it, and the texts in it."""

    imports: tuple[tuple[str, tuple[str, ...]], ...]
    texts: frozenset[str]


class Code:
    """The code of a project. `roots` are the folders that modules are found in, the first first.

    `gone` are files that were there on the other side of a comparison: what imports one of them
    depends on it all the more. Of files that are only named in a text, as a template beside the
    code, those in `wanted` are followed. `scripts` are the project's own commands with the modules
    that they call. What was found is remembered, since many programs share modules.
    """

    def __init__(
        self,
        roots: tuple[Path, ...],
        gone: Collection[Path] = (),
        wanted: Collection[Path] = (),
        scripts: Mapping[str, str] | None = None,
    ) -> None:
        self.roots = roots
        self.gone = frozenset(gone)
        self.wanted = frozenset(wanted)
        self.wanted_names = {path.name for path in wanted}
        self.scripts = scripts or {}
        self.sources: dict[Path, Source | None] = {}
        self.led: dict[tuple[Path, tuple[Path, ...]], list[Path]] = {}
        self.modules: dict[tuple[str, tuple[Path, ...]], list[Path]] = {}
        self.named: dict[tuple[str, tuple[Path, ...]], list[Path]] = {}

    def module(self, name: str, roots: tuple[Path, ...] = ()) -> list[Path]:
        """The files that importing a module runs, its packages' first; none where it is not in
        the project."""
        key = (name, roots or self.roots)
        if key not in self.modules:
            self.modules[key] = self._module(*key)
        return self.modules[key]

    def _module(self, name: str, roots: tuple[Path, ...]) -> list[Path]:
        parts = name.split(".")
        for root in roots:
            own = root.joinpath(*parts)
            for file in (own.parent / f"{own.name}.py", own / "__init__.py"):
                if self._is_there(file):
                    above = (root.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts)))
                    return [*filter(self._is_there, above), file]
        return []

    def words(self, text: str, folder: Path) -> list[Path]:
        """The files and modules that the words of a command or script name, from a folder or one
        of the roots."""
        key = (text, (folder, *self.roots))
        if key not in self.named:
            self.named[key] = self._words(*key)
        return self.named[key]

    def _words(self, text: str, folders: tuple[Path, ...]) -> list[Path]:
        found: dict[Path, None] = {}
        words = _WORD.findall(text)
        for before, word in zip(["", *words], words, strict=False):
            if before == "-m":
                found |= dict.fromkeys([*self.module(word), *self.module(f"{word}.__main__")])
            if word in self.scripts:
                found |= dict.fromkeys(self.module(self.scripts[word]))
            for folder in folders:
                path = _normal(folder / word)
                for file in (path, path / "__main__.py") if path is not None else ():
                    if self._is_there(file):
                        found[file] = None
        return list(found)

    def inline(self, text: str) -> list[Path]:
        """The files of the project that Python source without a file of its own imports."""
        source = _source(text, None)
        return self._imported(source, self.roots) if source else []

    def follow(
        self, start: Iterable[Path], *, as_scripts: bool = False
    ) -> Mapping[Path, Path | None]:
        """All that is loaded from these files on, each with the file that led to it.

        `as_scripts` where they are run by their path, which makes modules of what is beside them.
        """
        led_by: dict[Path, Path | None] = dict.fromkeys(start)
        beside = {path: (*self.roots, *([path.parent] if as_scripts else [])) for path in led_by}
        pending = list(led_by)
        for path in pending:
            roots = beside[path]
            for found in self._loads(path, roots):
                if found not in led_by:
                    led_by[found] = path
                    beside[found] = roots
                    pending.append(found)
        return led_by

    def _loads(self, path: Path, roots: tuple[Path, ...]) -> list[Path]:
        """What a file loads by itself."""
        key = (path, roots)
        if key not in self.led:
            source = self._read(path)
            imported = self._imported(source, roots) if source else []
            self.led[key] = [*imported, *self._named(source, path, roots)] if source else []
        return self.led[key]

    def _imported(self, source: Source, roots: tuple[Path, ...]) -> list[Path]:
        found: dict[Path, None] = {}
        for module, names in source.imports:
            found |= dict.fromkeys(self.module(module, roots))
            for name in names:
                found |= dict.fromkeys(self.module(f"{module}.{name}", roots))
        return list(found)

    def _read(self, path: Path) -> Source | None:
        if path not in self.sources:
            self.sources[path] = self._parse(path) if path.suffix == ".py" else None
        return self.sources[path]

    def _parse(self, path: Path) -> Source | None:
        """What a file says; relative imports count from its place below the roots."""
        try:
            text = path.read_bytes()
        except OSError:
            return None
        root = next((root for root in self.roots if path.is_relative_to(root)), path.parent)
        return _source(text, path.relative_to(root).parent.parts)

    def _named(self, source: Source, path: Path, roots: tuple[Path, ...]) -> Iterator[Path]:
        """The wanted files that texts of a module name, from its folder or a root."""
        for text in sorted(source.texts):
            if text.rpartition("/")[2] in self.wanted_names:
                for folder in (path.parent, *roots):
                    named = _normal(folder / text)
                    if named is not None and named in self.wanted:
                        yield named

    def _is_there(self, path: Path) -> bool:
        try:
            return path in self.gone or path.is_file()
        except OSError:  # too long a name: what was a word of a script is no path
            return False


def own_scripts(pyproject: str) -> dict[str, str]:
    """The commands that a project installs, as its pyproject.toml names them, with the module of
    each."""
    try:
        data: Any = tomllib.loads(pyproject)
    except tomllib.TOMLDecodeError:
        return {}
    found = {}
    for keys in (("project", "scripts"), ("project", "gui-scripts"), ("tool", "poetry", "scripts")):
        table = data
        for key in keys:
            table = table.get(key) if isinstance(table, dict) else None
        for name, entry in table.items() if isinstance(table, dict) else ():
            if isinstance(entry, str):
                found[name] = entry.partition(":")[0].strip()
    return found


def _source(text: str | bytes, package: tuple[str, ...] | None) -> Source | None:
    """`package` are the names of the package that the source is in, None where it is in none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    imports: list[tuple[str, tuple[str, ...]]] = []
    texts = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                imports += [(alias.name, ()) for alias in names]
            case ast.ImportFrom(module=module, names=names, level=level):
                base = _base(module, level, package)
                if base:
                    imports.append((base, tuple(a.name for a in names if a.name != "*")))
            case ast.Call(func=function, args=[ast.Constant(value=str() as name), *_]):
                called = getattr(function, "attr", getattr(function, "id", ""))
                if called in ("import_module", "__import__") and not name.startswith("."):
                    imports.append((name, ()))
            case ast.Constant(value=str() as constant):
                texts.add(constant)
    return Source(tuple(dict.fromkeys(imports)), frozenset(texts))


def _base(module: str | None, level: int, package: tuple[str, ...] | None) -> str:
    """The module that `from … import` names in full; empty where that leads out of all roots."""
    if level == 0:
        return module or ""
    if package is None or level - 1 > len(package):
        return ""
    kept = package[: len(package) - (level - 1)]
    return ".".join((*kept, *([module] if module else [])))


def _normal(path: Path) -> Path | None:
    """A path without `..` in it, links left as they are; None for what is no path."""
    if "\0" in str(path):
        return None
    return Path(os.path.normpath(path))
