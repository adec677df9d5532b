"""What the UI's server answers beside the API: files of the object store and pods' logs.

frontend/server/app.ts, handlers/artifacts.ts, handlers/pod-logs.ts; run_artifact_server.go.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

from .kfp_manifest import output_uris, show_detail
from .kfp_records import Run, Task
from .wire import Answer, Refused, Request

if TYPE_CHECKING:
    from .kfp import Kfp

_DOWNLOAD = re.compile(r"/artifacts/(minio|s3|gcs)/([^/]+)/(.+)")
_READ = re.compile(r"/apis/v(?:1|2)beta1/runs/([^/]+)/nodes/([^/]+)/artifacts/([^/]+):read")
_DETAIL = re.compile(r"/apis/v1beta1/runs/([^/:]+)")
_LOG = re.compile(r"/apis/v1alpha1/runs/([^/]+)/nodes/([^/]+)/log")


def answer_proxied(kfp: Kfp, request: Request) -> Answer | None:
    """The answer for a path of the UI's server or a plain HTTP handler; None for any other."""
    query = request.query
    if request.path == "/artifacts/get":
        for name, words in (("source", "source"), ("bucket", "bucket"), ("key", "key")):
            if not query.get(name):
                return _text(500, f"Storage {words} is missing from artifact request")
        return _file(kfp, query["source"], query["bucket"], query["key"], request)
    if found := _DOWNLOAD.fullmatch(request.path):
        return _file(kfp, found[1], found[2], found[3], request)
    if request.path == "/k8s/pod/logs":
        return _pod_logs(kfp, request)
    if found := _LOG.fullmatch(request.path):
        run_id, node = found.groups()
        live = kfp.live_logs
        return _text(200, _logs(kfp, kfp.run(run_id), node) or "" if live is None else live)
    if found := _READ.fullmatch(request.path):
        return _read_artifact(kfp, *found.groups())
    if request.method == "GET" and (found := _DETAIL.fullmatch(request.path)):
        return Answer(200, show_detail(kfp, kfp.run(found[1])))
    return None


def keep_outputs(kfp: Kfp, run: Run, task: Task) -> None:
    """Put what a task left behind where its driver said."""
    metrics = kfp.script.metrics_of(run.display_name, task.name)
    if not metrics or task.state != "SUCCEEDED":
        return
    for name, uri in output_uris(kfp, run, task.name).items():
        if "metrics" in name:
            kfp.files[uri.replace("://", "/")] = json.dumps(metrics).encode()


def _file(kfp: Kfp, source: str, bucket: str, key: str, request: Request) -> Answer:
    namespace = request.query.get("namespace", "")
    if kfp.multi_user:
        if not namespace:
            return _text(400, "Namespace parameter is required when authentication is enabled")
        if not kfp.access.may_use(namespace):
            return _text(403, f"User is not authorized to GET VIEWERS in namespace {namespace}")
    data = kfp.files.get(f"{source}/{bucket}/{key}")
    if data is None:
        return _text(500, f"Failed to get object in bucket {bucket} at path {key}: NoSuchKey")
    peek = int(request.query.get("peek") or 0)
    return Answer(200, data[:peek] if peek else data)


def _pod_logs(kfp: Kfp, request: Request) -> Answer:
    pod = request.query.get("podname", "")
    namespace = request.query.get("podnamespace", "")
    if not pod:
        return _text(400, "podname argument is required")
    if kfp.multi_user and not namespace:
        return _text(422, "podnamespace argument is required")
    if namespace and not kfp.access.may_use(namespace):
        return _text(403, "Access denied to namespace")
    for run in kfp.runs.values():
        if (text := _logs(kfp, run, pod)) is not None:
            return _text(200, text)
    return _text(500, f"Could not get main container logs: Error: pods {pod} not found")


def _read_artifact(kfp: Kfp, run_id: str, node: str, artifact: str) -> Answer:
    """Of a v2 run the workflow's own artifacts can be read, which are the logs of its pods."""
    run = kfp.runs.get(run_id)
    text = None if run is None or artifact != "main-logs" else _logs(kfp, run, node)
    if text is None:
        message = "artifact not found: <nil>"
        return Answer(404, {"error_message": message, "error_details": message})
    return Answer(200, {"data": base64.b64encode(text.encode()).decode()})


def _logs(kfp: Kfp, run: Run, pod: str) -> str | None:
    for task in run.tasks:
        if pod in (*task.children, task.pod):
            default = f"{task.name} of {run.display_name} has begun\n"
            return kfp.script.of(kfp.script.logs, run.display_name, task.name, default)
    return None


def _text(status: int, text: str) -> Answer:
    if status >= 500:
        raise Refused(Answer(status, text.encode()))
    return Answer(status, text.encode())
