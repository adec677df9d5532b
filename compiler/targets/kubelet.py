"""Literal text on its way through Kubernetes: escaped from what the kubelet and engines expand.

The kubelet, and before it the driver's pod on KFP, turn `$$` into `$` and `$(NAME)` into a
variable's value wherever a container has one of that name (Kubernetes:
third_party/forked/golang/expansion/expand.go); up to 1.35.0 they also break a character outside
ASCII that follows a `$` (kubernetes/kubernetes#136323). Argo, also beneath KFP, fills in what
stands between double braces. A container that gets escaped words has the variables `ESCAPES`
before all others.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

from compiler.launch import ArgumentWord, OutputPathOf, PathOf, Text, ValueOf

Placeholder: TypeAlias = ValueOf | PathOf | OutputPathOf

ESCAPES = (("MLC_D", "$"), ("MLC_E", ""))

# Linux: MAX_ARG_STRLEN, the terminating NUL included.
MOST_WORD_BYTES = 128 * 1024

# Signs that may not stand before what comes after them.
_SIGNS = re.compile(r"\$(?=[$(\x80-\U0010ffff])|\{(?=\{)")
_SIGNS_BEFORE_VALUE = re.compile(r"\$(?=[$(\x80-\U0010ffff]|\Z)|\{(?=\{|\Z)")


def escape(word: ArgumentWord, spell: Callable[[Placeholder], str]) -> str:
    """A word as a container's `command`, `args` or `env` take it; `spell` prints placeholders.

    Its text comes out of one expansion in the pod that has `ESCAPES`, and any number before it in
    pods that don't, as it went in. A `$` or `{` at the end of a text is also kept apart from the
    placeholder after it, whose value may begin with its fellow, and a `{` at the beginning from
    the value before it. What can't be kept apart: see `is_exposed`.
    """
    written = []
    for position, slot in enumerate(word):
        if not isinstance(slot, Text):
            written.append(spell(slot))
            continue
        before = position > 0
        after = position + 1 < len(word)
        written.append(escape_text(slot.text, before=before, after=after))
    return "".join(written)


# Most words of a container stand in others too, long ones first of all.
@lru_cache(maxsize=4096)
def escape_text(text: str, *, before: bool = False, after: bool = False) -> str:
    """Text as part of a word, with a placeholder directly `before` or `after` it."""
    signs = _SIGNS_BEFORE_VALUE if after else _SIGNS
    written = signs.sub(lambda sign: "$(MLC_D)" if sign[0] == "$" else "{$(MLC_E)", text)
    return "$(MLC_E)" + written if before and text.startswith("{") else written


def is_exposed(word: ArgumentWord) -> bool:
    """Whether a run-time value that ends in `$` would change how the text after it is read.

    Only where an engine puts values in as they are; there, an old kubelet also breaks a character
    outside ASCII after such a value, which isn't counted here. Doubling every `$` in a value, as
    Argo's expressions can, is proof against it.
    """
    return len(word) > 1 and any(
        isinstance(slot, ValueOf)
        and isinstance(following, Text)
        and following.text.startswith(("$", "(", "{"))
        for slot, following in pairwise(word)
    )
