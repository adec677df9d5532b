"""Argo Workflows as the commands ask it: see `compiler.cluster.Engine`.

What mlc makes has names of its own making, so that the cluster itself knows a second one. An
experiment is a label: it is there as long as a template or a run carries it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from msgspec.structs import replace

from compiler.cluster import compiled, marks, survey
from compiler.cluster.answers import at, seconds
from compiler.cluster.argo import objects, reading
from compiler.cluster.argo.nodes import Nodes, Place
from compiler.cluster.argo.road import WORDS, Json, Kind, Road
from compiler.cluster.argo.server import ServerRoad
from compiler.cluster.auth import credentials
from compiler.cluster.calls import Patience
from compiler.cluster.errors import EngineError
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
from compiler.cluster.transport import transport
from compiler.ir import Pipeline
from compiler.settings import EngineSettings, TargetSettings
from compiler.targets import argo
from compiler.targets.argo.names import task_names
from compiler.targets.argo.schedules import cron_workflow_name
from compiler.targets.argo.support import MOST_BYTES
from compiler.values import JsonValue, to_json

_T = TypeVar("_T")
# The plural forms of schedules and mutexes that mlc writes.
_OLDEST = (3, 6)
# How often a write is tried against others that write the same object.
_PATIENCE = 8


def connect(
    settings: EngineSettings, verbose: bool = False, patience: Patience | None = None
) -> Argo:
    if settings.via == "server":
        way = transport(settings, credentials(settings), verbose, patience)
        return Argo(settings, ServerRoad(way, settings.namespace or "default"))
    from compiler.cluster import kubernetes
    from compiler.cluster.argo.direct import DirectRoad

    cluster = kubernetes.connect(settings, verbose, patience)
    files = None
    if settings.artifacts:
        own = replace(settings, url=settings.artifacts)
        way = transport(own, cluster.transport.credentials, verbose, patience)
        files = ServerRoad(way, cluster.namespace)
    return Argo(settings, DirectRoad(cluster, files))


class Argo:
    """One namespace of one cluster."""

    def __init__(
        self, settings: EngineSettings, road: Road, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.settings = settings
        self.road = road
        self._ui = (settings.ui or settings.url or "").rstrip("/")
        self._sleep = sleep

    @property
    def replaces_schedules(self) -> bool:
        return True

    @property
    def kept_of_schedules(self) -> frozenset[str]:
        return frozenset({"cron", "timezone", "params", "enabled", "overlap", "service_account"})

    def close(self) -> None:
        self.road.close()

    def check(self, acts: Iterable[Act] = ()) -> Health:
        version = self.road.version()
        number = re.match(r"v?(\d+)\.(\d+)", version)
        if number and (int(number[1]), int(number[2])) < _OLDEST:
            raise EngineError(
                f"Argo of engine `{self.settings.name}` is {version}, and what mlc compiles "
                "needs 3.6 or later",
                "version",
                hint="ask who runs the cluster for a newer one",
            )
        missing = self.road.rights(acts)
        return Health(
            kind="argo",
            url=self.settings.url or "",
            version=version,
            namespace=self.road.namespace,
            missing=missing,
            notes=() if number else ("Argo's version can't be asked; mlc needs 3.6",),
        )

    def survey(self, needs: Needs) -> Survey:
        return survey.survey(self.settings, needs, self.road.verbose, self.road.patience)

    def compiled(
        self, pipeline: Pipeline, target: TargetSettings, branch: str | None = None
    ) -> Manifest:
        own = compiled.named(pipeline, branch)
        text = argo.emit(own, target)
        documents = tuple(
            d for d in compiled.documents(text) if d.get("kind") == "WorkflowTemplate"
        )
        steps = compiled.tasks(pipeline, task_names)
        return Manifest(
            algorithm=pipeline.kubernetes_name,
            name=own.kubernetes_name,
            description=pipeline.description,
            documents=documents,
            steps=steps,
            nullable=compiled.nullable(pipeline),
            metrics=compiled.metrics(pipeline),
            loops=frozenset(
                task
                for task, name in steps.items()
                if name in compiled.loops((*pipeline.nodes, *pipeline.finally_nodes))
            ),
            schedules=compiled.schedules(pipeline),
            size=max((len(to_json(dict(d)).encode()) for d in documents), default=0),
            most=MOST_BYTES,
        )

    def experiments(self, project: str) -> Iterator[Experiment]:
        found: dict[str, list[Json]] = {}
        selector = marks.selector(project=project)
        kinds: tuple[Kind, ...] = ("workflowtemplates", "workflows")
        for kind in kinds:
            for data in self.road.list(kind, selector):
                own = marks.of_metadata(at(data, "metadata"))
                name = (own.experiment or own.branch) if own else ""
                if name:
                    found.setdefault(name, []).append(data)
        for name in sorted(found):
            yield self._experiment(name, found[name])

    def find_experiment(self, name: str, project: str) -> Experiment | None:
        selector = marks.selector(experiment=name, project=project)
        # Templates say whether it is archived; of runs, which are many, one tells that it is there.
        some = list(self.road.list("workflowtemplates", selector))
        some = some or list(islice(self.road.list("workflows", selector), 1))
        return self._experiment(name, some) if some else None

    def create_experiment(self, name: str, description: str, marks_: Marks) -> Experiment:
        found = self.find_experiment(name, marks_.project)
        if found is not None:
            return replace(found, description=description or found.description)
        return Experiment(name, name, description, replace(marks_, experiment=name))

    def archive_experiment(self, experiment: Experiment) -> None:
        self._archive(experiment, True)

    def restore_experiment(self, experiment: Experiment, project: str) -> None:
        self._own(experiment.marks, f"the experiment {experiment.name}", project)
        self._archive(experiment, False)

    def versions(self, project: str, algorithm: str | None = None) -> Iterator[Version]:
        selector = marks.selector(project=project, algorithm=algorithm)
        listed = list(self.road.list("workflowtemplates", selector))
        parts: dict[str, list[Json]] = {}
        for data in listed:
            whole = objects.part_of(data)
            if whole:
                parts.setdefault(whole, []).append(data)
        for data in listed:
            found = self._version(data)
            own = found.marks is not None and found.marks.project == project
            if own and not objects.part_of(data):
                documents = map(_bare, (*parts.get(found.id, ()), data))
                yield replace(found, documents=tuple(documents))

    def version(self, version: Version) -> Version:
        data = self.road.find("workflowtemplates", version.id)
        if data is None:
            raise EngineError(f"there is no template {version.id} any more", "not found", 404)
        parts = self.road.list("workflowtemplates", f"{objects.PART}={version.id}")
        return replace(self._version(data), documents=(*map(_bare, parts), _bare(data)))

    def find_version(self, manifest: Manifest, name: str) -> Version | None:
        data = self.road.find("workflowtemplates", manifest.name)
        found = None if data is None else self._version(data)
        return found if found is not None and found.name == name else None

    def foreign(self, manifest: Manifest, project: str) -> str:
        names: list[tuple[Kind, str]] = [
            ("workflowtemplates", at(document, "metadata").get("name", ""))
            for document in manifest.documents
        ]
        names += [
            ("cronworkflows", cron_workflow_name(manifest.name, schedule.name))
            for schedule in manifest.schedules
        ]
        for kind, name in names:
            data = self.road.find(kind, name)
            own = None if data is None else marks.of_metadata(at(data, "metadata"))
            refused = (
                ""
                if data is None
                else marks.foreign(own, f"the {WORDS[kind]} {name}", self.settings.name, project)
            )
            if refused:
                return refused
        return ""

    def publish(self, manifest: Manifest, marks_: Marks) -> Version:
        own = replace(marks_, experiment=marks_.experiment or marks_.branch)
        made: Json | None = None
        for body in objects.templates(manifest, own):
            made = self._put("workflowtemplates", body, own.project)
        assert made is not None, "a manifest has a template to start"
        return self._version(made)

    def delete_version(self, version: Version) -> None:
        self._own(version.marks, f"the template {version.id}")
        # The one that tells of the others last, so that all are found after one was killed.
        for part in list(self.road.list("workflowtemplates", f"{objects.PART}={version.id}")):
            self.road.delete("workflowtemplates", at(part, "metadata").get("name", ""))
        self.road.delete("workflowtemplates", version.id)

    def find_run(self, key: str) -> Run | None:
        for data in self.road.list("workflows", marks.selector(key=key)):
            found = self._run(data)
            if found.marks is not None and found.marks.key == key:
                return found
        return None

    def create_run(
        self,
        name: str,
        version: Version,
        manifest: Manifest,
        params: Mapping[str, JsonValue],
        experiment: Experiment,
        marks_: Marks,
    ) -> Run:
        own = replace(marks_, experiment=experiment.name)
        called = objects.run_name(manifest, marks_.key)
        account = self.settings.service_account
        body = objects.workflow(called, name, version, manifest, params, experiment, own, account)

        def find() -> Run | None:
            data = self.road.find("workflows", called)
            found = self.find_run(marks_.key) if data is None else self._run(data)
            if found is not None:
                self._own(found.marks, f"the workflow {called}", own.project)
            return found

        return self._once(find, lambda: self._run(self.road.create("workflows", body)))

    def run(self, id: str, steps: Mapping[str, str] | None = None) -> Run:
        data = self._workflow(id)
        found = replace(self._run(data), steps=tuple(Nodes(data, steps).states()))
        if not found.steps and at(data, "status").get("offloadNodeStatusVersion"):
            said = "its steps are kept in Argo's database: only the Argo Server can tell them"
            found = replace(found, message=found.message or said)
        return found

    def runs(self, query: RunQuery) -> Iterator[Run]:
        selector = marks.selector(
            project=query.project,
            algorithm=query.algorithm,
            branch=query.branch,
            experiment=query.experiment,
        )
        every = [self._run(data) for data in self.road.list("workflows", selector)]
        found = [
            run
            for run in every
            if (not query.states or run.state in query.states)
            and (query.schedule is None or run.schedule == query.schedule)
        ]
        # Kubernetes lists by name.
        found.sort(key=lambda run: (run.created or 0.0, run.id), reverse=True)
        yield from found[: query.limit]

    def terminate(self, id: str) -> None:
        if not self._run(self._workflow(id)).is_ended:
            self.road.stop(id)

    def log(self, run: Run, step: str, follow: bool = False) -> Iterator[str]:
        nodes = Nodes(self._workflow(run.id))
        for place in nodes.places():
            if place.name == step:
                for names in nodes.pods(place):
                    yield from self._lines(run.id, names, follow)

    def metrics(self, run: Run) -> Mapping[str, Mapping[str, float]]:
        data = self._workflow(run.id)
        known = reading.known_metrics(data)
        found: dict[str, Mapping[str, float]] = {}
        for place in Nodes(data).places():
            for step, output in known:
                if _without_rounds(place.name) == step and place.has_artifact(output):
                    values = self._metrics(run.id, place, output)
                    if values:
                        found[f"{place.name}.{output}"] = values
        return found

    def schedules(self, project: str, algorithm: str | None = None) -> Iterator[Schedule]:
        selector = marks.selector(project=project, algorithm=algorithm)
        for data in self.road.list("cronworkflows", selector):
            found = self._schedule(data)
            if found.marks is not None and found.marks.project == project:
                yield found

    def put_schedule(
        self,
        schedule: ScheduleSpec,
        version: Version,
        manifest: Manifest,
        experiment: Experiment | None,
        marks_: Marks,
    ) -> Schedule:
        named = experiment.name if experiment else marks_.experiment
        own = replace(marks_, schedule=schedule.name, experiment=named)
        account = self.settings.service_account
        body = objects.cron_workflow(schedule, version, manifest, own, account)
        return self._schedule(self._put("cronworkflows", body, own.project))

    def disable_schedule(self, schedule: Schedule) -> None:
        self._own(schedule.marks, f"the cron workflow {schedule.id}")

        def change(old: Json) -> Json | None:
            spec = at(old, "spec")
            return None if spec.get("suspend") else {**old, "spec": {**spec, "suspend": True}}

        self._change("cronworkflows", schedule.id, change)

    def delete_schedule(self, schedule: Schedule) -> None:
        self._own(schedule.marks, f"the cron workflow {schedule.id}")
        self.road.delete("cronworkflows", schedule.id)

    def _put(self, kind: Kind, body: Json, project: str) -> Json:
        """Make an object or change it in place, against all others that do so."""
        name = body["metadata"]["name"]

        def find() -> Json | None:
            return self.road.find(kind, name)

        def change(old: Json) -> Json | None:
            own = marks.of_metadata(at(old, "metadata"))
            self._own(own, f"the {WORDS[kind]} {name}", project)
            if objects.says_the_same(old, body):
                return None
            return objects.replacement(old, body)

        self._once(find, lambda: self.road.create(kind, body))
        return self._change(kind, name, change)

    def _change(self, kind: Kind, name: str, change: Callable[[Json], Json | None]) -> Json:
        """Read, change and write, again where someone else wrote in between."""
        for number in range(1, _PATIENCE + 1):
            old = self.road.find(kind, name)
            if old is None:
                raise EngineError(f"there is no {WORDS[kind]} {name} any more", "not found", 404)
            new = change({key: old[key] for key in objects.PARTS if key in old})
            if new is None:
                return old
            try:
                return self.road.replace(kind, new)
            except EngineError as problem:
                if problem.reason != "conflict" or number == _PATIENCE:
                    raise
                self._sleep(0.05 * number)
        raise AssertionError

    def _archive(self, experiment: Experiment, archived: bool) -> None:
        """The server can't change the labels of workflows, so those of templates say it."""
        self._own(experiment.marks, f"the experiment {experiment.name}")
        assert experiment.marks is not None
        selector = marks.selector(project=experiment.marks.project, experiment=experiment.name)

        def change(old: Json) -> Json | None:
            labels = dict(at(old, "metadata", "labels"))
            if (labels.get(objects.ARCHIVED) == "true") == archived:
                return None
            labels.pop(objects.ARCHIVED, None)
            if archived:
                labels[objects.ARCHIVED] = "true"
            return {**old, "metadata": {**at(old, "metadata"), "labels": labels}}

        for data in list(self.road.list("workflowtemplates", selector)):
            self._change("workflowtemplates", at(data, "metadata").get("name", ""), change)

    def _once(self, find: Callable[[], _T | None], create: Callable[[], _T]) -> _T:
        return once(find, create, self.road.patience, self._sleep)

    def _own(self, found: Marks | None, what: str, project: str | None = None) -> None:
        """Refuse to touch what is not mlc's, or another project's."""
        marks.check_own(found, what, self.settings.name, project)

    def _workflow(self, id: str) -> Json:
        data = self.road.find("workflows", id)
        if data is None:
            raise EngineError(
                f"there is no run {id} in the namespace {self.road.namespace}",
                "not found",
                404,
                hint="it may have been deleted after its time to live",
            )
        return data

    def _lines(self, run: str, pods: Sequence[str], follow: bool) -> Iterator[str]:
        """The log of a pod by the first of its names that there is."""
        for pod in pods:
            lines = self.road.lines(run, pod, follow)
            try:
                first = next(lines, None)
            except EngineError as problem:
                if problem.reason != "not found" or pod == pods[-1]:
                    raise
                continue
            if first is not None:
                yield first
                yield from lines
                return

    def _metrics(self, run: str, place: Place, output: str) -> dict[str, float]:
        assert place.pod is not None
        content = self.road.file(run, str(place.pod["id"]), output)
        return compiled.numbers(content)

    def _experiment(self, name: str, every: Iterable[Json]) -> Experiment:
        every = list(every)
        metadata = [at(data, "metadata") for data in every]
        templates = [m for d, m in zip(every, metadata, strict=True) if _is_template(d)]
        runs = [self._run(data) for data in every if not _is_template(data)]
        own = next((m for m in map(marks.of_metadata, metadata) if m is not None), None)
        created = [t for m in metadata if (t := seconds(m.get("creationTimestamp")))]
        return Experiment(
            id=name,
            name=name,
            marks=own,
            archived=bool(templates)
            and all(at(m, "labels").get(objects.ARCHIVED) == "true" for m in templates),
            created=min(created, default=None),
            last_run=max((run.created for run in runs if run.created), default=None),
            url=reading.link(
                self._ui,
                f"workflows/{self.road.namespace}?label=mlc%2Fexperiment%3D{marks.label(name)}",
            ),
        )

    def _version(self, data: Json) -> Version:
        return reading.version(data, self._ui, self.road.namespace)

    def _run(self, data: Json) -> Run:
        return reading.run(data, self._ui, self.road.namespace)

    def _schedule(self, data: Json) -> Schedule:
        return reading.schedule(data, self._ui, self.road.namespace)


def _is_template(data: Json) -> bool:
    # Items of a list may not say their kind; a run refers to a template.
    return "templates" in at(data, "spec")


def _bare(data: Json) -> Mapping[str, JsonValue]:
    """An object as it was made, without what Kubernetes writes on it."""
    metadata: Any = at(data, "metadata")
    kept = {k: metadata[k] for k in ("name", "labels", "annotations") if k in metadata}
    return {
        "apiVersion": objects.API,
        "kind": "WorkflowTemplate",
        "metadata": kept,
        "spec": data.get("spec"),
    }


def _without_rounds(name: str) -> str:
    return re.sub(r"(\.\d+)+$", "", name)
