"""Which side of a misspelt output is wrong: the name that takes it, or the one that declares it.

A name that differs from the declared one by a slip is no proof that the slip is there. What else
the step says of its output tells it: its own words, its script, its function, other steps. Where
nothing tells, there is a hint and no fix.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Set

from compiler import mending
from compiler.binding.scope import Misspelt, Read
from compiler.checks.python import function_of
from compiler.diagnostics import Diagnostic, Related
from compiler.ir import Output, Pipeline, Python, Script, Step
from compiler.nodes import SourceFile
from compiler.settings import Project


def settle_sides(
    diagnostics: Iterable[Diagnostic],
    misspelt: Iterable[Misspelt],
    pipeline: Pipeline,
    reads: Set[Read],
    project: Project,
    sources: Mapping[str, SourceFile],
) -> list[Diagnostic]:
    """The same diagnostics, those of misspelt outputs with the fix of the side that is wrong."""
    steps = {step.name: step for step in pipeline.steps}
    missed = {(found.step, found.name, found.is_own) for found in misspelt}
    settled: dict[tuple[object, str], Diagnostic] = {}
    meant: set[str] = set()
    by_place = {(d.span, d.code): d for d in diagnostics}
    for found in misspelt:
        step, place = steps.get(found.step), (found.span, "MLC302")
        outputs = {output.name: output for output in step.outputs} if step else {}
        if step is None or found.near not in outputs or place not in by_place:
            continue
        right = _right(step, found, reads, project, missed)
        if right == found.name:
            meant.add(right)
        if right != found.near:
            output = outputs[found.near]
            settled[place] = _other_side(by_place[place], found, output, right, sources)
    # What the script says is right then, and not another finding.
    said = [f"`OUTPUT_{name.upper()}`" for name in sorted(meant)]
    return [
        settled.get((d.span, d.code), d)
        for d in diagnostics
        if d.code != "MLC361" or not any(name in d.message for name in said)
    ]


def _right(
    step: Step,
    found: Misspelt,
    reads: Set[Read],
    project: Project,
    missed: Set[tuple[str, str, bool]],
) -> str | None:
    """The name of the two that is meant; None where nothing tells."""
    if {("outputs", step.name, found.near), ("paths", step.name, found.near)} & reads:
        return found.near
    said: Set[str] = frozenset()
    if isinstance(step.program, Script):
        words = _outputs_in(step.program.source)
        said = {name for name in (found.near, found.name) if name.upper() in words}
    elif isinstance(step.program, Python):
        function = function_of(step.program, project)
        said = function.arguments.keys() if function else frozenset()
    elif (step.name, found.name, not found.is_own) in missed:
        said = {found.name}
    if (found.near in said) != (found.name in said):
        return found.near if found.near in said else found.name
    return found.near if found.is_own else None


@functools.lru_cache(maxsize=16)
def _outputs_in(script: str) -> frozenset[str]:
    return frozenset(re.findall(r"\bOUTPUT_(\w+)", script))


def _other_side(
    diagnostic: Diagnostic,
    found: Misspelt,
    output: Output,
    right: str | None,
    sources: Mapping[str, SourceFile],
) -> Diagnostic:
    related = (Related(f"`{output.name}` is declared here", output.span),)
    if right is None:
        hint = f"did you mean `{output.name}`, or should the output be called `{found.name}`?"
        return diagnostic._replace(hint=hint, related=related, fix=None)
    file = sources.get(output.span.path)
    fix = None
    if file and diagnostic.fix:
        fix = mending.renamed(file, output.span, output.name, right)
    hint = f"the step itself says `{right}`: is the output `{output.name}` misspelt?"
    return diagnostic._replace(hint=hint, related=related, fix=fix)
