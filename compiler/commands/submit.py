"""`mlc submit`: from a branch to runs on the cluster, and back."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import click
from msgspec import Struct, field
from msgspec.structs import replace

from compiler import files
from compiler.cluster import Engine, EngineError
from compiler.cluster.records import Run
from compiler.cluster.refusals import Refusals, gathered
from compiler.commands import console, following, gate
from compiler.commands.changed import own_specs
from compiler.commands.engines import connected, here, settings_of
from compiler.commands.remote import as_data
from compiler.commands.specs import find_algorithms
from compiler.commands.submissions import Prepared, has_all, is_settled, prepare
from compiler.diagnostics import MlcError
from compiler.settings import EngineSettings, Project
from compiler.source import shown_path
from compiler.submission.branch import Branch, merge_base, read_branch
from compiler.submission.changed import Changed, changed_algorithms
from compiler.submission.follow import follow
from compiler.submission.key import experiment_name
from compiler.submission.submit import Submission, Submitted, submit
from compiler.submission.summary import Summed, baseline_of, markdown, with_metrics
from compiler.submission.tickets import find_ticket


class Request(Struct, frozen=True):
    """What the command line asked for. `branch` is a name that counts instead of git's; `against`
    the branch that changes are told from. `is_warned` where warnings were told already, as by the
    deploy that asks."""

    specs: tuple[str, ...]
    branch: str | None = None
    against: str | None = None
    engine: str | None = None
    profiles: tuple[str, ...] = ()
    overrides: Mapping[str, str] = field(default_factory=dict)
    params_file: str | None = None
    wait: bool = False
    dry_run: bool = False
    yes: bool = False
    new: bool = False
    is_warned: bool = False
    allow_dirty: bool = False
    cancel_on_interrupt: bool = False
    summary: str | None = None
    style: str = "text"
    quiet: bool = False
    verbose: bool = False

    def say(self, line: str) -> None:
        if not self.quiet:
            sys.stderr.write(f"{line}\n")


def submit_specs(request: Request) -> int:
    """Submit specs, or those that the branch changed; with `wait` follow them to their end.

    Raises:
        EngineError: the engine can't be reached, or says no.
        MlcError: git or the configuration lack what is needed.
    """
    if request.summary and not Path(request.summary).absolute().parent.is_dir():
        raise MlcError(f"can't write {request.summary}: there is no such folder")
    project = here()
    settings = settings_of(project, request.engine)
    branch = read_branch(project.root)
    name = request.branch or branch.name
    if not name:
        raise MlcError("HEAD is detached, so the branch has no name; pass --branch=NAME")
    specs = _picked(request, project, branch)
    if not specs:
        if request.style == "json":
            console.print_json([])
        return console.OK
    asked = replace(request, quiet=True) if request.is_warned else request
    prepared = prepare(asked, project, settings, branch, name, specs)
    if prepared is None or not is_settled(
        prepared, project, branch, allow_dirty=asked.allow_dirty, quiet=asked.quiet
    ):
        return console.FAILED
    experiment = experiment_name(name)
    description = _description(request, project, name)
    with connected(settings, request.verbose) as engine:
        submissions = [one.submission(engine, experiment, description) for one in prepared]
        manifests = [submission.manifest for submission in submissions]
        if not has_all(engine, [one.pipeline for one in prepared], manifests, request.say):
            return console.FAILED
        if request.dry_run:
            return _tell_plan(request, settings, experiment, prepared)
        if not _is_confirmed(request, settings, experiment, prepared):
            return console.FAILED
        with gathered() as refusals:
            made = _submit_all(request, engine, prepared, submissions, refusals)
            if made and request.wait:
                return _waited(request, engine, branch, name, *zip(*made, strict=True))
            if request.style == "json":
                console.print_json([_data(one, done, done.run) for one, done in made])
            return console.OK


def _submit_all(
    request: Request,
    engine: Engine,
    prepared: Sequence[Prepared],
    submissions: Sequence[Submission],
    refusals: Refusals,
) -> list[tuple[Prepared, Submitted]]:
    """What was submitted, and as what; of several, what the engine refuses keeps no other."""
    made = []
    for one, submission in zip(prepared, submissions, strict=True):
        say = request.say if request.verbose else lambda _: None
        name = one.pipeline.name
        with refusals.of(name) if len(prepared) > 1 else nullcontext():
            submitted = submit(engine, submission, again=request.new, say=say)
            made.append((one, submitted))
            _tell(request, one, submitted)
        if request.wait and name in refusals.reasons:
            sys.stderr.write(f"{name} is not submitted: {refusals.reasons[name]}\n")
    old = sum(not submitted.is_new for _, submitted in made)
    if old and request.style == "text":
        request.say(f"--new submits {'it' if old == 1 else 'them'} once more")
    return made


def _picked(request: Request, project: Project, branch: Branch) -> tuple[str, ...]:
    """The specs that were named, or those that the branch changed, which are then told."""
    if request.specs:
        return find_algorithms(request.specs)
    base = merge_base(branch, request.against)
    changed = changed_algorithms(branch, base.commit, own_specs(project.root), project)
    if not changed:
        request.say(_no_change(branch, base.against))
    for one in changed:
        _tell_why(request, one)
    there = (one for one in changed if one.state != "deleted")
    return tuple(shown_path(project.root / one.spec) for one in there)


def _no_change(branch: Branch, against: str) -> str:
    name = branch.name or "this commit"
    if name == against:
        return f"this is {name}, so nothing is changed; name a SPEC, or --against a commit"
    return f"{name} changes no algorithm of {against}; name a SPEC to run it all the same"


def _tell_why(request: Request, changed: Changed) -> None:
    state = "deleted on the branch, not submitted" if changed.state == "deleted" else changed.state
    request.say(f"{changed.name}: {state}")
    for reason in changed.reasons if changed.state != "deleted" else ():
        detail = f" ({reason.detail})" if reason.detail else ""
        request.say(f"  {reason.path} {reason.change}{detail}")


def _description(request: Request, project: Project, branch: str) -> str:
    """What the branch is for, where a ticket tells."""
    ticket = find_ticket(project.tickets, branch) if project.tickets is not None else None
    if ticket is None:
        return ""
    if ticket.warning:
        request.say(f"warning: {ticket.warning}")
    return ticket.description


def _tell_plan(
    request: Request, settings: EngineSettings, experiment: str, prepared: Sequence[Prepared]
) -> int:
    if request.style == "json":
        console.print_json(
            [
                {
                    "algorithm": one.pipeline.name,
                    "spec": one.spec,
                    "engine": settings.name,
                    "experiment": experiment,
                    "version": one.marks.version,
                    "params": dict(one.values),
                }
                for one in prepared
            ]
        )
        return console.OK
    for one in prepared:
        sys.stdout.write(
            f"would submit {one.pipeline.name} {one.marks.version} to {settings.name}, experiment "
            f"{experiment}\n"
        )
    return console.OK


def _is_confirmed(
    request: Request, settings: EngineSettings, experiment: str, prepared: Sequence[Prepared]
) -> bool:
    """On a terminal what the branch changed is asked for; what was named is meant."""
    if request.yes or request.specs or not sys.stdin.isatty():
        return True
    names = ", ".join(one.pipeline.name for one in prepared)
    return click.confirm(f"Submit {names} to {settings.name}, experiment {experiment}?", err=True)


def _tell(request: Request, one: Prepared, submitted: Submitted) -> None:
    if request.style != "text" or request.quiet:
        return
    run = submitted.run
    link = f"  {run.url}" if run.url else ""
    if submitted.is_new:
        sys.stdout.write(f"{one.pipeline.name}  {run.name}{link}\n")
        return
    sys.stdout.write(f"{one.pipeline.name}  {run.name}, submitted before and {run.state}{link}\n")


def _waited(
    request: Request,
    engine: Engine,
    branch: Branch,
    name: str,
    prepared: Sequence[Prepared],
    made: Sequence[Submitted],
) -> int:
    """Follow the runs, and tell how they ended."""
    names = {s.run.id: one.pipeline.name for one, s in zip(prepared, made, strict=True)}
    steps = {s.run.id: s.version.steps for s in made}
    try:
        with following.watching(engine, names, request.quiet) as listener:
            ended = follow(engine, [s.run for s in made], listener, steps=steps)
    except KeyboardInterrupt:
        for submitted in made if request.cancel_on_interrupt else ():
            try:
                engine.terminate(submitted.run.id)
            except EngineError as problem:
                sys.stderr.write(f"mlc: {problem}\n")
        if not request.cancel_on_interrupt:
            request.say("the runs go on; mlc show --engine reads them")
        raise
    runs = [with_metrics(engine, run, request.say) for run in ended]
    judged = [
        gate.judged(engine, one.pipeline, one.marks, run, branch.default, request.say)
        for one, run in zip(prepared, runs, strict=True)
    ]
    if request.summary:
        rows = []
        for one, run, (verdicts, known) in zip(prepared, runs, judged, strict=True):
            # What a profile makes of a spec is held against what it made of the default branch's.
            line = "@".join([branch.default, *one.pipeline.profiles]) if branch.default else None
            if known is None or line == one.marks.branch:
                known = baseline_of(engine, one.marks, line, request.say)
            rows.append(Summed(one.pipeline.name, run, one.values, known, verdicts))
        text = markdown(rows, name, branch.commit)
        files.write_all({Path(request.summary): text})
    if request.style == "json":
        every = zip(prepared, made, runs, judged, strict=True)
        console.print_json(
            [
                {**_data(one, submitted, run), "gates": [gate.as_data(v) for v in verdicts]}
                for one, submitted, run, (verdicts, _) in every
            ]
        )
    else:
        for run, (verdicts, _) in zip(runs, judged, strict=True):
            _tell_end(request, engine, run, names[run.id])
            sys.stdout.writelines(f"  {line}\n" for line in gate.lines(verdicts))
    good = all(run.state == "succeeded" for run in runs)
    return (
        console.OK
        if good and all(gate.passes(verdicts) for verdicts, _ in judged)
        else console.FAILED
    )


def _tell_end(request: Request, engine: Engine, run: Run, name: str) -> None:
    failed = following.failures(engine, run)
    if failed:
        sys.stderr.write(f"{failed}\n")
    if request.quiet:
        return
    sys.stdout.write(f"{name}  {following.closing(run)}\n")
    for output, values in run.metrics.items():
        for metric, value in values.items():
            sys.stdout.write(f"  {output}  {metric}  {value:.6g}\n")


def _data(one: Prepared, submitted: Submitted, run: Run) -> dict[str, object]:
    return {
        "algorithm": one.pipeline.name,
        "spec": one.spec,
        "experiment": submitted.experiment.name,
        "version": submitted.version.name,
        "attempt": submitted.attempt,
        "new": submitted.is_new,
        "run": as_data(run, submitted.experiment.name),
    }
