"""The target `kfp-dsl`: the plan of the target `kfp` as Python source for people to read.

What the SDK compiles it to equals what `kfp` emits, but for what `support` lists.
"""

from __future__ import annotations

from jinja2 import BaseLoader, Environment, StrictUndefined

from compiler.ir import Pipeline
from compiler.resources import read_text
from compiler.settings import TargetSettings
from compiler.targets import Support
from compiler.targets.kfp.planning import plan
from compiler.targets.kfp_dsl.source import render
from compiler.targets.kfp_dsl.support import of_pipeline
from compiler.targets.kfp_dsl.view import view

FILENAME = "kfp_dsl.py"
_TEMPLATE = "templates/kfp_dsl.py.j2"


def explain(pipeline: Pipeline, settings: TargetSettings) -> list[Support]:
    """How each field that the pipeline uses fares in the SDK's DSL, in the spec's order."""
    return of_pipeline(pipeline, settings)


def emit(pipeline: Pipeline, settings: TargetSettings) -> str:
    """A Python module that compiles itself when run."""
    # Every value that the template shows goes through `render`: text that isn't `Source` comes out
    # as a quoted literal.
    environment = Environment(
        loader=BaseLoader(),
        undefined=StrictUndefined,
        finalize=render,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.from_string(read_text(_TEMPLATE)).render(view=view(plan(pipeline, settings)))
