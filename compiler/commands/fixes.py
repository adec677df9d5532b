"""Makes the fixes of findings, in rounds: each is held against a new check of what it touches.

A round makes all fixes that don't get in each other's way. It counts where every file is still
read and each finding is gone; else its halves are tried alone, so that a fix that does not do what
it should is taken back and the others stay. Nothing is written before all is done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from compiler import edits
from compiler.commands.changes import BOM, STDIN_PATH, Change, leads_out, on_disk
from compiler.commands.checking import Checked
from compiler.commands.console import STDIN
from compiler.diagnostics import Diagnostic, Fix, in_order
from compiler.nodes import SourceFile

Texts = Mapping[Path, str]
Check = Callable[[str, Texts], Checked]
# What can be said of all specs together only.
Together = Callable[[Mapping[str, Checked]], list[Diagnostic]]

# Each round makes or refuses at least one fix; this only ends fixes that undo each other.
_MOST_ROUNDS = 100


class Mended(Struct, frozen=True):
    """What came of fixing: the specs as they are checked now, the changed files by real path, how
    many findings are gone, and the files that could be mended but lie outside of the project."""

    checked: dict[str, Checked]
    changes: dict[Path, Change]
    fixed: int
    outside: tuple[str, ...]


def mend(specs: Sequence[str], check: Check, together: Together) -> Mended:
    """Make the fixes of all specs, in memory. `check` gives what a spec comes to with some texts
    in place of what is on disk, `together` what is found beyond that."""
    mender = _Mender(specs, check, together)
    for _ in range(_MOST_ROUNDS):
        fixes = mender.fixes()
        if not fixes:
            break
        mender.attempt(fixes)
    return Mended(
        mender.checked, dict(sorted(mender.changes.items())), mender.fixed, tuple(mender.outside)
    )


class _Mender:
    def __init__(self, specs: Sequence[str], check: Check, together: Together) -> None:
        self.check, self.together = check, together
        self.texts: dict[Path, str] = {}
        self.checked = {spec: check(spec, {}) for spec in specs}
        self.changes: dict[Path, Change] = {}
        self.fixed = 0
        self.outside: dict[str, None] = {}
        self.refused: set[tuple[str, str, Fix]] = set()
        self.targets: dict[str, Path | None] = {}

    def fixes(self) -> dict[Fix, list[Diagnostic]]:
        """The fixes of the next round, with the findings of each."""
        found: dict[Fix, list[Diagnostic]] = {}
        for finding in self.findings(self.checked):
            fix = finding.fix
            if fix is None or not fix.edits or (finding.code, finding.message, fix) in self.refused:
                continue
            if all(self.target(edit.span.path) for edit in fix.edits):
                found.setdefault(fix, []).append(finding)
        return {fix: found[fix] for fix in edits.apart(found)}

    def findings(self, checked: Mapping[str, Checked]) -> list[Diagnostic]:
        alone = (found for one in checked.values() for found in one.loaded.diagnostics)
        return in_order([*alone, *self.together(checked)])

    def attempt(self, fixes: dict[Fix, list[Diagnostic]]) -> None:
        """Make fixes, or one half of them, or refuse the one."""
        edited = {}
        for path in sorted({edit.span.path for fix in fixes for edit in fix.edits}):
            here = [edit for fix in fixes for edit in fix.edits if edit.span.path == path]
            edited[path] = edits.apply(self.source(path).text, here)
        texts = self.texts | {self._known(path): new.text for path, new in edited.items()}
        again = {
            spec: self.check(spec, texts)
            for spec, one in self.checked.items()
            if not edited.keys().isdisjoint(one.loaded.sources)
        }
        if self.holds(fixes, edited, again):
            self.take(edited, again, texts)
            self.fixed += sum(map(len, fixes.values()))
        elif len(fixes) == 1:
            self.refused |= {(d.code, d.message, fix) for fix, ds in fixes.items() for d in ds}
        else:
            halves = list(fixes.items())
            middle, fixed = len(halves) // 2, self.fixed
            self.attempt(dict(halves[:middle]))
            if self.fixed == fixed:  # places are still what they were
                self.attempt(dict(halves[middle:]))

    def holds(
        self,
        fixes: dict[Fix, list[Diagnostic]],
        edited: dict[str, edits.Edited],
        again: dict[str, Checked],
    ) -> bool:
        """Whether every file is read as well as before, and the findings are gone."""
        now = self.findings(self.checked | again)
        mended = [finding for findings in fixes.values() for finding in findings]
        places = {finding: self.moved(finding, edited) for finding in mended}
        for finding, (start, end) in places.items():
            path, text = finding.span.path, self.new_text(finding.span.path, edited)
            for other in now:
                same = (other.code, other.message) == (finding.code, finding.message)
                if same and other.span.path == path:
                    at = _start(other, text)
                    if at == start or start < at < end:
                        return False
        before = self.findings(self.checked)
        for path in edited:
            known = Counter((d.code, d.message) for d in before if _is_unreadable(d, path))
            # What stopped the reader hides what comes after it.
            ends = [place[1] for d, place in places.items() if _is_unreadable(d, path)]
            text = self.new_text(path, edited)
            for other in now:
                if _is_unreadable(other, path) and not (ends and _start(other, text) > max(ends)):
                    known[other.code, other.message] -= 1
            if min(known.values(), default=0) < 0:
                return False
        return True

    def take(
        self, edited: dict[str, edits.Edited], again: dict[str, Checked], texts: dict[Path, str]
    ) -> None:
        for path, new in edited.items():
            target = self._known(path)
            start = self.changes.get(target)
            before = start.before if start else self.original(path)
            mark = BOM if before.startswith(BOM) else ""
            self.changes[target] = Change(path, before, mark + new.text)
        self.texts = texts
        self.checked |= again

    def source(self, path: str) -> SourceFile:
        known = (one.loaded.sources for one in self.checked.values())
        return next(sources[path] for sources in known if path in sources)

    def new_text(self, path: str, edited: dict[str, edits.Edited]) -> SourceFile:
        return SourceFile(path, edited[path].text) if path in edited else self.source(path)

    def moved(self, finding: Diagnostic, edited: dict[str, edits.Edited]) -> tuple[int, int]:
        span, file = finding.span, self.source(finding.span.path)
        start, end = (file.index(*at) for at in (span[1:3], span[3:5]))
        return edited[span.path].place(start, end) if span.path in edited else (start, end)

    def original(self, path: str) -> str:
        """The text of a file as it is on disk."""
        target = self._known(path)
        return self.source(path).text if target == STDIN_PATH else on_disk(target) or ""

    def _known(self, path: str) -> Path:
        target = self.target(path)
        assert target is not None
        return target

    def target(self, path: str) -> Path | None:
        """The real file that a shown path stands for, where it may be changed."""
        if path not in self.targets:
            self.targets[path] = self._target(path)
        return self.targets[path]

    def _target(self, path: str) -> Path | None:
        if path == STDIN:
            return STDIN_PATH
        known = (one.loaded for one in self.checked.values())
        loaded = next((one for one in known if path in one.sources), None)
        file = loaded.sources[path].file if loaded else None
        if loaded is None or file is None:
            return None
        real = file.resolve()
        if leads_out(file, loaded.project):
            self.outside[path] = None
            return None
        # A text that was read in another way than it is written (escapes of surrogates).
        written = (on_disk(real) or "").removeprefix(BOM)
        return real if written == loaded.sources[path].text else None


def _is_unreadable(finding: Diagnostic, path: str) -> bool:
    return finding.code.startswith("MLC00") and finding.span.path == path


def _start(finding: Diagnostic, file: SourceFile) -> int:
    return file.index(finding.span.line, finding.span.column)
