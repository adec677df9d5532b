"""Recurring runs of the KFP server (job_server.go, resource_manager.go)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .kfp_errors import internal, invalid, missing
from .kfp_records import ACTIVE, Json, RecurringRun, Run
from .kfp_specs import check_inputs
from .wire import Request

if TYPE_CHECKING:
    from .kfp import Kfp

_CRON = re.compile(r"(CRON_TZ=\S+ |TZ=\S+ )?(\S+ ){4,5}\S+|@(every \S+|[a-z]+)")


def create_recurring(kfp: Kfp, request: Request) -> Json:
    body = request.json()
    name = body.get("display_name", "")
    if not name:
        raise internal(
            "Failed to convert a API recurring run to its internal representation",
            "Invalid input error: Recurring run's name cannot be empty",
        )
    experiment_id, namespace = kfp.experiment_and_namespace(
        body.get("experiment_id", ""), body.get("namespace", "")
    )
    kfp.allow(namespace)
    trigger = body.get("trigger") or {}
    _check_trigger(trigger)
    concurrency = int(body.get("max_concurrency") or 0)
    spec, pipeline_id, version_id = kfp.resolve_spec(body, "recurring run")
    reference = body.get("pipeline_version_reference") or {}
    config = body.get("runtime_config") or {}
    parameters = config.get("parameters") or {}
    check_inputs(spec, parameters)
    job = RecurringRun(
        kfp.new_id(),
        name,
        body.get("description", ""),
        experiment_id,
        # CreateJob falls back to the server's own namespace and keeps it.
        namespace or "kubeflow",
        kfp.now(),
        trigger,
        body.get("mode") == "ENABLE",
        concurrency,
        bool(body.get("no_catchup")),
        None if pipeline_id or version_id else spec,
        pipeline_id,
        # Without a version the newest one is taken at each start.
        version_id if reference.get("pipeline_version_id") else "",
        parameters,
        config.get("pipeline_root", ""),
        body.get("service_account") or "pipeline-runner",
        updated=kfp.now(),
    )
    kfp.recurring[job.id] = job
    return job.show()


def _check_trigger(trigger: Json) -> None:
    cron = (trigger.get("cron_schedule") or {}).get("cron")
    interval = (trigger.get("periodic_schedule") or {}).get("interval_second")
    if cron is None and interval is None:
        return
    if cron is not None and not _CRON.fullmatch(cron):
        raise invalid(f"Schedule cron is not supported: {cron}")
    if interval is not None and int(interval) < 1:
        raise invalid(f"The interval second must be at least 1. Got {interval}")


def get_recurring(kfp: Kfp, _: Request, recurring_id: str) -> Json:
    return _job(kfp, recurring_id).show()


def list_recurring(kfp: Kfp, request: Request) -> Json:
    query = request.query
    experiment_id = query.get("experiment_id", "")
    if experiment_id:
        kfp.experiment(experiment_id)
        mine = [job for job in kfp.recurring.values() if job.experiment_id == experiment_id]
    else:
        namespace = kfp.listed_namespace("recurring runs", query)
        mine = [
            job for job in kfp.recurring.values() if not namespace or job.namespace == namespace
        ]
    return kfp.page("recurringRuns", mine, request)


def enable_recurring(kfp: Kfp, _: Request, recurring_id: str) -> Json:
    return _switch(kfp, recurring_id, True)


def disable_recurring(kfp: Kfp, _: Request, recurring_id: str) -> Json:
    return _switch(kfp, recurring_id, False)


def _switch(kfp: Kfp, recurring_id: str, enabled: bool) -> Json:
    job = _job(kfp, recurring_id)
    job.enabled, job.updated = enabled, kfp.now()
    return {}


def delete_recurring(kfp: Kfp, request: Request, recurring_id: str) -> Json:
    """Its workflows belong to it and go with it, unless the policy is to orphan them."""
    _job(kfp, recurring_id)
    if request.query.get("propagation_policy") != "ORPHAN":
        for run in kfp.runs.values():
            if run.recurring_run_id == recurring_id:
                kfp.kill(run, f"delete of the recurring run {recurring_id}")
    del kfp.recurring[recurring_id]
    return {}


def trigger(kfp: Kfp, recurring_id: str) -> Run | None:
    """One run of an active schedule, as its controller starts it."""
    job = kfp.recurring[recurring_id]
    running = [
        run
        for run in kfp.runs.values()
        if run.recurring_run_id == job.id and run.state in ACTIVE and not run.killed
    ]
    # The API takes any number; the controller holds it within 1 and 10.
    if not job.enabled or len(running) >= min(max(job.max_concurrency, 1), 10):
        return None
    version = kfp.versions.get(job.version_id) or kfp.latest(job.pipeline_id)
    spec = job.spec if job.spec is not None else version.spec if version else None
    if spec is None:
        return None
    name = (
        f"{re.sub('[^a-z0-9]', '', job.display_name.lower())[:20]}-{next(job.numbers)}-{kfp.now()}"
    )
    run = Run(
        kfp.new_id(),
        name,
        "",  # which its controller hands on from no recurring run
        job.experiment_id,
        job.namespace if kfp.multi_user else "",
        kfp.now(),
        spec,
        job.pipeline_id,
        version.id if version and job.spec is None else "",
        dict(job.parameters),
        job.pipeline_root,
        job.id,
        job.service_account,
    )
    return kfp.add_run(run)


def _job(kfp: Kfp, recurring_id: str) -> RecurringRun:
    found = kfp.recurring.get(recurring_id)
    if found is None:
        raise missing("Recurring run", recurring_id)
    kfp.allow(found.namespace)
    return found


ROUTES = (
    ("GET", "/recurringruns", list_recurring),
    ("POST", "/recurringruns", create_recurring),
    ("GET", "/recurringruns/{}", get_recurring),
    ("DELETE", "/recurringruns/{}", delete_recurring),
    ("POST", "/recurringruns/{}:enable", enable_recurring),
    ("POST", "/recurringruns/{}:disable", disable_recurring),
)
