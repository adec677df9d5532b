"""One spec onto an engine: its experiment, its version, its run, each made once.

Nothing is remembered here. All is looked up by names and marks, so that a command that was killed
at any point finds, run again, what it had made.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from compiler.cluster import Engine
from compiler.cluster.records import Experiment, Manifest, Marks, Run, Version
from compiler.submission.key import run_name, submission_key
from compiler.values import JsonValue


class Submission(Struct, frozen=True):
    """What is to run. `marks` are those of all that is made for it, without a run's key; `values`
    are all of the run, defaults too: what a run was given is read from it later."""

    manifest: Manifest
    marks: Marks
    values: Mapping[str, JsonValue]
    experiment: str
    description: str

    def key(self, attempt: int) -> str:
        marks = self.marks
        return submission_key(
            marks.digest, self.values, marks.commit, attempt, experiment=self.experiment
        )


class Submitted(Struct, frozen=True):
    """What came of it. `is_new` is False where the same had been submitted before."""

    experiment: Experiment
    version: Version
    run: Run
    attempt: int
    is_new: bool


def submit(
    engine: Engine,
    submission: Submission,
    *,
    again: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Submitted:
    """Start the run of a submission, or find the one that was started for the same spec, params
    and commit; with `again` start one more.

    Raises:
        EngineError: the engine refuses it or is gone; what was made until then is found again.
    """
    found, attempt = _latest(engine, submission)
    marks = submission.marks
    experiment = engine.find_experiment(submission.experiment, marks.project)
    if experiment is None or (experiment.archived and (again or found is None)):
        if experiment is not None:
            say(f"bring back experiment {submission.experiment}")
            engine.restore_experiment(experiment, marks.project)
        else:
            say(f"make experiment {submission.experiment}")
        experiment = experiment or engine.create_experiment(
            submission.experiment, submission.description, replace(marks, version="", digest="")
        )
    version = engine.find_version(submission.manifest, marks.version)
    if version is None:
        say(f"publish {submission.manifest.name} {marks.version}")
        version = engine.publish(submission.manifest, marks)
    if found is not None and not again:
        return Submitted(experiment, version, found, attempt, is_new=False)
    attempt += found is not None
    key = submission.key(attempt)
    name = run_name(marks.algorithm, marks.branch, key)
    say(f"start run {name}")
    run = engine.create_run(
        name, version, submission.manifest, submission.values, experiment, replace(marks, key=key)
    )
    return Submitted(experiment, version, run, attempt, is_new=True)


def _latest(engine: Engine, submission: Submission) -> tuple[Run | None, int]:
    """The last run of a submission and its number; None and 1 where there is none yet."""
    latest = None
    for attempt in itertools.count(1):
        run = engine.find_run(submission.key(attempt))
        if run is None:
            return latest, max(1, attempt - 1)
        latest = run
    raise AssertionError
