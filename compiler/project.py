"""The project that a spec belongs to: `mlc.toml`, or `[tool.mlc]` of pyproject.toml.

The nearest ancestor folder that has one is the project's root. Without any it is the git checkout,
else the working directory.
"""

from __future__ import annotations

import functools
import re
import tomllib
from pathlib import Path
from typing import Any

from compiler import schema
from compiler.diagnostics import Diagnostic, Span, error, has_errors
from compiler.ir import Pairs
from compiler.lower.settings import tolerations
from compiler.nodes import (
    Entry,
    Mapping,
    Node,
    Scalar,
    Sequence,
    SourceFile,
    mapping,
    text,
    texts,
)
from compiler.settings import (
    TARGET_NAMES,
    GpuType,
    LocalSettings,
    ObjectStore,
    Project,
    SecretKey,
    TargetSettings,
)
from compiler.values import to_text

# Whether a pyproject.toml speaks of mlc at all; what it says is for tomllib.
_TABLE = re.compile(r"\btool\b[^\n]*\bmlc\b|^\s*mlc\b", re.MULTILINE)


@functools.cache
def find(folder: Path) -> tuple[Project, tuple[Diagnostic, ...], SourceFile | None]:
    """The project of a folder, what is wrong with its configuration, and that file."""
    folder = folder.resolve()
    for candidate in (folder, *folder.parents):
        own = candidate / "mlc.toml"
        if own.is_file():
            return _load(own, ())
        shared = candidate / "pyproject.toml"
        if shared.is_file() and _TABLE.search(shared.read_text("utf-8", "replace")):
            return _load(shared, ("tool", "mlc"))
    return Project(_unconfigured(folder)), (), None


def _unconfigured(folder: Path) -> Path:
    """The root where nothing says so: the git checkout, else where the user stands."""
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    here = Path.cwd()
    return here if folder.is_relative_to(here) else folder


def _load(path: Path, table: tuple[str, ...]) -> tuple[Project, tuple[Diagnostic, ...], SourceFile]:
    root = path.parent
    try:
        file = SourceFile(_shown(path), path.read_bytes().decode("utf-8"), path)
        data: Any = tomllib.loads(file.text)
    except (OSError, UnicodeDecodeError) as problem:
        file = SourceFile(_shown(path), "", path)
        return Project(root, path), (_config_error(str(problem), file.span(0, 0)),), file
    except tomllib.TOMLDecodeError as problem:
        return Project(root, path), (_syntax_error(file, str(problem)),), file
    for name in table:
        data = data.get(name) if isinstance(data, dict) else None
    if not isinstance(data, dict):
        return Project(root, path), (), file
    node = _Places(file, table).node(data, table)
    if not isinstance(node, Mapping):
        return Project(root, path), (), file
    found = tuple(schema.check(node, "project"))
    return _project(node, root, path), found if has_errors(found) else (), file


def _shown(path: Path) -> str:
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()


def _config_error(message: str, span: Span) -> Diagnostic:
    return error("MLC901", f"can't read the project's configuration: {message}", span)


def _syntax_error(file: SourceFile, message: str) -> Diagnostic:
    at = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if at is None:
        return _config_error(message, file.span(len(file.text), len(file.text)))
    line, column = int(at[1]), int(at[2])
    span = Span(file.path, line, column, line, column + 1)
    return _config_error(message[: at.start()], span)


class _Places:
    """Gives TOML data the places that tomllib does not tell: the line of its table or key."""

    def __init__(self, file: SourceFile, table: tuple[str, ...]) -> None:
        self.file = file
        self.table = table

    def node(self, data: Any, path: tuple[str, ...]) -> Node:
        start, end = self.marks(path)
        if isinstance(data, dict):
            entries = {}
            for key, value in data.items():
                inner = (*path, key)
                at, to = self.marks(inner)
                key_node = Scalar(self.file, at, to, key, '"')
                entries[key] = Entry(key_node, self.node(value, inner))
            return Mapping(self.file, start, end, entries)
        if isinstance(data, list):
            return Sequence(self.file, start, end, [self.node(item, path) for item in data])
        style = "" if isinstance(data, (bool, int, float)) else '"'
        plain = isinstance(data, (bool, int, float))
        written = to_text(data) if plain else str(data)
        return Scalar(self.file, start, end, written, style)

    def marks(self, path: tuple[str, ...]) -> tuple[_Mark, _Mark]:
        return _Mark(self, path, 0), _Mark(self, path, len(path[-1]) if path else 0)

    def find(self, path: tuple[str, ...]) -> int:
        """The offset of a key: in its own table, in the table above, or of the table's header."""
        source = self.file.text
        for cut in range(len(path), 0, -1):
            header = re.compile(
                r"^[ \t]*\[+[ \t]*" + r"[ \t]*\.[ \t]*".join(map(_key, path[:cut])), re.MULTILINE
            )
            found = header.search(source)
            if found is None:
                continue
            at = found.end() - len(path[cut - 1]) - (source[found.end() - 1] in "\"'")
            for name in path[cut:]:
                key = re.compile(r"(?:^[ \t]*|[.{,][ \t]*)(" + _key(name) + r")[ \t]*[.=]", re.M)
                inner = key.search(source, found.end())
                if inner is None:
                    break
                at = inner.start(1)
            return max(at, 0)
        for name in path[len(self.table) :]:
            key = re.compile(r"^[ \t]*(" + _key(name) + r")[ \t]*[.=]", re.MULTILINE)
            inner = key.search(source)
            if inner is not None:
                return inner.start(1)
        return 0


class _Mark:
    """A place that is looked for only when a diagnostic wants it."""

    __slots__ = ("offset", "path", "places")

    def __init__(self, places: _Places, path: tuple[str, ...], offset: int) -> None:
        self.places, self.path, self.offset = places, path, offset

    @property
    def index(self) -> int:
        return self.places.find(self.path) + self.offset


def _key(name: str) -> str:
    return rf"[\"']?{re.escape(name)}[\"']?"


def _project(node: Mapping, root: Path, path: Path) -> Project:
    targets = texts(node.get("default_targets"))
    return Project(
        root=root,
        config=path,
        gpus=_gpus(mapping(node.get("gpus"))),
        default_targets=tuple(t for t in TARGET_NAMES if t in targets) or TARGET_NAMES,
        targets={
            name: _target(entry.value)
            for name, entry in mapping(node.get("targets")) or ()
            if isinstance(entry.value, Mapping)
        },
        local=_local(mapping(node.get("local"))),
    )


def _gpus(node: Mapping | None) -> dict[str, GpuType]:
    catalogue = {}
    for name, entry in node or ():
        definition = mapping(entry.value)
        if definition is not None:
            catalogue[name] = GpuType(
                name=name,
                resource=text(definition.get("resource")) or "nvidia.com/gpu",
                node_selector=_pairs(definition.get("node_selector")),
                tolerations=tolerations(definition.get("tolerations")),
            )
    return catalogue


def _pairs(node: Node | None) -> Pairs:
    entries = ((name, text(entry.value)) for name, entry in mapping(node) or ())
    return tuple((name, value) for name, value in entries if value is not None)


def _target(node: Mapping) -> TargetSettings:
    return TargetSettings(
        accept=texts(node.get("accept")),
        s3=_store(mapping(node.get("s3"))),
        gcs=_store(mapping(node.get("gcs"))),
        service_account=text(node.get("service_account")),
        memoize=text(node.get("memoize")),
        helper_image=text(node.get("helper_image")),
        timezone=text(node.get("timezone")),
    )


def _store(node: Mapping | None) -> ObjectStore | None:
    if node is None:
        return None
    return ObjectStore(
        endpoint=text(node.get("endpoint")),
        region=text(node.get("region")),
        insecure=text(node.get("insecure")) == "true",
        access_key=_secret_key(mapping(node.get("access_key"))),
        secret_key=_secret_key(mapping(node.get("secret_key"))),
        service_account_key=_secret_key(mapping(node.get("service_account_key"))),
    )


def _secret_key(node: Mapping | None) -> SecretKey | None:
    name, key = (text(node.get("name")), text(node.get("key"))) if node else (None, None)
    return SecretKey(name, key) if name and key else None


def _local(node: Mapping | None) -> LocalSettings:
    if node is None:
        return LocalSettings()
    return LocalSettings(
        pythonpath=texts(node.get("pythonpath")),
        volumes=dict(_pairs(node.get("volumes"))),
        secrets=dict(_pairs(node.get("secrets"))),
        pass_env=texts(node.get("pass_env")),
    )
