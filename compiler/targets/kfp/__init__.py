"""The target `kfp`: Kubeflow Pipelines' IR and its platform document, written without the SDK.

Good for servers from 2.17. `planning` decides, `pipelinespec` and `platformspec` print, `support`
says what a pipeline gains and loses.
"""

from __future__ import annotations

from functools import partial

from compiler.ir import Pipeline
from compiler.settings import TargetSettings
from compiler.targets import Compiled, Support
from compiler.targets.kfp.pipelinespec import pipeline_spec
from compiler.targets.kfp.plan import Plan
from compiler.targets.kfp.planning import draft
from compiler.targets.kfp.platformspec import platform_spec
from compiler.targets.kfp.support import of_pipeline
from compiler.targets.manifest import dump_all

FILENAME = "kfp.yaml"


def compiled(pipeline: Pipeline, settings: TargetSettings) -> Compiled:
    """How each field that the pipeline uses fares on KFP, and the text of what was planned."""
    drafted = draft(pipeline, settings)
    return Compiled(of_pipeline(pipeline, settings, drafted), partial(_text, drafted.plan))


def explain(pipeline: Pipeline, settings: TargetSettings) -> list[Support]:
    """How each field that the pipeline uses fares on KFP, in the spec's order."""
    return compiled(pipeline, settings).uses


def emit(pipeline: Pipeline, settings: TargetSettings) -> str:
    """One or two YAML documents: the PipelineSpec, and the platform document where needed."""
    return _text(draft(pipeline, settings).plan)


def _text(plan: Plan) -> str:
    return dump_all(filter(None, (pipeline_spec(plan), platform_spec(plan))))
