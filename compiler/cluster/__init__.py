"""Engines on clusters: one protocol that the commands ask, and the way to an engine's server.

Only commands that speak to a cluster import this package, and only when they do: what it needs
takes longer to load than a whole `mlc validate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from compiler.cluster.calls import Patience
from compiler.cluster.errors import EngineError, Lost
from compiler.cluster.records import (
    Act,
    Experiment,
    Health,
    Manifest,
    Marks,
    Needs,
    Run,
    RunQuery,
    Schedule,
    ScheduleSpec,
    Survey,
    Version,
)
from compiler.ir import Pipeline
from compiler.settings import EngineSettings, TargetSettings
from compiler.values import JsonValue

__all__ = ["Engine", "EngineError", "Lost", "Patience", "connect"]


class Engine(Protocol):
    """What `submit`, `runs`, `plan`, `deploy` and `prune` ask of any engine.

    Every method raises EngineError where the engine can't be reached or says no, with what to do
    about it. What looks for one thing gives None where there is none. What creates never repeats a
    request whose answer was lost: it looks first, and raises `Lost` only where looking failed too.
    Lists come page by page, as they are read.
    """

    @property
    def settings(self) -> EngineSettings: ...

    @property
    def replaces_schedules(self) -> bool:
        """Whether `put_schedule` changes a schedule in place (Argo), or makes another (KFP)."""

    @property
    def kept_of_schedules(self) -> frozenset[str]:
        """The fields of `ScheduleSpec` that a schedule keeps there, so that it can be compared."""

    def close(self) -> None:
        """Give back connections."""

    def check(self, acts: Iterable[Act] = ()) -> Health:
        """Ask for version, namespace, and the rights to do `acts`, where the engine tells of any.
        EngineError where nothing can go on."""

    def survey(self, needs: Needs) -> Survey:
        """Ask Kubernetes for what a spec needs."""

    def compiled(
        self, pipeline: Pipeline, target: TargetSettings, branch: str | None = None
    ) -> Manifest:
        """A pipeline as this engine takes it; without `branch`, as the default branch's."""

    def experiments(self, project: str) -> Iterator[Experiment]:
        """All that carry the project's mark, archived ones too."""

    def find_experiment(self, name: str, project: str) -> Experiment | None:
        """The one of that name where a project's runs go, which may be another project's where
        all share them (KFP); of several the one that is not archived. Without `last_run` where
        that costs a look at all runs."""

    def create_experiment(self, name: str, description: str, marks: Marks) -> Experiment:
        """Make it, or take the one there is."""

    def archive_experiment(self, experiment: Experiment) -> None:
        """Put it and its runs out of sight; nothing is stopped or deleted."""

    def restore_experiment(self, experiment: Experiment, project: str) -> None:
        """Put an archived one of the project back. EngineError where it is of others."""

    def versions(self, project: str, algorithm: str | None = None) -> Iterator[Version]:
        """All that carry the project's mark, the newest first of each algorithm."""

    def version(self, version: Version) -> Version:
        """The same with its `documents`."""

    def find_version(self, manifest: Manifest, name: str) -> Version | None:
        """The version of a manifest's name that is called `name` (`Marks.version`)."""

    def foreign(self, manifest: Manifest, project: str) -> str:
        """What of others has a name that a manifest or a schedule of it takes, and what to do;
        empty where nothing."""

    def publish(self, manifest: Manifest, marks: Marks) -> Version:
        """Make the version `marks.version`, or take the one there is."""

    def delete_version(self, version: Version) -> None:
        """Delete a version, and what it is a version of with its last one."""

    def find_run(self, key: str) -> Run | None:
        """The run that was created with this `Marks.key`."""

    def create_run(
        self,
        name: str,
        version: Version,
        manifest: Manifest,
        params: Mapping[str, JsonValue],
        experiment: Experiment,
        marks: Marks,
    ) -> Run:
        """Start a run, once per `marks.key`: where it is there already, take that one.

        `params` are those that differ from defaults.
        """

    def run(self, id: str, steps: Mapping[str, str] | None = None) -> Run:
        """A run with its steps. `steps` as of `Manifest`, else as its version has it."""

    def runs(self, query: RunQuery) -> Iterator[Run]:
        """Runs, the newest first, without their steps."""

    def terminate(self, id: str) -> None:
        """Stop a run; one that has ended stays as it is."""

    def log(self, run: Run, step: str, follow: bool = False) -> Iterator[str]:
        """The lines that a step (`StepState.name`) printed, as they come; all tries."""

    def metrics(self, run: Run) -> Mapping[str, Mapping[str, float]]:
        """Metrics by `STEP.OUTPUT`, as far as steps have written them."""

    def schedules(self, project: str, algorithm: str | None = None) -> Iterator[Schedule]:
        """All that carry the project's mark."""

    def put_schedule(
        self,
        schedule: ScheduleSpec,
        version: Version,
        manifest: Manifest,
        experiment: Experiment | None,
        marks: Marks,
    ) -> Schedule:
        """Make a schedule that starts a version; see `replaces_schedules`."""

    def disable_schedule(self, schedule: Schedule) -> None: ...

    def delete_schedule(self, schedule: Schedule) -> None:
        """Delete it; its runs in flight would end with it, so they are to have ended."""


def connect(
    settings: EngineSettings, verbose: bool = False, patience: Patience | None = None
) -> Engine:
    """The engine of `[engines.NAME]`; nothing is asked of it yet.

    `verbose` tells each request on standard error, without bodies and secrets; `patience` says how
    often and how long to try.

    Raises:
        EngineError: a file or an environment variable that the settings name is not there.
    """
    if settings.kind == "kfp":
        from compiler.cluster import kfp

        return kfp.connect(settings, verbose, patience)
    from compiler.cluster import argo

    return argo.connect(settings, verbose, patience)
