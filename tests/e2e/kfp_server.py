"""Kubeflow Pipelines through its REST interface (v2beta1): submit, wait, read.

It tells states of tasks, and neither their values nor their logs; and of a task that did not run
it does not tell why.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import yaml
from expectation import Outcome
from rest import Cluster, json_of

from compiler.ir import Pipeline
from compiler.settings import TargetSettings
from compiler.targets import kfp
from compiler.targets.kfp.names import task_names
from compiler.values import JsonValue

_RUNS = "/apis/v2beta1/runs"
_ENDED = {"SUCCEEDED": "succeeded", "FAILED": "failed", "CANCELED": "failed"}
_STATES = {**_ENDED, "SKIPPED": "not run"}
_ROUND = re.compile(r"\((\d+):")


def replay(
    cluster: Cluster,
    pipeline: Pipeline,
    settings: TargetSettings,
    params: Mapping[str, JsonValue],
    patience: float,
) -> Outcome:
    """Run a pipeline and wait at most `patience` seconds for its end.

    Raises:
        ServerError, OSError: the server refused it or is gone.
        TimeoutError: it has not ended.
    """
    documents = list(yaml.load_all(kfp.emit(pipeline, settings), yaml.CSafeLoader))
    spec: dict[str, Any] = {"pipeline_spec": documents[0]}
    if len(documents) > 1:
        spec["platform_spec"] = documents[1]
    # A form can send no null: there an optional parameter is text.
    texts = {p.name for p in pipeline.params if p.nullable}
    given = {
        name: "" if value is None else str(value) if name in texts else value
        for name, value in params.items()
    }
    run = {
        "display_name": pipeline.kubernetes_name,
        "pipeline_spec": spec,
        "runtime_config": {"parameters": given},
    }
    made = json_of(cluster, "POST", _RUNS, run)
    path = f"{_RUNS}/{made['run_id']}"
    try:
        return _outcome(_ended(cluster, path, patience), pipeline)
    finally:
        json_of(cluster, "DELETE", path)


def _ended(cluster: Cluster, path: str, patience: float) -> Any:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        run = json_of(cluster, "GET", path)
        if run.get("state") in _ENDED:
            return run
        time.sleep(min(1.0, patience / 10))
    raise TimeoutError(f"not ended after {patience:.0f} s")


def _outcome(run: Mapping[str, Any], pipeline: Pipeline) -> Outcome:
    details = run.get("run_details", {}).get("task_details", ())
    tasks = {task["task_id"]: task for task in details}
    steps = {task: name for name, task in task_names(s.name for s in pipeline.steps).items()}
    found = {
        _instance(task, tasks, steps[task["display_name"]]): task
        for task in tasks.values()
        if task["display_name"] in steps
    }
    states = {name: _STATES[task["state"]] for name, task in found.items()}
    return Outcome(
        status=_ENDED[run["state"]],
        states=states,
        traces=None,
        outputs=None,
        times={
            name: (_seconds(task["start_time"]), _seconds(task["end_time"]))
            for name, task in found.items()
            if states[name] != "not run"
        },
        tries=None,
        result=None,
        tells_unrun=False,
    )


def _instance(task: Mapping[str, Any], tasks: Mapping[str, Any], step: str) -> str:
    rounds: list[str] = []
    around = tasks.get(task.get("parent_task_id", ""))
    while around is not None:
        number = _ROUND.search(around["display_name"])
        if number is not None:
            rounds.insert(0, number[1])
        around = tasks.get(around.get("parent_task_id", ""))
    return ".".join([step, *rounds])


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
