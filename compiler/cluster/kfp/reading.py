"""Answers of KFP's API as records. What a server leaves out or says in a new way does no harm."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from compiler.cluster.errors import short
from compiler.cluster.kfp.specs import TaskOf
from compiler.cluster.marks import of_description, of_tags
from compiler.cluster.records import (
    Experiment,
    Marks,
    Run,
    Schedule,
    ScheduleSpec,
    State,
    StepState,
    Version,
)

Json = Mapping[str, Any]
_STATES: dict[str, State] = {
    "PENDING": "waiting",
    "RUNNING": "running",
    "SUCCEEDED": "succeeded",
    "SKIPPED": "skipped",
    "OMITTED": "omitted",
    "CACHED": "cached",
    "FAILED": "failed",
    "ERROR": "failed",
    "CANCELING": "stopping",
    "CANCELED": "interrupted",
    "PAUSED": "paused",
    "": "waiting",
    "RUNTIME_STATE_UNSPECIFIED": "waiting",
}
_ROUND = re.compile(r"\((\d+)[:)]")
_NUMBER = re.compile(r"-(\d+)$")
_EXECUTOR = re.compile(r"executor(\(\d+\))?")
_MOST_AT_ONCE = 10


def state(raw: Any) -> State:
    return _STATES.get(str(raw or "").upper(), "unknown")


def seconds(text: Any) -> float | None:
    """A time in seconds since the epoch; what was never set is told as 1970 or 0001."""
    if not isinstance(text, str) or not text:
        return None
    try:
        found = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return found if found > 0 else None


def experiment(data: Json, ui: str) -> Experiment:
    text, marks = of_description(data.get("description"))
    own = str(data.get("experiment_id", ""))
    return Experiment(
        id=own,
        name=str(data.get("display_name", "")),
        description=text,
        marks=marks,
        archived=data.get("storage_state") == "ARCHIVED",
        created=seconds(data.get("created_at")),
        last_run=seconds(data.get("last_run_created_at")),
        url=f"{ui}/#/experiments/details/{own}",
    )


def version(data: Json, ui: str) -> Version:
    pipeline, own = str(data.get("pipeline_id", "")), str(data.get("pipeline_version_id", ""))
    return Version(
        id=own,
        pipeline=pipeline,
        name=str(data.get("name") or data.get("display_name") or ""),
        marks=of_tags(data.get("tags")),
        created=seconds(data.get("created_at")),
        url=f"{ui}/#/pipelines/details/{pipeline}/version/{own}",
    )


def run(data: Json, ui: str, marks: Marks | None = None) -> Run:
    """`marks` are those of its version, which say more than its own."""
    own = str(data.get("run_id", ""))
    _, written = of_description(data.get("description"))
    error = data.get("error")
    said = error.get("message", "") if isinstance(error, Mapping) else ""
    reference = data.get("pipeline_version_reference")
    reference = reference if isinstance(reference, Mapping) else {}
    config = data.get("runtime_config")
    given = config.get("parameters") if isinstance(config, Mapping) else None
    details = data.get("run_details")
    tasks = details.get("task_details") if isinstance(details, Mapping) else None
    starts = [seconds(task.get("start_time")) for task in tasks or () if isinstance(task, Mapping)]
    return Run(
        id=own,
        name=str(data.get("display_name", "")),
        state=state(data.get("state")),
        raw_state=str(data.get("state", "")),
        message=short(str(said)),
        experiment=str(data.get("experiment_id", "")),
        marks=written or marks,
        version=str(reference.get("pipeline_version_id") or data.get("pipeline_version_id") or ""),
        params=dict(given) if isinstance(given, Mapping) else {},
        created=seconds(data.get("created_at")),
        started=min((s for s in starts if s), default=None),
        ended=seconds(data.get("finished_at")),
        schedule=str(data.get("recurring_run_id", "")),
        archived=data.get("storage_state") == "ARCHIVED",
        url=f"{ui}/#/runs/details/{own}",
    )


def schedule(data: Json, ui: str) -> Schedule:
    """Without a time zone: the server has one for all, and does not tell which."""
    own = str(data.get("recurring_run_id", ""))
    _, marks = of_description(data.get("description"))
    trigger = data.get("trigger")
    trigger = trigger if isinstance(trigger, Mapping) else {}
    crons = trigger.get("cron_schedule")
    cron = str(crons.get("cron", "")) if isinstance(crons, Mapping) else ""
    reference = data.get("pipeline_version_reference")
    reference = reference if isinstance(reference, Mapping) else {}
    config = data.get("runtime_config")
    given = config.get("parameters") if isinstance(config, Mapping) else None
    enabled = data.get("status") != "DISABLED" and data.get("mode") != "DISABLE"
    at_once = str(data.get("max_concurrency", ""))
    name = marks.schedule if marks and marks.schedule else str(data.get("display_name", ""))
    return Schedule(
        id=own,
        name=str(data.get("display_name", "")),
        spec=ScheduleSpec(
            name=name,
            cron=_five_fields(cron),
            params=dict(given) if isinstance(given, Mapping) else {},
            enabled=enabled,
            overlap="forbid" if at_once == "1" else "allow",
            catch_up=not data.get("no_catchup", False),
        ),
        enabled=enabled,
        cron=cron,
        version=str(reference.get("pipeline_version_id") or data.get("pipeline_version_id") or ""),
        pipeline=str(reference.get("pipeline_id", "")),
        experiment=str(data.get("experiment_id", "")),
        marks=marks,
        created=seconds(data.get("created_at")),
        revision=str(data.get("updated_at", "")),
        url=f"{ui}/#/recurringrun/details/{own}",
    )


def _five_fields(cron: str) -> str:
    fields = cron.split()
    return " ".join(fields[1:]) if len(fields) == 6 and fields[0] == "0" else cron


class Tasks:
    """The tasks of a run, which the server tells as the nodes of its workflow.

    A step is the node of its task; its container is a node `executor` among its children.
    """

    def __init__(self, data: Json, known: Mapping[str, TaskOf]) -> None:
        details = data.get("run_details")
        found = details.get("task_details") if isinstance(details, Mapping) else None
        self.tasks = [task for task in found or () if isinstance(task, Mapping)]
        self.known = known
        self._by_id: dict[str, Json] = {}
        self._by_number: dict[str, Json] = {}
        for task in self.tasks:
            for key in ("task_id", "pod_name"):
                if task.get(key):
                    self._by_id[str(task[key])] = task
            number = _NUMBER.search(str(task.get("pod_name", "")))
            if number:
                self._by_number[number[1]] = task
        self._around: dict[int, Json] = {}
        for task in self.tasks:
            for child in self._children(task):
                self._around.setdefault(id(child), task)

    def steps(self) -> Iterator[StepState]:
        """In the order of the spec; rounds of a loop in theirs."""
        order = {name: number for number, name in enumerate(self.known)}
        found = []
        for task in self.tasks:
            own = self.known.get(str(task.get("display_name", "")))
            if own is not None:
                rounds = self._rounds(task, own.loops)
                place = (order[str(task["display_name"])], rounds)
                found.append((place, self._step(task, own, rounds)))
        yield from (step for _, step in sorted(found, key=lambda pair: pair[0]))

    def pods(self, node: str) -> list[str]:
        """The pods of a step, those of its tries in their order.

        A server of 2.17 names them as children of the step and tells no more of them.
        """
        task = self._by_id.get(node)
        if task is None:
            return [node]
        found = [*self._executors(task, set())]
        pods = [str(e["pod_name"]) for e in found if e.get("pod_name")]
        return pods or _child_names(task) or [str(task.get("pod_name") or node)]

    def _step(self, task: Json, own: TaskOf, rounds: tuple[int, ...]) -> StepState:
        error = task.get("error")
        said = error.get("message", "") if isinstance(error, Mapping) else ""
        tries = [t for t in self._executors(task, set()) if "(" in str(t.get("display_name"))]
        return StepState(
            name=".".join([own.step, *map(str, rounds)]),
            state=state(task.get("state")),
            started=seconds(task.get("start_time")),
            ended=seconds(task.get("end_time")),
            message=short(str(said)),
            tries=max(len(tries), 1),
            node=str(task.get("pod_name") or task.get("task_id") or ""),
        )

    def _executors(self, task: Json, seen: set[int]) -> Iterator[Json]:
        for child in self._children(task):
            if id(child) not in seen and _EXECUTOR.fullmatch(str(child.get("display_name"))):
                seen.add(id(child))
                yield child
                yield from self._executors(child, seen)

    def _children(self, task: Json) -> Iterator[Json]:
        for name in _child_names(task):
            number = _NUMBER.search(name)
            found = self._by_id.get(name) or (self._by_number.get(number[1]) if number else None)
            if found is not None:
                yield found

    def _rounds(self, task: Json, loops: int) -> tuple[int, ...]:
        """The rounds of the loops around a task, the outermost first."""
        rounds: list[int] = []
        seen: set[int] = set()
        around = self._parent(task)
        while around is not None and id(around) not in seen and len(rounds) < loops:
            seen.add(id(around))
            number = _ROUND.search(str(around.get("display_name", "")))
            if number is not None and not _EXECUTOR.fullmatch(str(around.get("display_name"))):
                rounds.insert(0, int(number[1]))
            around = self._parent(around)
        return tuple(rounds)

    def _parent(self, task: Json) -> Json | None:
        return self._by_id.get(str(task.get("parent_task_id", ""))) or self._around.get(id(task))


def _child_names(task: Json) -> list[str]:
    children = [c for c in task.get("child_tasks") or () if isinstance(c, Mapping)]
    names = [str(c.get("task_id") or c.get("pod_name") or "") for c in children]
    return [name for name in names if name]
