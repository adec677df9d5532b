"""Which algorithms a branch changed, and why each: its files against those of a commit.

Everything that can be told from files counts: specs and what they go on from or use, the project's
configuration, the code that steps name, and what `sources` declares. Uncommitted files count as
they are.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from compiler import source
from compiler.checks.sources import code_folders
from compiler.diagnostics import MlcError
from compiler.git import ask
from compiler.globs import glob
from compiler.nodes import text
from compiler.settings import Project
from compiler.submission.branch import Branch
from compiler.submission.code import Code, own_scripts
from compiler.submission.configuration import file_at, on_disk, settings_changed
from compiler.submission.parts import Documents, Parts, read_parts

Kind = Literal["spec", "base", "component", "algorithm", "config", "code", "sources"]
Change = Literal["added", "modified", "deleted", "renamed", "untracked"]
State = Literal["new", "changed", "deleted"]

_CHANGES: dict[str, Change] = {"A": "added", "C": "added", "D": "deleted"}
_PATIENCE = 60


class Difference(NamedTuple):
    """A file that is not as it was. `old` is the path that it was renamed from."""

    path: Path
    change: Change
    old: Path | None = None


class Reason(NamedTuple):
    """A file for which an algorithm counts as changed. `path` is from the project's root; `kind`
    says what it is to the algorithm, `detail` in words how it comes in."""

    path: str
    kind: Kind
    change: Change
    detail: str = ""


class Changed(NamedTuple):
    """An algorithm that a branch made, changed or deleted. `spec` is from the project's root."""

    name: str
    spec: str
    state: State
    reasons: tuple[Reason, ...]


def changed_algorithms(
    branch: Branch, base: str, specs: Sequence[Path], project: Project
) -> tuple[Changed, ...]:
    """The algorithms that differ from the commit `base`, by name.

    `specs` are all algorithms of the project. One that is gone is told of where its file lay in
    `algorithms/` or beside one of them; it can't be submitted any more.

    Raises:
        MlcError: git can't be asked, or has no such commit.
    """
    found = differences(branch, base)
    if not found:
        return ()
    by_path = {difference.path: difference for difference in found}
    gone = {path for d in found for path in (d.old, d.path if d.change == "deleted" else None)}
    moved = {d.old: d for d in found if d.old is not None}
    every = {**moved, **by_path}
    scripts = own_scripts(on_disk(project.root / "pyproject.toml") or "")
    code = Code(_roots(project), {path for path in gone if path is not None}, every, scripts)
    config = settings_changed(branch, base, project, every)
    before = _names_before(branch, base, found)
    known = {path: name for name, path in before.items()}
    result = []
    names = set()
    documents: Documents = {}
    for spec in specs:
        parts = read_parts(spec, documents)
        name = parts.name or known.get(parts.path) or parts.path.stem
        names.add(name)
        reasons = _reasons(parts, every, code, config, project)
        if reasons:
            is_new = parts.path in by_path and name not in before
            state: State = "new" if is_new else "changed"
            result.append(Changed(name, _from_root(parts.path, project), state, reasons))
    folders = {spec.resolve().parent for spec in specs}
    own = project.root.resolve() / "algorithms"
    for name, path in before.items():
        if name not in names and (path.parent in folders or path.is_relative_to(own)):
            reason = Reason(_from_root(path, project), "spec", "deleted", _fate(path, by_path))
            result.append(Changed(name, reason.path, "deleted", (reason,)))
    return tuple(sorted(result))


def differences(branch: Branch, base: str) -> tuple[Difference, ...]:
    """The files of a checkout that are not as at a commit, untracked ones included.

    Raises:
        MlcError: git can't be asked, or has no such commit.
    """
    options = ("--name-status", "-z", "--find-renames", "--no-ext-diff", "--no-relative")
    answer = ask(branch.root, "diff", *options, base, "--", seconds=_PATIENCE)
    if answer.problem:
        raise MlcError(f"can't compare with {base[:12]}: {answer.problem.removeprefix('fatal: ')}")
    words = iter(answer.text.split("\0")[:-1])
    found = []
    for status in words:
        first = branch.root / next(words)
        if status[0] in "RC":
            second = branch.root / next(words)
            old = first if status[0] == "R" else None
            found.append(Difference(second, "renamed" if old else "added", old))
        else:
            found.append(Difference(first, _CHANGES.get(status[0], "modified")))
    found += [Difference(branch.root / name, "untracked") for name in branch.untracked]
    return tuple(sorted(found, key=lambda d: d.path))


def untracked(found: Iterable[Changed], branch: Branch, project: Project) -> frozenset[str]:
    """The untracked files that algorithms need, as paths from the checkout's top folder."""
    root = project.root.resolve()
    paths = {
        Path(os.path.normpath(root / reason.path))
        for changed in found
        for reason in changed.reasons
        if reason.change == "untracked"
    }
    return frozenset(p.relative_to(branch.root).as_posix() for p in paths)


def _roots(project: Project) -> tuple[Path, ...]:
    """Where modules of steps are found."""
    root = project.root.resolve()
    named = ((root / name).resolve() for name in project.local.pythonpath)
    return tuple(dict.fromkeys((*named, root)))


def _reasons(
    parts: Parts,
    every: Mapping[Path, Difference],
    code: Code,
    config: Iterable[str],
    project: Project,
) -> tuple[Reason, ...]:
    """Why an algorithm counts as changed, one reason for each file and part of the configuration;
    the closest one where there are several."""
    found: dict[Path, Reason] = {}
    for path, origin in parts.files.items():
        if path in every:
            verb = {"base": "extends", "spec": ""}.get(origin.role, "uses")
            by = f"{_from_root(origin.by, project)} {verb} it" if origin.by else ""
            found[path] = _reason(every[path], path, origin.role, by, project)
    for path, detail in _code(parts, every, code, project):
        if path not in found:
            found[path] = _reason(every[path], path, "code", detail, project)
    for pattern in parts.sources:
        for path in sorted(every):
            if path not in found and _matches(path, pattern, project):
                detail = f"`sources` has `{pattern}`"
                found[path] = _reason(every[path], path, "sources", detail, project)
    file = _from_root(project.config or project.root / "mlc.toml", project)
    parts_of_config = [
        Reason(file, "config", "modified", f"[{project.table_prefix}{key}]")
        for key in config
        if not key.startswith("gpus.") or key.removeprefix("gpus.") in parts.gpus
    ]
    order = ("spec", "base", "component", "algorithm", "config", "code", "sources")
    reasons = [*found.values(), *parts_of_config]
    return tuple(sorted(reasons, key=lambda r: (order.index(r.kind), r.path, r.detail)))


def _reason(
    difference: Difference, path: Path, kind: Kind, detail: str, project: Project
) -> Reason:
    """`path` is the old one of a rename where that is what the algorithm still names."""
    change = difference.change
    other = difference.old
    if change == "renamed" and path == difference.old:
        change, other = "deleted", difference.path
    if other is not None:
        way = "from" if change == "renamed" else "to"
        renamed = f"renamed {way} {_from_root(other, project)}"
        detail = f"{detail}, {renamed}" if detail else renamed
    return Reason(_from_root(path, project), kind, change, detail)


def _code(
    parts: Parts, every: Mapping[Path, Difference], code: Code, project: Project
) -> Iterator[tuple[Path, str]]:
    """The changed files that programs load, and how they come to."""
    told = set()
    for program in parts.programs:
        if program.form == "python":
            start = code.module(program.text)
        elif program.is_python_source:
            start = code.inline(program.text)
        else:
            start = code.words(program.text, project.root.resolve())
        led_by = code.follow(start, as_scripts=program.form != "python")
        for path, by in led_by.items():
            if path in every and path not in told:
                told.add(path)
                way = f", by way of {_from_root(by, project)}" if by else ""
                yield path, f"step `{program.step}`{way}"


def _matches(path: Path, pattern: str, project: Project) -> bool:
    wanted = glob(pattern)
    return any(
        path.is_relative_to(folder) and wanted.fullmatch(path.relative_to(folder).as_posix())
        for folder in code_folders(project)
    )


def _names_before(branch: Branch, base: str, found: Sequence[Difference]) -> dict[str, Path]:
    """The algorithms that changed files held at the commit, by name, with these files."""
    names = {}
    for difference in found:
        path = difference.old or difference.path
        is_new = difference.change in ("added", "untracked")
        if is_new or path.suffix not in (".yaml", ".yml"):
            continue
        shown = file_at(branch, base, path)
        root = source.parse_bytes(shown.encode("utf-8", "replace"), path.name)[0] if shown else None
        name = text(root.get("name")) if root else None
        if root and name and text(root.get("kind")) == "Algorithm":
            names[name] = path
    return names


def _fate(path: Path, by_path: Mapping[Path, Difference]) -> str:
    if path in by_path and by_path[path].change != "deleted":
        return "the spec has another name now"
    return ""


def _from_root(path: Path, project: Project) -> str:
    return Path(os.path.relpath(path, project.root.resolve())).as_posix()
