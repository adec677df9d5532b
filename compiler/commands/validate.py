"""`mlc validate`: checks specs with each of their profiles; offline, no engine imported."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from compiler import frontend
from compiler.checks import Named, same_names
from compiler.commands import console
from compiler.commands.checking import Checked, check
from compiler.commands.specs import find_specs, neighbours
from compiler.diagnostics import Diagnostic, Severity, Span, has_errors, in_order
from compiler.nodes import SourceFile

if TYPE_CHECKING:
    from compiler.commands.fixes import Mended, Texts


def validate(
    paths: tuple[str, ...],
    style: str = "text",
    quiet: bool = False,
    *,
    fix: bool = False,
    show_diff: bool = False,
    only_specs: bool = False,
    targets: tuple[str, ...] = (),
) -> int:
    """Check files and folders; without any, the project's `algorithms/`.

    What the named `targets` can't do is told too. With `fix` what has one right mending is mended
    first; with `show_diff` it is only shown.
    """
    specs = find_specs(paths, only_specs=only_specs)
    mended: Mended | None = None
    if fix or show_diff:
        mended = _mend(specs, targets, write=not show_diff)
        kept = [_kept(one) for one in mended.checked.values()]
    else:
        kept = [_kept(check(console.document(one), targets)) for one in dict.fromkeys(specs)]
    sources: dict[str, SourceFile] = {}
    for one in kept:
        sources |= one.sources
    named = [one.named for one in kept if one.named]
    others = neighbours(specs, {name.kubernetes_name for name in named}) if paths else {}
    sources |= {file.path: file for file in others.values()}
    clashes = list(same_names(named, others))
    diagnostics = [found for one in kept for found in one.diagnostics]
    diagnostics = in_order([*diagnostics, *clashes, *_unused_ignores(kept, clashes)])
    shown = [one.path for one in kept]
    console.report(diagnostics, sources, style, shown)
    if not quiet and style == "text":
        found = console.tally(diagnostics)
        count = f"{len(shown)} spec{'s' if len(shown) != 1 else ''} checked"
        sys.stderr.write(f"\n{count}: {found}\n" if found else f"{count}, nothing wrong\n")
        if mended is None:
            sys.stderr.write(console.fixable(diagnostics))
        sys.stderr.write(console.pointer(diagnostics))
    if mended is not None and not quiet:
        _tell(mended, would=show_diff)
    would_change = show_diff and mended is not None and bool(mended.changes)
    return console.FAILED if has_errors(diagnostics) or would_change else console.OK


class _Kept(Struct, frozen=True):
    """What is kept of a spec that was checked: of a thousand, their trees would fill the memory.

    `named` is None for what is no sound algorithm, `ignoring` the document where its comments may
    take findings away.
    """

    path: str
    diagnostics: list[Diagnostic]
    sources: dict[str, SourceFile]
    ignored: frozenset[Span]
    named: Named | None
    ignoring: frontend.Document | None


def _kept(checked: Checked) -> _Kept:
    document, loaded = checked
    pipeline, path = loaded.pipeline, document.path
    return _Kept(
        path,
        loaded.diagnostics,
        loaded.sources,
        loaded.ignored,
        Named(pipeline.name, pipeline.source, pipeline.span) if pipeline else None,
        document if "mlc:" in loaded.sources[path].text else None,
    )


def _unused_ignores(kept: list[_Kept], clashes: Iterable[Diagnostic] = ()) -> list[Diagnostic]:
    """Ignores that took nothing away; where there are errors, not all checks were made."""
    found = [*clashes, *(d for one in kept for d in one.diagnostics)]
    wrong = {d.span.path for d in found if d.severity is Severity.ERROR}
    ignored = frozenset(span for one in kept for span in one.ignored)
    return [
        unused
        for one in kept
        if one.ignoring and one.path not in wrong
        for unused in frontend.unused_ignores(one.ignoring, ignored)
    ]


def _mend(specs: list[str], targets: tuple[str, ...], *, write: bool) -> Mended:
    """The specs with their fixes made: written to their files, or shown as a diff."""
    from compiler.commands import changes, fixes  # what a mere check does not need

    data = sys.stdin.buffer.read() if "-" in specs else b""

    def check_again(spec: str, texts: Texts) -> Checked:
        if spec != "-":
            return check(console.document(spec, texts), targets)
        known = texts.get(changes.STDIN_PATH)
        text = data if known is None else known.encode()
        return check(frontend.read(Path.cwd() / "stdin", console.STDIN, text, texts), targets)

    def together(checked: Mapping[str, Checked]) -> list[Diagnostic]:
        return _unused_ignores([_kept(one) for one in checked.values()])

    mended = fixes.mend(specs, check_again, together)
    if not write:
        sys.stdout.buffer.write(changes.diff(mended.changes).encode())
        return mended
    written = dict(mended.changes)
    change = written.pop(changes.STDIN_PATH, None)
    changes.write(written)
    if "-" in specs:
        bom = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
        sys.stdout.buffer.write(bom + change.after.encode() if change else data)
    return mended


def _tell(mended: Mended, *, would: bool) -> None:
    for path in mended.outside:
        sys.stderr.write(f"{path} is not fixed: it leads out of the project\n")
    if mended.fixed:
        findings = f"{mended.fixed} finding{'s' if mended.fixed != 1 else ''}"
        files = f"{len(mended.changes)} file{'s' if len(mended.changes) != 1 else ''}"
        sys.stderr.write(f"{'would fix' if would else 'fixed'} {findings} in {files}\n")
