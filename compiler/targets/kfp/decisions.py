"""Values that operators make outside of a condition: KFP evaluates conditions alone, so of two
containers the one runs whose condition holds, and writes `true` or `false`."""

from __future__ import annotations

from compiler.expr import Operation
from compiler.targets.kfp.conditions import Turn, condition
from compiler.targets.kfp.helpers import Helper, Written
from compiler.targets.kfp.levels import Path
from compiler.targets.kfp.plan import FromTask
from compiler.targets.kfp.scopes import Frame, Kind
from compiler.targets.kfp.sources import Context, Given

_BOOLEAN = Kind(parameter="BOOLEAN")
_TURNS: tuple[tuple[Turn, str], ...] = (("as is", "true"), ("not", "false"))


def decided(context: Context, frame: Frame, operation: Operation, path: Path, step: str) -> Given:
    """The boolean that an operation comes to, for a step in a DAG. Raises UnfitError."""
    choice = frame.within("choice", f"decide-{step}", step)
    sources = []
    for turn, text in _TURNS:
        name = context.names.task(f"{text}-{step}")
        helper = Helper(name, context.names.component(name), step, context.image)
        helper.condition = condition(context, choice, helper.inputs, [operation], path, turn=turn)
        helper.write("value", _BOOLEAN, Written(text))
        choice.drafts.append(helper)
        sources.append(FromTask(name, "value"))
    return Given("value", _BOOLEAN, choice.hand_out("value", _BOOLEAN, *sources))
