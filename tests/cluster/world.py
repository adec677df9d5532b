"""An engine under test with the server behind it, and what is submitted to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cluster.servers.wire import Server
from msgspec.structs import replace

from compiler.cluster import Engine
from compiler.cluster.calls import Patience
from compiler.cluster.records import Experiment, Manifest, Marks, Run, Version
from compiler.ir import Pipeline
from compiler.settings import TargetSettings

SPEC = """\
apiVersion: mlc/v1
kind: Algorithm
name: doc_type
description: Tells types of documents apart.
image: example/image:1
params:
  rows: {type: integer, default: 100}
  label: {type: string, default: null}
steps:
  read_rows:
    command: [read]
    args:
      - --rows: ${{ params.rows }}
        --label: ${{ params.label }}
        --out: ${{ outputs.data }}
    outputs: {data: Dataset}
  train_it:
    command: [train]
    args:
      - --data: ${{ steps.read_rows.outputs.data }}
        --out: ${{ outputs.metrics }}
    outputs: {metrics: Metrics}
schedules:
  nightly: {cron: "30 2 * * *", params: {rows: 5}}
"""
MARKS = Marks(
    project="ia", algorithm="doc-type", version="v-0123456789ab", commit="0123456789abcdef" * 2,
    branch="IA-1742/doc type", digest="d" * 40, mlc="0.1.0",
)  # fmt: skip
QUICK = Patience(tries=4, pause=0.01, longest=0.02, connect=2.0, read=5.0)


class World:
    """An engine, and the server that it speaks to."""

    def __init__(self, engine: Engine, server: Server, finish: Callable[[str], object]) -> None:
        self.engine = engine
        self.server = server
        self.finish = finish

    @property
    def is_kfp(self) -> bool:
        return self.engine.settings.kind == "kfp"

    def hold(self) -> None:
        """From now on a look at a run moves it no further."""
        app: Any = self.server.app
        (app if self.is_kfp else app.cluster).script.pace = 0

    def delete(self, id: str) -> None:
        """What someone else does to a run meanwhile."""
        app: Any = self.server.app
        if self.is_kfp:
            del app.runs[id]
        else:
            app.cluster.delete("workflows", "default", id)

    def submit(self, pipeline: Pipeline, key: str = "k1", branch: str | None = None) -> Run:
        version, manifest, experiment = self.published(pipeline, branch)
        params = {"rows": 7, "label": None}
        marks = replace(MARKS, key=key)
        return self.engine.create_run(
            f"doc-type {key}", version, manifest, params, experiment, marks
        )

    def published(
        self, pipeline: Pipeline, branch: str | None = None
    ) -> tuple[Version, Manifest, Experiment]:
        manifest = self.engine.compiled(pipeline, TargetSettings(), branch)
        own = replace(MARKS, experiment="IA-1742")
        experiment = self.engine.create_experiment("IA-1742", "[IA-1742] DOC TYPE", own)
        return self.engine.publish(manifest, own), manifest, experiment
