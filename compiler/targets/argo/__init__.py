"""The target `argo`: WorkflowTemplates that Argo Workflows 3.7 and 4 accept and run."""

from __future__ import annotations

from functools import partial

from compiler.ir import Pipeline
from compiler.launch import Launch
from compiler.settings import TargetSettings
from compiler.targets import Compiled, Level, Support
from compiler.targets.argo.planning import plan
from compiler.targets.argo.support import of_pipeline, of_whole
from compiler.targets.argo.template import launched
from compiler.targets.argo.workflow import manifests
from compiler.targets.manifest import dump_all

FILENAME = "argo.yaml"


def compiled(pipeline: Pipeline, settings: TargetSettings) -> Compiled:
    """How each field that the pipeline uses fares on Argo, and the text of what was planned."""
    launches = tuple(map(launched, pipeline.steps))
    uses = of_pipeline(pipeline, launches, settings)
    if any(use.level is Level.REFUSED for use in uses):
        return Compiled(uses, partial(_text, pipeline, launches, settings))
    planned = plan(pipeline, launches, settings)
    made = manifests(pipeline, settings, planned)
    return Compiled([*uses, *of_whole(pipeline, planned, made)], partial(dump_all, made))


def explain(pipeline: Pipeline, settings: TargetSettings) -> list[Support]:
    """How each field that the pipeline uses fares on Argo, in the spec's order."""
    return compiled(pipeline, settings).uses


def emit(pipeline: Pipeline, settings: TargetSettings) -> str:
    """The text of argo.yaml: one WorkflowTemplate, or several where one would be too large."""
    return _text(pipeline, tuple(map(launched, pipeline.steps)), settings)


def _text(pipeline: Pipeline, launches: tuple[Launch, ...], settings: TargetSettings) -> str:
    return dump_all(manifests(pipeline, settings, plan(pipeline, launches, settings)))
