"""The verbs that run specs here, and read runs of this machine or of an engine."""

from __future__ import annotations

from pathlib import Path

import click

from compiler.cli.options import data_format, engine, quiet_but, spec_options, verbose


@click.command()
@click.argument("spec", metavar="SPEC")
@click.option(
    "-j", "--jobs", type=click.IntRange(1), metavar="N", help="Steps at once; default: the cores."
)
@click.option("--no-cache", is_flag=True, help="Reuse nothing of earlier runs.")
@click.option("-v", "--verbose", is_flag=True, help="Say more of what happens.")
@spec_options
@data_format
@quiet_but("findings and errors")
def run(
    spec: str,
    jobs: int | None,
    no_cache: bool,
    verbose: bool,
    profiles: tuple[str, ...],
    overrides: tuple[tuple[str, str], ...],
    params_file: str | None,
    style: str,
    quiet: bool,
) -> int:
    """Run a spec on this machine, for real."""
    from compiler.commands.run import run_spec

    return run_spec(
        spec,
        profiles=profiles,
        overrides=dict(overrides),
        params_file=params_file,
        jobs=jobs,
        use_cache=not no_cache,
        style=style,
        quiet=quiet,
        verbose=verbose,
    )


@click.command()
@click.option("--algorithm", metavar="NAME", help="Only the runs of one algorithm.")
@click.option("--branch", metavar="NAME", help="With --engine: only those of one branch.")
@click.option("-n", "--limit", type=click.IntRange(1), default=20, help="How many at most.")
@engine
@verbose
@data_format
def runs(
    algorithm: str | None,
    branch: str | None,
    limit: int,
    engine: str | None,
    verbose: bool,
    style: str,
) -> int:
    """List the runs of this machine or of an engine, the newest first."""
    if engine is not None:
        from compiler.commands import remote

        return remote.list_runs(
            engine or None,
            algorithm=algorithm,
            branch=branch,
            limit=limit,
            style=style,
            verbose=verbose,
        )
    if branch is not None:
        raise click.UsageError("runs of this machine have no branch; --branch needs --engine")
    from compiler.commands.runs import list_runs

    return list_runs(root(), algorithm=algorithm, limit=limit, style=style)


@click.command()
@click.argument("run", metavar="RUN")
@engine
@verbose
@data_format
def show(run: str, engine: str | None, verbose: bool, style: str) -> int:
    """Show a run: its parameters, steps, metrics and artifacts. RUN is an id or `last`."""
    if engine is not None:
        from compiler.commands import remote

        return remote.show_run(engine or None, run, style=style, verbose=verbose)
    from compiler.commands.show import show_run

    return show_run(root(), run, style=style)


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("step", required=False, metavar="[STEP]")
@engine
@verbose
def logs(run: str, step: str | None, engine: str | None, verbose: bool) -> int:
    """Print what a run's steps have printed. RUN is an id or `last`."""
    if engine is not None:
        from compiler.commands import remote

        return remote.print_logs(engine or None, run, step, verbose=verbose)
    from compiler.commands.logs import print_logs

    return print_logs(root(), run, step)


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--changed", is_flag=True, help="Only what is not the same in all.")
@engine
@verbose
@data_format
def compare(
    runs: tuple[str, ...], changed: bool, engine: str | None, verbose: bool, style: str
) -> int:
    """Compare the params and metrics of runs. RUN is an id or `last`."""
    from compiler.commands import compare as command

    if engine is not None:
        return command.compare_remote(
            engine or None, runs, changed=changed, style=style, verbose=verbose
        )
    return command.compare_local(root(), runs, changed=changed, style=style)


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("output", metavar="[STEP.]OUTPUT")
@click.option("-o", "--output", "target", metavar="PATH", help="Copy it there.")
def get(run: str, output: str, target: str | None) -> int:
    """Print an output of a run, or copy it. RUN is an id or `last`."""
    from compiler.commands.get import get_output

    return get_output(root(), run, output, target=target)


def root() -> Path:
    """The folder of the project here."""
    from compiler.project import find

    return find(Path.cwd())[0].root
