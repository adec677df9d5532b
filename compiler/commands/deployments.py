"""What `plan`, `deploy` and `rollback` share: specs, an engine's state, and the plan between."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from compiler import __version__, targets
from compiler.binding import Git
from compiler.cluster import Engine
from compiler.cluster.records import Marks, Version
from compiler.commands import console
from compiler.commands.changed import own_specs
from compiler.commands.specs import find_algorithms
from compiler.deployment.difference import Asking, Item, Plan, plan_items
from compiler.deployment.past import Past
from compiler.deployment.state import Deployed, read_state
from compiler.deployment.wanted import Wanted, want
from compiler.diagnostics import Diagnostic, MlcError, has_errors, in_order
from compiler.frontend import settle
from compiler.nodes import SourceFile
from compiler.settings import EngineSettings, Project
from compiler.submission.branch import Branch, is_commit_of, read_branch


class Line(Struct, frozen=True):
    """What is deployed: the checkout, and the name of the branch that it is deployed as."""

    branch: Branch
    name: str

    @property
    def git(self) -> Git:
        return Git(self.branch.commit, self.name)


def read_line(project: Project) -> Line:
    """The default branch at the commit that is checked out.

    Raises:
        MlcError: there is no checkout, or nothing tells its default branch.
    """
    branch = read_branch(project.root)
    if branch.default is None:
        raise MlcError(
            "can't tell the default branch of this checkout, and schedules follow that one; run "
            "`git remote set-head origin --auto`, or set CI_DEFAULT_BRANCH"
        )
    return Line(branch, branch.default)


def check_branch(line: Line) -> None:
    """
    Raises:
        MlcError: what is checked out is not of the branch that is deployed.
    """
    if line.branch.name == line.name:
        return
    if not line.branch.name:
        if is_commit_of(line.branch, line.name):
            return
        raise MlcError(
            f"HEAD is detached, and {line.branch.commit[:8]} is no commit of {line.name} that this "
            f"clone knows of, and what is deployed follows {line.name}; check that out or fetch "
            f"it, or deploy this as {line.name} all the same by --any-branch"
        )
    raise MlcError(
        f"this is branch {line.branch.name}, and what is deployed follows {line.name}; "
        f"mlc submit runs a branch, mlc plan shows what merging it changes, and --any-branch "
        f"deploys it as {line.name} all the same"
    )


def specs_of(project: Project, named: tuple[str, ...]) -> tuple[str, ...]:
    """The specs that are named, else all of the project; once the last is deleted there is none,
    and what the engine has is orphaned.

    Raises:
        MlcError: a folder that is named has none.
    """
    if named:
        return find_algorithms(named)
    return tuple(path.as_posix() for path in own_specs(project.root))


def read_wanted(
    specs: Sequence[str],
    project: Project,
    settings: EngineSettings,
    style: str,
    quiet: bool,
    verbose: bool,
) -> list[Wanted] | None:
    """The specs; None where there are errors, which are shown.

    Raises:
        MlcError: two have one name, or one is of another project.
    """
    sources: dict[str, SourceFile] = {}
    diagnostics: list[Diagnostic] = []
    found: list[Wanted] = []
    for spec in specs:
        wanted, loaded = want(spec, console.document(spec))
        sources |= loaded.sources
        diagnostics += loaded.diagnostics
        if wanted is not None:
            _check_project(wanted, project)
            losses = targets.losses(wanted.neutral, wanted.document.project, [settings.kind])
            settled = settle(losses, loaded)
            # What a target does less well is told where one compiles, and is known by then.
            diagnostics += settled if verbose else [d for d in settled if has_errors([d])]
            found.append(wanted)
    diagnostics = in_order(list(dict.fromkeys(diagnostics)))
    failed = has_errors(diagnostics)
    shown = [d for d in diagnostics if has_errors([d])] if quiet else diagnostics
    console.report(shown, sources, style if failed and style != "json" else "text", specs)
    names: dict[str, str] = {}
    for wanted in found:
        other = names.setdefault(wanted.algorithm, wanted.spec)
        if other != wanted.spec:
            raise MlcError(f"{other} and {wanted.spec} are both called {wanted.algorithm}")
    return None if failed else found


def _check_project(wanted: Wanted, project: Project) -> None:
    """What carries the mark of a project that has no such spec is orphaned to its next plan."""
    own = wanted.document.project
    if own.root.resolve() != project.root.resolve():
        raise MlcError(
            f"{wanted.spec} is of the project {own.name}, and this is {project.name}; run it in "
            f"{own.root}"
        )


def from_top(line: Line, every: Sequence[Wanted]) -> Iterator[str]:
    """Where the specs are in the checkout."""
    for wanted in every:
        path = Path(wanted.spec).resolve()
        if path.is_relative_to(line.branch.root):
            yield path.relative_to(line.branch.root).as_posix()


def make_plan(
    engine: Engine,
    project: Project,
    line: Line,
    every: Sequence[Wanted],
    past: Past,
    *,
    whole: bool,
) -> tuple[Plan, dict[str, Deployed]]:
    """The plan, and the state that it was made from.

    Raises:
        EngineError: the engine can't be reached, or says no.
    """
    state = read_state(engine, project.name, line.name, (one.algorithm for one in every))

    def earlier(wanted: Wanted, commit: str, digest: str) -> Wanted | None:
        whole_name = past.commit(commit)
        if not whole_name:
            return None
        return past.spec(whole_name, wanted.spec, wanted.algorithm, digest)

    def foreign(wanted: Wanted) -> str:
        target = wanted.target_of(engine.settings.kind)
        return engine.foreign(engine.compiled(wanted.at(line.git), target), project.name)

    asking = Asking(
        past=earlier,
        drifted=lambda wanted, version: drifted(engine, wanted, version),
        foreign=foreign,
        renamed=lambda wanted, name, then: past.is_renamed(
            wanted.spec, name, then, line.branch.commit
        ),
        kept=engine.kept_of_schedules,
        account=engine.settings.service_account,
        commit=line.branch.commit,
        project=project.name,
        branch=line.name,
    )
    items = plan_items(every, state, lambda w: marks_of(w, project, line), asking, whole=whole)
    name = engine.settings.name
    return Plan(name, project.name, line.name, line.branch.commit, whole, items), state


class Later(Struct, frozen=True):
    """What an engine has of a commit that comes after the one that is planned."""

    engine: str
    algorithm: str
    there: str
    planned: str

    def __str__(self) -> str:
        return (
            f"{self.engine} has {self.algorithm} of the commit {self.there[:8]}, which comes after "
            f"{self.planned[:8]} that is checked out"
        )


def overtaken(
    plan: Plan, state: Mapping[str, Deployed], past: Past, takes_away: bool
) -> Later | None:
    """The first algorithm that a deploy would set back; `takes_away` where orphans go, too."""
    for item in plan.items:
        if item.is_settled or (item.kind == "orphaned" and not takes_away):
            continue
        for there in state[item.algorithm].commits if item.algorithm in state else ():
            if past.is_within(plan.commit, there) and not past.is_within(there, plan.commit):
                return Later(plan.engine, item.algorithm, there, plan.commit)
    return None


def check_names(plan: Plan) -> None:
    """What others have made stops all of a plan.

    Raises:
        MlcError: something of others has the name of an algorithm of the plan.
    """
    found = [item.foreign for item in plan.items if item.foreign]
    if found:
        raise MlcError("\n  ".join(("this can't be deployed, so nothing is made:", *found)))


def nameless(project: Project) -> str:
    """Why a project's orphans may be those of another repository, and what to write; empty where
    its configuration names it."""
    if project.given_name is not None or project.config is None:
        return ""
    where = "[tool.mlc] of pyproject.toml" if project.table_prefix else "the top of mlc.toml"
    line = f"name = {json.dumps(project.name, ensure_ascii=False)}"
    return (
        f"the configuration names no project, so its folder's name, {project.name}, tells what is "
        "its own, and a repository in another folder of that name would lose what it has; add "
        f"`{line}` to {where}, or another name where that one is taken"
    )


def marks_of(wanted: Wanted, project: Project, line: Line) -> Marks:
    return wanted.marks(project.name, line.git)


def drifted(engine: Engine, wanted: Wanted, version: Version) -> str:
    """Why the documents of a version are not what its spec compiles to; empty where they are."""
    own = version.marks
    if own is None:
        return ""
    if not engine.replaces_schedules and own.mlc == __version__:
        # Versions that stand side by side can't be changed.
        return ""
    pipeline = wanted.at(Git(own.commit, own.branch))
    manifest = engine.compiled(pipeline, wanted.target_of(engine.settings.kind))
    there = _specs(version.documents or engine.version(version).documents)
    # What a larger pipeline left behind is in no one's way.
    if all(there.get(name) == spec for name, spec in _specs(manifest.documents).items()):
        return ""
    if own.mlc != __version__:
        return f"mlc {own.mlc} compiled it in another way than mlc {__version__}"
    return "what is there is not what its spec compiles to: changed by hand, or by settings"


def _specs(documents: Iterable[Mapping[str, Any]]) -> dict[object, Any]:
    """What documents say by their names, for an engine lists them in an order of its own; by their
    numbers where they have none."""
    return {
        document.get("metadata", {}).get("name", number): document.get("spec", document)
        for number, document in enumerate(documents)
    }


def item_of(plan: Plan, algorithm: str) -> Item | None:
    return next((item for item in plan.items if item.algorithm == algorithm), None)
