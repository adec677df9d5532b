"""The verbs that speak to an engine on a cluster."""

from __future__ import annotations

from typing import Any

import click

from compiler.cli.options import data_format, engine, quiet, spec_options, verbose


class _Submit(click.Command):
    """`--branch` alone means the current branch: it never takes the SPEC behind it for a name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = args[: args.index("--")] if "--" in args else args
        plain = ["--branch=" if word == "--branch" else word for word in own]
        return super().parse_args(ctx, plain + args[len(own) :])


@click.command(cls=_Submit)
@click.argument("specs", nargs=-1, metavar="[SPEC]...")
@click.option(
    "--branch",
    metavar="[=NAME]",
    help="The branch whose experiment it is; default: the current one.",
)
@click.option("--against", metavar="BRANCH", help="Told changes from; default: the default branch.")
@engine
@click.option("--wait", is_flag=True, help="Follow the runs; exit 1 where one fails.")
@click.option("--summary", metavar="FILE", help="With --wait: a summary as Markdown.")
@click.option("--dry-run", is_flag=True, help="Check all, make nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--new", is_flag=True, help="Run again what was submitted before.")
@click.option("--allow-dirty", is_flag=True, help="Submit what is not committed or pushed.")
@click.option(
    "--cancel-on-interrupt", is_flag=True, help="With --wait: Ctrl-C stops the runs, too."
)
@verbose
@spec_options
@data_format
@quiet
def submit(
    specs: tuple[str, ...],
    branch: str | None,
    profiles: tuple[str, ...],
    overrides: tuple[tuple[str, str], ...],
    summary: str | None,
    wait: bool,
    **options: Any,
) -> int:
    """Run specs on the cluster, in the experiment of the branch.

    SPEC is a file or a folder; the default is the algorithms that the branch changed.
    """
    if summary and not wait:
        raise click.UsageError("--summary tells how runs ended, so it needs --wait")
    from compiler.commands.submit import Request, submit_specs

    return submit_specs(
        Request(
            specs,
            branch or None,
            profiles=profiles,
            overrides=dict(overrides),
            summary=summary,
            wait=wait,
            **options,
        )
    )


@click.group()
def experiments() -> None:
    """The experiments of an engine: one for each branch."""


@experiments.command("list")
@engine
@verbose
@data_format
def experiments_list(engine: str | None, verbose: bool, style: str) -> int:
    """List those that this project has made."""
    from compiler.commands.experiments import list_experiments

    return list_experiments(engine, style=style, verbose=verbose)


@experiments.command("prune")
@engine
@click.option("--dry-run", is_flag=True, help="Show them, archive nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@verbose
@data_format
def experiments_prune(
    engine: str | None, dry_run: bool, yes: bool, verbose: bool, style: str
) -> int:
    """Archive the experiments of branches that are gone. No run is stopped or deleted."""
    from compiler.commands.experiments import prune

    return prune(engine, dry_run=dry_run, yes=yes, style=style, verbose=verbose)
