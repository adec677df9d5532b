"""Quantities and durations as authors write them, read once and for all targets."""

from __future__ import annotations

import functools
import re
from decimal import Decimal

_QUANTITY = re.compile(
    r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][-+]?[0-9]{1,2})?"
)
_SCALE = {
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?")
# Less memory than this is a forgotten unit: `memory: 8` is 8 bytes.
LEAST_BYTES = 2**20
MAX_SECONDS = 10 * 365 * 86400


# The same few amounts and times stand in all specs, and each is asked for several times.
@functools.lru_cache(maxsize=1024)
def quantity(text: str) -> Decimal | None:
    """The amount that a Kubernetes quantity means (`500m` is 0.5), or None where it is none.

    Grammar: apimachinery's resource.Quantity, without signs.
    """
    match = _QUANTITY.fullmatch(text) if len(text) < 40 else None
    if match is None:
        return None
    suffix = match[2] or ""
    number = Decimal(match[1])
    if suffix in _SCALE:
        return number * _SCALE[suffix]
    return number * Decimal(f"1{suffix}") if suffix else number


def forgotten_unit(key: str, text: str, amount: Decimal) -> tuple[str, str] | None:
    """What to say of an amount of `key` that is a number without its unit, and how to mend it."""
    if key == "cpu" or amount >= LEAST_BYTES:
        return None
    number = text.rstrip("m")
    hint = f"give the unit: `{number}Gi` or `{number}Mi`" if amount else "leave it out"
    return f"`{key}` of {text} is {amount:f} bytes", hint


# Units as people write them: `GiB`, `gi`; `GB`, `g`; octets in French; cores.
_BINARY = re.compile(r"([0-9.]+) *([KMGTPE])i[bo]?", re.IGNORECASE)
_BYTES = re.compile(r"([0-9.]+) *([KMGTPE])[bo]?", re.IGNORECASE)
_CORES = re.compile(r"([0-9.]+) *v?(?:cores?|cpus?)", re.IGNORECASE)
_COMMA = re.compile(r"[0-9]+,(?![0-9]{3}(?![0-9]))[0-9]+[A-Za-z]*")


def quantity_hint(text: str) -> str:
    """How a text that is no quantity might be mended."""
    meant = meant_quantity(text)
    if meant is not None:
        return f"write `{meant}`"
    found = _BYTES.fullmatch(text)
    if found and quantity(f"{found[1]}Gi") is not None:
        unit = found[2].upper()
        short = "k" if unit == "K" else unit
        less = round(100 - 100 * _SCALE[short] / _SCALE[f"{unit}i"])
        exactly = f"exactly {text} and " if text[-1] in "Bb" else ""
        return f"write `{found[1]}{unit}i`, or `{found[1]}{short}`, which is {exactly}{less} % less"
    return "write a number with a unit, like `500m`, `2`, `8Gi`"


def meant_quantity(text: str) -> str | None:
    """The quantity that a text surely means. `8GB` is not among them: by the book it is `8G`, and
    many who write it mean `8Gi`."""
    if found := _BINARY.fullmatch(text):
        mended = f"{found[1]}{found[2].upper()}i"
    elif found := _CORES.fullmatch(text):
        mended = found[1]
    elif _COMMA.fullmatch(text):
        mended = text.replace(",", ".")
    else:
        mended = text.replace(" ", "").removesuffix("B").removesuffix("b")
        if _BYTES.fullmatch(mended) and mended != text.replace(" ", ""):
            return None
    return mended if mended != text and quantity(mended) is not None else None


@functools.lru_cache(maxsize=1024)
def duration(text: str) -> int | None:
    """Whole seconds of a duration like `2h30m`, or None where it is none."""
    match = _DURATION.fullmatch(text) if text and len(text) < 40 else None
    if match is None or not any(match.groups()):
        return None
    seconds = sum(
        int(amount) * unit
        for amount, unit in zip(match.groups(), _UNITS.values(), strict=True)
        if amount
    )
    return seconds if seconds <= MAX_SECONDS else None


def duration_text(seconds: int) -> str:
    """Whole seconds as the language writes them: `2h30m`."""
    parts = []
    for unit, size in _UNITS.items():
        amount, seconds = divmod(seconds, size)
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts) or "0s"


def duration_hint(text: str) -> str:
    """How a text that is no duration might be mended."""
    compact = text.replace(" ", "").lower()
    if compact.isdigit():
        return f"give the unit: `{compact}s` or `{compact}m`"
    meant = meant_duration(text)
    if meant is not None:
        return f"write `{meant}`"
    return "write whole days, hours, minutes and seconds, like `90s` or `2h30m`, ten years at most"


def meant_duration(text: str) -> str | None:
    """The duration that a text with words for units means."""
    compact = text.replace(" ", "").lower()
    for wrong, right in (
        ("minutes", "m"),
        ("minute", "m"),
        ("mins", "m"),
        ("min", "m"),
        ("seconds", "s"),
        ("second", "s"),
        ("secs", "s"),
        ("sec", "s"),
        ("hours", "h"),
        ("hour", "h"),
        ("hrs", "h"),
        ("hr", "h"),
        ("days", "d"),
        ("day", "d"),
    ):
        compact = compact.replace(wrong, right)
    return compact if duration(compact) is not None else None
