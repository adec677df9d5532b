from __future__ import annotations

from pathlib import Path


def join(parts: list[Path]) -> str:
    return "".join(part.read_text() for part in parts)
