"""What a condition comes to whatever the run brings."""

from __future__ import annotations

from compiler import expr as ex


def outcome(condition: ex.Expr) -> bool | None:
    """Whether a condition is always true or always false; None where the run decides."""
    match condition:
        case ex.Literal(value=bool() as value):
            return value
        case ex.Operation(sign="!", operands=(operand,)):
            inner = outcome(operand)
            return None if inner is None else not inner
        case ex.Operation(sign="&&" | "||" as sign, operands=(left, right)):
            sides = outcome(left), outcome(right)
            decisive = sign == "||"
            if decisive in sides:
                return decisive
            return None if None in sides else not decisive
    return None
