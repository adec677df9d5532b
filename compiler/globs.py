"""Globs over paths from a folder, as `sources` has them."""

from __future__ import annotations

import functools
import re

_META = re.compile(r"[*?]")


@functools.cache
def glob(pattern: str) -> re.Pattern[str]:
    """`*` and `?` within a folder, `**/` over any number of folders; for `fullmatch`."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meant = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meant.get(part, re.escape(part)) for part in parts))


def plain_folder(pattern: str) -> str:
    """The folder that all matches lie in, without a slash at its end; empty for the top."""
    meta = _META.search(pattern)
    plain = pattern[: meta.start()] if meta else pattern
    return plain.rpartition("/")[0]
