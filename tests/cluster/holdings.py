"""What a server holds, by the ids that it has there, and whose it is: of others is what a test made
as theirs, all else is the project's. No mark is read here, so that one that matches too much shows.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from compiler.targets.argo.schedules import cron_workflow_name

Id = tuple[str, ...]
Key = tuple[str, str]
_KINDS = ("workflowtemplates", "cronworkflows")
_RECORDS = ("pipelines", "versions", "recurring", "experiments")


def holdings(kind: str, app: Any) -> dict[Id, Any]:
    """All but runs, which are the affair of who starts them."""
    if kind == "kfp":
        return {(of, id): one for of in _RECORDS for id, one in getattr(app, of).items()}
    return {id: one for id, one in app.cluster.all.items() if id[0] in _KINDS}


def shown(one: Any) -> Any:
    """As it is now; which runs there were changes nothing of an experiment."""
    data = copy.deepcopy(one if isinstance(one, dict) else one.show())
    data.pop("last_run_created_at", None)
    return data


@dataclass
class Owners:
    """`theirs` is what others made, as it was then; `names` are the schedules of specs by what they
    are called on the server."""

    kind: str
    app: Any
    theirs: dict[Id, Any] = field(default_factory=dict)
    names: dict[str, Key] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._take(set())

    @contextmanager
    def others(self) -> Iterator[None]:
        """What is made inside is of others."""
        before = set(holdings(self.kind, self.app))
        yield
        self._take(before)

    def _take(self, before: set[Id]) -> None:
        for id, one in holdings(self.kind, self.app).items():
            if id not in before:
                self.theirs[id] = shown(one)

    def write(self, algorithm: str, schedules: Iterable[str]) -> None:
        """A spec has these schedules."""
        plain = algorithm.replace("_", "-")
        for schedule in schedules:
            name = f"{plain}--{schedule}"
            name = name if self.kind == "kfp" else cron_workflow_name(plain, schedule)
            self.names[name] = (algorithm, schedule)

    def check(self) -> None:
        """What is of others is there as it was."""
        now = holdings(self.kind, self.app)
        touched = [id for id, one in self.theirs.items() if id not in now or shown(now[id]) != one]
        assert not touched, f"of others and touched: {touched}"

    def schedules(self) -> Iterator[tuple[Id, Any]]:
        """The project's own."""
        of = "recurring" if self.kind == "kfp" else "cronworkflows"
        for id, one in holdings(self.kind, self.app).items():
            if id[0] == of and id not in self.theirs:
                yield id, one

    def key(self, schedule: Any) -> Key:
        """The algorithm and the name of a schedule that is the project's."""
        if self.kind == "kfp":
            name = "--".join(schedule.display_name.split("--")[:2])
        else:
            name = schedule["metadata"]["name"]
        algorithm, _, own = name.partition("--")
        return self.names.get(name, (algorithm, own))

    def enabled(self) -> dict[Key, int]:
        """How many enabled schedules there are of each name of the project."""
        found: dict[Key, int] = {}
        for _, one in self.schedules():
            is_enabled = one.enabled if self.kind == "kfp" else not one["spec"].get("suspend")
            key = self.key(one)
            found[key] = found.get(key, 0) + bool(is_enabled)
        return found
