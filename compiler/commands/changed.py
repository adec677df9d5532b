"""`mlc changed`: the algorithms that a branch changed, and why each."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path

from compiler import project
from compiler.commands import console
from compiler.commands.specs import find_algorithms
from compiler.diagnostics import MlcError
from compiler.source import shown_path
from compiler.submission.branch import Branch, MergeBase, merge_base, read_branch
from compiler.submission.changed import Changed, changed_algorithms

# What is said of a file without saying more of it.
_PLAIN = {"spec": "the spec", "config": "the configuration"}


def list_changed(paths: tuple[str, ...], *, against: str | None = None, style: str = "text") -> int:
    """Print the algorithms that differ from where the branch left `against`, or the default
    branch; with `paths` only those whose specs are among these.

    Raises:
        MlcError: git can't tell, or there is no spec.
    """
    belongs = project.find(Path.cwd())[0]
    branch = read_branch(belongs.root)
    base = merge_base(branch, against)
    chosen = [Path(spec).resolve() for spec in find_algorithms(paths)] if paths else None
    everything = [*own_specs(belongs.root), *(chosen or ())]
    specs = tuple(dict.fromkeys(path.resolve() for path in everything))
    found = changed_algorithms(branch, base.commit, specs, belongs)
    if not specs and not found:
        raise MlcError(f"there is no spec in {shown_path(belongs.root / 'algorithms')}: name one")
    shown = [one for one in found if _is_asked_for(one, belongs.root, chosen, paths)]
    if style == "json":
        console.print_json(_as_data(shown, branch, base))
    elif style == "paths":
        for one in shown:
            if one.state != "deleted":
                sys.stdout.write(f"{shown_path(belongs.root / one.spec)}\n")
    else:
        _print(shown, branch, base, belongs.root)
    return console.OK


def own_specs(root: Path) -> list[Path]:
    """The algorithms in `algorithms/`; none where a branch deleted the last of them."""
    folder = root / "algorithms"
    if not folder.is_dir():
        return []
    try:
        return [Path(spec) for spec in find_algorithms((shown_path(folder),))]
    except MlcError:
        return []


def _is_asked_for(
    one: Changed, root: Path, chosen: Collection[Path] | None, paths: tuple[str, ...]
) -> bool:
    spec = (root / one.spec).resolve()
    if chosen is None or spec in chosen:
        return True
    folders = (Path(path).resolve() for path in paths if Path(path).is_dir())
    return one.state == "deleted" and any(spec.is_relative_to(folder) for folder in folders)


def _as_data(found: list[Changed], branch: Branch, base: MergeBase) -> dict[str, object]:
    return {
        "branch": branch.name or None,
        "commit": branch.commit,
        "against": base.against,
        "merge_base": base.commit,
        "algorithms": [
            {
                "name": one.name,
                "spec": one.spec,
                "state": one.state,
                "reasons": [reason._asdict() for reason in one.reasons],
            }
            for one in found
        ],
    }


def _print(found: list[Changed], branch: Branch, base: MergeBase, root: Path) -> None:
    left = f"{branch.name or 'this commit'} left {base.against} at {base.commit[:8]}"
    if branch.name == base.against:
        left = f"this is {base.against}, at {base.commit[:8]}: what came after it counts"
    count = f"{len(found)} algorithm{'' if len(found) == 1 else 's'}" if found else "no algorithm"
    sys.stderr.write(f"{count} changed; {left}\n")
    for one in found:
        sys.stdout.write(f"{one.name} ({one.state})  {shown_path(root / one.spec)}\n")
        for reason in one.reasons:
            detail = ", ".join(filter(None, (_PLAIN.get(reason.kind, ""), reason.detail)))
            sys.stdout.write(f"  {reason.change} {reason.path}: {detail}\n")
