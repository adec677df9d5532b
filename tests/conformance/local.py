"""The local engine as the conformance cases see engines."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from expectation import Case, Outcome, trace_of

from compiler import frontend
from compiler.diagnostics import Severity
from compiler.engine.artifacts import Artifact
from compiler.engine.events import RunResult
from compiler.engine.run import Options, run
from compiler.git import UNKNOWN
from compiler.ir import Pipeline
from compiler.values import JsonValue, to_json


def copied(case: Case, folder: Path) -> Path:
    """A copy of a case in a project of its own: the path of its spec."""
    root = Path(shutil.copytree(case.folder, folder / case.name))
    (root / "mlc.toml").touch()
    return root / "spec.yaml"


def loaded(spec: Path, given: Mapping[str, JsonValue] | None = None) -> frontend.Loaded:
    """A spec with values over the defaults; errors in it are raised as they would be shown."""
    texts = {
        name: value if isinstance(value, str) else to_json(value)
        for name, value in (given or {}).items()
    }
    found = frontend.load(spec, overrides=texts, git=UNKNOWN)
    assert found.pipeline is not None, "\n".join(
        f"{d.span.path}:{d.span.line}: {d.message}"
        for d in found.diagnostics
        if d.severity is Severity.ERROR
    )
    return found


def pipeline_of(found: frontend.Loaded) -> Pipeline:
    assert found.pipeline is not None
    return found.pipeline


def run_case(case: Case, folder: Path) -> Outcome:
    return run_spec(loaded(copied(case, folder), case.params))


def run_spec(found: frontend.Loaded, jobs: int = 4) -> Outcome:
    """Run a pipeline with its defaults, and wait."""
    result = run(pipeline_of(found), found.project, {}, Options(jobs=jobs, grace=0.5), _no_one)
    assert result.status != "refused", [d.message for d in result.diagnostics]
    return outcome_of(result)


def outcome_of(result: RunResult) -> Outcome:
    # A loop is told of where it did not begin; else its rounds tell.
    steps = {name: step for name, step in result.steps.items() if not step.rounds}
    steps = {
        name: step
        for name, step in steps.items()
        if step.rounds is None or step.status != "succeeded"
    }
    traces: dict[str, Any] = {}
    outputs: dict[str, dict[str, Any]] = {}
    for name, step in steps.items():
        if step.log is not None and step.log.exists():
            traces[name] = trace_of(step.log.read_text())
        if step.written is not None:
            artifacts = {n: _content(a) for n, a in step.written.artifacts.items()}
            outputs[name] = {**step.written.values, **artifacts}
    return Outcome(
        status=result.status,
        states={n: "succeeded" if s.status == "cached" else s.status for n, s in steps.items()},
        traces=traces,
        outputs=outputs,
        times={
            name: (step.started, step.ended)
            for name, step in steps.items()
            if step.started is not None and step.ended is not None
        },
        tries={name: step.tries for name, step in steps.items()},
        result={name: _content(value) for name, value in result.outputs.items()},
    )


def _content(value: Any) -> Any:
    if not isinstance(value, Artifact):
        return value
    path = Path(value.path)
    return path.read_text() if path.is_file() else None


def _no_one(_: object) -> None:
    """Events are for live views."""
