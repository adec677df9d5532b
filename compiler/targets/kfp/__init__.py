"""The target `kfp`: Kubeflow Pipelines' IR and its platform document, written without the SDK.

Good for servers from 2.17. `planning` decides, `pipelinespec` and `platformspec` print, `support`
says what a pipeline gains and loses.
"""

from __future__ import annotations

from functools import partial

from msgspec import Struct

from compiler.ir import Pipeline
from compiler.settings import TargetSettings
from compiler.targets import Compiled, Support
from compiler.targets.kfp.pipelinespec import pipeline_spec
from compiler.targets.kfp.plan import Plan
from compiler.targets.kfp.planning import Draft, draft
from compiler.targets.kfp.platformspec import platform_spec
from compiler.targets.kfp.support import of_pipeline
from compiler.targets.manifest import dump_all

FILENAME = "kfp.yaml"


class Drafted(Struct, frozen=True):
    """A pipeline's plan, and how each of its fields fares on KFP."""

    pipeline: Pipeline
    settings: TargetSettings
    draft: Draft
    uses: list[Support]


_latest: list[Drafted] = []


def drafted(pipeline: Pipeline, settings: TargetSettings) -> Drafted:
    """The plan and how it fares; the last one is kept, since `kfp-dsl` begins with the same."""
    for latest in _latest:
        if latest.pipeline is pipeline and latest.settings == settings:
            return latest
    made = draft(pipeline, settings)
    _latest[:] = [Drafted(pipeline, settings, made, of_pipeline(pipeline, settings, made))]
    return _latest[0]


def compiled(pipeline: Pipeline, settings: TargetSettings) -> Compiled:
    """How each field that the pipeline uses fares on KFP, and the text of what was planned."""
    made = drafted(pipeline, settings)
    return Compiled(made.uses, partial(_text, made.draft.plan))


def explain(pipeline: Pipeline, settings: TargetSettings) -> list[Support]:
    """How each field that the pipeline uses fares on KFP, in the spec's order."""
    return compiled(pipeline, settings).uses


def emit(pipeline: Pipeline, settings: TargetSettings) -> str:
    """One or two YAML documents: the PipelineSpec, and the platform document where needed."""
    return compiled(pipeline, settings).text()


def _text(plan: Plan) -> str:
    return dump_all(filter(None, (pipeline_spec(plan), platform_spec(plan))))
