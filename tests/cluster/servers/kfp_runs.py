"""How a run of the KFP server moves: a step for each look at it, or as the test says."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from .kfp_records import ACTIVE, Run, Task
from .kfp_specs import inner, task_names


@dataclass
class Script:
    """What becomes of runs, by patterns on `RUN/TASK` (display names); the last match counts.

    `pace` is how many steps a look at the run moves it; 0 leaves it to `Progress.advance`.
    """

    pace: int = 1
    outcomes: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    # Values that a task writes as its metrics artifact, by the same patterns.
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)

    def of(self, table: dict[str, str], run: str, task: str, default: str) -> str:
        found = [value for name, value in table.items() if fnmatchcase(f"{run}/{task}", name)]
        return found[-1] if found else default

    def metrics_of(self, run: str, task: str) -> dict[str, float]:
        found = [v for name, v in self.metrics.items() if fnmatchcase(f"{run}/{task}", name)]
        return found[-1] if found else {}


def begin(run: Run, now: int) -> None:
    """The workflow of a new run, as its first report shows it."""
    name = inner(run.spec)["pipelineInfo"]["name"]
    run.workflow = f"{name}-{run.id[:5]}"
    run.move("PENDING", now)


def advance(run: Run, script: Script, now: int) -> Task | None:
    """Move the run one step; the task that came to its end, if one did."""
    if run.killed or run.state not in ACTIVE:
        return None
    if run.state == "CANCELING":
        _end(run, "CANCELED", now)
        return None
    if run.state == "PENDING":
        run.move("RUNNING", now)
        if not run.tasks:
            _start(run, run.workflow, now)
            _start(run, "root-driver", now).move("SUCCEEDED", now)
            _start(run, "root", now)
        return None
    ended = _end_current(run, script, now)
    if ended is not None and ended.state == "FAILED":
        _end(run, "FAILED", now)
        return ended
    begun = {task.name for task in run.tasks}
    rest = [one for one in task_names(run.spec) if one[0] not in begun]
    if not rest:
        _end(run, "SUCCEEDED", now)
        return ended
    name, container = rest[0]
    driver = _start(run, f"{name}-driver", now)
    driver.move("SUCCEEDED", now)
    task = _start(run, name, now)
    driver.children.append(task.pod)
    if container:
        executor = _start(run, "executor", now)
        task.children.append(executor.pod)
    return ended


def retry(run: Run, now: int) -> None:
    """What failed is taken away and runs again; what succeeded stays."""
    run.attempt += 1
    failed = {task.name for task in run.tasks if task.state in ("FAILED", "CANCELED")}
    failed |= {f"{name}-driver" for name in failed}
    keep = ("root", "root-driver", run.workflow)
    run.tasks = [t for t in run.tasks if t.name in keep or t.name not in failed]
    for task in run.tasks:
        if task.name in ("root", run.workflow):
            task.finished = 0
            task.move("RUNNING", now)
    run.move("RUNNING", now)


def _end_current(run: Run, script: Script, now: int) -> Task | None:
    running = [
        task
        for task in run.tasks
        if task.state == "RUNNING" and task.name not in ("root", run.workflow)
    ]
    ended = None
    for task in running:
        if task.name == "executor":
            continue
        state = script.of(script.outcomes, run.display_name, task.name, "SUCCEEDED")
        if state in ("FAILED_ONCE", "FAIL_ONCE"):
            state = "FAILED" if run.attempt == 0 else "SUCCEEDED"
        task.move(state, now)
        for other in running:
            if other.pod in task.children:
                other.move(state, now)
        ended = task
    return ended


def _end(run: Run, state: str, now: int) -> None:
    for task in run.tasks:
        if task.state in ACTIVE:
            # A terminated workflow's nodes are Failed to Argo.
            task.move("FAILED" if state == "CANCELED" else state, now)
    run.move(state, now)


def _start(run: Run, name: str, now: int) -> Task:
    number = uuid.uuid5(uuid.UUID(run.id), f"{name}/{len(run.tasks)}/{run.attempt}")
    task = Task(str(number), name, f"{run.workflow}-{number.int % 10**10}")
    task.move("RUNNING", now)
    run.tasks.append(task)
    return task
