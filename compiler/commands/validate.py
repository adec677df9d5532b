"""`mlc validate`: checks specs with each of their profiles; offline, no engine imported."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from compiler import frontend, project
from compiler.checks import changes_nothing, no_change, same_names
from compiler.commands import console
from compiler.diagnostics import Diagnostic, MlcError, Severity, Span, has_errors, in_order
from compiler.git import UNKNOWN
from compiler.ir import Pipeline
from compiler.nodes import SourceFile

_SPEC = re.compile(
    r"^(apiVersion:\s*[\"']?mlc/|kind:\s*[\"']?(Algorithm|Component|Base)\b)", re.MULTILINE
)
_NOT_SEARCHED = {"build", "dist", "node_modules", "__pycache__"}


def validate(paths: tuple[str, ...], style: str = "text", quiet: bool = False) -> int:
    """Check files and folders; without any, the project's `algorithms/`."""
    diagnostics: list[Diagnostic] = []
    sources: dict[str, SourceFile] = {}
    pipelines: list[Pipeline] = []
    documents: list[frontend.Document] = []
    ignored: frozenset[Span] = frozenset()
    for spec in _specs(paths):
        document = console.document(spec)
        documents.append(document)
        loaded = _check(document)
        diagnostics += loaded.diagnostics
        sources |= loaded.sources
        ignored |= loaded.ignored
        if loaded.pipeline is not None:
            pipelines.append(loaded.pipeline)
    diagnostics += same_names(pipelines)
    wrong = {d.span.path for d in diagnostics if d.severity is Severity.ERROR}
    for document in documents:
        # Where there are errors, not all checks were made.
        if document.path not in wrong:
            diagnostics += frontend.unused_ignores(document, ignored)
    diagnostics = in_order(diagnostics)
    checked = [document.path for document in documents]
    console.report(diagnostics, sources, style, checked)
    if not quiet and style == "text":
        found = console.tally(diagnostics)
        specs = f"{len(checked)} spec{'s' if len(checked) != 1 else ''} checked"
        sys.stderr.write(f"\n{specs}: {found}\n" if found else f"{specs}, nothing wrong\n")
        sys.stderr.write(console.pointer(diagnostics))
    return console.FAILED if has_errors(diagnostics) else console.OK


def _check(document: frontend.Document) -> frontend.Loaded:
    if document.kind != "Algorithm":
        return frontend.check_part(document, git=UNKNOWN)
    plain = frontend.build(document, git=UNKNOWN)
    diagnostics, ignored = list(plain.diagnostics), plain.ignored
    for profile in document.profiles:
        profiled = frontend.build(document, [profile], git=UNKNOWN)
        diagnostics += profiled.diagnostics
        ignored |= profiled.ignored
        if document.root and plain.pipeline and profiled.pipeline:
            same = changes_nothing(plain.pipeline, profiled.pipeline)
            found = no_change(document.root, profile) if same else ()
            diagnostics += frontend.settle(list(found), plain)
    return replace(plain, diagnostics=in_order(diagnostics), ignored=ignored)


def _specs(paths: tuple[str, ...]) -> Iterator[str]:
    if not paths:
        root = project.find(Path.cwd())[0].root
        folder = root / "algorithms"
        if not folder.is_dir():
            shown = frontend.shown_path(folder)
            raise MlcError(f"there is no folder {shown}: name the specs to check")
        paths = (frontend.shown_path(folder),)
    for given in paths:
        path = Path(given)
        if given != "-" and path.is_dir():
            found = [p.as_posix() for p in _below(path) if _looks_like_spec(p)]
            if not found:
                raise MlcError(f"there is no spec in {given}")
            yield from found
        else:
            yield given


def _below(folder: Path) -> Iterator[Path]:
    """The YAML files of a folder, but for what is hidden, built or installed."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in _NOT_SEARCHED:
            continue
        if path.is_dir() and not path.is_symlink() and not (path / "pyvenv.cfg").exists():
            yield from _below(path)
        elif path.suffix in (".yaml", ".yml"):
            yield path


def _looks_like_spec(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            return _SPEC.search(stream.read(1 << 20)) is not None
    except OSError:
        return True
