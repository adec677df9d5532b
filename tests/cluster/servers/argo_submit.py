"""What Argo's `submit` makes of a template or a schedule and the options given (SubmitWorkflow)."""

from __future__ import annotations

import copy

from .objects import ARGO_KINDS, Json, KubeError
from .workflows import Cluster


def submitted_workflow(cluster: Cluster, namespace: str, body: Json) -> Json:
    """The workflow to create; a template is referred to, a schedule's spec is copied."""
    kind, name = body.get("resourceKind", ""), body.get("resourceName", "")
    plural = {one.lower(): key for key, one in ARGO_KINDS.items()}.get(kind.lower(), kind)
    if plural not in ("workflowtemplates", "cronworkflows"):
        message = f"Resource kind '{kind}' is not supported for submitting"
        raise KubeError(400, "BadRequest", message)
    source = cluster.get(plural, namespace, name)
    labels = {}
    if plural == "workflowtemplates":
        labels["workflows.argoproj.io/workflow-template"] = name
        spec: Json = {"workflowTemplateRef": {"name": name}}
    else:
        labels["workflows.argoproj.io/cron-workflow"] = name
        spec = copy.deepcopy(source["spec"]["workflowSpec"])
    options = body.get("submitOptions") or {}
    labels |= _pairs(options.get("labels", ""))
    meta: Json = {"generateName": f"{name}-", "labels": labels}
    meta |= {key: options[key] for key in ("name", "generateName") if options.get(key)}
    if options.get("annotations"):
        meta["annotations"] = _pairs(options["annotations"])
    if options.get("entryPoint"):
        spec["entrypoint"] = options["entryPoint"]
    if options.get("serviceAccount"):
        spec["serviceAccountName"] = options["serviceAccount"]
    given = {one["name"]: one for one in spec.get("arguments", {}).get("parameters", [])}
    for parameter in options.get("parameters", []):
        key, equals, value = parameter.partition("=")
        if not equals:
            text = f"expected parameter of the form: NAME=VALUE. Received: {parameter}"
            raise KubeError(500, "InternalError", text)
        given[key] = {"name": key, "value": value}
    if given:
        spec["arguments"] = {"parameters": list(given.values())}
    return {"metadata": meta, "spec": spec}


def _pairs(text: str) -> dict[str, str]:
    """`a=b,c=d`"""
    parts = (one.partition("=") for one in text.split(",") if one)
    return {key: value for key, _, value in parts}
