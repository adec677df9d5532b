"""The target `kfp-dsl`: the plan of the target `kfp` as Python source for people to read.

What the SDK compiles it to equals what `kfp` emits, but for what `support` lists.
"""

from __future__ import annotations

from functools import cache, partial

from jinja2 import BaseLoader, Environment, StrictUndefined, Template

from compiler.ir import Pipeline
from compiler.resources import read_text
from compiler.settings import TargetSettings
from compiler.targets import Compiled, Support
from compiler.targets.kfp import drafted
from compiler.targets.kfp.plan import Plan
from compiler.targets.kfp_dsl.source import render
from compiler.targets.kfp_dsl.support import of_pipeline
from compiler.targets.kfp_dsl.view import view

FILENAME = "kfp_dsl.py"
_TEMPLATE = "templates/kfp_dsl.py.j2"


def compiled(pipeline: Pipeline, settings: TargetSettings) -> Compiled:
    """How each field that the pipeline uses fares in the DSL, and the text of what was planned."""
    on_kfp = drafted(pipeline, settings)
    plan = on_kfp.draft.plan
    return Compiled(of_pipeline(pipeline, plan, on_kfp.uses), partial(_text, plan))


def explain(pipeline: Pipeline, settings: TargetSettings) -> list[Support]:
    """How each field that the pipeline uses fares in the SDK's DSL, in the spec's order."""
    return compiled(pipeline, settings).uses


def emit(pipeline: Pipeline, settings: TargetSettings) -> str:
    """A Python module that compiles itself when run."""
    return _text(drafted(pipeline, settings).draft.plan)


def _text(plan: Plan) -> str:
    return _template().render(view=view(plan))


@cache
def _template() -> Template:
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
    return environment.from_string(read_text(_TEMPLATE))
