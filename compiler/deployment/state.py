"""What an engine holds of a project for its default branch: versions and schedules."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator

from msgspec import Struct

from compiler.cluster import Engine, marks
from compiler.cluster.records import Schedule, Version
from compiler.deployment.wanted import plain
from compiler.values import to_text


class Deployed(Struct, frozen=True):
    """An algorithm on an engine. `versions` are the default branch's, the newest first;
    `schedules` are all of the project's for it, those that are done with too."""

    algorithm: str
    versions: tuple[Version, ...] = ()
    schedules: tuple[Schedule, ...] = ()

    @property
    def current(self) -> Version | None:
        """The newest version. Engines tell seconds: of several of one second that which a schedule
        starts, and of several of these that which the schedule made last does."""
        newest = [one for one in self.versions if one.created == self.versions[0].created]
        if len(newest) < 2:
            return next(iter(newest), None)
        scheduled = [one for one in newest if any(s.enabled for s in self._starting(one))]
        last = (one for one in scheduled if not self._is_followed(one, newest))
        return next(last, next(iter(scheduled), newest[0]))

    def _starting(self, version: Version) -> Iterator[Schedule]:
        return (one for one in self.schedules if one.version in (version.id, version.name))

    def _is_followed(self, version: Version, others: Iterable[Version]) -> bool:
        """Whether a schedule went on from this version to one of the others."""
        for one in self._starting(version):
            latest = self.named(one.spec.name)[0].version
            after = (other for other in others if latest in (other.id, other.name))
            if any(other is not version for other in after):
                return True
        return False

    def named(self, schedule: str) -> list[Schedule]:
        """Those of one name in a spec, the one that counts first."""
        found = [one for one in self.schedules if marks.same("schedule", one.spec.name, schedule)]
        return sorted(found, key=rank, reverse=True)

    def counted(self, schedule: str) -> Schedule | None:
        """The one that starts runs: of several that are enabled the latest, else the latest."""
        found = self.named(schedule)
        return next((one for one in found if one.enabled), found[0] if found else None)

    @property
    def commits(self) -> tuple[str, ...]:
        """Those that what runs by itself was made of."""
        made = [self.current, *(one for one in self.schedules if one.enabled)]
        found = {one.marks.commit for one in made if one is not None and one.marks is not None}
        return tuple(sorted(filter(None, found)))

    @property
    def fingerprint(self) -> str:
        """The same for the same state, as far as a plan goes by it."""
        current = self.current
        version: list[str] = [current.id, current.name] if current else []
        if current is not None and current.marks is not None:
            version += [current.marks.digest, current.marks.commit]
        found = [
            [
                one.id,
                one.cron,
                one.enabled,
                one.version,
                one.spec.timezone,
                one.spec.overlap,
                one.spec.service_account,
                sorted((name, to_text(plain(v))) for name, v in one.spec.params.items()),
            ]
            for one in sorted(self.schedules, key=lambda s: s.id)
        ]
        text = json.dumps([version, found])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def rank(schedule: Schedule) -> tuple[int, float, str]:
    """The order in which schedules of one name were made. Two that deploy at once come to the same
    one, whatever the other does in between."""
    made = schedule.marks.generation if schedule.marks else ""
    number = int(made) if made.isascii() and made.isdigit() else 0
    return number, schedule.created or 0.0, schedule.id


def read_state(
    engine: Engine, project: str, branch: str, known: Iterable[str] = ()
) -> dict[str, Deployed]:
    """All that carries the project's mark, by algorithm; `known` are the names of algorithms that
    may have lost their versions there.

    Raises:
        EngineError: the engine can't be reached, or says no.
    """
    versions: dict[str, list[Version]] = {}
    schedules: dict[str, list[Schedule]] = {}
    for version in engine.versions(project):
        if version.marks is not None and _is_of(engine, version, branch):
            versions.setdefault(version.marks.algorithm, []).append(version)
    for schedule in engine.schedules(project):
        if schedule.marks is not None and schedule.marks.algorithm:
            schedules.setdefault(schedule.marks.algorithm, []).append(schedule)
    every = sorted({*versions, *known})
    for name in [name for name in schedules if name not in versions]:
        # Where there is little room, the name of an algorithm may have been cut.
        whole = next((one for one in every if marks.same("algorithm", name, one)), name)
        if whole != name:
            schedules.setdefault(whole, []).extend(schedules.pop(name))
    names = sorted(versions.keys() | schedules.keys())
    return {
        name: Deployed(name, _in_order(versions.get(name, ())), tuple(schedules.get(name, ())))
        for name in names
    }


def read_one(engine: Engine, project: str, branch: str, algorithm: str) -> Deployed:
    """One algorithm, as `read_state` has it."""
    found = [
        version
        for version in engine.versions(project, algorithm)
        if version.marks is not None
        and version.marks.algorithm == algorithm
        and _is_of(engine, version, branch)
    ]
    return Deployed(algorithm, _in_order(found), schedules_of(engine, project, algorithm))


def schedules_of(engine: Engine, project: str, algorithm: str) -> tuple[Schedule, ...]:
    return tuple(
        one
        for one in engine.schedules(project, algorithm)
        if one.marks is not None and marks.same("algorithm", one.marks.algorithm, algorithm)
    )


def _is_of(engine: Engine, version: Version, branch: str) -> bool:
    """Whether a version is what the branch deployed. What was submitted on that branch has the mark
    of its experiment; where one is replaced in place, another name."""
    own = version.marks
    if own is None or not marks.same("branch", own.branch, branch):
        return False
    if engine.replaces_schedules:
        return version.pipeline == own.algorithm.replace("_", "-")
    return not own.experiment


def _in_order(versions: Iterable[Version]) -> tuple[Version, ...]:
    """The newest first; of one second the one that the engine told of first."""
    return tuple(sorted(versions, key=lambda v: v.created or 0.0, reverse=True))
