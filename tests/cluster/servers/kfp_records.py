"""What a KFP API server keeps, and how it shows each thing in JSON (api_converter.go)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
ACTIVE = ("PENDING", "RUNNING", "CANCELING", "PAUSED")
FINISHED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")


def stamp(seconds: int) -> str:
    """A time as protobuf prints it; one that was never set prints as 1970."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def filled(**fields: Any) -> Json:
    """The fields that are not empty: protojson leaves the others out."""
    return {name: value for name, value in fields.items() if value not in ("", 0, None, [], {})}


@dataclass
class Pipeline:
    id: str
    name: str
    display_name: str
    description: str
    namespace: str
    created: int
    tags: dict[str, str] = field(default_factory=dict)

    def show(self) -> Json:
        return filled(
            pipeline_id=self.id,
            name=self.name,
            display_name=self.display_name,
            description=self.description,
            created_at=stamp(self.created),
            namespace=self.namespace,
            tags=self.tags,
        )


@dataclass
class Version:
    id: str
    pipeline_id: str
    name: str
    display_name: str
    description: str
    created: int
    # {pipeline_spec, platform_spec} where there is a platform document, else the spec itself.
    spec: Json
    tags: dict[str, str] = field(default_factory=dict)

    def show(self) -> Json:
        return filled(
            pipeline_id=self.pipeline_id,
            pipeline_version_id=self.id,
            name=self.name,
            display_name=self.display_name,
            description=self.description,
            created_at=stamp(self.created),
            pipeline_spec=self.spec,
            tags=self.tags,
        )


@dataclass
class Experiment:
    id: str
    display_name: str
    description: str
    namespace: str
    created: int
    storage_state: str = "AVAILABLE"
    last_run: int = 0

    def show(self) -> Json:
        return filled(
            experiment_id=self.id,
            display_name=self.display_name,
            description=self.description,
            created_at=stamp(self.created),
            last_run_created_at=stamp(self.last_run),
            namespace=self.namespace,
            storage_state=self.storage_state,
        )


@dataclass
class Task:
    """One node of the run's workflow: a task's driver, the task, or its executor's pod."""

    id: str
    name: str
    pod: str
    state: str = "PENDING"
    started: int = 0
    finished: int = 0
    message: str = ""
    children: list[str] = field(default_factory=list)
    history: list[tuple[int, str]] = field(default_factory=list)

    def move(self, state: str, now: int) -> None:
        if state == self.state and self.history:
            return
        self.state = state
        self.history.append((now, state))
        if state == "RUNNING":
            self.started = self.started or now
        elif state in FINISHED:
            self.finished = now

    def show(self, run: Run) -> Json:
        return filled(
            run_id=run.id,
            task_id=self.id,
            display_name=self.name,
            # The workflow's, for each of its tasks.
            create_time=stamp(run.created),
            start_time=stamp(self.started),
            end_time=stamp(self.finished),
            state=self.state,
            state_history=show_history(self.history),
            child_tasks=[{"pod_name": pod} for pod in self.children],
        )


@dataclass
class Run:
    id: str
    display_name: str
    description: str
    experiment_id: str
    namespace: str
    created: int
    spec: Json
    pipeline_id: str = ""
    version_id: str = ""
    parameters: Json = field(default_factory=dict)
    pipeline_root: str = ""
    recurring_run_id: str = ""
    service_account: str = "pipeline-runner"
    storage_state: str = "AVAILABLE"
    state: str = "PENDING"
    finished: int = 0
    workflow: str = ""
    tasks: list[Task] = field(default_factory=list)
    history: list[tuple[int, str]] = field(default_factory=list)
    # Its workflow is gone while it ran: it never moves again.
    killed: bool = False
    attempt: int = 0

    def move(self, state: str, now: int) -> None:
        self.state = state
        if not self.history or self.history[-1][1] != state:
            self.history.append((now, state))
        self.finished = now if state in FINISHED else 0

    def show(self) -> Json:
        source: Json = {"pipeline_spec": self.spec}
        if self.version_id:
            reference = {"pipeline_id": self.pipeline_id, "pipeline_version_id": self.version_id}
            source = {"pipeline_version_reference": reference}
        return filled(
            run_id=self.id,
            experiment_id=self.experiment_id,
            recurring_run_id=self.recurring_run_id,
            display_name=self.display_name,
            description=self.description,
            service_account=self.service_account,
            runtime_config=filled(parameters=self.parameters, pipeline_root=self.pipeline_root),
            storage_state=self.storage_state,
            state=self.state,
            state_history=show_history(self.history),
            created_at=stamp(self.created),
            scheduled_at=stamp(self.created),
            finished_at=stamp(self.finished),
            run_details=filled(task_details=self._show_tasks()),
            **source,
        )

    def _show_tasks(self) -> list[Json]:
        """In the order of the nodes' ids (toModelTasks), which says nothing of time."""
        return [task.show(self) for task in sorted(self.tasks, key=lambda task: task.pod)]


@dataclass
class RecurringRun:
    id: str
    display_name: str
    description: str
    experiment_id: str
    namespace: str
    created: int
    trigger: Json
    enabled: bool
    max_concurrency: int
    no_catchup: bool
    spec: Json | None = None
    pipeline_id: str = ""
    version_id: str = ""
    parameters: Json = field(default_factory=dict)
    pipeline_root: str = ""
    service_account: str = "pipeline-runner"
    updated: int = 0
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1), repr=False)

    def show(self) -> Json:
        source: Json = {}
        if self.pipeline_id or self.version_id:
            source["pipeline_version_reference"] = filled(
                pipeline_id=self.pipeline_id, pipeline_version_id=self.version_id
            )
        elif self.spec is not None:
            source["pipeline_spec"] = self.spec
        return filled(
            recurring_run_id=self.id,
            display_name=self.display_name,
            description=self.description,
            service_account=self.service_account,
            runtime_config=filled(parameters=self.parameters, pipeline_root=self.pipeline_root),
            max_concurrency=str(self.max_concurrency),
            no_catchup=self.no_catchup or None,
            trigger=self.trigger,
            mode="ENABLE" if self.enabled else "DISABLE",
            status="ENABLED" if self.enabled else "DISABLED",
            created_at=stamp(self.created),
            updated_at=stamp(self.updated),
            namespace=self.namespace,
            experiment_id=self.experiment_id,
            **source,
        )


def show_history(history: list[tuple[int, str]]) -> list[Json]:
    return [{"update_time": stamp(when), "state": state} for when, state in history]
