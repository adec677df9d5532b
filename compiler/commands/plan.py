"""`mlc plan`: what `mlc deploy` would change on an engine, in the words of specs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from compiler import files
from compiler.commands import console
from compiler.commands.deployments import make_plan, read_line, read_wanted
from compiler.commands.engines import connected, here, settings_of
from compiler.commands.specs import find_algorithms
from compiler.deployment.difference import Item, Plan, ScheduleChange
from compiler.deployment.past import Past
from compiler.deployment.words import Change, said
from compiler.diagnostics import MlcError

FORM = 1
CHANGES = 2
_MOST = 40


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
        MlcError: git or the configuration lack what is needed.
    """
    project = here()
    settings = settings_of(project, name)
    line = read_line(project)
    every = read_wanted(find_algorithms(specs), settings, style, quiet)
    if every is None:
        return console.FAILED
    with Past(line.branch.root) as past, connected(settings, verbose) as engine:
        engine.check()
        plan, _ = make_plan(engine, project, line, every, past, whole=not specs)
    if out:
        files.write_all({Path(out): as_text(plan)})
    if style == "json":
        console.print_json(as_data(plan))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines(plan)))
    return CHANGES if detailed and plan.has_changes else console.OK


def as_data(plan: Plan) -> dict[str, Any]:
    return {"plan": FORM, **asdict(plan), "changes": plan.has_changes}


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


def lines(plan: Plan) -> Iterator[str]:
    """The plan for people: what changes, then how many do not."""
    for item in plan.items:
        yield from _told(item)
    counts = [
        (kind, sum(item.kind == kind for item in plan.items))
        for kind in ("new", "changed", "unchanged", "orphaned")
    ]
    tally = ", ".join(f"{count} {kind}" for kind, count in counts if count)
    verdict = "" if plan.has_changes else "; nothing to do"
    yield f"{plan.engine}: {tally or 'no algorithms'}{verdict}"


def _told(item: Item) -> Iterator[str]:
    if item.kind == "unchanged" and item.is_settled:
        return
    sign = {"new": "+", "changed": "~", "unchanged": "~", "orphaned": "-"}[item.kind]
    detail = ""
    if item.publish:
        before = f"{item.before} → " if item.before else ""
        detail = f"  {before}{item.version}"
    elif item.kind == "orphaned":
        detail = "  no spec has it; --prune takes it away"
    yield f"{sign} {item.algorithm}  {item.kind}{detail}"
    for reason in item.why:
        yield f"    {reason}"
    for change in item.changes[:_MOST]:
        yield f"    {_change(change)}"
    if len(item.changes) > _MOST:
        yield f"    and {len(item.changes) - _MOST} more; --format json has all"
    for schedule in item.schedules:
        gone = item.kind == "orphaned"
        told = f"schedule {schedule.name} goes on" if gone else _schedule(schedule, item)
        yield f"    {told}"


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
