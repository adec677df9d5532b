"""Options that several verbs take."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

Verb = TypeVar("Verb", bound=Callable[..., Any])


class Overrides(click.ParamType):  # type: ignore[type-arg]
    """`-p name=value`."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, str]:
        name, equals, text = str(value).partition("=")
        if not equals or not name:
            self.fail(f"write name=value, found {value!r}", param, ctx)
        return name, text


def spec_options(verb: Verb) -> Verb:
    for option in (
        click.option("--params", "params_file", metavar="FILE", help="Parameter values, as YAML."),
        click.option(
            "-p",
            "--param",
            "overrides",
            type=Overrides(),
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


def quiet_but(what: str) -> Callable[[Verb], Verb]:
    """The option `-q` of a verb that then says nothing but that."""
    return click.option("-q", "--quiet", is_flag=True, help=f"Say nothing but {what}.")


quiet = quiet_but("errors")


def _without_colour(_ctx: Any, _param: Any, given: bool) -> None:
    if given:
        os.environ["NO_COLOR"] = "1"


# Of `mlc` and of each verb, so that it may stand before and behind the verb.
no_color = click.Option(
    ["--no-color"],
    is_flag=True,
    expose_value=False,
    callback=_without_colour,
    help="No colours, as with NO_COLOR.",
)
only_specs = click.option(
    "--only-specs", is_flag=True, help="Pass over files that are no specs, as a hook gets them."
)
data_format = click.option(
    "--format", "style", type=click.Choice(["text", "json"]), default="text", help="Of the output."
)
# The keys of compiler.reports.REPORTS, which takes longer to import than --help does.
FORMATS = ("text", "json", "github", "gitlab", "sarif", "junit")
report_format = click.option(
    "--format",
    "style",
    type=click.Choice(FORMATS),
    default="text",
    help="How findings are shown; other than text on stdout.",
)
engine = click.option(
    "--engine", metavar="NAME", help="An engine of the project's configuration, or its kind."
)
verbose = click.option("-v", "--verbose", is_flag=True, help="Tell each request to the engine.")
