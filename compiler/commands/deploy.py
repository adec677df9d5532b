"""`mlc deploy` and `mlc rollback`: an engine made to follow the default branch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

import click
from msgspec import Struct
from msgspec.structs import replace

from compiler.cluster import Engine
from compiler.commands import console, submit
from compiler.commands.deployments import (
    Line,
    check_names,
    from_top,
    item_of,
    make_plan,
    marks_of,
    overtaken,
    read_line,
    read_wanted,
    specs_of,
)
from compiler.commands.engines import connected, here, settings_of
from compiler.commands.plan import as_data, lines, read_plan
from compiler.commands.submissions import has_all, tell
from compiler.commands.submit import submit_specs
from compiler.deployment.apply import Deployment, Moved, deploy
from compiler.deployment.difference import Item, Plan
from compiler.deployment.past import Past
from compiler.deployment.removal import prune, tidy
from compiler.deployment.state import Deployed
from compiler.deployment.wanted import Wanted
from compiler.diagnostics import MlcError, listing
from compiler.settings import Project
from compiler.submission.branch import concerns
from compiler.submission.key import experiment_name

# How often a plan is made anew where others deploy at the same time.
_TRIES = 3
TOY = "toy"


class Request(Struct, frozen=True):
    """What the command line asked for."""

    specs: tuple[str, ...] = ()
    engine: str | None = None
    plan: str | None = None
    prune: bool = False
    yes: bool = False
    any_branch: bool = False
    allow_dirty: bool = False
    toy: bool = False
    wait: bool = False
    summary: str | None = None
    style: str = "text"
    quiet: bool = False
    verbose: bool = False

    def say(self, line: str) -> None:
        if not self.quiet:
            sys.stderr.write(f"{line}\n")


def deploy_specs(request: Request) -> int:
    """Make the engine what the specs say.

    Raises:
        EngineError: the engine can't be reached, or says no; what was made until then is found
            again.
        MlcError: git or the configuration lack what is needed.
    """
    project = here()
    settings = settings_of(project, request.engine)
    line = read_line(project)
    _check_branch(line, request)
    given = read_plan(request.plan) if request.plan else None
    specs = request.specs
    if given is not None:
        specs = () if given.whole else tuple(item.spec for item in given.items)
    algorithms = specs_of(project, specs)
    every = read_wanted(
        algorithms, project, settings, request.style, request.quiet, request.verbose
    )
    if every is None:
        return console.FAILED
    if not _is_settled(request, line, every):
        return console.FAILED
    whole = given.whole if given is not None else not request.specs
    with Past(line.branch.root) as past, connected(settings, request.verbose) as engine:
        if not is_ready(engine, every, line, request.say):
            return console.FAILED
        plan, state = make_plan(engine, project, line, every, past, whole=whole)
        if given is not None and _check_plan(given, plan, request.plan or ""):
            request.say(f"{request.plan} is already carried out")
        _check_order(plan, state, past, request.prune)
        code = carry_out(request, engine, project, line, every, plan, state, past)
    return code or _learn_toys(request, line, every)


def is_ready(
    engine: Engine, every: Sequence[Wanted], line: Line, say: Callable[[str], None]
) -> bool:
    """Whether the engine has all that runs of these need; what it lacks is told."""
    kind = engine.settings.kind
    manifests = [engine.compiled(one.at(line.git), one.target_of(kind)) for one in every]
    return has_all(engine, [one.neutral for one in every], manifests, say)


def _learn_toys(request: Request, line: Line, every: Sequence[Wanted]) -> int:
    """Start a small learning of each algorithm that has one, as `mlc submit --profile toy` does."""
    specs = tuple(wanted.spec for wanted in every if TOY in wanted.document.profiles)
    if not request.toy:
        return console.OK
    if not specs:
        request.say(f"no algorithm has a profile {TOY}, so no toy learning starts")
        return console.OK
    return submit_specs(
        submit.Request(
            specs,
            branch=line.name,
            engine=request.engine,
            profiles=(TOY,),
            wait=request.wait,
            summary=request.summary,
            yes=True,
            allow_dirty=request.allow_dirty,
            quiet=request.quiet,
            verbose=request.verbose,
        )
    )


def carry_out(
    request: Request,
    engine: Engine,
    project: Project,
    line: Line,
    every: Sequence[Wanted],
    plan: Plan,
    state: dict[str, Deployed],
    past: Past,
) -> int:
    """Show a plan and make it so, once it is confirmed; the exit code."""
    if request.style == "json":
        console.print_json(as_data(plan))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines(plan, prunes=request.prune)))
        sys.stdout.flush()
    check_names(plan)
    orphans = [item for item in plan.items if item.kind == "orphaned"] if request.prune else []
    to_do = [item for item in plan.items if not item.is_settled and item.kind != "orphaned"]
    if (to_do or orphans) and not _is_confirmed(request, plan, bool(orphans)):
        return console.FAILED
    by_name = {wanted.algorithm: wanted for wanted in every}
    for item in to_do:
        wanted = by_name[item.algorithm]
        _deploy_one(request, engine, project, line, wanted, item, past)
    for item in orphans:
        if not prune(engine, project.name, line.name, state[item.algorithm], request.say):
            request.say(
                f"{item.algorithm}: runs of it are under way; the rest goes with the next mlc "
                "deploy --prune"
            )
    names = {w.algorithm: frozenset(s.name for s in w.schedules) for w in every}
    kept = tidy(engine, project.name, names, request.say)
    if kept:
        request.say(f"{kept} disabled until their runs have ended; the next deploy deletes them")
    return console.OK


def _deploy_one(
    request: Request,
    engine: Engine,
    project: Project,
    line: Line,
    wanted: Wanted,
    item: Item,
    past: Past,
) -> None:
    """One algorithm; where the plan is not from a file it is made anew while others deploy too."""
    for number in range(1, _TRIES + 1):
        try:
            deploy(engine, item, deployment_of(engine, wanted, item, project, line), request.say)
            return
        except Moved:
            if request.plan or number == _TRIES:
                raise
        plan, state = make_plan(engine, project, line, [wanted], past, whole=False)
        found = item_of(plan, item.algorithm)
        if found is None or found.is_settled:
            return
        there = state[item.algorithm].commits if item.algorithm in state else ()
        if not all(past.is_within(commit, plan.commit) for commit in there):
            # What was deployed meanwhile may be of a later commit.
            raise Moved(item.algorithm)
        item = found


def deployment_of(
    engine: Engine, wanted: Wanted, item: Item, project: Project, line: Line
) -> Deployment:
    """What is made of an item: compiled, marked."""
    pipeline = wanted.at(line.git)
    manifest = engine.compiled(pipeline, wanted.target_of(engine.settings.kind))
    return Deployment(
        manifest=manifest,
        marks=replace(marks_of(wanted, project, line), version=item.version),
        schedules=wanted.schedules,
        experiment=experiment_name(line.name),
    )


def _is_settled(request: Request, line: Line, every: Sequence[Wanted]) -> bool:
    """Whether what is here is what the commit says; what is not is told."""
    found = concerns(
        line.branch,
        image_of_commit=any(wanted.of_commit for wanted in every),
        allow_dirty=request.allow_dirty,
        needed=list(from_top(line, every)),
    )
    return tell(found, quiet=request.quiet)


def _check_branch(line: Line, request: Request) -> None:
    if line.branch.name in ("", line.name) or request.any_branch:
        return
    raise MlcError(
        f"this is branch {line.branch.name}, and what is deployed follows {line.name}; "
        f"mlc submit runs a branch, mlc plan shows what merging it changes, and --any-branch "
        f"deploys it as {line.name} all the same"
    )


def _check_plan(given: Plan, now: Plan, path: str) -> bool:
    """A plan is carried out as it was shown, or not at all. True where a deploy of it has been
    here; one that was killed in the middle is gone on with."""
    if (given.engine, given.project, given.branch) != (now.engine, now.project, now.branch):
        raise MlcError(
            f"{path} is of {given.project} on {given.engine}, and this is {now.project} on "
            f"{now.engine}"
        )
    if given.commit != now.commit:
        raise MlcError(
            f"{path} is of the commit {given.commit[:8]}, and {now.commit[:8]} is checked out; "
            "make a new plan"
        )
    there = {item.algorithm: item for item in now.items}
    done = [item for item in given.items if _is_done(item, there.get(item.algorithm))]
    for item in given.items:
        found = there.get(item.algorithm)
        if item in done:
            continue
        if found is None or found.fingerprint != item.fingerprint:
            raise Moved(item.algorithm)
        if found.digest != item.digest or found != item:
            raise MlcError(f"the spec of {item.algorithm} is not that of {path}; make a new plan")
    more = sorted(there.keys() - {item.algorithm for item in given.items})
    if more:
        raise MlcError(f"{path} knows nothing of {listing(more)}; make a new plan")
    return bool(done) and all(one.is_settled or one.kind == "orphaned" for one in now.items)


def _is_done(item: Item, found: Item | None) -> bool:
    """Whether the engine has become what an item says."""
    if found is None:
        return item.kind == "orphaned"
    moved = found.fingerprint != item.fingerprint
    return moved and found.is_settled and (found.digest, found.spec) == (item.digest, item.spec)


def _check_order(plan: Plan, state: Mapping[str, Deployed], past: Past, takes_away: bool) -> None:
    """Jobs of CI may end in another order than their commits came: what is later stays."""
    later = overtaken(plan, state, past, takes_away)
    if later is not None:
        raise MlcError(
            f"{later}, so nothing was made; mlc rollback {later.algorithm} {plan.commit[:8]} goes "
            "back on purpose"
        )


def _is_confirmed(request: Request, plan: Plan, takes_away: bool) -> bool:
    if request.yes:
        return True
    if not sys.stdin.isatty():
        if not takes_away:
            return True
        sys.stderr.write("nothing was made: pass --yes to prune where no one can be asked\n")
        return False
    return click.confirm(f"Deploy this to {plan.engine}?", err=True)
