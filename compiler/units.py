"""Times and sizes as people read them."""

from __future__ import annotations

_PARTS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def duration(seconds: float) -> str:
    """`40ms`, `12.3s`, `2m`, `1h30m`: at most two parts, tenths below a minute."""
    if 0 < seconds < 0.0995:
        return f"{max(1, round(seconds * 1000))}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}s".replace(".0s", "s")
    left = round(seconds)
    words = []
    for length, unit in _PARTS:
        count, left = divmod(left, length)
        if count:
            words.append(f"{count}{unit}")
        elif words:
            break
    return "".join(words[:2])


def size(count: int) -> str:
    """`512 B`, `1.2 kB`, `3.4 GB`: decimal units, as disks are sold."""
    if count < 1000:
        return f"{count} B"
    amount = float(count)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.5:
            return f"{amount:.3g} {unit}" if amount < 99.5 else f"{amount:.0f} {unit}"
    return f"{amount / 1000:.1f} TB"
