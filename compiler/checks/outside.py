"""What of a step's values is text from outside of the spec, which a program must not read as code.

A value is safe by its type (a number, a boolean), by its origin (a literal of the spec, a path or
an identity that the engine makes), but not by an `enum` or a `pattern`: engines do not check these
for what is typed into their own pages.
"""

from __future__ import annotations

from compiler import expr as ex
from compiler.ir import Loop, Node, Pipeline, Step

_SAFE_KINDS = ("integer", "number", "boolean")
# Of `run`, only its name is chosen by people; the others are made by the engine.
_SAFE_FIELDS = ("id", "scheduled_at", "status")

AS_DATA = "hand it over as a word of its own, in a file, or by a small Python step"


def from_outside(found: ex.Expr, step: Step, pipeline: Pipeline) -> ex.Expr | None:
    """What of an expression is text that comes from outside of the spec."""
    if _is_safe(found.type):
        return None
    match found:
        case ex.ParamRef() | ex.PipelineInputRef():
            return found
        case ex.StepOutputRef():
            return None if isinstance(found.type, ex.ArtifactType) else found
        case ex.RunRef(field=field):
            return None if field in _SAFE_FIELDS else found
        case ex.InputRef(name=name):
            return from_outside(step.input(name).value, step, pipeline)
        case ex.EachRef(loop=name):
            loop = _loop(name, (*pipeline.nodes, *pipeline.finally_nodes))
            axes = loop.axes if loop else ()
            items = next((axis.items for axis in axes if axis.name == found.name), None)
            if isinstance(items, ex.Literal):
                return None
            inner = from_outside(items, step, pipeline) if items is not None else found
            return found if inner is not None else None
    for part in ex.walk(found):
        if part is not found:
            outside = from_outside(part, step, pipeline)
            if outside is not None:
                return outside
    return None


def _is_safe(kind: ex.Type) -> bool:
    """Whether no value of a type can hold more than a number or a boolean."""
    if isinstance(kind, ex.ArtifactType):
        return False
    return kind.kind in _SAFE_KINDS or (
        kind.kind == "array" and kind.items is not None and _is_safe(kind.items)
    )


def _loop(name: str, nodes: tuple[Node, ...]) -> Loop | None:
    for node in nodes:
        if isinstance(node, Loop):
            found = node if node.name == name else _loop(name, node.body)
            if found is not None:
                return found
    return None


def reads_it(how: str, name: str) -> str:
    """How a program in a language (`Language.reads`) reads a variable."""
    return how.format(name=name).replace("${" + name + "}", f"${name}")
