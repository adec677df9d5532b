"""Argo's own controller, which operates manifests on this machine (tests/golang/argocluster)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import argo_server
from expectation import Outcome
from go_programs import go_program

from compiler.ir import Pipeline
from compiler.values import JsonValue, to_text

# All of the runs share the processors.
PATIENCE = 300.0


class Run(NamedTuple):
    """A file of manifests to be run: its steps start in `home`, what they write is in `scratch`."""

    pipeline: Pipeline
    text: str
    params: Mapping[str, JsonValue]
    home: Path
    scratch: Path


class _Told(NamedTuple):
    logs: Mapping[str, str]
    store: Path

    def log(self, pod: str) -> str:
        return self.logs.get(pod, "")

    def artifact(self, _: str, artifact: Mapping[str, Any]) -> str | None:
        path = self.store / artifact["s3"]["key"]
        return path.read_text() if path.is_file() else None


def answers(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """How runs end, all at the same time, for `outcome_of`."""
    questions = [
        {
            "id": number,
            "text": run.text,
            "parameters": [f"{name}={to_text(value)}" for name, value in run.params.items()],
            "home": str(run.home),
            "scratch": str(run.scratch),
            "patience": PATIENCE,
        }
        for number, run in enumerate(runs)
    ]
    # The controller waits ten seconds between two looks at a workflow, unless told otherwise.
    told = subprocess.run(
        [go_program("argocluster")],
        input="\n".join(map(json.dumps, questions)),
        env={**os.environ, "DEFAULT_REQUEUE_TIME": "1s"},
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return sorted(map(json.loads, told.stdout.splitlines()), key=lambda answer: answer["id"])


def outcome_of(run: Run, answer: Mapping[str, Any]) -> Outcome:
    """A run as it ended; the test fails where it did not."""
    assert not answer["problem"], answer["problem"]
    workflow = answer["workflow"]
    assert workflow["status"].get("nodes"), workflow["status"].get("message")
    told = _Told(answer["logs"], run.scratch / "store")
    # Pods of other runs may be in the way of one, so how long something took says nothing.
    return argo_server.outcome_of(run.pipeline, workflow, told)._replace(has_clock=False)
