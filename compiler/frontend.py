"""The front end in one call: a file in, a checked pipeline and everything found out."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence as Items
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from compiler import checks, credentials, ignores, params, project, schema, source
from compiler.binding import Git
from compiler.compose import Library, extend
from compiler.diagnostics import (
    Diagnostic,
    Span,
    error,
    has_errors,
    in_order,
    listing,
    nearest,
)
from compiler.ir import Pipeline
from compiler.lower import lower
from compiler.lower.component import lower_component
from compiler.nodes import Mapping, SourceFile, text
from compiler.resolve import profile_names, resolve
from compiler.settings import Policy, Project
from compiler.source import shown_path as shown_path

# Characters of a spec, times its profiles.
_MOST_WORK = 2 << 20


class Loaded(Struct, frozen=True):
    """What came of a spec: a pipeline where there was no error.

    `sources` holds the text of every file that a diagnostic may point at, by its shown path;
    `ignored` the places of the codes in comments that took findings away.
    """

    pipeline: Pipeline | None
    project: Project
    diagnostics: list[Diagnostic]
    sources: dict[str, SourceFile] = field(default_factory=dict)
    ignored: frozenset[Span] = frozenset()


class Document(Struct, frozen=True):
    """A spec that has been read and checked against the schema, with its bases in it.

    `library` has the other files of the project that it names, `path` is its own as messages
    show it.
    """

    root: Mapping | None
    project: Project
    diagnostics: list[Diagnostic]
    sources: dict[str, SourceFile]
    library: Library
    path: str

    @property
    def kind(self) -> str:
        """`Algorithm`, `Component` or `Base`."""
        return (text(self.root.get("kind")) if self.root else None) or "Algorithm"

    @property
    def profiles(self) -> list[str]:
        return profile_names(self.root) if self.root else []


def read(
    path: Path,
    shown: str | None = None,
    data: bytes | None = None,
    unsaved: Dictionary[Path, str] | None = None,
) -> Document:
    """Read a spec; with `data` given (standard input) the path only finds the project.

    Texts of `unsaved` count instead of the files with these real paths.
    """
    shown = shown or shown_path(path)
    belongs, found, config = project.find(path.parent)
    if data is None:
        root, file, diagnostics = source.read(path, shown, unsaved)
    else:
        root, file, diagnostics = source.parse_bytes(data, shown)
    sources = {file.path: file}
    if config is not None:
        sources[config.path] = config
    diagnostics = [*found, *diagnostics, *credentials.check(file)]
    library = Library(belongs.root, sources, unsaved)
    if root is not None:
        wrong = schema.check(root, "language")
        diagnostics += wrong
        if schema.is_given_up(wrong):
            return Document(None, belongs, diagnostics, sources, library, shown)
        root, found_in_bases = extend(root, library)
        diagnostics += found_in_bases
        diagnostics += _too_many_profiles(root, sources)
    return Document(root, belongs, diagnostics, sources, library, shown)


def build(
    document: Document,
    profiles: Items[str] = (),
    overrides: Dictionary[str, str] | None = None,
    values: Mapping | None = None,
    git: Git | None = None,
) -> Loaded:
    """The pipeline of a document with profiles, values from a file and overrides as text.

    Later ones win: profiles in their order, then `values` (a mapping of names to values), then
    `overrides`.
    """
    diagnostics = list(document.diagnostics)
    sources = document.sources
    root = document.root
    if root is None:
        return _settled(None, document, diagnostics)
    if document.kind != "Algorithm":
        diagnostics.append(_not_whole(document.kind, root))
        return _settled(None, document, diagnostics)
    diagnostics += _unknown_profiles(document, profiles, sources)
    resolved, found = resolve(root, profiles)
    diagnostics += found
    pipeline, scope, found = lower(resolved, document.project, git, document.library)
    diagnostics += found
    known = scope.params
    if values is not None:
        given = [(entry.key, entry.value) for _, entry in values]
        known, found = params.overlay(known, given, scope.broken["params"])
        diagnostics += found
        sources[values.file.path] = values.file
    if overrides:
        known, found, file = params.override(known, overrides)
        diagnostics += found
        sources[file.path] = file
    pipeline = replace(pipeline, params=tuple(known.values()))
    diagnostics += checks.check(pipeline, document.project, scope.flawed, sources)
    if scope.misspelt:
        diagnostics = checks.settle_sides(
            diagnostics, scope.misspelt, pipeline, scope.reads, document.project, sources
        )
    if not has_errors(diagnostics):
        diagnostics += checks.review(pipeline, scope.reads)
        diagnostics += checks.idle_settings(root, resolved)
        diagnostics += checks.forgotten_values(root)
        diagnostics += checks.unmatched_sources(resolved.spec, document.project)
    if not has_errors(document.diagnostics):
        diagnostics += checks.required(pipeline, document.project, scope.flawed)
    return _settled(pipeline, document, diagnostics)


def load(
    path: Path,
    profiles: Items[str] = (),
    overrides: Dictionary[str, str] | None = None,
    git: Git | None = None,
) -> Loaded:
    """Read and build in one go."""
    return build(read(path), profiles, overrides, git=git)


def check_part(document: Document, git: Git | None = None) -> Loaded:
    """What can be said of a component or a base by itself; there is no pipeline of it."""
    diagnostics = list(document.diagnostics)
    if document.root is not None and document.kind == "Component":
        component, scope = lower_component(document.root, document.project, git)
        diagnostics += scope.diagnostics
        diagnostics += checks.check(component, document.project, scope.flawed, document.sources)
        if not has_errors(diagnostics):
            diagnostics += checks.review(component, scope.reads)
    return _settled(None, document, diagnostics)


def held_to_no_policy(document: Document) -> Document:
    """The document for what touches no cluster: what a policy asks is asked of what does."""
    return replace(document, project=replace(document.project, policy=Policy()))


def settle(diagnostics: Items[Diagnostic], loaded: Loaded) -> list[Diagnostic]:
    """What counts of findings of a later phase, by the policy and the comments of the spec."""
    files = loaded.sources.values()
    return ignores.settle(diagnostics, loaded.project.policy, files).diagnostics


def unused_ignores(document: Document, used: Collection[Span]) -> list[Diagnostic]:
    """Ignores of a spec that took nothing away, whatever was built of it; `used` are those that
    did. A base's are for the specs that go on from it."""
    file = document.sources[document.path]
    if document.root is None or document.kind == "Base":
        return []
    policy = document.project.policy
    return ignores.weighed(ignores.unused(file, used, policy), policy)


def _settled(
    pipeline: Pipeline | None, document: Document, diagnostics: list[Diagnostic]
) -> Loaded:
    """What came of a document, by the policy and the comments of its files."""
    document.sources.update(_other_files(diagnostics, document.sources))
    policy = document.project.policy
    found, used = ignores.settle(diagnostics, policy, document.sources.values())
    sound = None if has_errors(found) else pipeline
    return Loaded(sound, document.project, in_order(found), document.sources, used)


def _too_many_profiles(root: Mapping, sources: Dictionary[str, SourceFile]) -> list[Diagnostic]:
    """Profiles that a spec is too long for, which are taken out of it: it is checked with each."""
    profiles = root.entries.get("profiles")
    if profiles is None or not isinstance(profiles.value, Mapping):
        return []
    size = sum(len(file.text) for file in sources.values())
    count = len(profiles.value.entries)
    if size * count <= _MOST_WORK or count == 1:
        return []
    del root.entries["profiles"]
    root.broken |= {"profiles"}
    message = (
        f"{count} profiles are too many for a spec of {size >> 10} kB: each is checked with it"
    )
    hint = f"{max(1, _MOST_WORK // size)} at most; move values into params, or algorithms apart"
    return [error("MLC006", message, profiles.key.span, hint=hint)]


def _not_whole(kind: str, root: Mapping) -> Diagnostic:
    node = root.get("kind")
    hint = "it is for others to " + ("`use`" if kind == "Component" else "go on from: `extends`")
    message = f"a {kind} is no algorithm, so there is nothing to compile or run"
    return error("MLC332", message, (node or root).span, hint=hint)


def _other_files(
    diagnostics: list[Diagnostic], known: Dictionary[str, SourceFile]
) -> dict[str, SourceFile]:
    """The code that diagnostics point at beside the spec."""
    paths = {related.span.path for d in diagnostics for related in d.related} - known.keys()
    return {
        path: SourceFile(path, Path(path).read_text("utf-8", "replace"))
        for path in sorted(paths)
        if Path(path).is_file()
    }


def _unknown_profiles(
    document: Document, profiles: Items[str], sources: dict[str, SourceFile]
) -> list[Diagnostic]:
    found = []
    for name in profiles:
        if name in document.profiles:
            continue
        file = SourceFile(f"--profile {name}", f"--profile {name}")
        sources[file.path] = file
        near = nearest(name, document.profiles)
        if near:
            hint = f"did you mean `{near}`?"
        elif document.profiles:
            hint = f"the spec has {listing(document.profiles)}"
        else:
            hint = "the spec has no `profiles`"
        span = file.span(10, 10 + len(name))
        found.append(error("MLC312", f"there is no profile `{name}`", span, hint=hint))
    return found
