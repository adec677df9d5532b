"""Amounts of resources that are known only when a step starts: found, or found to be none."""

from __future__ import annotations

from decimal import Decimal

from compiler.engine.artifacts import Artifact
from compiler.engine.known import EvaluationError, Value
from compiler.engine.render import Site, evaluate
from compiler.expr import Expr
from compiler.quantities import quantity, quantity_hint
from compiler.values import to_text


def gpu_count(site: Site) -> int:
    """How many GPUs a step asks for.

    Raises:
        EvaluationError: the expression of its count is no whole number from 0 up.
    """
    gpu = site.step.resources.gpu
    if gpu is None:
        return 0
    found = gpu.count if isinstance(gpu.count, int) else evaluate(gpu.count, site)
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise EvaluationError(f"resources.gpu: found {_shown(found)}, wanted a whole number from 0")
    return found


def check_amounts(site: Site) -> None:
    """Check those amounts of a step that are expressions; a process here gets what there is.

    Raises:
        EvaluationError: one is no quantity, or more is requested than its limit allows.
    """
    resources = site.step.resources
    for name in ("cpu", "memory", "disk", "shm"):
        amount = getattr(resources, name)
        if amount is None or not any(
            given is not None and not isinstance(given, str)
            for given in (amount.request, amount.limit)
        ):
            continue
        request = _quantity(f"resources.{name}", amount.request, site)
        limit = _quantity(f"resources.{name}", amount.limit, site)
        if request is not None and limit is not None and request > limit:
            raise EvaluationError(f"resources.{name}: the request is more than the limit")


def _quantity(name: str, given: str | Expr | None, site: Site) -> Decimal | None:
    if given is None:
        return None
    value = given if isinstance(given, str) else evaluate(given, site)
    found = None
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        found = quantity(to_text(value))
    if found is None:
        hint = quantity_hint(value if isinstance(value, str) else "")
        raise EvaluationError(f"{name}: found {_shown(value)}, which is no quantity: {hint}")
    return found


def _shown(value: Value) -> str:
    assert not isinstance(value, (Artifact, tuple))
    return "null" if value is None else f"`{to_text(value)}`"
