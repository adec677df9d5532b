"""`mlc deploy` and `mlc rollback`: an engine made to follow the default branch."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import click
from msgspec import Struct
from msgspec.structs import replace

from compiler.cluster import Engine
from compiler.cluster.records import Act
from compiler.cluster.refusals import Refusals, gathered
from compiler.commands import console, submit
from compiler.commands.deployments import (
    Line,
    check_branch,
    check_names,
    from_top,
    item_of,
    make_plan,
    marks_of,
    nameless,
    overtaken,
    read_line,
    read_wanted,
    specs_of,
)
from compiler.commands.engines import connected, here, settings_of
from compiler.commands.plan import as_data, check_plan, lines, read_plan
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
    new: bool = False
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
    if not request.any_branch:
        check_branch(line)
    if request.prune and (why := nameless(project)):
        raise MlcError(f"nothing is pruned: {why}")
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
    with gathered() as refusals:
        with Past(line.branch.root) as past, connected(settings, request.verbose) as engine:
            if not is_ready(engine, every, line, request):
                return console.FAILED
            plan, state = make_plan(engine, project, line, every, past, whole=whole)
            if given is not None and check_plan(given, plan, request.plan or ""):
                request.say(f"{request.plan} is already carried out")
            _check_order(plan, state, past, request.prune)
            code = carry_out(request, engine, project, line, every, plan, state, past, refusals)
        return code or _learn_toys(request, line, every, refusals)


def is_ready(engine: Engine, every: Sequence[Wanted], line: Line, request: Request) -> bool:
    """Whether the engine has all that runs of these need, and lets one do what is asked for; what
    it lacks is told."""
    acts: list[Act] = ["deploy"]
    acts += ["prune"] if request.prune else []
    acts += ["submit"] if request.toy else []
    kind = engine.settings.kind
    manifests = [engine.compiled(one.at(line.git), one.target_of(kind)) for one in every]
    return has_all(engine, [one.neutral for one in every], manifests, request.say, acts)


def _learn_toys(request: Request, line: Line, every: Sequence[Wanted], refusals: Refusals) -> int:
    """Start a small learning of each algorithm that has one and is deployed, as `mlc submit
    --profile toy` does."""
    if not request.toy:
        return console.OK
    having = [wanted for wanted in every if TOY in wanted.document.profiles]
    specs = tuple(one.spec for one in having if one.algorithm not in refusals.reasons)
    if not having:
        request.say(f"no algorithm has a profile {TOY}, so no toy learning starts")
    if not specs:
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
            new=request.new,
            is_warned=True,
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
    refusals: Refusals,
) -> int:
    """Show a plan and make it so, once it is confirmed; the exit code. What the engine refuses of
    one algorithm goes to `refusals`, and the others go on."""
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
        with refusals.of(item.algorithm):
            _deploy_one(request, engine, project, line, by_name[item.algorithm], item, past)
    refused = refusals.reasons.keys()
    unmade = [one.algorithm for one in to_do if one.kind == "new" and one.algorithm in refused]
    if orphans and unmade:
        # An orphan may be what such a one was called before.
        names = listing([item.algorithm for item in orphans])
        request.say(f"{names} not taken away, since {listing(unmade)} could not be deployed")
    for item in orphans if not unmade else ():
        with refusals.of(item.algorithm):
            if not prune(engine, project.name, line.name, state[item.algorithm], request.say):
                request.say(
                    f"{item.algorithm}: runs of it are under way; the rest goes with the next mlc "
                    "deploy --prune"
                )
    names_of = {
        one.algorithm: frozenset(schedule.name for schedule in one.schedules)
        for one in every
        if one.algorithm not in refused
    }
    kept = tidy(engine, project.name, names_of, request.say, refusals)
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
        schedules=wanted.scheduled(engine.settings.service_account),
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
