"""`mlc compile`: specs to files for the targets, whole or not at all."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
from msgspec import Struct

from compiler import __version__, files, frontend, targets
from compiler.binding import Git
from compiler.checks import same_names
from compiler.commands import console
from compiler.commands.tables import columns
from compiler.diagnostics import Diagnostic, Severity, has_errors, in_order
from compiler.git import checkout
from compiler.ir import Pipeline
from compiler.nodes import SourceFile
from compiler.reports.json_report import as_data
from compiler.settings import Project
from compiler.targets import Support

_GIT = re.compile(r"\b(git|use)\b")
_COMMIT = re.compile(r"^# Commit: ([0-9a-f]{7,64})(?: \((.*)\))?$", re.MULTILINE)


class Request(Struct, frozen=True):
    """What the command line asked for. `output` is a folder, or `-` for stdout."""

    specs: tuple[str, ...]
    targets: tuple[str, ...] = ()
    output: str = "build"
    profiles: tuple[str, ...] = ()
    overrides: dict[str, str] | None = None
    params_file: str | None = None
    style: str = "text"
    quiet: bool = False


def compile_specs(request: Request) -> int:
    """Write what the specs compile to, and say what was written."""
    if request.output == "-" and request.style not in ("text", "json"):
        sys.stderr.write(f"mlc: `-o -` and `--format {request.style}` both want stdout\n")
        return console.USAGE
    outputs, diagnostics, failed = _compile(request)
    if failed:
        if request.style == "json":
            console.print_json({"written": [], "diagnostics": as_data(diagnostics)})
        return console.FAILED
    if request.output == "-":
        if len(outputs) != 1:
            sys.stderr.write("mlc: `-o -` prints one file: name one spec and one --target\n")
            return console.USAGE
        sys.stdout.write(next(iter(outputs.values())))
        return console.OK
    files.write_all(outputs)
    if request.style == "json":
        written = [path.as_posix() for path in outputs]
        console.print_json({"written": written, "diagnostics": as_data(diagnostics)})
    elif not request.quiet:
        stream = sys.stdout if request.style == "text" else sys.stderr
        for path, text in outputs.items():
            size = len(text.encode())
            stream.write(f"{path.as_posix()}  {_size(size)}\n")
    return console.OK


def check_specs(request: Request) -> int:
    """Compare what is on disk with what the specs compile to, at the commit that it records."""
    outputs, diagnostics, failed = _compile(request, recorded=True)
    stale = [path for path, text in outputs.items() if _on_disk(path) != text]
    if request.style == "json":
        shown = [path.as_posix() for path in stale if not failed]
        console.print_json({"stale": shown, "diagnostics": as_data(diagnostics)})
    if failed:
        return console.FAILED
    for path in stale:
        state = "differs from its spec" if path.exists() else "is missing"
        sys.stderr.write(f"{path.as_posix()} {state}; run mlc compile\n")
    return console.FAILED if stale else console.OK


def explain(request: Request, names: tuple[str, ...]) -> int:
    """Print how each field of the specs fares on the targets."""
    uses: list[tuple[str, str, Support]] = []
    for spec in request.specs:
        document = console.document(spec)
        loaded = _build(document, request, _git(document, None))
        console.report(loaded.diagnostics, loaded.sources)
        if loaded.pipeline is None:
            return console.FAILED
        for name in names:
            settings = loaded.project.target(name)
            support = targets.target(name).explain(loaded.pipeline, settings)
            uses += [(spec, name, use) for use in support]
    if request.style == "json":
        console.print_json(
            [
                {
                    "spec": spec,
                    "target": name,
                    "field": use.field,
                    "where": use.where,
                    "level": str(use.level),
                    "reason": use.reason,
                    "line": use.span.line,
                    "column": use.span.column,
                }
                for spec, name, use in uses
            ]
        )
    else:
        _print_table(uses)
    return console.OK


def _compile(
    request: Request, *, recorded: bool = False
) -> tuple[dict[Path, str], list[Diagnostic], bool]:
    """The text of each file, what was found, and whether it is errors; text is shown at once."""
    outputs: dict[Path, str] = {}
    diagnostics: list[Diagnostic] = []
    sources: dict[str, SourceFile] = {}
    pipelines: list[Pipeline] = []
    checked: list[str] = []
    for spec in request.specs:
        document = console.document(spec)
        folder = _folder(document, request)
        loaded = _build(document, request, _git(document, folder if recorded else None))
        checked.append(document.path)
        diagnostics += loaded.diagnostics
        sources |= loaded.sources
        if loaded.pipeline is None:
            continue
        pipelines.append(loaded.pipeline)
        found, texts = _emit(loaded, loaded.pipeline, request)
        diagnostics += found
        outputs |= {folder / name: text for name, text in texts.items()}
    diagnostics = in_order([*diagnostics, *same_names(pipelines)])
    failed = has_errors(diagnostics)
    if request.style != "json":
        shown = [d for d in diagnostics if d.severity is Severity.ERROR or not request.quiet]
        console.report(shown, sources, request.style, checked)
    if request.style == "text" and failed:
        sys.stderr.write(f"{console.tally(diagnostics)}; nothing was written\n")
        sys.stderr.write(console.pointer(diagnostics))
    return outputs, diagnostics, failed


def _emit(
    loaded: frontend.Loaded, pipeline: Pipeline, request: Request
) -> tuple[list[Diagnostic], dict[str, str]]:
    """What the targets say against a pipeline; their texts by file name where it is nothing."""
    project = loaded.project
    chosen = {name: targets.target(name) for name in request.targets or project.default_targets}
    compiled = {n: target.compiled(pipeline, project.target(n)) for n, target in chosen.items()}
    uses = {name: one.uses for name, one in compiled.items()}
    found = frontend.settle(targets.judge(uses, project), loaded)
    if has_errors(found):
        return found, {}
    header = _header(project, pipeline)
    return found, {chosen[name].FILENAME: header + one.text() for name, one in compiled.items()}


def _build(document: frontend.Document, request: Request, git: Git | None) -> frontend.Loaded:
    values, found, file = console.values_file(request.params_file)
    if file is not None and found:
        return frontend.Loaded(None, document.project, found, {file.path: file})
    return frontend.build(document, request.profiles, request.overrides, values, git)


def _folder(document: frontend.Document, request: Request) -> Path:
    name_node = document.root.get("name") if document.root else None
    name = getattr(name_node, "text", "spec")
    return Path(request.output) / "@".join((name, *request.profiles))


def _git(document: frontend.Document, compiled: Path | None) -> Git | None:
    """The checkout, or with `compiled` the one that the files of that folder record."""
    # Files that are used are read later, and any of them may ask for git.
    if not any(_GIT.search(file.text) for file in document.sources.values()):
        return None
    for path in sorted(compiled.glob("*")) if compiled and compiled.is_dir() else ():
        found = _COMMIT.search(_on_disk(path)[:1000])
        if found:
            return Git(found[1], found[2] or "")
    return checkout(document.project.root)


def _header(project: Project, pipeline: Pipeline) -> str:
    source, root = pipeline.source, project.root
    if not source.startswith("<"):
        absolute = Path(source).resolve()
        source = (
            absolute.relative_to(root).as_posix()
            if absolute.is_relative_to(root)
            else absolute.name
        )
    text = f"# Compiled by mlc {__version__} from {source}: edit that file, not this one.\n"
    if pipeline.git_commit:
        branch = f" ({pipeline.git_branch})" if pipeline.git_branch else ""
        text += f"# Commit: {pipeline.git_commit}{branch}\n"
    return text


def _on_disk(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def _size(count: int) -> str:
    return f"{count} B" if count < 1000 else f"{count / 1000:.1f} kB"


# Most telling first, with the colour of each.
_TONES = {"refused": "red", "weaker": "yellow", "emulated": "cyan", "exact": "green"}


def _print_table(uses: list[tuple[str, str, Support]]) -> None:
    """One line for each field that fares alike, the losses first."""
    colour = console.coloured(sys.stdout.isatty())
    for spec, name in dict.fromkeys((spec, name) for spec, name, _ in uses):
        alike: dict[tuple[str, str, str], list[str]] = {}
        for at, target, use in uses:
            if (at, target) == (spec, name):
                key = (use.level, _kind(use.field), use.reason)
                alike.setdefault(key, []).append(use.where)
        rows = [
            (level, field, _where(places), reason)
            for level in _TONES
            for (found, field, reason), places in alike.items()
            if found == level
        ]
        sys.stdout.write(f"{spec} for {name}\n")
        for row, line in zip(rows, columns(rows, indent="  ").splitlines(), strict=True):
            if colour:
                line = line.replace(row[0], click.style(row[0], fg=_TONES[row[0]]), 1)
            sys.stdout.write(f"{line}\n")


def _kind(field: str) -> str:
    """A field without the names that the author gave: `inputs.rows` is one of `inputs`."""
    first, _, _ = field.partition(".")
    return first if first in ("inputs", "outputs", "args", "env") else field


def _where(places: list[str]) -> str:
    distinct = list(dict.fromkeys(places))
    things = {place.partition(" ")[0].removesuffix("s") for place in distinct}
    if len(distinct) > 1 and len(things) == 1:
        return f"{len(distinct)} {things.pop()}s"
    shown = ", ".join(distinct).replace("`", "")
    return shown if len(shown) <= 40 else f"{shown[:39]}…"
