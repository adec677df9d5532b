"""Kubeflow Pipelines as the commands ask it: see `compiler.cluster.Engine`.

A run's id is made of its key, so that the server itself knows a second one. What the server gives
ids to is looked for by name before it is made, and again where the answer was lost.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import kfp_server_api as api
from msgspec.structs import replace

from compiler.cluster import compiled, marks, survey
from compiler.cluster.answers import at
from compiler.cluster.auth import credentials
from compiler.cluster.calls import Patience
from compiler.cluster.errors import EngineError
from compiler.cluster.kfp import logs, metrics, reading, shapes
from compiler.cluster.kfp.client import Client, Json, where, where_not
from compiler.cluster.kfp.reading import Tasks
from compiler.cluster.kfp.specs import TaskOf, tasks_of
from compiler.cluster.once import once
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
from compiler.cluster.transport import Transport, transport
from compiler.ir import Pipeline
from compiler.settings import EngineSettings, TargetSettings
from compiler.targets import kfp
from compiler.targets.kfp.schedules import MOST_AT_ONCE
from compiler.values import JsonValue, to_json, to_text

_T = TypeVar("_T")
_OLDEST = (2, 17)
_RUNS = uuid.UUID("6f1f2c52-6b1e-5c53-9a40-0d9bd0e1a7c4")
# Of a file that is uploaded.
_LARGEST_FILE = 32 << 20
_NEWEST = "created_at desc"
# A project has as many pipelines as algorithms, and each lists its versions by itself.
_LISTS_AT_ONCE = 8


def connect(
    settings: EngineSettings, verbose: bool = False, patience: Patience | None = None
) -> Kfp:
    return Kfp(settings, transport(settings, credentials(settings), verbose, patience))


class Kfp:
    """One server; nothing is kept but what versions say, which never changes."""

    def __init__(
        self,
        settings: EngineSettings,
        transport: Transport,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings
        self.transport = transport
        self._client = Client(transport)
        self._ui = (settings.ui or settings.url or "").rstrip("/")
        self._sleep = sleep
        self._versions: dict[str, Json] = {}

    @property
    def replaces_schedules(self) -> bool:
        return False

    @property
    def kept_of_schedules(self) -> frozenset[str]:
        # The time zone is the server's.
        return frozenset({"cron", "params", "enabled", "overlap", "catch_up", "service_account"})

    def close(self) -> None:
        self.transport.close()

    def check(self, acts: Iterable[Act] = ()) -> Health:  # noqa: ARG002
        # The server tells of no rights; it is asked for a list, which wants one.
        client = self._client
        said = client.ask(
            "ask for the server's health",
            client.health.healthz_service_get_healthz,
            shape=shapes.HEALTH,
        )
        version = said.get("tag_name", "")
        version = "" if version == "unknown" else version
        number = re.match(r"v?(\d+)\.(\d+)", version)
        if number and (int(number[1]), int(number[2])) < _OLDEST:
            raise EngineError(
                f"the KFP server of engine `{self.settings.name}` is {version}, and what mlc "
                "compiles needs 2.17 or later",
                "version",
                hint="ask who runs the cluster for a newer one",
            )
        multi_user = said.get("multi_user", False)
        if multi_user and not self.settings.namespace:
            raise EngineError(
                f"the KFP server of engine `{self.settings.name}` has several users, each with "
                "a namespace",
                "configuration",
                hint="name yours with `namespace`",
            )
        client.ask(
            "list experiments",
            client.experiments.experiment_service_list_experiments,
            page_size=1,
            namespace=self._namespace,
        )
        notes = () if number else ("the server does not tell its version; mlc needs 2.17",)
        return Health(
            kind="kfp",
            url=self.settings.url or "",
            version=version,
            namespace=self.settings.namespace or "",
            multi_user=multi_user,
            notes=notes,
        )

    def survey(self, needs: Needs) -> Survey:
        return survey.survey(self.settings, needs, self.transport.verbose, self.transport.patience)

    def compiled(
        self,
        pipeline: Pipeline,
        target: TargetSettings,
        branch: str | None = None,  # noqa: ARG002
    ) -> Manifest:
        # Versions of one pipeline stand side by side, and schedules name theirs.
        text = kfp.emit(pipeline, target)
        return Manifest(
            algorithm=pipeline.kubernetes_name,
            name=pipeline.kubernetes_name,
            description=pipeline.description,
            documents=tuple(compiled.documents(text)),
            nullable=compiled.nullable(pipeline),
            metrics=compiled.metrics(pipeline),
            schedules=compiled.schedules(pipeline),
            size=len(text.encode()),
            most=_LARGEST_FILE,
        )

    def experiments(self, project: str) -> Iterator[Experiment]:
        for data in self._experiments():
            found = reading.experiment(data, self._ui)
            if marks.is_of(found.marks, project):
                yield found

    def find_experiment(self, name: str, project: str) -> Experiment | None:  # noqa: ARG002
        # A namespace has one of a name, whoever made it.
        found = [
            reading.experiment(data, self._ui)
            for data in self._experiments(filter=where(display_name=name))
            if data.get("display_name") == name
        ]
        return min(found, key=lambda e: (e.archived, e.created or 0.0), default=None)

    def create_experiment(self, name: str, description: str, marks_: Marks) -> Experiment:
        client = self._client

        def create() -> Experiment:
            body = api.V2beta1Experiment(
                display_name=name,
                description=marks.description(description, marks_),
                namespace=self._namespace,
            )
            method = client.experiments.experiment_service_create_experiment
            return reading.experiment(
                client.ask(
                    f"create the experiment {name}",
                    method,
                    body,
                    creates=True,
                    shape=shapes.EXPERIMENT,
                ),
                self._ui,
            )

        return self._once(lambda: self.find_experiment(name, marks_.project), create)

    def archive_experiment(self, experiment: Experiment) -> None:
        self._own(experiment.marks, f"the experiment {experiment.name}")
        method = self._client.experiments.experiment_service_archive_experiment
        doing = f"archive the experiment {experiment.name}"
        self._client.ask(doing, method, experiment.id, repeatable=True)

    def restore_experiment(self, experiment: Experiment, project: str) -> None:
        own = experiment.marks
        if not marks.is_of(own, project):
            raise EngineError(
                f"the experiment {experiment.name} on engine `{self.settings.name}` is archived "
                f"and {marks.whose(own)}, so it stays as it is",
                "conflict",
                hint="restore it by hand in KFP's pages, or ask who archived it; mlc submit "
                "--branch=NAME takes another",
            )
        method = self._client.experiments.experiment_service_unarchive_experiment
        doing = f"restore the experiment {experiment.name}"
        self._client.ask(doing, method, experiment.id, repeatable=True)

    def versions(self, project: str, algorithm: str | None = None) -> Iterator[Version]:
        if algorithm is not None:
            one = self._pipeline(algorithm.replace("_", "-"))
            pipelines = [] if one is None else [one]
        else:
            pipelines = list(
                self._client.pages(
                    "list pipelines",
                    self._client.pipelines.pipeline_service_list_pipelines,
                    of="pipelines",
                    namespace=self._namespace,
                )
            )
        own = [p for p in pipelines if marks.is_of(marks.of_tags(p.get("tags")), project)]
        with ThreadPoolExecutor(_LISTS_AT_ONCE) as pool:
            for listed in pool.map(self._every_version, own):
                yield from map(self._version, listed)

    def version(self, version: Version) -> Version:
        data = self._version_data(version.pipeline, version.id)
        spec = data.get("pipeline_spec") if data else None
        if data is None or spec is None:
            raise EngineError(f"there is no version {version.name} any more", "not found", 404)
        beside = "platform_spec" in spec and "pipeline_spec" in spec
        documents = (spec["pipeline_spec"], spec["platform_spec"]) if beside else (spec,)
        return replace(self._version(data), documents=documents)

    def find_version(self, manifest: Manifest, name: str) -> Version | None:
        pipeline = self._pipeline(manifest.name)
        return None if pipeline is None else self._find_version(pipeline, name)

    def foreign(self, manifest: Manifest, project: str) -> str:
        pipeline = self._pipeline(manifest.name)
        if pipeline is None:
            return ""
        own = marks.of_tags(pipeline.get("tags"))
        return marks.foreign(own, f"the pipeline {manifest.name}", self.settings.name, project)

    def publish(self, manifest: Manifest, marks_: Marks) -> Version:
        pipeline = self._once(
            lambda: self._pipeline(manifest.name), lambda: self._create_pipeline(manifest, marks_)
        )
        own = marks.of_tags(pipeline.get("tags"))
        self._own(own, f"the pipeline {manifest.name}", marks_.project)
        version = self._once(
            lambda: self._find_version(pipeline, marks_.version),
            lambda: self._upload(pipeline, manifest, marks_),
        )
        # Anyone may have uploaded one of that name.
        what = f"the version {marks_.version} of {manifest.name}"
        self._own(version.marks, what, marks_.project)
        return version

    def delete_version(self, version: Version) -> None:
        self._own(version.marks, f"the version {version.name}")
        service, ids = self._client.pipelines, (version.pipeline, version.id)
        method = service.pipeline_service_delete_pipeline_version
        self._found(f"delete the version {version.name}", method, *ids)
        self._versions.pop(version.id, None)
        try:
            left = next(self._list_versions({"pipeline_id": version.pipeline}), None)
        except EngineError as problem:
            if problem.reason != "not found":
                raise
            return
        if left is None:
            doing = f"delete the pipeline of {version.name}"
            self._found(doing, service.pipeline_service_delete_pipeline, version.pipeline)

    def find_run(self, key: str) -> Run | None:
        data = self._found(
            "look for the run", self._get_run, str(uuid.uuid5(_RUNS, key)), shape=shapes.RUN
        )
        return None if data is None else self._run(data)

    def create_run(
        self,
        name: str,
        version: Version,
        manifest: Manifest,
        params: Mapping[str, JsonValue],
        experiment: Experiment,
        marks_: Marks,
    ) -> Run:
        client = self._client

        def create() -> Run:
            body = api.V2beta1Run(
                run_id=str(uuid.uuid5(_RUNS, marks_.key)),
                display_name=name,
                description=marks.description("", marks_),
                experiment_id=experiment.id,
                pipeline_version_reference=_reference(version),
                runtime_config=_config(params, manifest),
                service_account=self.settings.service_account,
            )
            method = client.runs.run_service_create_run
            doing = f"start the run {name}"
            return self._run(client.ask(doing, method, body, creates=True, shape=shapes.RUN))

        return self._once(lambda: self.find_run(marks_.key), create)

    def run(self, id: str, steps: Mapping[str, str] | None = None) -> Run:  # noqa: ARG002
        data = self._read_run(id)
        of_version = self._version_of(data)
        own = marks.of_tags(of_version.get("tags")) if of_version is not None else None
        found = reading.run(data, self._ui, own)
        return replace(found, steps=tuple(Tasks(data, self._tasks(data)).steps()))

    def runs(self, query: RunQuery) -> Iterator[Run]:
        named = {"experiment_id": query.experiment} if query.experiment else {}
        if query.states:
            named["filter"] = where_not("state", reading.other_states(query.states))
        left = query.limit
        pages = self._client.pages(
            "list runs",
            self._client.runs.run_service_list_runs,
            of="runs",
            namespace=self._namespace,
            sort_by=_NEWEST,
            **named,
        )
        known: dict[str, Marks | None] | None = None
        for data in pages:
            if left is not None and left <= 0:
                return
            found = self._run(data)
            if found.marks is None and found.schedule and query.project is not None:
                # What a schedule starts has no description: its version tells whose it is.
                if known is None:
                    versions = self.versions(query.project, query.algorithm)
                    known = {version.id: version.marks for version in versions}
                found = replace(found, marks=known.get(found.version))
            if _fits(found, query):
                left = None if left is None else left - 1
                yield found

    def terminate(self, id: str) -> None:
        method = self._client.runs.run_service_terminate_run
        try:
            self._client.ask(f"stop the run {id}", method, id, repeatable=True)
        except EngineError as problem:
            # A server refuses to stop what has ended, or is about to.
            if problem.reason not in ("refused", "server"):
                raise
            now = self._run(self._read_run(id))
            if not now.is_ended and now.state != "stopping":
                raise

    def log(self, run: Run, step: str, follow: bool = False) -> Iterator[str]:
        data = self._read_run(run.id)
        tasks = Tasks(data, self._tasks(data))
        found = next((s for s in tasks.steps() if s.name == step), None)
        if found is None:
            return
        for pod in tasks.pods(found.node):
            yield from logs.read(self.transport, run.id, pod, self._namespace, follow)

    def metrics(self, run: Run) -> Mapping[str, Mapping[str, float]]:
        data = self._read_run(run.id)
        files = self.transport
        if self.settings.artifacts:
            own = replace(self.settings, url=self.settings.artifacts)
            way = self.transport
            files = transport(own, way.credentials, way.verbose, way.patience)
        try:
            return metrics.read(self.transport, files, run.id, self._tasks(data), self._namespace)
        finally:
            if files is not self.transport:
                files.close()

    def schedules(self, project: str, algorithm: str | None = None) -> Iterator[Schedule]:
        # They are called after the pipeline, so that not all have to come; after all of its name.
        named = {}
        if algorithm is not None and not marks.is_cut(algorithm):
            named = {"filter": where(display_name__has=f"{algorithm.replace('_', '-')}--")}
        for data in self._recurring(**named):
            found = self._schedule(data)
            own = found.marks
            if own is None or not marks.is_of(own, project):
                continue
            if algorithm is None or marks.same("algorithm", own.algorithm, algorithm):
                yield found

    def put_schedule(
        self,
        schedule: ScheduleSpec,
        version: Version,
        manifest: Manifest,
        experiment: Experiment | None,
        marks_: Marks,
    ) -> Schedule:
        account = self.settings.service_account
        name = f"{manifest.name}--{schedule.name}--{marks_.version or version.name}"
        if marks_.generation:
            # Two that deploy at once may mean different ones by the same number.
            name = f"{name}--{marks_.generation}-{_digest(schedule, account)}"
        marks_ = replace(marks_, schedule=schedule.name, account=account or "")
        at_once = 1 if schedule.overlap == "forbid" else MOST_AT_ONCE

        def create() -> Schedule:
            body = api.V2beta1RecurringRun(
                display_name=name,
                description=marks.description("", marks_),
                experiment_id=experiment.id if experiment else None,
                namespace=self._namespace,
                pipeline_version_reference=_reference(version),
                runtime_config=_config(schedule.params, manifest),
                service_account=account,
                max_concurrency=str(at_once),
                mode="ENABLE" if schedule.enabled else "DISABLE",
                no_catchup=not schedule.catch_up,
                trigger=api.V2beta1Trigger(
                    # With five fields the server would read minutes as seconds.
                    cron_schedule=api.V2beta1CronSchedule(cron=f"0 {schedule.cron}")
                ),
            )
            method = self._client.recurring.recurring_run_service_create_recurring_run
            doing = f"create the recurring run {name}"
            data = self._client.ask(doing, method, body, creates=True, shape=shapes.RECURRING)
            return self._schedule(data)

        def same() -> list[Schedule]:
            listed = self._recurring(filter=where(display_name=name))
            every = (self._schedule(data) for data in listed)
            found = (s for s in every if s.name == name and marks.is_of(s.marks, marks_.project))
            return sorted(found, key=lambda s: (s.created or 0.0, s.id))

        self._once(lambda: next(iter(same()), None), create)
        # Two that deploy at once may both have made it: all of them keep the same one.
        found = same() or [create()]
        if marks_.generation:
            # Which of several counts is settled by who numbers them.
            return found[-1]
        first, *others = found
        for other in others:
            self.delete_schedule(other)
        return first

    def disable_schedule(self, schedule: Schedule) -> None:
        self._own(schedule.marks, f"the recurring run {schedule.name}")
        method = self._client.recurring.recurring_run_service_disable_recurring_run
        doing = f"disable the recurring run {schedule.name}"
        self._client.ask(doing, method, schedule.id, repeatable=True)

    def delete_schedule(self, schedule: Schedule) -> None:
        self._own(schedule.marks, f"the recurring run {schedule.name}")
        method = self._client.recurring.recurring_run_service_delete_recurring_run
        doing = f"delete the recurring run {schedule.name}"
        # Its runs would else be deleted with it, those in flight too.
        self._found(doing, method, schedule.id, propagation_policy="ORPHAN")

    @property
    def _namespace(self) -> str | None:
        return self.settings.namespace

    def _once(self, find: Callable[[], _T | None], create: Callable[[], _T]) -> _T:
        return once(find, create, self.transport.patience, self._sleep)

    def _found(self, doing: str, method: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """As `Client.ask`; None where there is no such thing."""
        try:
            return self._client.ask(doing, method, *given, **named)
        except EngineError as problem:
            if problem.reason == "not found":
                return None
            raise

    def _own(self, found: Marks | None, what: str, project: str | None = None) -> None:
        """Refuse to touch what is not mlc's, or another project's."""
        marks.check_own(found, what, self.settings.name, project)

    def _experiments(self, **named: Any) -> Iterator[Json]:
        method = self._client.experiments.experiment_service_list_experiments
        return self._client.pages(
            "list experiments", method, of="experiments", namespace=self._namespace, **named
        )

    def _recurring(self, **named: Any) -> Iterator[Json]:
        method = self._client.recurring.recurring_run_service_list_recurring_runs
        return self._client.pages(
            "list recurring runs", method, of="recurringRuns", namespace=self._namespace, **named
        )

    def _pipeline(self, name: str) -> Json | None:
        method = self._client.pipelines.pipeline_service_get_pipeline_by_name
        doing = f"look for the pipeline {name}"
        found: Json | None = self._found(
            doing, method, name, namespace=self._namespace, shape=shapes.PIPELINE
        )
        return found

    def _create_pipeline(self, manifest: Manifest, marks_: Marks) -> Json:
        own = Marks(marks_.project, marks_.algorithm, mlc=marks_.mlc)
        body = api.V2beta1Pipeline(
            name=manifest.name,
            display_name=manifest.name,
            description=manifest.description,
            namespace=self._namespace,
            tags=marks.tags(own),
        )
        method = self._client.pipelines.pipeline_service_create_pipeline
        doing = f"create the pipeline {manifest.name}"
        made: Json = self._client.ask(doing, method, body, creates=True, shape=shapes.PIPELINE)
        return made

    def _list_versions(self, pipeline: Json, **named: Any) -> Iterator[Json]:
        return self._client.pages(
            "list versions",
            self._client.pipelines.pipeline_service_list_pipeline_versions,
            pipeline.get("pipeline_id", ""),
            of="pipeline_versions",
            sort_by=_NEWEST,
            **named,
        )

    def _every_version(self, pipeline: Json) -> list[Json]:
        """None where someone has deleted it meanwhile."""
        try:
            return list(self._list_versions(pipeline))
        except EngineError as problem:
            if problem.reason != "not found":
                raise
            return []

    def _find_version(self, pipeline: Json, name: str) -> Version | None:
        for data in self._list_versions(pipeline, filter=where(name=name)):
            if name in (data.get("name"), data.get("display_name")):
                return self._version(data)
        return None

    def _upload(self, pipeline: Json, manifest: Manifest, marks_: Marks) -> Version:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pipeline.yaml"
            # JSON is YAML that no reader takes in another way.
            texts = [to_json(dict(document)) for document in manifest.documents]
            path.write_text("\n---\n".join(texts), "utf-8")
            data = self._client.ask(
                f"upload the version {marks_.version} of {manifest.name}",
                self._client.uploads.upload_pipeline_version,
                str(path),
                name=marks_.version,
                display_name=marks_.version,
                pipelineid=pipeline.get("pipeline_id", ""),
                description=manifest.description or None,
                tags=to_json(dict(marks.tags(marks_))),
                creates=True,
                shape=shapes.VERSION,
            )
        return self._version(data)

    def _version(self, data: Json) -> Version:
        return reading.version(data, self._ui)

    def _schedule(self, data: Json) -> Schedule:
        return reading.schedule(data, self._ui, self.settings.service_account)

    def _version_data(self, pipeline: str, id: str) -> Json | None:
        if id not in self._versions:
            method = self._client.pipelines.pipeline_service_get_pipeline_version
            found = self._found("read a version", method, pipeline, id, shape=shapes.VERSION)
            if found is None:
                return None
            self._versions[id] = found
        return self._versions[id]

    @property
    def _get_run(self) -> Callable[..., Any]:
        method: Callable[..., Any] = self._client.runs.run_service_get_run
        return method

    def _read_run(self, id: str) -> Json:
        data: Json = self._client.ask(f"read the run {id}", self._get_run, id, shape=shapes.RUN)
        return data

    def _run(self, data: Json) -> Run:
        return reading.run(data, self._ui)

    def _tasks(self, run: Json) -> dict[str, TaskOf]:
        """The steps of a run by task, from its own spec or that of its version."""
        spec = run.get("pipeline_spec")
        if not spec:
            data = self._version_of(run)
            spec = data.get("pipeline_spec") if data else None
        return tasks_of(spec)

    def _version_of(self, run: Json) -> Json | None:
        reference = at(run, "pipeline_version_reference")
        ids = (reference.get("pipeline_id", ""), reference.get("pipeline_version_id", ""))
        return self._version_data(*ids) if all(ids) else None


def _reference(version: Version) -> Any:
    return api.V2beta1PipelineVersionReference(
        pipeline_id=version.pipeline, pipeline_version_id=version.id
    )


def _digest(schedule: ScheduleSpec, account: str | None) -> str:
    said = (schedule.cron, dict(schedule.params), schedule.overlap, schedule.catch_up, account)
    text = to_json([*said])
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def _config(params: Mapping[str, JsonValue], manifest: Manifest) -> Any:
    """A form can send no null: there an optional parameter is text."""
    values = {n: to_text(v) if n in manifest.nullable else v for n, v in params.items()}
    return api.V2beta1RuntimeConfig(parameters=values)


def _fits(run: Run, query: RunQuery) -> bool:
    own = run.marks
    for name in ("project", "algorithm", "branch"):
        want = getattr(query, name)
        if want is not None and not (own and marks.same(name, getattr(own, name), want)):
            return False
    if query.schedule is not None and run.schedule != query.schedule:
        return False
    return not query.states or run.state in query.states
