"""The pages of docs/codes/, one for each code: why a finding matters, a bad and a good example.

A page is written by hand, but for what its commands print; the tests run them and hold that part.
"""

from __future__ import annotations

import difflib
import functools
import re

from msgspec import Struct

from compiler import resources
from compiler.codes import CODES

# A file's name may stand above it; without one it is SPEC.
_FENCED = re.compile(r"^(?:`([^`\n]+)`:\n\n)?```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPEC = "spec.yaml"
# What findings say in a session.
_SAID = re.compile(r"^(?:error|warning|note)\[.*|^ *= .*", re.MULTILINE)
_MOST_FOUND = 10
# What is in every page, or in what people ask, and tells nothing.
_OF_ALL = {
    *("a", "an", "and", "are", "by", "can", "cannot", "do", "does", "for", "in"),
    *("is", "it", "my", "no", "not", "of", "on", "or", "the", "to"),
}


class Example(Struct, frozen=True):
    """Files by name, and a session: commands after `$ ` and what they print."""

    files: dict[str, str]
    session: str

    @property
    def commands(self) -> list[str]:
        return re.findall(r"^\$ (.*)$", self.session, re.MULTILINE)

    @property
    def output(self) -> str:
        return re.sub(r"^\$ .*\n", "", self.session, flags=re.MULTILINE)


class Page(Struct, frozen=True):
    """The good example changes some of the bad one's files, and has its commands unless it gives
    its own."""

    title: str
    why: str
    bad: Example
    good: Example


def page(code: str) -> Page:
    return parse(resources.read_text(f"docs/codes/{code}.md"))


def parse(text: str) -> Page:
    head, bad, good = re.split(r"^## (?:Bad|Good)\n", text, flags=re.MULTILINE)
    title, _, why = head.partition("\n")
    return Page(title.removeprefix("# "), why.strip(), _example(bad), _example(good))


def find(text: str) -> list[str]:
    """The codes whose pages have all words of a text, ten at most, best first: words in what a
    code is about count most, then those in its messages."""
    wanted = [_stem(word) for word in _words(text) - _OF_ALL] or [_stem(w) for w in _words(text)]
    found = []
    for code, about in CODES.items():
        said, why = _text(code)
        weights = ((9, _words(about)), (3, said), (1, why))
        scores = [
            sum(weight for weight, words in weights if any(w.startswith(stem) for w in words))
            for stem in wanted
        ]
        if scores and all(scores):
            found.append((-sum(scores), code))
    return [code for _, code in sorted(found)[:_MOST_FOUND]]


def near(text: str) -> str | None:
    """The text with each word that no page has replaced by one that is near; None without one."""
    known = set().union(*(_words(about) for about in CODES.values()))
    known = known.union(*(words for code in CODES for words in _text(code)))
    words = re.findall(r"[^\W_]+", text.casefold())
    # What is less alike is another word: `injection` is not `inspect`.
    close = [difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.8) for word in words]
    found = [one[0] for one in close if one]
    return " ".join(found) if words and len(found) == len(words) and found != words else None


@functools.cache
def _text(code: str) -> tuple[set[str], set[str]]:
    """The words of what a page's findings say, and of its prose."""
    shown = page(code)
    return _words("\n".join(_SAID.findall(shown.bad.session))), _words(shown.why)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.casefold()))


def _stem(word: str) -> str:
    """A word without the end that it has in the plural."""
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def _example(text: str) -> Example:
    files, session = {}, ""
    for name, language, content in _FENCED.findall(text):
        if language == "console":
            session = content
        else:
            files[name or SPEC] = content
    return Example(files, session)
