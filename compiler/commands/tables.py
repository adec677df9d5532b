"""Text in columns, for terminals and pipes alike."""

from __future__ import annotations

from collections.abc import Sequence


def columns(rows: Sequence[Sequence[str]], headings: Sequence[str] = (), indent: str = "") -> str:
    """Rows as left-aligned columns two spaces apart, each on its own line; empty for no rows."""
    if not rows:
        return ""
    lines = [*([headings] if headings else []), *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "".join(
        indent
        + "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )
