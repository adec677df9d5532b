"""Checks of the whole pipeline, once every name has its meaning.

The graphs of the main part and of `finally` come first: circles, then what may be skipped. Each of
`PIPELINE_CHECKS` takes the pipeline and the project, each of `STEP_CHECKS` a sound step and
the project; both yield what they found.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from compiler.checks.circles import cycles
from compiler.checks.clashes import same_names as same_names
from compiler.checks.mounts import mounts, shared_memory
from compiler.checks.policy import ceilings, images, pods
from compiler.checks.policy import required as required
from compiler.checks.python import python_signature
from compiler.checks.skipping import skipped_outputs
from compiler.diagnostics import Diagnostic
from compiler.graph import Graph
from compiler.ir import Pipeline, Step
from compiler.settings import Project

PIPELINE_CHECKS: tuple[Callable[[Pipeline, Project], Iterator[Diagnostic]], ...] = (
    images,
    ceilings,
    pods,
)
STEP_CHECKS: tuple[Callable[[Step, Project], Iterator[Diagnostic]], ...] = (
    mounts,
    shared_memory,
    python_signature,
)


def check(pipeline: Pipeline, project: Project, flawed: Collection[str]) -> list[Diagnostic]:
    """Everything that the checks find. Steps named in `flawed` have errors and are passed over,
    but for the graph, where a missing edge does no harm."""
    found: list[Diagnostic] = []
    for nodes, outputs in ((pipeline.nodes, pipeline.outputs), (pipeline.finally_nodes, ())):
        graph = Graph(nodes)
        circles = list(cycles(graph))
        found += circles or skipped_outputs(graph, outputs)
    found += (finding for one in PIPELINE_CHECKS for finding in one(pipeline, project))
    for step in pipeline.steps:
        if step.name not in flawed:
            found += (finding for one in STEP_CHECKS for finding in one(step, project))
    return found
