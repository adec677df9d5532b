from __future__ import annotations

from pathlib import Path
from typing import Any


def compute(n: int, x: float, flag: bool, layers: list[int], data: Path) -> dict[str, Any]:
    data.write_text("written")
    kinds = " ".join(type(value).__name__ for value in (n, x, flag, layers))
    return {"total": n + x + sum(layers), "kinds": kinds}
