"""The verbs that look at specs: checked, laid out, compiled, told of."""

from __future__ import annotations

from typing import Any

import click

from compiler import TARGET_NAMES
from compiler.cli.options import (
    data_format,
    only_specs,
    quiet,
    quiet_but,
    report_format,
    spec_options,
)


@click.command()
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
@only_specs
@report_format
@quiet_but("findings and errors")
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


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where a spec would change.")
@click.option("--diff", "show_diff", is_flag=True, help="As --check, and print what would change.")
@only_specs
@quiet
def fmt(paths: tuple[str, ...], check: bool, show_diff: bool, only_specs: bool, quiet: bool) -> int:
    """Lay specs out alike: the order of keys, indentation, quotes. Comments are kept.

    PATH is a file, a folder or - for standard input; the default is the project's algorithms/.
    """
    from compiler.commands.fmt import fmt as run

    return run(paths, check=check, show_diff=show_diff, only_specs=only_specs, quiet=quiet)


def _codes(_ctx: Any, _param: Any, incomplete: str) -> list[str]:
    from compiler.codes import CODES

    return [code for code in CODES if code.startswith(incomplete.upper())]


@click.command()
@click.argument("code", nargs=-1, metavar="[CODE | WORD...]", shell_complete=_codes)
@data_format
def explain(code: tuple[str, ...], style: str) -> int:
    """Say what the CODE of a finding means, with an example; without one, list all codes.

    With words in place of a code (`mlc explain cycle`), show or list the pages that have them.
    """
    from compiler.commands import explain as command

    return command.explain(" ".join(code), style) if code else command.list_codes(style)


@click.command()
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


@click.command("compile")
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
@spec_options
@report_format
@quiet
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


@click.command()
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


@click.command()
@click.argument("spec", metavar="SPEC")
@spec_options
def resolve(
    spec: str,
    profiles: tuple[str, ...],
    overrides: tuple[tuple[str, str], ...],
    params_file: str | None,
) -> int:
    """Print a spec as it counts: bases, profiles and defaults in it, and where lines come from."""
    from compiler.commands.resolve import resolve_spec

    return resolve_spec(spec, profiles=profiles, overrides=dict(overrides), params_file=params_file)
