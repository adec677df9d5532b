"""A KFP API server 2.17 that keeps its state, as upstream's server/, resource/, storage/ do."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from . import kfp_experiments, kfp_pipelines, kfp_run_calls, kfp_schedules
from .access import Access
from .contract import KFP, Contract, load_contract
from .kfp_errors import (
    DENIED,
    EXISTS,
    INTERNAL,
    NOT_FOUND,
    UNAUTHENTICATED,
    internal,
    invalid,
    missing,
    refuse,
    status,
)
from .kfp_experiments import DEFAULT_EXPERIMENT
from .kfp_lists import list_page
from .kfp_proxy import answer_proxied, keep_outputs
from .kfp_records import ACTIVE, Experiment, Json, Pipeline, RecurringRun, Run, Version
from .kfp_runs import Script, advance, begin
from .kfp_specs import read_inline
from .wire import Answer, Refused, Request

PREFIX = "/apis/v2beta1"


class Kfp:
    """The engine; everything it holds is open to the test."""

    answers_alone = False

    def __init__(
        self,
        *,
        multi_user: bool = False,
        version: str = "2.17.0",
        access: Access | None = None,
        checked: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.multi_user = multi_user
        self.version = version
        self.access = access or Access()
        self.contract: Contract | None = load_contract(KFP) if checked else None
        self.page_limit: int | None = None
        self.clock = clock
        self.script = Script()
        # What the API server says in the place of any log, as of pods that are gone.
        self.live_logs: str | None = None
        self.pipeline_root = "minio://mlpipeline/v2/artifacts"
        self.pipelines: dict[str, Pipeline] = {}
        self.versions: dict[str, Version] = {}
        self.experiments: dict[str, Experiment] = {}
        self.runs: dict[str, Run] = {}
        self.recurring: dict[str, RecurringRun] = {}
        # `SOURCE/BUCKET/KEY` -> content.
        self.files: dict[str, bytes] = {}
        # Runs whose workflow was taken away while it ran: (run, by what).
        self.killed: list[tuple[str, str]] = []
        if not multi_user:
            self.add_experiment(DEFAULT_EXPERIMENT, "All runs created without specifying one", "")

    # What the server asks of an engine.

    def answer(self, request: Request) -> Answer:
        proxied = answer_proxied(self, request)
        if proxied is not None:
            return proxied
        if request.path == f"{PREFIX}/healthz":
            return Answer(200, self.healthz())
        for method, pattern, handler in _ROUTES:
            found = pattern.fullmatch(request.path)
            if found and method == request.method:
                return Answer(200, handler(self, request, *found.groups()))
        return Answer(404, {"code": 5, "message": "Not Found", "details": []})

    def unauthorized(self) -> Answer:
        message = "Failed to check authorization. User identity is empty in the request header"
        return status(UNAUTHENTICATED, message, f"Unauthenticated: {message}")

    def failure(self, http: int, message: str) -> Answer:
        codes = {401: UNAUTHENTICATED, 403: DENIED, 404: NOT_FOUND, 409: EXISTS}
        return Answer(http, status(codes.get(http, INTERNAL), message).body)

    # What a test does.

    def now(self) -> int:
        return int(self.clock())

    def advance(self, run_id: str, steps: int = 1) -> Run:
        run = self.runs[run_id]
        for _ in range(steps):
            ended = advance(run, self.script, self.now())
            if ended is not None:
                keep_outputs(self, run, ended)
        return run

    def finish(self, run_id: str) -> Run:
        """Move the run until it stands still."""
        while self.runs[run_id].state in ACTIVE and not self.runs[run_id].killed:
            self.advance(run_id)
        return self.runs[run_id]

    def trigger(self, recurring_id: str) -> Run | None:
        """Let an active schedule fire; None where it is disabled or its runs fill its limit."""
        return kfp_schedules.trigger(self, recurring_id)

    def named_experiment(self, name: str) -> Experiment:
        return next(one for one in self.experiments.values() if one.display_name == name)

    # Shared by the handlers.

    def new_id(self) -> str:
        return str(uuid.uuid4())

    def allow(self, namespace: str) -> None:
        if self.multi_user and not self.access.may_use(namespace):
            message = f"User 'user' is not authorized with reason:  (namespace: {namespace})"
            raise refuse(DENIED, message, f"PermissionDenied: {message}: Unauthorized access")

    def namespace(self, given: str) -> str:
        """Single-user mode knows no namespaces (ReplaceNamespace)."""
        return given if self.multi_user else ""

    def listed_namespace(self, kind: str, query: Any) -> str:
        namespace = self.namespace(query.get("namespace", ""))
        if self.multi_user and not namespace and kind != "pipelines":
            raise invalid(f"{kind} cannot have an empty namespace in multi-user mode")
        self.allow(namespace)
        return namespace

    def page(self, kind: str, records: Any, request: Request) -> Json:
        return list_page(kind, list(records), request.query, self.page_limit)

    def experiment(self, experiment_id: str) -> Experiment:
        found = self.experiments.get(experiment_id)
        if found is None:
            raise missing("Experiment", experiment_id)
        self.allow(found.namespace)
        return found

    def run(self, run_id: str) -> Run:
        found = self.runs.get(run_id)
        if found is None:
            raise missing("Run", run_id)
        self.allow(found.namespace)
        return found

    def experiment_and_namespace(self, experiment_id: str, namespace: str) -> tuple[str, str]:
        """GetValidExperimentNamespacePair of resource_manager.go."""
        if not experiment_id:
            if self.multi_user:
                raise invalid("Experiment id can not be empty in multi-user mode")
            return self.named_experiment(DEFAULT_EXPERIMENT).id, ""
        experiment = self.experiment(experiment_id)
        if namespace and self.multi_user and namespace != experiment.namespace:
            raise invalid(
                f"Experiment {experiment_id} belongs to namespace '{experiment.namespace}' instead "
                f"of '{namespace}'"
            )
        return experiment_id, experiment.namespace

    def resolve_spec(self, body: Json, kind: str) -> tuple[Json, str, str]:
        """The spec of a run, with the ids of its pipeline and version where it names them."""
        reference = body.get("pipeline_version_reference") or {}
        version_id = reference.get("pipeline_version_id", "")
        pipeline_id = reference.get("pipeline_id", "")
        cause = f"Failed to create a {kind} due to error fetching manifest"
        if version_id or pipeline_id:
            version = self.versions.get(version_id) if version_id else self.latest(pipeline_id)
            if version is None:
                raise internal(cause, f"PipelineVersion {version_id or pipeline_id} not found")
            return version.spec, pipeline_id, version_id or version.id
        if not body.get("pipeline_spec"):
            raise internal(cause, "Failed to fetch a template with an empty pipeline spec")
        try:
            return read_inline(body["pipeline_spec"]), "", ""
        except Refused as refused:
            raise internal(cause, refused.answer.body["message"]) from None

    def latest(self, pipeline_id: str) -> Version | None:
        # Of two in one second the one that came last: the dictionary keeps the order.
        versions = [one for one in self.versions.values() if one.pipeline_id == pipeline_id]
        return max(reversed(versions), key=lambda one: one.created, default=None)

    def add_run(self, run: Run) -> Run:
        self.runs[run.id] = run
        begin(run, self.now())
        if run.experiment_id in self.experiments:
            self.experiments[run.experiment_id].last_run = self.now()
        return run

    def kill(self, run: Run, by: str) -> None:
        if run.state in ACTIVE and not run.killed:
            run.killed = True
            self.killed.append((run.id, by))

    def add_experiment(self, name: str, description: str, namespace: str) -> Experiment:
        one = Experiment(self.new_id(), name, description, namespace, self.now())
        self.experiments[one.id] = one
        return one

    def healthz(self) -> Json:
        """main.go writes the first two beside what the contract has."""
        return {
            "commit_sha": "4a3592cb2dd0a91a4652ab93893ec8beda1f3158",
            "tag_name": self.version,
            "multi_user": self.multi_user,
            "pipeline_store": "database",
        }


_ROUTES = tuple(
    (method, re.compile(PREFIX + path.replace("{}", "([^/:]+)")), handler)
    for module in (kfp_pipelines, kfp_experiments, kfp_run_calls, kfp_schedules)
    for method, path, handler in module.ROUTES
)
