"""The target `argo`: WorkflowTemplates that Argo Workflows 3.7 and 4 accept and run."""

from __future__ import annotations

from compiler.ir import Pipeline
from compiler.settings import TargetSettings
from compiler.targets.argo.planning import plan
from compiler.targets.argo.support import explain
from compiler.targets.argo.template import launched
from compiler.targets.argo.workflow import manifests
from compiler.targets.manifest import dump_all

__all__ = ["FILENAME", "emit", "explain"]

FILENAME = "argo.yaml"


def emit(pipeline: Pipeline, settings: TargetSettings) -> str:
    """The text of argo.yaml: one WorkflowTemplate, or several where one would be too large."""
    launches = map(launched, pipeline.steps)
    return dump_all(manifests(pipeline, settings, plan(pipeline, launches, settings)))
