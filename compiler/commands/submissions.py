"""Specs made ready to be submitted: built, compiled for the engine, marked; all errors at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from compiler import __version__, frontend, targets
from compiler.binding import Git
from compiler.cluster import Engine
from compiler.cluster.records import Act, Manifest, Marks
from compiler.commands import console
from compiler.diagnostics import Diagnostic, error, has_errors, in_order
from compiler.git import UNKNOWN
from compiler.ir import Pipeline, Required
from compiler.nodes import SourceFile
from compiler.settings import EngineSettings, Project, TargetSettings
from compiler.submission.branch import Branch, Concern, concerns
from compiler.submission.changed import changed_algorithms, untracked
from compiler.submission.key import (
    experiment_name,
    images_of_commit,
    spec_digest,
    version_name,
)
from compiler.submission.preflight import preflight
from compiler.submission.submit import Submission
from compiler.values import JsonValue


class Asked(Protocol):
    """What of a request says how specs are built."""

    @property
    def profiles(self) -> tuple[str, ...]: ...
    @property
    def overrides(self) -> Mapping[str, str]: ...
    @property
    def params_file(self) -> str | None: ...
    @property
    def style(self) -> str: ...
    @property
    def quiet(self) -> bool: ...
    @property
    def verbose(self) -> bool: ...


class Prepared(Struct, frozen=True):
    """A spec on its way. `values` are all of the run, defaults too."""

    spec: str
    pipeline: Pipeline
    marks: Marks
    target: TargetSettings
    values: Mapping[str, JsonValue]
    image_of_commit: bool

    def submission(self, engine: Engine, experiment: str, description: str) -> Submission:
        # Of the default branch, too: what its schedules start is replaced by `deploy` alone.
        manifest = engine.compiled(self.pipeline, self.target, self.marks.branch)
        return Submission(manifest, self.marks, self.values, experiment, description)


def prepare(
    asked: Asked,
    project: Project,
    settings: EngineSettings,
    branch: Branch,
    name: str,
    specs: Sequence[str],
) -> list[Prepared] | None:
    """The specs, each with its run's values; None where there are errors, which are shown."""
    values, found, file = console.values_file(asked.params_file)
    sources: dict[str, SourceFile] = {file.path: file} if file is not None else {}
    diagnostics: list[Diagnostic] = list(found)
    prepared: list[Prepared] = []
    for spec in () if found else specs:
        document = console.document(spec)
        git = Git(branch.commit, name)
        plain = frontend.build(document, asked.profiles, git=git)
        overrides, inputs = _split(plain.pipeline, asked.overrides)
        run = frontend.build(document, asked.profiles, overrides, values, git)
        bare = frontend.build(document, asked.profiles, git=UNKNOWN)
        sources |= run.sources
        diagnostics += run.diagnostics
        if plain.pipeline is None or run.pipeline is None or bare.pipeline is None:
            continue
        losses = targets.losses(plain.pipeline, document.project, [settings.kind])
        settled = frontend.settle(losses, run)
        # What a target does less well is told where one compiles, and is known by then.
        diagnostics += settled if asked.verbose else [d for d in settled if has_errors([d])]
        missing = _missing(run.pipeline, inputs)
        diagnostics += missing
        if missing:
            continue
        digest = spec_digest(bare.pipeline)
        # What a profile makes is another pipeline, and what is submitted of the default branch may
        # be of any commit: neither takes the place of what is deployed.
        line = "@".join([name, *asked.profiles])
        is_deployed = name == branch.default
        marks = Marks(
            project=project.name,
            algorithm=plain.pipeline.name,
            version=version_name(f"{line}@run" if is_deployed else line, branch.commit, digest),
            commit=branch.commit,
            branch=line,
            digest=digest,
            mlc=__version__,
            experiment=experiment_name(name) if asked.profiles or is_deployed else "",
        )
        prepared.append(
            Prepared(
                spec=spec,
                pipeline=plain.pipeline,
                marks=marks,
                target=document.project.target(settings.kind),
                values={**_values(run.pipeline), **inputs},
                image_of_commit=bool(images_of_commit(plain.pipeline, bare.pipeline)),
            )
        )
    diagnostics = in_order(list(dict.fromkeys(diagnostics)))
    shown = diagnostics if not asked.quiet else [d for d in diagnostics if has_errors([d])]
    failed = has_errors(diagnostics)
    console.report(shown, sources, asked.style if failed else "text", specs)
    return None if failed else prepared


def is_settled(
    prepared: Sequence[Prepared],
    project: Project,
    branch: Branch,
    *,
    allow_dirty: bool,
    quiet: bool,
) -> bool:
    """Whether what is here is what would run; what is not is told."""
    specs = [Path(one.spec) for one in prepared]
    uncommitted = changed_algorithms(branch, branch.commit, specs, project)
    found = concerns(
        branch,
        image_of_commit=any(one.image_of_commit for one in prepared),
        allow_dirty=allow_dirty,
        needed=untracked(uncommitted, branch, project),
    )
    return tell(found, quiet=quiet)


def tell(found: Sequence[Concern], *, quiet: bool) -> bool:
    """Show what is not settled of a checkout; whether all may go on."""
    for concern in found:
        sign = "error" if concern.refused else "warning"
        if concern.refused or not quiet:
            sys.stderr.write(f"{sign}: {concern.message}; {concern.hint}\n")
    return not any(concern.refused for concern in found)


def has_all(
    engine: Engine,
    pipelines: Sequence[Pipeline],
    manifests: Sequence[Manifest],
    say: Callable[[str], None],
    acts: Iterable[Act] = ("submit",),
) -> bool:
    """Whether the engine has all that runs of these need, can store them, and lets one do `acts`;
    what it lacks is told."""
    found = preflight(engine, pipelines, manifests, acts)
    for note in found.unknown:
        say(f"note: {note}")
    if found.missing:
        sys.stderr.write(f"{engine.settings.name} lacks what this needs; nothing was made:\n")
        sys.stderr.writelines(f"  {line}\n" for line in found.missing)
    return not found.missing


def _split(
    pipeline: Pipeline | None, overrides: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """What was given for params, and for inputs from outside."""
    names = {given.name for given in pipeline.inputs} if pipeline is not None else set()
    inputs = {name: text for name, text in overrides.items() if name in names}
    return {name: text for name, text in overrides.items() if name not in names}, inputs


def _values(pipeline: Pipeline) -> dict[str, JsonValue]:
    values = {p.name: p.default for p in pipeline.params if not isinstance(p.default, Required)}
    return values | {i.name: i.default for i in pipeline.inputs if i.default is not None}


def _missing(pipeline: Pipeline, inputs: Mapping[str, str]) -> list[Diagnostic]:
    found = []
    for param in pipeline.params:
        if isinstance(param.default, Required):
            hint = f"pass -p {param.name}=VALUE"
            message = f"param `{param.name}` has no default and was given no value"
            found.append(error("MLC801", message, param.span, hint=hint))
    for given in pipeline.inputs:
        if given.default is None and given.name not in inputs:
            hint = f"pass -p {given.name}=URI"
            message = f"input `{given.name}` has no default and was given no value"
            found.append(error("MLC802", message, given.span, hint=hint))
    return found
