"""What has to be one expression as a whole: conditions, lists to loop over, amounts, outputs."""

from __future__ import annotations

import re
from typing import cast

from msgspec.structs import replace

from compiler import expr as ex
from compiler.binding.certain import outcome
from compiler.binding.operators import a_type
from compiler.binding.origin import origin
from compiler.binding.scalars import (
    bind,
    carried,
    first_expression,
    has_expression,
    writable,
)
from compiler.binding.scope import Scope, Where
from compiler.diagnostics import error, warning
from compiler.mending import as_boolean
from compiler.nodes import Node, Scalar, Sequence, to_value
from compiler.synonyms import condition
from compiler.values import JsonValue, kind_of

# Known when the spec is compiled, and other for each commit or name.
_HANGS_ON = re.compile(r"\b(git|algorithm)\b")


def bind_condition(node: Scalar, scope: Scope) -> ex.Expr | None:
    """The expression of a `when`: all of the scalar, and true or false."""
    bound = bind(node, scope, Where.WHEN, text=False)
    if bound is None:
        return None
    if bound.type != ex.ValueType("boolean"):
        hint, fix = "compare it with something", None
        if isinstance(bound, ex.Concat) or "${{" not in node.text:
            hint = condition(node.text) if "${{" not in node.text else ""
            hint = hint or "write one expression: `when: ${{ … }}`"
            fix = as_boolean(node) if node.plain else None
            if fix is not None:
                hint = "as in YAML 1.2, true and false are written `true` and `false`"
        elif isinstance(bound.type, ex.ValueType) and bound.type.kind == "boolean":
            hint = "it may be null: write `(… ?? false)`"
        message = f"`when` takes true or false, found {a_type(bound.type)}"
        related = origin(bound, scope=scope)
        found = error("MLC412", message, bound.span, hint=hint, related=related, fix=fix)
        scope.diagnostics.append(found)
        return None
    always = None if scope.is_used or _HANGS_ON.search(node.text) else outcome(bound)
    # What takes from a step is skipped with that, whatever it comes to.
    if always is False or (always and not any(ex.step_outputs(bound))):
        state, then = ("true", "run anyway") if always else ("false", "never run")
        message = f"this condition is always {state}: the steps under it {then}"
        hint = "take the `when` out" if always else "take the steps out, or give the switch a param"
        scope.diagnostics.append(warning("MLC344", message, bound.span, hint=hint))
    return bound


def bind_list(node: Node, scope: Scope) -> ex.Expr | None:
    """The expression of a list to loop over; its type says what it holds, as far as is known."""
    if isinstance(node, Sequence):
        if has_expression(node):
            span = first_expression(node).span
            hint = "loop over one expression that is a list"
            message = "a list to loop over is literal, or one expression"
            scope.diagnostics.append(error("MLC413", message, span, hint=hint))
            return None
        value = carried(to_value(node), node, scope)
        if value is None:
            return None
        kinds = {kind_of(item) for item in cast("list[JsonValue]", value.value)}
        if kinds == {"integer", "number"}:
            kinds = {"number"}
        if len(kinds) > 1 or None in kinds:
            message = "the items of a list to loop over have one type, and none is null"
            hint = "write them all as text, in quotes, or all as numbers"
            scope.diagnostics.append(error("MLC413", message, node.span, hint=hint))
            return None
        items = ex.ValueType(kinds.pop()) if kinds else None
        return replace(value, type=ex.ValueType("array", items=items))
    bound = bind(node, scope, Where.FOREACH, text=False) if isinstance(node, Scalar) else None
    if bound is None:
        return None
    kind = bound.type.kind if isinstance(bound.type, ex.ValueType) else ""
    if kind not in ("array", None) or isinstance(bound, ex.Concat) or _is_nullable(bound):
        message = f"a loop needs a list, found {a_type(bound.type)}"
        hint = "loop over a literal list, or a param or output of type `array`"
        if kind == "array":
            hint = "give a list for null: `… ?? []`"
        related = origin(bound, scope=scope)
        scope.diagnostics.append(error("MLC413", message, bound.span, hint=hint, related=related))
        return None
    return bound


def bind_amount(node: Scalar, scope: Scope) -> ex.Expr | None:
    """The expression of an amount of a resource."""
    bound = bind(node, scope, Where.AMOUNT, text=False)
    if bound is None or not writable(bound, scope, Where.AMOUNT, alone=True):
        return None
    kind = bound.type.kind if isinstance(bound.type, ex.ValueType) else ""
    if kind not in ("string", "integer", "number", None):
        message = f"an amount is a number or a text, found {a_type(bound.type)}"
        related = origin(bound, scope=scope)
        scope.diagnostics.append(error("MLC402", message, bound.span, related=related))
        return None
    return bound


def bind_output(node: Scalar, scope: Scope) -> ex.Expr | None:
    """The expression of an output of an algorithm: what a step wrote, or that with a `??`."""
    bound = bind(node, scope, Where.OUTPUT, text=False)
    first = bound
    while isinstance(first, ex.Operation) and first.sign == "??":
        first = first.operands[0]
    if bound is not None and not isinstance(first, ex.StepOutputRef):
        message = "an output hands on what a step wrote"
        hint = "write `${{ steps.STEP.outputs.OUTPUT }}`"
        scope.diagnostics.append(error("MLC411", message, bound.span, hint=hint))
        return None
    return bound


def _is_nullable(found: ex.Expr) -> bool:
    return isinstance(found.type, ex.ValueType) and found.type.nullable
