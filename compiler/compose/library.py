"""Reads the spec files that others name, each once, and holds them to the project's folder."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Dictionary
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from msgspec import Struct

from compiler import credentials, mending, schema, source
from compiler.diagnostics import Diagnostic, Related, Span, error, listing, nearest
from compiler.nodes import Mapping, Scalar, SourceFile, text

# What each key takes; the other kinds are told where they belong.
_KINDS = {"extends": ("Base", "Algorithm"), "use": ("Component", "Algorithm")}
_ELSEWHERE = {
    "Base": "a base is for `extends`",
    "Component": "a component is a step: `use` it",
    "Algorithm": "an algorithm is a pipeline",
}
# Calls of calls multiply: ten algorithms that each use the next one ten times are 10^10 steps.
_MOST_CALLS = 1000


class _Read(Struct, frozen=True):
    root: Mapping | None
    diagnostics: tuple[Diagnostic, ...]


class _Visit(Struct, frozen=True):
    path: Path
    reference: Scalar


class Circle(Exception):  # noqa: N818 - told to the user as a diagnostic
    """A file that is on the way to itself."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class Library:
    """The spec files of a project. `root` is its folder; nothing outside of it is read.

    `sources` gets every file that is read, by the path that messages show. `removed` tells of the
    entries of bases that a spec takes out by a null: where, by the path of the spec that messages
    show, key (`steps`, `params` …) and name. `unsaved` are texts that count instead of what is on
    disk, by the real path of the file.
    """

    def __init__(
        self,
        root: Path,
        sources: dict[str, SourceFile] | None = None,
        unsaved: Dictionary[Path, str] | None = None,
    ) -> None:
        self.root = root
        self.unsaved: Dictionary[Path, str] = unsaved or {}
        self.sources: dict[str, SourceFile] = {} if sources is None else sources
        self.removed: dict[str, dict[str, dict[str, Span]]] = {}
        self._read: dict[Path, _Read] = {}
        self._way: list[_Visit] = []
        self._calls = 0

    def find(self, reference: Scalar, key: str) -> tuple[Mapping | None, list[Diagnostic]]:
        """The root of the file that `extends` or `use` names, and what is wrong with it."""
        path, problem = self._path(reference, key)
        if path is None:
            return None, [problem] if problem else []
        known = self._read.get(path)
        if known is None:
            known = self._read[path] = self._load(path)
        found = list(known.diagnostics)
        if known.root is None:
            return None, found
        kind_node = known.root.get("kind")
        kind = text(kind_node)
        if kind_node is None or kind is None:  # it has been told of
            return None, found
        if kind not in _KINDS[key]:
            shown = source.shown_path(path)
            message = f"`{key}` takes {listing(_KINDS[key])}, and `{shown}` is a `{kind}`"
            related = (Related("its kind", kind_node.span),)
            hint = _ELSEWHERE[kind]
            found.append(error("MLC332", message, reference.span, hint=hint, related=related))
            return None, found
        return known.root, found

    @contextmanager
    def inside(self, reference: Scalar) -> Iterator[None]:
        """Follow a reference that `find` has found a file for; what is in it can't lead back.

        Raises:
            Circle: the file is on the way here already, or too many calls were followed.
        """
        path = self._target(reference)
        here = self._file(reference)
        steps = [visit.path for visit in self._way]
        if path == here or path in steps or (self._way and path == self._start()):
            raise Circle(self._circle(reference, path))
        if not self._way:
            self._calls = 0
        self._calls += 1
        if self._calls > _MOST_CALLS:
            message = f"this comes to more than {_MOST_CALLS} files used by one step"
            raise Circle(error("MLC331", message, self._way[0].reference.span))
        self._way.append(_Visit(path, reference))
        try:
            yield
        finally:
            self._way.pop()

    def _circle(self, reference: Scalar, path: Path) -> Diagnostic:
        steps = [visit.path for visit in self._way]
        first = steps.index(path) + 1 if path in steps else 0
        related = tuple(
            Related(f"which leads to {source.shown_path(visit.path)}", visit.reference.span)
            for visit in self._way[first:]
        )
        shown = source.shown_path(path)
        message = f"`{shown}` leads back to itself"
        hint = "take one of these references out"
        return error("MLC331", message, reference.span, hint=hint, related=related)

    def _start(self) -> Path | None:
        return self._file(self._way[0].reference)

    def _file(self, reference: Scalar) -> Path | None:
        file = reference.file.file
        return file.resolve() if file else None

    def _target(self, reference: Scalar) -> Path:
        file = reference.file.file
        folder = file.parent if file else Path.cwd()
        return (folder / reference.text).resolve()

    def _path(self, reference: Scalar, key: str) -> tuple[Path | None, Diagnostic | None]:
        written = reference.text
        if "${{" in written:
            message = f"the path of `{key}` can't be an expression"
            return None, error("MLC406", message, reference.span)
        hint = "paths count from the file that they are written in"
        if PurePosixPath(written).is_absolute() or "\\" in written or "\0" in written:
            message = f"`{written}` is no path that goes from this file"
            return None, error("MLC330", message, reference.span, hint=hint)
        if ":" in written or "@" in written:
            message = "`:` and `@` in a path are reserved"
            return None, error("MLC330", message, reference.span, hint="rename the file")
        try:
            path = self._target(reference)
            is_file = path.is_file()
        except (OSError, RuntimeError):  # too long a name, links in a circle
            message = f"can't follow the path `{written}`"
            return None, error("MLC330", message, reference.span, hint=hint)
        if not path.is_relative_to(self.root.resolve()):
            message = f"`{written}` lies outside of the project"
            hint = f"the project is {source.shown_path(self.root)}; copy the file into it"
            return None, error("MLC330", message, reference.span, hint=hint)
        if is_file:
            return path, None
        if path.is_dir():
            return None, error("MLC330", f"`{written}` is a folder", reference.span, hint=hint)
        names, fix = [], None
        if path.parent.is_dir():
            names = sorted(p.name for p in path.parent.iterdir() if p.is_file())
        # What all names end with makes none of them near.
        stems = {name.removesuffix(".yaml").removesuffix(".yml"): name for name in names}
        stem = nearest(path.name.removesuffix(".yaml").removesuffix(".yml"), stems)
        near = stems[stem] if stem is not None else None
        if near:
            right = (PurePosixPath(written).parent / near).as_posix()
            hint = f"did you mean `{right}`?"
            if mending.only_near(path.name, names) == near:
                fix = mending.renamed(reference.file, reference.span, written, right)
        message = f"there is no file `{written}`"
        return None, error("MLC330", message, reference.span, hint=hint, fix=fix)

    def _load(self, path: Path) -> _Read:
        root, file, found = source.read(path, source.shown_path(path), self.unsaved)
        self.sources[file.path] = file
        found = [*found, *credentials.check(file)]
        if root is not None:
            wrong = schema.check(root, "language")
            found = [*found, *wrong]
            root = None if schema.is_given_up(wrong) else root
        return _Read(root, tuple(found))
