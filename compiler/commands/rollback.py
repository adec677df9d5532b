"""`mlc rollback`: a deploy of an earlier commit's spec."""

from __future__ import annotations

from msgspec.structs import replace

from compiler.cluster.refusals import gathered
from compiler.commands import console
from compiler.commands.deploy import Request, carry_out, is_ready
from compiler.commands.deployments import Line, make_plan, read_line
from compiler.commands.engines import connected, here, settings_of
from compiler.deployment.past import Past
from compiler.deployment.state import Deployed, read_state
from compiler.deployment.wanted import Wanted
from compiler.diagnostics import MlcError, listing, nearest
from compiler.settings import Project


def roll_back(algorithm: str, version: str | None, request: Request) -> int:
    """Deploy an algorithm as an earlier commit has it: `version` is the name of a version, or a
    commit; without it the one before the version that is there.

    Raises:
        EngineError: the engine can't be reached, or says no.
        MlcError: there is no such version, or git does not have its spec.
    """
    project = here()
    settings = settings_of(project, request.engine)
    line = read_line(project)
    with Past(line.branch.root) as past, connected(settings, request.verbose) as engine:
        engine.check()
        state = read_state(engine, project.name, line.name)
        deployed = state.get(algorithm)
        if deployed is None or deployed.current is None:
            near = nearest(algorithm, list(state))
            hint = (
                f"did you mean {near}?" if near else f"there are {listing(list(state)) or 'none'}"
            )
            raise MlcError(
                f"{settings.name} holds no algorithm {algorithm} of this project; {hint}"
            )
        old, commit, is_guess = _earlier(deployed, version, past, project)
        then = Line(replace(line.branch, commit=commit), line.name)
        if not is_ready(engine, [old], then, request):
            return console.FAILED
        request.say(f"{algorithm} goes back to {past.told(commit)}")
        if is_guess:
            request.say(
                f"{settings.name} does not keep what was deployed before, so this is the newest "
                "earlier commit with another spec, deployed or not; name a VERSION for another"
            )
        plan, state = make_plan(engine, project, then, [old], past, whole=False)
        with gathered() as refusals:
            code = carry_out(request, engine, project, then, [old], plan, state, past, refusals)
    if code == console.OK and plan.has_changes:
        own = f"the next mlc deploy of {line.name} brings {algorithm}'s own spec again"
        request.say(f"{own}; revert the commit there, too")
    return code


def _earlier(
    deployed: Deployed, version: str | None, past: Past, project: Project
) -> tuple[Wanted, str, bool]:
    """The spec to go back to, its commit, and whether that is one that may never have been
    deployed and no one named."""
    name = deployed.algorithm
    current = deployed.current
    assert current is not None
    own = current.marks
    path = _path_of(name, project)
    if version is not None:
        there = next((v for v in deployed.versions if v.name == version), None)
        named = there.marks.commit if there is not None and there.marks else version
        digest = there.marks.digest if there is not None and there.marks else ""
        commit = past.commit(named)
        if not commit:
            known = listing([v.name for v in deployed.versions]) or "none"
            raise MlcError(
                f"{version} is neither a version of {name} (there are {known}) nor a commit of "
                "this clone"
            )
        found = past.spec(commit, path, name, digest)
        if found is None:
            raise MlcError(f"the spec of {name} at {commit[:8]} can't be built by this mlc")
        return found, commit, False
    start = past.commit(own.commit) if own else ""
    if own is None or not start:
        raise MlcError(
            f"the commit of {current.name} is not in this clone, so what was before can't be told; "
            "fetch all of it (git fetch --unshallow), or name a VERSION"
        )
    for there in deployed.versions:
        marks = there.marks
        if marks is None or (marks.digest, marks.commit) == (own.digest, own.commit):
            continue
        commit = past.commit(marks.commit)
        found = past.spec(commit, path, name, marks.digest) if commit else None
        if found is not None:
            return found, commit, False
    for commit in past.changes(start):
        found = past.spec(commit, path, name)
        if found is not None and found.digest != own.digest:
            return found, commit, True
    raise MlcError(f"no earlier commit has another spec of {name}")


def _path_of(algorithm: str, project: Project) -> str:
    """Where its spec is now; it may have none any more."""
    return (project.root / "algorithms" / f"{algorithm}.yaml").as_posix()
