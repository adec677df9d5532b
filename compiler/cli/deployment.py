"""The verbs by which an engine follows the default branch, and gates."""

from __future__ import annotations

from typing import Any

import click

from compiler.cli.options import data_format, engine, quiet_but, verbose
from compiler.cli.runs import root

quiet = quiet_but("the plan and errors")


@click.command()
@click.argument("specs", nargs=-1, metavar="[SPEC]...")
@engine
@click.option("--out", metavar="FILE", help="Write the plan there, for mlc deploy --plan.")
@click.option("--detailed-exitcode", "detailed", is_flag=True, help="Exit 2 where it has changes.")
@verbose
@data_format
@quiet
def plan(specs: tuple[str, ...], engine: str | None, **options: Any) -> int:
    """Show what mlc deploy would change on an engine, and what someone changed there by hand.

    SPEC is a file or a folder; the default is the project's algorithms/.
    """
    from compiler.commands.plan import plan_specs

    return plan_specs(specs, engine, **options)


_any_branch = click.option(
    "--any-branch", is_flag=True, help="Deploy a branch as if it were the default branch."
)


@click.command()
@click.argument("specs", nargs=-1, metavar="[SPEC]...")
@engine
@click.option("--plan", metavar="FILE", help="Do what this plan says, or nothing.")
@click.option("--prune", is_flag=True, help="Take away what no spec has any more.")
@click.option("--toy", is_flag=True, help="Then run each algorithm with its profile `toy`.")
@click.option("--wait", is_flag=True, help="With --toy: follow the runs; exit 1 where one fails.")
@click.option("--summary", metavar="FILE", help="With --wait: a summary as Markdown.")
@click.option("--new", is_flag=True, help="With --toy: run again what was submitted before.")
@_any_branch
@click.option("--allow-dirty", is_flag=True, help="Deploy what is not committed or pushed.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@verbose
@data_format
@quiet
def deploy(specs: tuple[str, ...], toy: bool, wait: bool, **options: Any) -> int:
    """Make pipelines, versions and schedules of an engine follow the default branch.

    SPEC is a file or a folder; the default is the project's algorithms/.
    """
    if specs and options["plan"]:
        raise click.UsageError("--plan says which specs, so name none")
    if specs and options["prune"]:
        raise click.UsageError("--prune looks at all specs of the project, so name none")
    if options["summary"] and not wait:
        raise click.UsageError("--summary tells how runs ended, so it needs --wait")
    if wait and not toy:
        raise click.UsageError("--wait waits for the runs of --toy")
    if options["new"] and not toy:
        raise click.UsageError("--new runs again what --toy has run, so it needs --toy")
    if toy and options["style"] != "text":
        raise click.UsageError("--format json is of the plan alone, so it goes without --toy")
    from compiler.commands.deploy import Request, deploy_specs

    return deploy_specs(Request(specs, toy=toy, wait=wait, **options))


@click.command()
@click.argument("algorithm", metavar="ALGORITHM")
@click.argument("version", required=False, metavar="[VERSION]")
@engine
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@verbose
@data_format
@quiet
def rollback(algorithm: str, version: str | None, **options: Any) -> int:
    """Deploy an algorithm as it was before: VERSION is a version's name, or a commit."""
    from compiler.commands.deploy import Request
    from compiler.commands.rollback import roll_back

    return roll_back(algorithm, version, Request(**options))


@click.command()
@click.argument("run", metavar="RUN")
@engine
@verbose
@data_format
def gate(run: str, engine: str | None, verbose: bool, style: str) -> int:
    """Hold a run's metrics against the gates of its spec. RUN is an id or `last`."""
    from compiler.commands import gate as command

    if engine is not None:
        return command.gate_remote(engine or None, run, style=style, verbose=verbose)
    return command.gate_local(root(), run, style=style)
