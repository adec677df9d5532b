"""Quantities as KFP's SDK takes them: the same amounts, in the few spellings that it accepts."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

from compiler.quantities import quantity

# The checks of `PipelineTask.set_cpu_limit` and `set_memory_limit` (kfp 2.17), less the suffix `K`,
# which the SDK lets pass and Kubernetes does not know.
_CPU = re.compile(r"([0-9]*\.)?[0-9]+m?")
_MEMORY = re.compile(r"[0-9]+(E|Ei|P|Pi|T|Ti|G|Gi|M|Mi|Ki)?")
_SCALES = {
    **{"M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18},
    **{"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60},
}


def cpu(text: str) -> str:
    """Cores, as they were written where the SDK takes that, else in full (`5e-1` is `0.5`)."""
    return text if _CPU.fullmatch(text) else f"{_amount(text):f}"


def memory(text: str) -> str:
    """Bytes, as they were written where the SDK takes that, else whole (`1.5Gi` is `1536Mi`).

    A fraction of a byte is rounded up, as Kubernetes does.
    """
    if _MEMORY.fullmatch(text):
        return text
    count = int(_amount(text).to_integral_value(ROUND_CEILING))
    spellings = [f"{count // n}{suffix}" for suffix, n in _SCALES.items() if count % n == 0]
    return min([*spellings, str(count)], key=len)


def _amount(text: str) -> Decimal:
    found = quantity(text)
    if found is None:
        raise ValueError(f"`{text}` is no quantity")
    return found
