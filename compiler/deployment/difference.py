"""The difference between what specs want and what an engine holds, in the words of specs.

Pure: what has to be asked for (old specs, documents of versions) is given by functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from compiler.cluster import marks
from compiler.cluster.records import Marks, Schedule, ScheduleSpec, Version
from compiler.deployment.state import Deployed
from compiler.deployment.wanted import Wanted, plain
from compiler.deployment.words import ABSENT, Change, said, spec_changes
from compiler.values import JsonValue, to_text

Kind = Literal["new", "changed", "unchanged", "orphaned"]
Action = Literal["add", "change", "move", "enable", "disable", "remove"]


class ScheduleChange(Struct, frozen=True):
    """What becomes of a schedule of a spec. `by_hand` tells why, where someone changed it on the
    engine."""

    name: str
    action: Action
    changes: tuple[Change, ...] = ()
    by_hand: str = ""


class Item(Struct, frozen=True):
    """An algorithm of the plan. `publish` tells that a version is to be made, called `version`;
    `before` is the one there is. `why` are reasons that are no change of a spec, `drift` what
    someone changed by hand. `fingerprint` is that of the state it was made from. `foreign` tells
    what of others has its name, so that it can't be made."""

    algorithm: str
    kind: Kind
    spec: str = ""
    publish: bool = False
    version: str = ""
    digest: str = ""
    before: str = ""
    commit_before: str = ""
    changes: tuple[Change, ...] = ()
    why: tuple[str, ...] = ()
    schedules: tuple[ScheduleChange, ...] = ()
    drift: tuple[str, ...] = ()
    fingerprint: str = ""
    foreign: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether nothing is to be done."""
        return not self.publish and not self.schedules and self.kind != "orphaned"


class Plan(Struct, frozen=True):
    """What `mlc deploy` would do, by algorithm; `whole` where it is of all specs there are."""

    engine: str
    project: str
    branch: str
    commit: str
    whole: bool = True
    items: tuple[Item, ...] = ()

    @property
    def has_changes(self) -> bool:
        return any(not item.is_settled for item in self.items)


class Asking(Struct, frozen=True):
    """What the plan asks for where it needs it. `past` gives a spec by commit prefix and digest
    (empty for any), `drifted` whether the documents of a version are not what its commit compiles
    to, `foreign` what of others has a name that it is to take, `renamed` whether it was another
    algorithm's spec at a commit. `kept` are the fields of schedules that the engine keeps,
    `account` is the service account that its settings give runs."""

    past: Callable[[Wanted, str, str], Wanted | None]
    drifted: Callable[[Wanted, Version], str]
    foreign: Callable[[Wanted], str]
    renamed: Callable[[Wanted, str, str], bool]
    kept: frozenset[str]
    account: str | None
    commit: str
    project: str
    branch: str


def plan_items(
    every: Sequence[Wanted],
    state: Mapping[str, Deployed],
    marks_of: Callable[[Wanted], Marks],
    asking: Asking,
    *,
    whole: bool,
) -> tuple[Item, ...]:
    """One for each algorithm, sorted; with `whole` those that no spec has any more are orphaned."""
    items = [_item(w, state.get(w.algorithm), marks_of(w), asking) for w in every]
    if whole:
        wanted = {w.algorithm for w in every}
        items += [
            Item(
                name,
                "orphaned",
                before=deployed.current.name if deployed.current else "",
                schedules=tuple(
                    ScheduleChange(one, "remove")
                    for one in sorted({s.spec.name for s in deployed.schedules})
                ),
                fingerprint=deployed.fingerprint,
            )
            for name, deployed in state.items()
            if name not in wanted
        ]
        orphans = {name: one for name, one in state.items() if name not in wanted}
        known = {w.algorithm: w for w in every}
        items = [
            replace(item, why=(*item.why, *_renamed(known[item.algorithm], orphans, asking)))
            if item.kind == "new"
            else item
            for item in items
        ]
    return tuple(sorted(items, key=lambda item: item.algorithm))


def _renamed(wanted: Wanted, orphans: Mapping[str, Deployed], asking: Asking) -> Iterator[str]:
    """A hint where an algorithm that is new was another one to git."""
    for name, deployed in sorted(orphans.items()):
        if any(asking.renamed(wanted, name, commit) for commit in deployed.commits):
            yield (
                f"to git it is {name} renamed: the engine ties neither versions and runs of {name} "
                "nor the baseline of its gates to it"
            )


def _item(wanted: Wanted, deployed: Deployed | None, own: Marks, asking: Asking) -> Item:
    deployed = deployed or Deployed(wanted.algorithm)
    current = deployed.current
    start = Item(
        wanted.algorithm,
        "new",
        wanted.spec,
        version=own.version,
        digest=wanted.digest,
        fingerprint=deployed.fingerprint,
    )
    if current is None or current.marks is None:
        item = replace(start, publish=True)
    else:
        item = _against(start, wanted, current, own, asking)
        if item.publish:
            taken = {version.name for version in deployed.versions}
            item = replace(item, version=fresh_name(item.version, taken))
    settled = not item.publish
    changes = tuple(_schedules(wanted, deployed, current if settled else None, asking))
    drift = (*item.drift, *(f"schedule {c.name}: {c.by_hand}" for c in changes if c.by_hand))
    takes_names = item.kind == "new" or any(change.action == "add" for change in changes)
    foreign = asking.foreign(wanted) if takes_names else ""
    return replace(item, schedules=changes, drift=drift, foreign=foreign)


def _against(start: Item, wanted: Wanted, current: Version, own: Marks, asking: Asking) -> Item:
    """Of an algorithm that has a version."""
    there = current.marks
    assert there is not None
    start = replace(start, before=current.name, commit_before=there.commit)
    if there.digest != wanted.digest:
        old = asking.past(wanted, there.commit, there.digest)
        changes = tuple(spec_changes(old, wanted)) if old is not None else ()
        why: tuple[str, ...] = ()
        if old is None:
            why = (f"{_no_spec(wanted, there.commit, asking)}, so what changed can't be told",)
        return replace(start, kind="changed", publish=True, changes=changes, why=why)
    if wanted.of_commit and not marks.same("commit", there.commit, own.commit):
        change = Change("git.commit", there.commit, own.commit)
        return replace(start, kind="changed", publish=True, changes=(change,))
    found = asking.drifted(wanted, current)
    if found:
        return replace(start, kind="changed", publish=True, why=(found,), drift=(found,))
    return replace(start, kind="unchanged", version=current.name)


def _no_spec(wanted: Wanted, commit: str, asking: Asking) -> str:
    """Why the spec of a version can't be had."""
    if asking.past(wanted, commit, "") is None:
        return f"its spec at {commit[:8]} is not in this clone"
    # Another mlc may count another digest.
    return f"what is there is not the spec at {commit[:8]} (not committed then, or of another mlc)"


def fresh_name(name: str, taken: set[str]) -> str:
    """The name, or with a number behind where a version has it that is not the newest."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name[: 63 - len(str(number)) - 1]}-{number}"
    return found


def _schedules(
    wanted: Wanted, deployed: Deployed, current: Version | None, asking: Asking
) -> Iterator[ScheduleChange]:
    """`current` is the version that schedules are to start, None for one still to be made."""
    names = {schedule.name for schedule in wanted.schedules}
    for schedule in wanted.scheduled(asking.account):
        there = deployed.counted(schedule.name)
        if there is None:
            yield ScheduleChange(schedule.name, "add")
            continue
        found = _schedule(schedule, there, current, asking, wanted)
        doubled = sum(one.enabled for one in deployed.named(schedule.name))
        if found is None and doubled > 1:
            said = f"{doubled} of it are enabled"
            found = ScheduleChange(schedule.name, "enable", by_hand=said)
        if found is not None:
            yield found
    enabled = {one.spec.name for one in deployed.schedules if one.enabled}
    for name in sorted(enabled):
        if not any(marks.same("schedule", name, known) for known in names):
            yield ScheduleChange(name, "remove")


def _schedule(
    schedule: ScheduleSpec,
    there: Schedule,
    current: Version | None,
    asking: Asking,
    wanted: Wanted,
) -> ScheduleChange | None:
    changes = tuple(schedule_changes(there.spec, schedule, asking.kept))
    content = tuple(change for change in changes if change.place != "enabled")
    if content:
        return ScheduleChange(
            schedule.name, "change", changes, _by_hand(schedule, there, asking, wanted)
        )
    if current is None or there.version not in (current.id, current.name):
        move = Change("version", there.marks.version if there.marks else there.version, None)
        return ScheduleChange(schedule.name, "move", (move, *changes))
    if changes:
        action: Action = "enable" if schedule.enabled else "disable"
        return ScheduleChange(
            schedule.name, action, changes, _by_hand(schedule, there, asking, wanted)
        )
    return None


def schedule_changes(
    old: ScheduleSpec, new: ScheduleSpec, kept: frozenset[str]
) -> Iterator[Change]:
    """Field by field, as far as the engine keeps them."""
    for name in ("cron", "timezone", "overlap", "catch_up", "service_account", "enabled"):
        left, right = getattr(old, name), getattr(new, name)
        if name in kept and left != right:
            yield Change(name, left, right)
    for name in sorted(old.params.keys() | new.params.keys()):
        before, after = old.params.get(name, ABSENT), new.params.get(name, ABSENT)
        if before is ABSENT or after is ABSENT or not _is_same(before, after):
            yield Change(f"params.{name}", _none(before), _none(after))


def _by_hand(schedule: ScheduleSpec, there: Schedule, asking: Asking, wanted: Wanted) -> str:
    """What someone changed on the engine, as far as the spec that it was made of can be had."""
    commit = there.marks.commit if there.marks else ""
    old = asking.past(wanted, commit, "") if commit else None
    made = next((s for s in old.schedules if s.name == schedule.name), None) if old else None
    if made is None:
        return ""
    # Of no spec, and what the settings said then is not known.
    made = replace(made, service_account=there.spec.service_account)
    changed = [
        f"{c.place} {said(c.old)} → {said(c.new)}"
        for c in schedule_changes(made, there.spec, asking.kept)
    ]
    return "changed by hand: " + ", ".join(changed) if changed else ""


def _is_same(one: Any, other: Any) -> bool:
    """As values; or as texts, for some engines keep no more of a list, its `1.0` as it stands."""
    return to_text(plain(one)) == to_text(plain(other)) or to_text(one) == to_text(other)


def _none(value: object) -> JsonValue:
    return None if value is ABSENT else value  # type: ignore[return-value]
