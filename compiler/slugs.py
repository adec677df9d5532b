"""Names that engines take, made of names that people give: branches, algorithms."""

from __future__ import annotations

import hashlib
import re
import unicodedata

# Kubernetes takes so many characters in names that are DNS labels.
KUBERNETES_LIMIT = 63
MARK_DIGITS = 8
_MARKED = re.compile(rf"(?:^|-)[0-9a-f]{{{MARK_DIGITS}}}$")


def slug(text: str, limit: int = KUBERNETES_LIMIT) -> str:
    """A text as a DNS label: lower-case letters, digits and single dashes between them.

    Different texts have different slugs: one that had to be changed ends in a digest of the text.
    Empty for the empty text alone.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", _plain(text).lower()).strip("-")
    if plain == text and len(text) <= limit and not is_marked(text):
        return text
    return joined(plain[: max(0, limit - MARK_DIGITS - 1)].rstrip("-"), mark(text))


def joined(*parts: str) -> str:
    """The parts that are not empty, with dashes between."""
    return "-".join(filter(None, parts))


def mark(text: str) -> str:
    """The digest that a text which had to be changed ends in."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:MARK_DIGITS]


def is_marked(text: str) -> bool:
    """Whether a text ends as if it had been changed."""
    return _MARKED.search(text) is not None


def _plain(text: str) -> str:
    """Letters without their accents."""
    apart = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(c for c in apart if not unicodedata.combining(c))
