"""Checks of the whole pipeline, once every name has its meaning.

The graphs of the main part and of `finally` come first: circles, then what may be skipped. Each of
`PIPELINE_CHECKS` takes the pipeline and the project, each of `STEP_CHECKS` a sound step and
the project; both yield what they found. `REVIEWS` take a pipeline without errors, and what its
expressions name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Set

from compiler.binding.scope import Read
from compiler.checks.circles import cycles
from compiler.checks.clashes import Named as Named
from compiler.checks.clashes import same_names as same_names
from compiler.checks.code_files import code_files
from compiler.checks.conditions import empty_loops, impossible_values
from compiler.checks.evaluated import evaluated
from compiler.checks.images import images
from compiler.checks.images import missing_images as missing_images
from compiler.checks.injection import injection
from compiler.checks.kubernetes import labels, objects, tolerations, user
from compiler.checks.machines import amounts, amounts_from_params, gpu_nodes
from compiler.checks.misspelt import settle_sides as settle_sides
from compiler.checks.mounts import hidden_folders, least_memory, mounts, shared_memory
from compiler.checks.overlays import changes_nothing as changes_nothing
from compiler.checks.overlays import forgotten_values as forgotten_values
from compiler.checks.overlays import idle_settings as idle_settings
from compiler.checks.overlays import no_change as no_change
from compiler.checks.policy import allowed_images, ceilings, pods
from compiler.checks.policy import required as required
from compiler.checks.python import python_signature
from compiler.checks.schedules import schedules
from compiler.checks.shell_signs import shell_signs
from compiler.checks.skipping import skipped_outputs
from compiler.checks.sources import unmatched_sources as unmatched_sources
from compiler.checks.timing import caches, retries, run_timeout
from compiler.checks.unreachable import never_runs
from compiler.checks.unused import (
    unread_inputs,
    unread_lists,
    unread_params,
    untaken_outputs,
    untold_outputs,
    unwritten_outputs,
)
from compiler.diagnostics import Diagnostic
from compiler.graph import graph_of
from compiler.ir import Pipeline, Step
from compiler.nodes import SourceFile
from compiler.settings import Project

PIPELINE_CHECKS: tuple[Callable[[Pipeline, Project], Iterator[Diagnostic]], ...] = (
    images,
    run_timeout,
    schedules,
    allowed_images,
    ceilings,
    pods,
)
STEP_CHECKS: tuple[Callable[[Step, Project], Iterator[Diagnostic]], ...] = (
    mounts,
    shared_memory,
    hidden_folders,
    least_memory,
    amounts,
    gpu_nodes,
    retries,
    caches,
    objects,
    labels,
    tolerations,
    user,
    shell_signs,
)
# Of sound steps, with the text of the files that they come from.
SOURCE_CHECKS: tuple[
    Callable[[Step, Pipeline, Mapping[str, SourceFile]], Iterator[Diagnostic]], ...
] = (injection, evaluated)
REVIEWS: tuple[Callable[[Pipeline, Set[Read]], Iterator[Diagnostic]], ...] = (
    unread_params,
    unread_inputs,
    untaken_outputs,
    untold_outputs,
    unwritten_outputs,
    unread_lists,
    impossible_values,
    empty_loops,
)


def check(
    pipeline: Pipeline,
    project: Project,
    flawed: Collection[str],
    sources: Mapping[str, SourceFile],
) -> list[Diagnostic]:
    """Everything that the checks find. Steps named in `flawed` have errors and are passed over,
    but for the graph, where a missing edge does no harm."""
    found: list[Diagnostic] = []
    for nodes, outputs in ((pipeline.nodes, pipeline.outputs), (pipeline.finally_nodes, ())):
        if not nodes:
            continue
        graph = graph_of(nodes)
        circles = list(cycles(graph))
        found += circles or (*skipped_outputs(graph, outputs), *never_runs(graph))
    found += (finding for one in PIPELINE_CHECKS for finding in one(pipeline, project))
    for step in pipeline.steps:
        if step.name not in flawed:
            found += (finding for one in STEP_CHECKS for finding in one(step, project))
            found += python_signature(step, pipeline, project)
            found += amounts_from_params(step, pipeline)
            found += code_files(step, project, sources)
            for one_of_source in SOURCE_CHECKS:
                found += one_of_source(step, pipeline, sources)
    return found


def review(pipeline: Pipeline, reads: Set[Read]) -> list[Diagnostic]:
    """What a spec without errors has too much, or for nothing."""
    return [finding for one in REVIEWS for finding in one(pipeline, reads)]
