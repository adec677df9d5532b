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

from msgspec.structs import replace

from compiler import TARGET_NAMES, credentials, schema, toml_source
from compiler.diagnostics import Diagnostic, Span, error, has_errors
from compiler.engines import read_engines, read_tickets
from compiler.ir import Pairs
from compiler.lower.settings import tolerations
from compiler.nodes import Mapping, Node, SourceFile, mapping, text, texts
from compiler.policy import read_policy
from compiler.settings import (
    GpuType,
    LocalSettings,
    ObjectStore,
    Policy,
    Project,
    SecretKey,
    TargetSettings,
)

# Whether a pyproject.toml speaks of mlc at all; what it says is for tomllib.
_TABLE = re.compile(r"\btool\b[^\n]*\bmlc\b|^\s*mlc\b", re.MULTILINE)


def find(folder: Path) -> tuple[Project, tuple[Diagnostic, ...], SourceFile | None]:
    """The project of a folder, what is wrong with its configuration, and that file."""
    return _found(folder.absolute())  # a relative one means another elsewhere


@functools.cache
def _found(folder: Path) -> tuple[Project, tuple[Diagnostic, ...], SourceFile | None]:
    folder = folder.resolve()
    for candidate in (folder, *folder.parents):
        own = candidate / "mlc.toml"
        if own.is_file():
            return _load(own, ())
        shared = candidate / "pyproject.toml"
        if shared.is_file() and _TABLE.search(shared.read_text("utf-8", "replace")):
            return _load(shared, ("tool", "mlc"))
    return Project(_unconfigured(folder)), (), None


def forget() -> None:
    """Read configurations anew from now on."""
    _found.cache_clear()
    _load.cache_clear()


def _unconfigured(folder: Path) -> Path:
    """The root where nothing says so: the git checkout, else where the user stands."""
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    here = Path.cwd()
    return here if folder.is_relative_to(here) else folder


# Several folders of a project lead to one file.
@functools.cache
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
    except RecursionError:
        return Project(root, path), (_config_error("nested too deep", file.span(0, 0)),), file
    except ValueError:  # Python refuses to read very long integers
        why = "a number of more digits than can be read"
        return Project(root, path), (_config_error(why, file.span(0, 0)),), file
    packaged = data.get("project") if table else None
    own_name = packaged.get("name") if isinstance(packaged, dict) else None
    for name in table:
        data = data.get(name) if isinstance(data, dict) else None
    if not isinstance(data, dict):
        return Project(root, path), (), file
    try:
        node = toml_source.to_node(data, file, table)
    except RecursionError:
        return Project(root, path), (_config_error("nested too deep", file.span(0, 0)),), file
    if not isinstance(node, Mapping):
        return Project(root, path), (), file
    # Fixes are for specs: TOML is written in another way, and these places are not as exact.
    found = [d._replace(fix=None) for d in schema.check(node, "project")]
    written = list(credentials.check(file, toml_source.lines_of(file, table) if table else None))
    if schema.is_given_up(found):
        return Project(root, path), (*found, *written), file
    policy, problems = read_policy(mapping(node.get("policy")))
    engines, more = read_engines(node, root)
    tickets, still_more = read_tickets(mapping(node.get("tickets")))
    # Of a URL with a password in it, `engines` says what to write instead.
    told = {problem.span.line for problem in (*more, *still_more)}
    found += [one for one in written if one.span.line not in told]
    found += [*problems, *more, *still_more]
    belongs = replace(
        _project(node, root, path, policy),
        engines=engines,
        default_engine=text(node.get("default_engine")),
        tickets=tickets,
        given_name=text(node.get("name")) or (own_name if isinstance(own_name, str) else None),
    )
    return belongs, tuple(found) if has_errors(found) else (), file


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
    index = file.index(int(at[1]), int(at[2]))
    is_line_end = file.text[index : index + 1] in ("\r", "\n")
    return _config_error(message[: at.start()], file.span(index, index + (not is_line_end)))


def _project(node: Mapping, root: Path, path: Path, policy: Policy) -> Project:
    targets = texts(node.get("default_targets"))
    return Project(
        root=root,
        config=path,
        gpus=_gpus(mapping(node.get("gpus"))),
        default_targets=tuple(t for t in TARGET_NAMES if t in targets) or TARGET_NAMES,
        names_targets=bool(targets),
        targets={
            name: _target(entry.value)
            for name, entry in mapping(node.get("targets")) or ()
            if isinstance(entry.value, Mapping)
        },
        local=_local(mapping(node.get("local"))),
        policy=policy,
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
