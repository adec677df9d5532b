"""A bench to run pipelines on, for real, and what comes of a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from builders import pipeline
from msgspec.structs import replace

from compiler.engine.events import Event, Note, RunResult, StepChanged
from compiler.engine.run import Options, run
from compiler.ir import Limits, Node, Param, PipelineInput, PipelineOutput
from compiler.settings import Project
from compiler.values import JsonValue


@dataclass(frozen=True)
class Outcome:
    """A run that has ended, and all that the engine said meanwhile."""

    result: RunResult
    events: list[Event]

    @property
    def status(self) -> str:
        return self.result.status

    @property
    def steps(self) -> dict[str, str]:
        return {name: step.status for name, step in self.result.steps.items()}

    @property
    def codes(self) -> list[str]:
        return [found.code for found in self.result.diagnostics]

    @property
    def notes(self) -> list[str]:
        return [e.text for e in self.events if isinstance(e, Note) and not e.detail]

    @property
    def traced(self) -> dict[str, str]:
        """The last line that each step printed that ran."""
        return {
            name: step.log.read_text().rstrip("\n").rpartition("\n")[2]
            for name, step in self.result.steps.items()
            if step.log is not None
        }

    def reason(self, step: str) -> str:
        return self.result.steps[step].reason

    def log(self, step: str) -> str:
        log = self.result.steps[step].log
        assert log is not None
        return log.read_text()

    def value(self, step: str, output: str) -> JsonValue:
        written = self.result.steps[step].written
        assert written is not None
        return written.values[output]

    def path(self, step: str, output: str) -> Path:
        written = self.result.steps[step].written
        assert written is not None
        return Path(written.artifacts[output].path)

    def changes(self, step: str) -> list[str]:
        return [e.status for e in self.events if isinstance(e, StepChanged) and e.step == step]


@dataclass(frozen=True)
class Bench:
    """A project folder and how to run steps in it."""

    project: Project

    @property
    def root(self) -> Path:
        return self.project.root

    def set(self, **local: object) -> Bench:
        changed = replace(self.project.local, **local)  # type: ignore[arg-type]
        return Bench(replace(self.project, local=changed))

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(
        self,
        *nodes: Node,
        finally_nodes: tuple[Node, ...] = (),
        outputs: tuple[PipelineOutput, ...] = (),
        params: tuple[Param, ...] = (),
        values: Mapping[str, JsonValue] | None = None,
        inputs: tuple[PipelineInput, ...] = (),
        given: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        jobs: int | None = None,
        use_cache: bool = True,
        grace: float = 0.5,
        env: Mapping[str, str] | None = None,
        listener: Callable[[Event], None] = lambda _: None,
    ) -> Outcome:
        events: list[Event] = []

        def listen(event: Event) -> None:
            events.append(event)
            listener(event)

        options = Options(
            jobs=jobs,
            use_cache=use_cache,
            inputs=given or {},
            grace=grace,
            environment={**os.environ, **env} if env is not None else None,
        )
        made = replace(
            pipeline(params=params, inputs=inputs, limits=limits),
            nodes=nodes,
            finally_nodes=finally_nodes,
            outputs=outputs,
        )
        return Outcome(run(made, self.project, values or {}, options, listen), events)
