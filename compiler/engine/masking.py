"""Secrets kept out of what the engine shows and keeps: a secret's value is replaced by `***`."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

MASK = "***"


def mask(text: str, secrets: Collection[str]) -> str:
    """The text without the values of secrets, the longest first as one may hold another."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def mask_file(path: Path, secrets: Collection[str]) -> None:
    """Take the values of secrets out of a log that a step has written."""
    present = sorted({s.encode() for s in secrets if s}, key=len, reverse=True)
    if not present:
        return
    text = path.read_bytes()
    masked = text
    for secret in present:
        masked = masked.replace(secret, MASK.encode())
    if masked != text:
        path.write_bytes(masked)
