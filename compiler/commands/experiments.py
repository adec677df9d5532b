"""`mlc experiments`: those of an engine, and putting away those of branches that are gone."""

from __future__ import annotations

import sys

import click

from compiler.cluster.records import Experiment
from compiler.commands import console
from compiler.commands.engines import connected, here, settings_of
from compiler.commands.remote import when
from compiler.commands.tables import columns
from compiler.submission.branch import local_branches, read_branch, remote_branches
from compiler.submission.key import experiment_name


def list_experiments(name: str | None, *, style: str, verbose: bool = False) -> int:
    """Print the experiments that this project has made."""
    project = here()
    with connected(settings_of(project, name), verbose) as engine:
        found = list(engine.experiments(project.name))
    _print(found, style)
    return console.OK


def prune(name: str | None, *, dry_run: bool, yes: bool, style: str, verbose: bool = False) -> int:
    """Archive the experiments of branches that are gone, after showing them.

    A branch is gone where neither the remote nor this checkout has it: one that was never pushed is
    at work here. Runs are neither stopped nor deleted, and the next submission to an archived
    experiment brings it back.

    Raises:
        MlcError: the remote can't be asked for its branches.
    """
    project = here()
    branch = read_branch(project.root)
    # CI knows the branch's name where git has none checked out.
    known = (branch.name, branch.default or "")
    names = (*remote_branches(branch), *local_branches(branch), *known)
    there = {experiment_name(name) for name in names}
    with connected(settings_of(project, name), verbose) as engine:
        gone = [
            one
            for one in engine.experiments(project.name)
            if not one.archived and one.marks is not None and one.name not in there
        ]
        if not gone:
            if style == "json":
                console.print_json([])
            else:
                sys.stderr.write("no experiment of a branch that is gone\n")
            return console.OK
        _print(gone, style)
        if dry_run:
            return console.OK
        if not yes:
            if not sys.stdin.isatty():
                sys.stderr.write("nothing was archived: pass --yes where no one can be asked\n")
                return console.FAILED
            many = f"{len(gone)} experiments" if len(gone) > 1 else "this experiment"
            if not click.confirm(f"Archive {many}?", err=True):
                return console.FAILED
        for one in gone:
            engine.archive_experiment(one)
    if style == "text":
        sys.stderr.write(f"archived {len(gone)} experiment{'s' if len(gone) != 1 else ''}\n")
    return console.OK


def _print(experiments: list[Experiment], style: str) -> None:
    if style == "json":
        console.print_json(
            [
                {
                    "id": one.id,
                    "name": one.name,
                    "description": one.description,
                    "archived": one.archived,
                    "url": one.url,
                }
                for one in experiments
            ]
        )
        return
    rows = [
        (one.name, "archived" if one.archived else "", when(one.last_run), one.description)
        for one in experiments
    ]
    sys.stdout.write(columns(rows, ("EXPERIMENT", "", "LAST RUN", "DESCRIPTION")))
