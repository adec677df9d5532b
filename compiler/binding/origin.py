"""Where what an expression takes is declared, to stand beside what is said of its type."""

from __future__ import annotations

from compiler import expr as ex
from compiler.binding.scope import Scope
from compiler.diagnostics import Related, Span


def origin(*found: ex.Expr, scope: Scope) -> tuple[Related, ...]:
    """The declarations of all that some expressions name, as far as their file says so."""
    places: dict[str, Span] = {}
    for expression in found:
        # A text that is put together is one, whatever is in it.
        for part in () if isinstance(expression, ex.Concat) else ex.walk(expression):
            name, place = _declared(part, scope)
            if place is not None:
                places.setdefault(name, place)
    return tuple(Related(f"`{name}` is declared here", place) for name, place in places.items())


def _declared(part: ex.Expr, scope: Scope) -> tuple[str, Span | None]:
    match part:
        case ex.ParamRef(name=name) if not scope.is_used and name in scope.params:
            return name, scope.params[name].span
        case ex.PipelineInputRef(name=name) if not scope.is_used:
            return name, scope.input_spans.get(name)
        case ex.InputRef(name=name) if name in scope.step_values:
            return name, scope.step_values[name].span
        case ex.EachRef(name=name) if name in scope.each:
            return name, scope.each[name].span
        case ex.StepOutputRef(step=step, output=output) if step.startswith(scope.prefix):
            # Steps of an algorithm that is used here belong to the step that uses it.
            signature = scope.steps.get(step.removeprefix(scope.prefix).partition(".")[0])
            if signature is not None:
                return output, signature.places.get(output, signature.span)
    return "", None
