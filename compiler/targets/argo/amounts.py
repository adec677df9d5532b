"""Amounts of resources that are known only at run time: a patch of the pod.

Argo reads the quantities of a container before it fills in tags.
"""

from __future__ import annotations

from collections.abc import Iterator

from compiler.capture import Text, ValueOf, Words
from compiler.expr import Expr
from compiler.ir import Step
from compiler.targets.argo import pods, tags
from compiler.targets.argo.conditions import quoted
from compiler.targets.argo.plan import Data
from compiler.values import to_json


def patch(step: Step, words: Words) -> str:
    """The `podSpecPatch` of a step, empty where all its amounts are literal."""
    sides: dict[str, Data] = {}
    for side, name, given in _given(step):
        sides.setdefault(side, {})[name] = _quantity(given, words)
    spec: Data = {}
    if sides:
        spec["containers"] = [{"name": "main", "resources": dict(sides)}]
    size = pods.shm_size(step.resources.shm) if step.resources.shm else None
    if size is not None and not isinstance(size, str):
        memory: Data = {"medium": "Memory", "sizeLimit": _quantity(size, words)}
        spec["volumes"] = [{"name": pods.SHM_VOLUME, "emptyDir": memory}]
    return to_json(spec) if spec else ""


def _given(step: Step) -> Iterator[tuple[str, str, Expr]]:
    wanted = step.resources
    for name, amount in (
        ("cpu", wanted.cpu),
        ("memory", wanted.memory),
        ("ephemeral-storage", wanted.disk),
    ):
        for side, given in (
            ("requests", amount.request if amount else None),
            ("limits", amount.limit if amount else None),
        ):
            if given is not None and not isinstance(given, str):
                yield side, name, given
    if wanted.gpu and not isinstance(wanted.gpu.count, int):
        yield "limits", wanted.gpu.resource, wanted.gpu.count


def _quantity(given: Expr, words: Words) -> str:
    """A tag for a quantity; what could be more than one inside JSON never gets there."""
    parts = [
        f"trim({tags.input_parameter(slot.capture)})"
        if isinstance(slot, ValueOf)
        else quoted(slot.text)
        for slot in words.word(given)
        if isinstance(slot, (ValueOf, Text))
    ]
    value = f"({'+'.join(parts)})"
    return tags.expression(f"{value} matches '^[-+.0-9A-Za-z]+$'?{value}:'not-a-quantity'")
