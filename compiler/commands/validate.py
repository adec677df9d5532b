"""`mlc validate`: checks specs with each of their profiles; offline, no engine imported."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from compiler import frontend, project
from compiler.checks import same_names
from compiler.commands import console
from compiler.diagnostics import Diagnostic, MlcError, has_errors, in_order
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
    count = 0
    for spec in _specs(paths):
        count += 1
        loaded = _check(spec)
        diagnostics += loaded.diagnostics
        sources |= loaded.sources
        if loaded.pipeline is not None:
            pipelines.append(loaded.pipeline)
    diagnostics = in_order([*diagnostics, *same_names(pipelines)])
    console.report(diagnostics, sources, style)
    if not quiet and style == "text":
        found = console.tally(diagnostics)
        specs = f"{count} spec{'s' if count != 1 else ''} checked"
        sys.stderr.write(f"\n{specs}: {found}\n" if found else f"{specs}, nothing wrong\n")
    return console.FAILED if has_errors(diagnostics) else console.OK


def _check(spec: str) -> frontend.Loaded:
    document = console.document(spec)
    if document.kind != "Algorithm":
        return frontend.check_part(document, git=UNKNOWN)
    plain = frontend.build(document, git=UNKNOWN)
    diagnostics = list(plain.diagnostics)
    for profile in document.profiles:
        diagnostics += frontend.build(document, [profile], git=UNKNOWN).diagnostics
    return frontend.Loaded(plain.pipeline, plain.project, in_order(diagnostics), plain.sources)


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
