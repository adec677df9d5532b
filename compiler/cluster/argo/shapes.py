"""The shapes of Argo's objects, as far as they are read; see `compiler.cluster.answers`."""

from __future__ import annotations

from compiler.cluster.answers import Fields, Items, Values, page, texts
from compiler.cluster.argo.road import Kind

METADATA = Fields(
    {
        "name": "name",
        **texts("creationTimestamp", "resourceVersion"),
        "labels": Values("text"),
        "annotations": Values("text"),
    }
)
_REFERENCE = Fields(texts("name"))
_ARGUMENTS = Fields({"parameters": Items(Fields({"name": "text", "value": "anything"}))})
NODES = Values(
    Fields(
        {
            **texts("id", "displayName", "type", "phase", "boundaryID", "message"),
            **texts("startedAt", "finishedAt", "templateName"),
            "templateRef": Fields(texts("template")),
            "children": Items("text"),
            "nodeFlag": Fields({"retried": "flag"}),
            "memoizationStatus": Fields({"hit": "flag"}),
            "outputs": Fields({"artifacts": Items(Fields(texts("name")))}),
        }
    )
)
_WORKFLOW = Fields(
    {
        "metadata": METADATA,
        "spec": Fields(
            {
                "workflowTemplateRef": _REFERENCE,
                "arguments": _ARGUMENTS,
                "shutdown": "text",
                "suspend": "flag",
            }
        ),
        "status": Fields(
            {
                **texts("phase", "message", "startedAt", "finishedAt", "compressedNodes"),
                "offloadNodeStatusVersion": "text",
                "nodes": NODES,
            }
        ),
    }
)
_TEMPLATE = Fields({"metadata": METADATA, "spec": "mapping"})
_CRON = Fields(
    {
        "metadata": METADATA,
        "spec": Fields(
            {
                "schedules": Items("text"),
                **texts("schedule", "timezone", "concurrencyPolicy"),
                "suspend": "flag",
                "workflowSpec": Fields(
                    {
                        "workflowTemplateRef": _REFERENCE,
                        "arguments": _ARGUMENTS,
                        "serviceAccountName": "text",
                    }
                ),
            }
        ),
    }
)
OBJECTS: dict[Kind, Fields] = {
    "workflows": _WORKFLOW,
    "workflowtemplates": _TEMPLATE,
    "cronworkflows": _CRON,
}
PAGES: dict[Kind, Fields] = {
    kind: page("items", of, {"metadata": Fields(texts("continue"))}) for kind, of in OBJECTS.items()
}
VERSION = Fields(texts("version"))
REVIEW = Fields({"status": Fields({"allowed": "flag"})})
# A line of a log in its envelope.
LOG_LINE = Fields(
    {
        "error": Fields({"message": "text", "http_code": "number"}),
        "result": Fields(texts("content")),
    }
)
