"""`mlc plan`: what `mlc deploy` would change on an engine, in the words of specs."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from compiler import files
from compiler.commands import console
from compiler.commands.deployments import (
    Line,
    check_names,
    from_top,
    make_plan,
    nameless,
    overtaken,
    read_line,
    read_wanted,
    specs_of,
)
from compiler.commands.engines import connected, here, settings_of
from compiler.commands.submissions import tell
from compiler.deployment.apply import Moved
from compiler.deployment.difference import Item, Plan, ScheduleChange
from compiler.deployment.past import Past
from compiler.deployment.wanted import Wanted
from compiler.deployment.words import Change, said
from compiler.diagnostics import MlcError, listing
from compiler.submission.branch import concerns

FORM = 1
CHANGES = 2
_MOST = 40
_SCHEDULES = "schedules alone"


def plan_specs(
    specs: tuple[str, ...],
    name: str | None,
    *,
    out: str | None = None,
    detailed: bool = False,
    style: str = "text",
    quiet: bool = False,
    verbose: bool = False,
) -> int:
    """Print the plan; with `detailed` exit 2 where there is something to do.

    Raises:
        EngineError: the engine can't be reached, or says no.
        MlcError: git or the configuration lack what is needed, or others have a name of the plan.
    """
    project = here()
    settings = settings_of(project, name)
    line = read_line(project)
    every = read_wanted(specs_of(project, specs), project, settings, style, quiet, verbose)
    if every is None:
        return console.FAILED
    if not quiet:
        _tell_uncommitted(line, every)
    with Past(line.branch.root) as past, connected(settings, verbose) as engine:
        engine.check()
        plan, state = make_plan(engine, project, line, every, past, whole=not specs)
        later = None if quiet else overtaken(plan, state, past, takes_away=False)
    if later is not None:
        sys.stderr.write(f"warning: {later}, so a deploy of this makes nothing\n")
    unnamed = nameless(project) if any(i.kind == "orphaned" for i in plan.items) else ""
    if unnamed and not quiet:
        sys.stderr.write(f"warning: --prune takes nothing away yet: {unnamed}\n")
    if style == "json":
        console.print_json(as_data(plan))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines(plan)))
        sys.stdout.flush()
    check_names(plan)
    if out:
        files.write_all({Path(out): as_text(plan)})
    if out and plan.has_changes and not quiet:
        sys.stderr.write(f"mlc deploy --plan {shlex.quote(out)} carries this out\n")
    return CHANGES if detailed and plan.has_changes else console.OK


def _tell_uncommitted(line: Line, every: Sequence[Wanted]) -> None:
    """What a deploy would warn of or refuse. A commit that no remote has is everyday here: CI
    plans what a merge would be."""
    of_commit = any(wanted.of_commit for wanted in every)
    needed = list(from_top(line, every))
    found = concerns(line.branch, image_of_commit=of_commit, allow_dirty=True, needed=needed)
    tell([concern for concern in found if concern.paths], quiet=False)


def as_data(plan: Plan) -> dict[str, Any]:
    return {"plan": FORM, **to_builtins(plan), "changes": plan.has_changes}


def as_text(plan: Plan) -> str:
    return json.dumps(as_data(plan), indent=2, ensure_ascii=False) + "\n"


def read_plan(path: str) -> Plan:
    """A plan that `--out` wrote.

    Raises:
        MlcError: it can't be read, or is none.
    """
    try:
        data = json.loads(Path(path).read_bytes())
    except OSError as problem:
        raise MlcError(f"can't read the plan {path}: {problem.strerror}") from None
    except ValueError:
        raise MlcError(f"{path} is no plan: write one with mlc plan --out {path}") from None
    if not isinstance(data, dict) or data.get("plan") != FORM:
        raise MlcError(f"{path} is no plan of this mlc: write one with mlc plan --out {path}")
    try:
        return Plan(
            str(data["engine"]),
            str(data["project"]),
            str(data["branch"]),
            str(data["commit"]),
            bool(data["whole"]),
            tuple(_item(item) for item in data["items"]),
        )
    except (KeyError, TypeError):
        raise MlcError(f"{path} is no whole plan: write it anew with mlc plan --out") from None


def check_plan(given: Plan, now: Plan, path: str) -> bool:
    """A plan is carried out as it was shown, or not at all. True where a deploy of it has been
    here.

    After one that was killed, algorithms that it had done are left alone and those that it had not
    begun are done now. One that it was killed in is neither as it was nor as planned, so that a new
    plan is wanted; a deploy without a plan finishes it.

    Raises:
        Moved: an algorithm is neither as it was nor as planned.
        MlcError: it is a plan of another commit, project, engine or of other specs.
    """
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


def lines(plan: Plan, *, prunes: bool = False) -> Iterator[str]:
    """The plan for people: what changes, then how many do not. With `prunes` orphans go."""
    for item in plan.items:
        yield from _told(item, prunes)
    words = ("new", "changed", _SCHEDULES, "unchanged", "orphaned")
    counts = [(word, sum(_word(item) == word for item in plan.items)) for word in words]
    tally = ", ".join(
        f"{count} {'of ' if word == _SCHEDULES else ''}{word}" for word, count in counts if count
    )
    verdict = "" if plan.has_changes else "; nothing to do"
    yield f"{plan.engine}: {tally or 'no algorithms'}{verdict}"


def _word(item: Item) -> str:
    """The kind of an item for people: an algorithm that something is done for is not unchanged."""
    return _SCHEDULES if item.kind == "unchanged" and item.schedules else item.kind


def _told(item: Item, prunes: bool) -> Iterator[str]:
    if item.kind == "unchanged" and item.is_settled:
        return
    sign = {"new": "+", "changed": "~", "unchanged": "~", "orphaned": "-"}[item.kind]
    detail = ""
    if item.publish:
        before = f"{item.before} → " if item.before else ""
        detail = f"  {before}{item.version}"
    elif item.kind == "orphaned":
        detail = f"  no spec has it; {'it is taken' if prunes else '--prune takes it'} away"
    if item.foreign:
        detail = "  but others have its name"
    yield f"{sign} {item.algorithm}  {_word(item)}{detail}"
    for reason in item.why:
        yield f"    {reason}"
    changes = [change for change in item.changes if not _follows(change, item.changes)]
    for change in changes[:_MOST]:
        yield f"    {_change(change)}"
    if len(changes) > _MOST:
        yield f"    and {len(changes) - _MOST} more; --format json has all"
    for schedule in item.schedules:
        stays = item.kind == "orphaned" and not prunes
        told = f"schedule {schedule.name} goes on" if stays else _schedule(schedule, item)
        yield f"    {told}"


def _follows(change: Change, every: Sequence[Change]) -> bool:
    """Whether a step changes alone as the algorithm's default that it takes."""
    part, _, inner = change.place.partition(".")
    _, _, place = inner.partition(".")
    return part in ("steps", "finally") and change._replace(place=place) in every


def _change(change: Change) -> str:
    if change.old is None and change.new is not None:
        return f"+ {change.place}: {said(change.new)}"
    if change.new is None and change.old is not None:
        return f"- {change.place}: {said(change.old)}"
    return f"~ {change.place}: {said(change.old)} → {said(change.new)}"


def _schedule(change: ScheduleChange, item: Item) -> str:
    words = {
        "add": f"starts {item.version}",
        "change": "changes",
        "move": f"moves to {item.version}",
        "enable": "is enabled",
        "disable": "is disabled",
        "remove": "is removed",
    }
    details = [
        f"{c.place} {said(c.old)} → {said(c.new)}" for c in change.changes if c.place != "version"
    ]
    detail = f": {', '.join(details)}" if details else ""
    hand = f" ({change.by_hand})" if change.by_hand else ""
    return f"schedule {change.name} {words[change.action]}{detail}{hand}"


def _item(data: Mapping[str, Any]) -> Item:
    if not all(isinstance(data[name], str) for name in ("algorithm", "spec", "fingerprint")):
        raise TypeError
    return Item(
        **{
            **data,
            "changes": tuple(Change(*change) for change in data["changes"]),
            "why": tuple(data["why"]),
            "drift": tuple(data["drift"]),
            "schedules": tuple(
                ScheduleChange(
                    one["name"],
                    one["action"],
                    tuple(Change(*change) for change in one["changes"]),
                    one["by_hand"],
                )
                for one in data["schedules"]
            ),
        }
    )
