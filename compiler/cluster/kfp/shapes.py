"""The shapes of what KFP's API answers, as far as it is read; see `compiler.cluster.answers`."""

from __future__ import annotations

from compiler.cluster.answers import Fields, Items, Shape, Values, page, texts

_REFERENCE = Fields(texts("pipeline_id", "pipeline_version_id"))
_CONFIG = Fields({"parameters": "mapping"})
_ERROR = Fields(texts("message"))

_COMPONENT = Fields(
    {
        "executorLabel": "text",
        "dag": Fields(
            {"tasks": Values(Fields({"componentRef": Fields(texts("name"))}))},
        ),
        "outputDefinitions": Fields(
            {"artifacts": Values(Fields({"artifactType": Fields(texts("schemaTitle"))}))}
        ),
    }
)
_EXECUTOR = Fields({"container": Fields({"env": Items(Fields(texts("name", "value")))})})
_BARE_SPEC: dict[str, Shape] = {
    "root": _COMPONENT,
    "components": Values(_COMPONENT),
    "deploymentSpec": Fields({"executors": Values(_EXECUTOR)}),
}
# It may stand beside a platform document.
SPEC = Fields({**_BARE_SPEC, "pipeline_spec": Fields(_BARE_SPEC), "platform_spec": "mapping"})

HEALTH = Fields({"tag_name": "text", "multi_user": "flag"})
EXPERIMENT = Fields(
    {
        "experiment_id": "name",
        **texts("display_name", "description", "storage_state"),
        **texts("created_at", "last_run_created_at"),
    }
)
PIPELINE = Fields({"pipeline_id": "name", "tags": Values("text")})
VERSION = Fields(
    {
        "pipeline_id": "name",
        "pipeline_version_id": "name",
        **texts("name", "display_name", "created_at"),
        "tags": Values("text"),
        "pipeline_spec": SPEC,
    }
)
_TASK = Fields(
    {
        **texts("task_id", "pod_name", "display_name", "state", "start_time", "end_time"),
        "parent_task_id": "text",
        "error": _ERROR,
        "child_tasks": Items(Fields(texts("task_id", "pod_name"))),
    }
)
RUN = Fields(
    {
        "run_id": "name",
        **texts("display_name", "description", "state", "storage_state"),
        **texts("experiment_id", "pipeline_version_id", "recurring_run_id"),
        **texts("created_at", "finished_at"),
        "error": _ERROR,
        "pipeline_version_reference": _REFERENCE,
        "pipeline_spec": SPEC,
        "runtime_config": _CONFIG,
        "run_details": Fields({"task_details": Items(_TASK)}),
    }
)
RECURRING = Fields(
    {
        "recurring_run_id": "name",
        **texts("display_name", "description", "status", "mode"),
        **texts("experiment_id", "pipeline_version_id", "created_at"),
        "service_account": "text",
        "trigger": Fields({"cron_schedule": Fields(texts("cron"))}),
        "pipeline_version_reference": _REFERENCE,
        "runtime_config": _CONFIG,
        "max_concurrency": "amount",
        "no_catchup": "flag",
    }
)
PAGES: dict[str, Fields] = {
    name: page(name, of, texts("next_page_token"))
    for name, of in (
        ("experiments", EXPERIMENT),
        ("pipelines", PIPELINE),
        ("pipeline_versions", VERSION),
        ("runs", RUN),
        ("recurringRuns", RECURRING),
    )
}

# Of the older API: the workflow that a run is, and what a step's driver hands on.
DETAIL = Fields({"pipeline_runtime": Fields(texts("workflow_manifest"))})
_PARAMETER = Fields(texts("name", "value"))
NODES = Values(
    Fields(
        {
            **texts("displayName", "boundaryID"),
            "outputs": Fields({"parameters": Items(_PARAMETER)}),
        }
    )
)
WORKFLOW = Fields({"status": Fields({"nodes": NODES, "compressedNodes": "text"})})
_CONTAINER = Fields({"command": Items("text"), "args": Items("text")})
PATCH = Fields({"containers": Items(_CONTAINER)})
_ARTIFACTS = Values(Fields({"artifacts": Items(Fields(texts("uri")))}))
EXECUTOR_INPUT = Fields({"outputs": Fields({"artifacts": _ARTIFACTS})})
ARCHIVED_LOG = Fields(texts("data"))
