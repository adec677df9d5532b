"""Answers of KFP's API as records. What a server leaves out or says in a new way does no harm."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from compiler.cluster.answers import at, seconds
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
# What a server keeps of runs (RuntimeState of its model).
_OF_RUNS = (
    "PENDING", "RUNNING", "SUCCEEDED", "SKIPPED", "FAILED", "CANCELING", "CANCELED", "PAUSED",
    "RUNTIME_STATE_UNSPECIFIED",
)  # fmt: skip
_ROUND = re.compile(r"\((\d+)[:)]")
_NUMBER = re.compile(r"-(\d+)$")
_EXECUTOR = re.compile(r"executor(\(\d+\))?")


def state(raw: str) -> State:
    return _STATES.get(raw.upper(), "unknown")


def other_states(wanted: frozenset[State]) -> list[str]:
    """The server's words for states of runs that are none of these. One that a later server has is
    not among them, so that no run is left out by a word that is not known here."""
    return [raw for raw in _OF_RUNS if state(raw) not in wanted]


def experiment(data: Json, ui: str) -> Experiment:
    text, marks = of_description(data.get("description"))
    own = data.get("experiment_id", "")
    return Experiment(
        id=own,
        name=data.get("display_name", ""),
        description=text,
        marks=marks,
        archived=data.get("storage_state") == "ARCHIVED",
        created=seconds(data.get("created_at")),
        last_run=seconds(data.get("last_run_created_at")),
        url=f"{ui}/#/experiments/details/{own}",
    )


def version(data: Json, ui: str) -> Version:
    pipeline, own = data.get("pipeline_id", ""), data.get("pipeline_version_id", "")
    return Version(
        id=own,
        pipeline=pipeline,
        name=data.get("name") or data.get("display_name", ""),
        marks=of_tags(data.get("tags")),
        created=seconds(data.get("created_at")),
        url=f"{ui}/#/pipelines/details/{pipeline}/version/{own}",
    )


def run(data: Json, ui: str, marks: Marks | None = None) -> Run:
    """`marks` are those of its version, which count where it has none of its own."""
    own = data.get("run_id", "")
    _, written = of_description(data.get("description"))
    reference = at(data, "pipeline_version_reference")
    tasks = at(data, "run_details").get("task_details", ())
    starts = [seconds(task.get("start_time")) for task in tasks]
    return Run(
        id=own,
        name=data.get("display_name", ""),
        state=state(data.get("state", "")),
        raw_state=data.get("state", ""),
        message=short(at(data, "error").get("message", "")),
        experiment=data.get("experiment_id", ""),
        marks=written or marks,
        version=reference.get("pipeline_version_id") or data.get("pipeline_version_id", ""),
        params=dict(at(data, "runtime_config", "parameters")),
        created=seconds(data.get("created_at")),
        started=min((s for s in starts if s), default=None),
        ended=seconds(data.get("finished_at")),
        schedule=data.get("recurring_run_id", ""),
        archived=data.get("storage_state") == "ARCHIVED",
        url=f"{ui}/#/runs/details/{own}",
    )


def schedule(data: Json, ui: str, account: str | None) -> Schedule:
    """Without a time zone: the server has one for all, and does not tell which. `account` is the
    service account of the settings: where none was given the server tells its own."""
    own = data.get("recurring_run_id", "")
    _, marks = of_description(data.get("description"))
    cron = at(data, "trigger", "cron_schedule").get("cron", "")
    reference = at(data, "pipeline_version_reference")
    enabled = data.get("status") != "DISABLED" and data.get("mode") != "DISABLE"
    told = data.get("service_account") or None
    at_once = str(data.get("max_concurrency", ""))
    name = marks.schedule if marks and marks.schedule else data.get("display_name", "")
    return Schedule(
        id=own,
        name=data.get("display_name", ""),
        spec=ScheduleSpec(
            name=name,
            cron=_five_fields(cron),
            params=dict(at(data, "runtime_config", "parameters")),
            enabled=enabled,
            overlap="forbid" if at_once == "1" else "allow",
            catch_up=not data.get("no_catchup", False),
            service_account=told if told == account or (marks and marks.account) else None,
        ),
        enabled=enabled,
        cron=cron,
        version=reference.get("pipeline_version_id") or data.get("pipeline_version_id", ""),
        pipeline=reference.get("pipeline_id", ""),
        experiment=data.get("experiment_id", ""),
        marks=marks,
        created=seconds(data.get("created_at")),
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
        self.tasks: list[Json] = at(data, "run_details").get("task_details", [])
        self.known = known
        self._by_id: dict[str, Json] = {}
        self._by_number: dict[str, Json] = {}
        for task in self.tasks:
            for key in ("task_id", "pod_name"):
                if task.get(key):
                    self._by_id[task[key]] = task
            number = _NUMBER.search(task.get("pod_name", ""))
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
            own = self.known.get(task.get("display_name", ""))
            if own is not None:
                rounds = self._rounds(task, own.loops)
                place = (order[task["display_name"]], rounds)
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
        pods = [e["pod_name"] for e in found if e.get("pod_name")]
        return pods or _child_names(task) or [task.get("pod_name") or node]

    def _step(self, task: Json, own: TaskOf, rounds: tuple[int, ...]) -> StepState:
        tries = [t for t in self._executors(task, set()) if "(" in t.get("display_name", "")]
        return StepState(
            name=".".join([own.step, *map(str, rounds)]),
            state=state(task.get("state", "")),
            started=seconds(task.get("start_time")),
            ended=seconds(task.get("end_time")),
            message=short(at(task, "error").get("message", "")),
            tries=max(len(tries), 1),
            node=task.get("pod_name") or task.get("task_id", ""),
        )

    def _executors(self, task: Json, seen: set[int]) -> Iterator[Json]:
        for child in self._children(task):
            if id(child) not in seen and _EXECUTOR.fullmatch(child.get("display_name", "")):
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
            number = _ROUND.search(around.get("display_name", ""))
            if number is not None and not _EXECUTOR.fullmatch(around.get("display_name", "")):
                rounds.insert(0, int(number[1]))
            around = self._parent(around)
        return tuple(rounds)

    def _parent(self, task: Json) -> Json | None:
        return self._by_id.get(task.get("parent_task_id", "")) or self._around.get(id(task))


def _child_names(task: Json) -> list[str]:
    names = [c.get("task_id") or c.get("pod_name", "") for c in task.get("child_tasks", ())]
    return [name for name in names if name]
