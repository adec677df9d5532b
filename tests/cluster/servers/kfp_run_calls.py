"""Runs of the KFP server (run_server.go, CreateRun to RetryRun of resource_manager.go)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .kfp_errors import PRECONDITION, internal, invalid, refuse
from .kfp_records import Json, Run
from .kfp_runs import retry
from .kfp_specs import check_inputs
from .wire import Request

if TYPE_CHECKING:
    from .kfp import Kfp


def create_run(kfp: Kfp, request: Request) -> Json:
    body = request.json()
    name = body.get("display_name", "")
    if not name:
        raise internal(
            "Failed to convert a API run detail to its internal representation",
            "Invalid input error: Run name cannot be empty",
        )
    experiment_id, namespace = kfp.experiment_and_namespace(body.get("experiment_id", ""), "")
    kfp.allow(namespace)
    recurring = body.get("recurring_run_id", "")
    if recurring:
        # Upstream's guard against two controllers that start the same scheduled run.
        for run in kfp.runs.values():
            if (run.recurring_run_id, run.display_name) == (recurring, name):
                return run.show()
    spec, pipeline_id, version_id = kfp.resolve_spec(body, "run")
    config = body.get("runtime_config") or {}
    parameters = config.get("parameters") or {}
    check_inputs(spec, parameters)
    run_id = body.get("run_id") or kfp.new_id()
    if run_id in kfp.runs:
        raise internal(f"Failed to store run {name} to table", "Duplicate entry")
    run = Run(
        run_id,
        name,
        body.get("description", ""),
        experiment_id,
        namespace,
        kfp.now(),
        spec,
        pipeline_id,
        version_id,
        parameters,
        config.get("pipeline_root", ""),
        recurring,
        body.get("service_account") or "pipeline-runner",
    )
    return kfp.add_run(run).show()


def get_run(kfp: Kfp, _: Request, run_id: str) -> Json:
    """A look at a run moves it on by `script.pace` steps, after it was looked at."""
    run = kfp.run(run_id)
    shown = run.show()
    kfp.advance(run_id, kfp.script.pace)
    return shown


def list_runs(kfp: Kfp, request: Request) -> Json:
    query = request.query
    experiment_id = query.get("experiment_id", "")
    if experiment_id:
        kfp.experiment(experiment_id)
        mine = [run for run in kfp.runs.values() if run.experiment_id == experiment_id]
    else:
        namespace = kfp.listed_namespace("runs", query)
        mine = [run for run in kfp.runs.values() if not namespace or run.namespace == namespace]
    return kfp.page("runs", mine, request)


def archive_run(kfp: Kfp, _: Request, run_id: str) -> Json:
    kfp.run(run_id).storage_state = "ARCHIVED"
    return {}


def unarchive_run(kfp: Kfp, _: Request, run_id: str) -> Json:
    run = kfp.run(run_id)
    if kfp.experiment(run.experiment_id).storage_state == "ARCHIVED":
        message = (
            f"Failed to unarchive run {run_id} as experiment {run.experiment_id} must be "
            "un-archived first"
        )
        raise refuse(PRECONDITION, message, f"FailedPreconditionError: {message}")
    run.storage_state = "AVAILABLE"
    return {}


def terminate_run(kfp: Kfp, _: Request, run_id: str) -> Json:
    run = kfp.run(run_id)
    if run.state not in ("PAUSED", "PENDING", "RUNNING"):
        raise invalid(f"Failed to terminate a run {run_id}. Row not found")
    # The state's history is not written here, upstream neither.
    run.state = "CANCELING"
    return {}


def retry_run(kfp: Kfp, _: Request, run_id: str) -> Json:
    run = kfp.run(run_id)
    if run.state not in ("FAILED", "CANCELED"):
        raise internal(
            f"Failed to retry run {run_id} as it does not allow retries",
            "Invalid input error: workflow must be Failed/Error to retry",
        )
    retry(run, kfp.now())
    return {}


def delete_run(kfp: Kfp, _: Request, run_id: str) -> Json:
    run = kfp.run(run_id)
    kfp.kill(run, "delete of the run")
    del kfp.runs[run_id]
    return {}


ROUTES = (
    ("GET", "/runs", list_runs),
    ("POST", "/runs", create_run),
    ("GET", "/runs/{}", get_run),
    ("DELETE", "/runs/{}", delete_run),
    ("POST", "/runs/{}:archive", archive_run),
    ("POST", "/runs/{}:unarchive", unarchive_run),
    ("POST", "/runs/{}:terminate", terminate_run),
    ("POST", "/runs/{}:retry", retry_run),
)
