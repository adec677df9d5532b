"""The command line: options and their help. What a verb does is in `compiler.commands`.

Each verb imports what it needs when it is called, so that `mlc --help` and `mlc validate` start
without an engine, a template language or a table printer.
"""

from __future__ import annotations

import gc
import io
import os
import sys

import click

from compiler import __version__
from compiler.cli import cluster, deployment, runs, specs
from compiler.cli.options import FORMATS as FORMATS
from compiler.cli.options import no_color
from compiler.diagnostics import MlcError

VERBS = (
    specs.validate,
    specs.fmt,
    specs.explain,
    specs.schema,
    specs.compile_,
    specs.resolve,
    specs.changed,
    runs.run,
    runs.runs,
    runs.show,
    runs.logs,
    runs.get,
    runs.compare,
    cluster.submit,
    cluster.experiments,
    deployment.plan,
    deployment.deploy,
    deployment.rollback,
    deployment.gate,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mlc", message="%(prog)s %(version)s")
def cli() -> None:
    """One YAML file per ML algorithm: check it, compile it to Kubeflow Pipelines and Argo
    Workflows, run it on this machine."""


cli.params.append(no_color)
for verb in VERBS:
    verb.params.append(no_color)
    cli.add_command(verb)


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
