"""The command line: options and their help. What a verb does is in `compiler.commands`.

Each verb imports what it needs when it is called, so that `mlc --help` and `mlc validate` start
without an engine, a template language or a table printer.
"""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from compiler import __version__
from compiler.diagnostics import MlcError
from compiler.settings import TARGET_NAMES

Verb = TypeVar("Verb", bound=Callable[..., Any])


class _Overrides(click.ParamType):  # type: ignore[type-arg]
    """`-p name=value`."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, str]:
        name, equals, text = str(value).partition("=")
        if not equals or not name:
            self.fail(f"write name=value, found {value!r}", param, ctx)
        return name, text


def _spec_options(verb: Verb) -> Verb:
    for option in (
        click.option("--params", "params_file", metavar="FILE", help="Parameter values, as YAML."),
        click.option(
            "-p",
            "--param",
            "overrides",
            type=_Overrides(),
            multiple=True,
            help="A parameter's value, checked against the spec.",
        ),
        click.option(
            "--profile",
            "profiles",
            multiple=True,
            metavar="NAME",
            help="Apply a profile; the later of several wins.",
        ),
    ):
        verb = option(verb)
    return verb


_quiet = click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
_only_specs = click.option(
    "--only-specs", is_flag=True, help="Pass over files that are no specs, as a hook gets them."
)
_data_format = click.option(
    "--format", "style", type=click.Choice(["text", "json"]), default="text", help="Of the output."
)
# The keys of compiler.reports.REPORTS, which takes longer to import than --help does.
FORMATS = ("text", "json", "github", "gitlab", "sarif", "junit")
_report_format = click.option(
    "--format",
    "style",
    type=click.Choice(FORMATS),
    default="text",
    help="How findings are shown; other than text on stdout.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mlc", message="%(prog)s %(version)s")
@click.option("--no-color", is_flag=True, help="No colours, as with NO_COLOR.")
def cli(no_color: bool) -> None:
    """One YAML file per ML algorithm: check it, compile it to Kubeflow Pipelines and Argo
    Workflows, run it on this machine."""
    if no_color:
        os.environ["NO_COLOR"] = "1"


@cli.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--fix", is_flag=True, help="Mend what has one right mending.")
@click.option("--diff", "show_diff", is_flag=True, help="Print what --fix would do; write nothing.")
@click.option(
    "--target",
    "targets",
    multiple=True,
    type=click.Choice(TARGET_NAMES),
    help="Tell also what this target can't do.",
)
@_only_specs
@_report_format
@_quiet
def validate(
    paths: tuple[str, ...],
    fix: bool,
    show_diff: bool,
    targets: tuple[str, ...],
    only_specs: bool,
    style: str,
    quiet: bool,
) -> int:
    """Check specs with each of their profiles.

    PATH is a file, a folder or - for standard input; the default is the project's algorithms/.
    """
    if style != "text" and (show_diff or (fix and "-" in paths)):
        raise click.UsageError("stdout is for the fixed text or the diff, so --format is text")
    from compiler.commands.validate import validate as run

    return run(
        paths,
        style,
        quiet,
        fix=fix,
        show_diff=show_diff,
        only_specs=only_specs,
        targets=tuple(dict.fromkeys(targets)),
    )


@cli.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where a spec would change.")
@click.option("--diff", "show_diff", is_flag=True, help="As --check, and print what would change.")
@_only_specs
@_quiet
def fmt(paths: tuple[str, ...], check: bool, show_diff: bool, only_specs: bool, quiet: bool) -> int:
    """Lay specs out alike: the order of keys, indentation, quotes. Comments are kept.

    PATH is a file, a folder or - for standard input; the default is the project's algorithms/.
    """
    from compiler.commands.fmt import fmt as run

    return run(paths, check=check, show_diff=show_diff, only_specs=only_specs, quiet=quiet)


def _codes(_ctx: Any, _param: Any, incomplete: str) -> list[str]:
    from compiler.codes import CODES

    return [code for code in CODES if code.startswith(incomplete.upper())]


@cli.command()
@click.argument("code", required=False, shell_complete=_codes)
@_data_format
def explain(code: str | None, style: str) -> int:
    """Say what the CODE of a finding means, with an example; without one, list all codes."""
    from compiler.commands import explain as command

    return command.explain(code, style) if code else command.list_codes(style)


@cli.command()
@click.argument(
    "kind", type=click.Choice(("any", "algorithm", "component", "base", "project")), default="any"
)
@click.option("-o", "--output", metavar="FILE", help="Write it there.")
def schema(kind: str, output: str | None) -> int:
    """Print the JSON Schema of specs, for editors.

    KIND is any (the default: it picks by `kind`), algorithm, component, base, or project for the
    configuration. It has the GPU types and the components of the project in it.
    """
    from compiler.commands.schema import print_schema

    return print_schema(kind, output)


@cli.command("compile")
@click.argument("specs", nargs=-1, metavar="[SPEC]...")
@click.option(
    "--target",
    "targets",
    multiple=True,
    type=click.Choice(TARGET_NAMES),
    help="What to write; default: the project's targets.",
)
@click.option("-o", "--output", default="build", metavar="DIR|-", help="Where to; - is stdout.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where the files on disk differ.")
@click.option(
    "--explain-target",
    "explained",
    is_flag=False,
    flag_value="all",
    type=click.Choice([*TARGET_NAMES, "all"]),
    metavar="[TARGET]",
    help="Print how each field of the specs fares on a target.",
)
@_spec_options
@_report_format
@_quiet
def compile_(
    specs: tuple[str, ...],
    targets: tuple[str, ...],
    output: str,
    check: bool,
    explained: str | None,
    profiles: tuple[str, ...],
    overrides: tuple[tuple[str, str], ...],
    params_file: str | None,
    style: str,
    quiet: bool,
) -> int:
    """Compile specs to KFP IR, KFP DSL source and Argo manifests.

    SPEC is a file or a folder; the default is the project's algorithms/.
    """
    from compiler.commands import compile as command
    from compiler.commands.specs import find_algorithms

    request = command.Request(
        find_algorithms(specs),
        tuple(dict.fromkeys(targets)),
        output,
        profiles,
        dict(overrides),
        params_file,
        style,
        quiet,
    )
    if explained:
        if style not in ("text", "json"):
            raise click.UsageError("--explain-target is shown as text or json")
        names = TARGET_NAMES if explained == "all" else (explained,)
        return command.explain(request, names)
    if check:
        return command.check_specs(request)
    return command.compile_specs(request)


@cli.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "--against", metavar="BRANCH", help="Compare with where this was left; the default branch."
)
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "paths"]),
    default="text",
    help="Of the output; paths are those of the specs, one a line.",
)
def changed(paths: tuple[str, ...], against: str | None, style: str) -> int:
    """List the algorithms that the git branch changed, and why each.

    PATH is a file or a folder of specs; the default is the project's algorithms/.
    """
    from compiler.commands.changed import list_changed

    return list_changed(paths, against=against, style=style)


@cli.command()
@click.argument("spec", metavar="SPEC")
@_spec_options
def resolve(
    spec: str,
    profiles: tuple[str, ...],
    overrides: tuple[tuple[str, str], ...],
    params_file: str | None,
) -> int:
    """Print a spec as it counts: bases, profiles and defaults in it, and where lines come from."""
    from compiler.commands.resolve import resolve_spec

    return resolve_spec(spec, profiles=profiles, overrides=dict(overrides), params_file=params_file)


@cli.command()
@click.argument("spec", metavar="SPEC")
@click.option(
    "-j", "--jobs", type=click.IntRange(1), metavar="N", help="Steps at once; default: the cores."
)
@click.option("--no-cache", is_flag=True, help="Reuse nothing of earlier runs.")
@click.option("-v", "--verbose", is_flag=True, help="Say more of what happens.")
@_spec_options
@_data_format
@_quiet
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


@cli.command()
@click.option("--algorithm", metavar="NAME", help="Only the runs of one algorithm.")
@click.option("-n", "--limit", type=click.IntRange(1), default=20, help="How many at most.")
@_data_format
def runs(algorithm: str | None, limit: int, style: str) -> int:
    """List the runs of this machine, the newest first."""
    from compiler.commands.runs import list_runs

    return list_runs(_root(), algorithm=algorithm, limit=limit, style=style)


@cli.command()
@click.argument("run", metavar="RUN")
@_data_format
def show(run: str, style: str) -> int:
    """Show a run: its parameters, steps, metrics and artifacts. RUN is an id or `last`."""
    from compiler.commands.show import show_run

    return show_run(_root(), run, style=style)


@cli.command()
@click.argument("run", metavar="RUN")
@click.argument("step", required=False, metavar="[STEP]")
def logs(run: str, step: str | None) -> int:
    """Print what a run's steps have printed. RUN is an id or `last`."""
    from compiler.commands.logs import print_logs

    return print_logs(_root(), run, step)


@cli.command()
@click.argument("run", metavar="RUN")
@click.argument("output", metavar="[STEP.]OUTPUT")
@click.option("-o", "--output", "target", metavar="PATH", help="Copy it there.")
def get(run: str, output: str, target: str | None) -> int:
    """Print an output of a run, or copy it. RUN is an id or `last`."""
    from compiler.commands.get import get_output

    return get_output(_root(), run, output, target=target)


def _root() -> Path:
    from compiler.project import find

    return find(Path.cwd())[0].root


def main() -> None:
    """The entry point of `mlc`: the one place where exceptions become exit codes."""
    # Commands are short and make no garbage to speak of; `mlc run` switches this on again.
    gc.disable()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that can't show a character gets its escape, not a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(prog_name="mlc", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as problem:
        problem.show()
        code = 2
    except click.ClickException as problem:
        problem.show()
        code = problem.exit_code
    except MlcError as problem:
        sys.stderr.write(f"mlc: {problem}\n")
        code = 3
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("mlc: interrupted\n")
        code = 130
    except BrokenPipeError:
        # The reader went away; keep the interpreter from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 1
    except OSError as problem:
        sys.stderr.write(f"mlc: {problem.strerror or problem}: {problem.filename or 'output'}\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 3
    sys.exit(code or 0)
