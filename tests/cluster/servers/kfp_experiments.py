"""Experiments of the KFP server (experiment_server.go, experiment_store.go)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .kfp_errors import ABORTED, exists, internal, invalid, refuse
from .kfp_records import Json
from .wire import Request

if TYPE_CHECKING:
    from .kfp import Kfp

DEFAULT_EXPERIMENT = "Default"


def create_experiment(kfp: Kfp, request: Request) -> Json:
    body = request.json()
    name, namespace = body.get("display_name", ""), kfp.namespace(body.get("namespace", ""))
    if not name:
        raise internal(
            "Failed to convert API experiment to model experiment",
            "Invalid input error: Experiment must have a non-empty name",
        )
    if len(name) > 128:
        raise internal(
            "Failed to convert API experiment to model experiment",
            "Invalid input error: Experiment.Name length cannot exceed 128",
        )
    if kfp.multi_user and not namespace:
        raise invalid("Namespace cannot be empty")
    kfp.allow(namespace)
    if any((e.display_name, e.namespace) == (name, namespace) for e in kfp.experiments.values()):
        raise exists(
            f"Failed to create a new experiment. The name {name} already exists. Please "
            "specify a new name"
        )
    return kfp.add_experiment(name, body.get("description", ""), namespace).show()


def get_experiment(kfp: Kfp, _: Request, experiment_id: str) -> Json:
    return kfp.experiment(experiment_id).show()


def list_experiments(kfp: Kfp, request: Request) -> Json:
    namespace = kfp.listed_namespace("experiments", request.query)
    mine = [e for e in kfp.experiments.values() if not namespace or e.namespace == namespace]
    return kfp.page("experiments", mine, request)


def archive_experiment(kfp: Kfp, _: Request, experiment_id: str) -> Json:
    """Its runs are archived and its schedules disabled with it."""
    kfp.experiment(experiment_id).storage_state = "ARCHIVED"
    for run in kfp.runs.values():
        if run.experiment_id == experiment_id:
            run.storage_state = "ARCHIVED"
    for job in kfp.recurring.values():
        if job.experiment_id == experiment_id:
            job.enabled, job.updated = False, kfp.now()
    return {}


def unarchive_experiment(kfp: Kfp, _: Request, experiment_id: str) -> Json:
    """Its runs stay archived."""
    kfp.experiment(experiment_id).storage_state = "AVAILABLE"
    return {}


def delete_experiment(kfp: Kfp, _: Request, experiment_id: str) -> Json:
    experiment = kfp.experiment(experiment_id)
    if not kfp.multi_user and experiment.display_name == DEFAULT_EXPERIMENT:
        message = (
            f"Failed to delete experiment {experiment_id}. The default experiment cannot be deleted"
        )
        raise refuse(ABORTED, message, f"BadRequestError: {message}")
    del kfp.experiments[experiment_id]
    return {}


ROUTES = (
    ("GET", "/experiments", list_experiments),
    ("POST", "/experiments", create_experiment),
    ("GET", "/experiments/{}", get_experiment),
    ("DELETE", "/experiments/{}", delete_experiment),
    ("POST", "/experiments/{}:archive", archive_experiment),
    ("POST", "/experiments/{}:unarchive", unarchive_experiment),
)
