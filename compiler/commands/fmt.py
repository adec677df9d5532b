"""`mlc fmt`: specs in the canonical layout."""

from __future__ import annotations

import sys
from pathlib import Path

from compiler import project, source
from compiler.commands import changes, console
from compiler.commands.changes import BOM, Change
from compiler.commands.specs import find_specs, is_spec
from compiler.diagnostics import Diagnostic, error, has_errors
from compiler.layout import CantLayOutError, formatted
from compiler.nodes import SourceFile


def fmt(
    paths: tuple[str, ...],
    *,
    check: bool = False,
    show_diff: bool = False,
    only_specs: bool = False,
    quiet: bool = False,
) -> int:
    """Lay specs out; with `check` or `show_diff` nothing is written, and changes are a failure."""
    found: list[Diagnostic] = []
    sources: dict[str, SourceFile] = {}
    changed: dict[Path, Change] = {}
    specs = find_specs(paths, only_specs=only_specs)
    for spec in specs:
        file, before, after, problems = _laid_out(spec)
        sources[file.path] = file
        found += problems
        where = changes.STDIN_PATH if spec == "-" else Path(spec).resolve()
        if before != after:
            changed[where] = Change(file.path, before, after)
        if spec == "-" and not (check or show_diff or problems):
            sys.stdout.buffer.write(after.encode())
    if show_diff:
        sys.stdout.buffer.write(changes.diff(changed).encode())
    elif not check:
        changes.write({p: c for p, c in changed.items() if p != changes.STDIN_PATH})
    console.report(found, sources)
    dry = check or show_diff
    if not quiet:
        _tell(changed, would=dry)
        if not changed and not found:
            count = f"{len(specs)} spec{'s' if len(specs) != 1 else ''}"
            sys.stderr.write(f"{count} checked, nothing to reformat\n")
    return console.FAILED if has_errors(found) or (dry and changed) else console.OK


def _laid_out(spec: str) -> tuple[SourceFile, str, str, list[Diagnostic]]:
    """A spec, its text as it is written and in the canonical layout, and why that is not made."""
    path = Path(spec)
    if spec == "-":
        data = sys.stdin.buffer.read()
        before = data.decode("utf-8", "replace")
        root, file, found = source.parse_bytes(data, console.STDIN)
    else:
        before = changes.on_disk(path) or ""
        root, file, found = source.read(path, source.shown_path(path))
    if root is None or found:
        return file, before, before, found
    if not is_spec(file.text):
        message = f"{file.path} is no spec: it has no `apiVersion: mlc/v1` at its top level"
        return file, before, before, [error("MLC012", message, root.span)]
    if spec != "-" and changes.leads_out(path, project.find(path.parent)[0]):
        message = f"{spec} is left as it is: it is a link that leads out of the project"
        return file, before, before, [error("MLC013", message, root.span)]
    mark = BOM if before.startswith(BOM) else ""
    try:
        if before != mark + file.text:
            raise CantLayOutError("it writes one character as two escapes")
        return file, before, mark + formatted(file), []
    except CantLayOutError as problem:
        message = f"{file.path} is left as it is: {problem}"
        hint = "lay it out by hand; what it says is not in question"
        return file, before, before, [error("MLC011", message, root.span, hint=hint)]


def _tell(changed: dict[Path, Change], *, would: bool) -> None:
    verb = "would reformat" if would else "reformatted"
    for path, change in changed.items():
        if would or path != changes.STDIN_PATH:
            sys.stderr.write(f"{verb} {change.shown}\n")
