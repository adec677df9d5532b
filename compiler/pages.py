"""The pages of docs/codes/, one for each code: why a finding matters, a bad and a good example.

A page is written by hand, but for what its commands print; the tests run them and hold that part.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from compiler import resources

# A file's name may stand above it; without one it is SPEC.
_FENCED = re.compile(r"^(?:`([^`\n]+)`:\n\n)?```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPEC = "spec.yaml"


class Example(NamedTuple):
    """Files by name, and a session: commands after `$ ` and what they print."""

    files: dict[str, str]
    session: str

    @property
    def commands(self) -> list[str]:
        return re.findall(r"^\$ (.*)$", self.session, re.MULTILINE)

    @property
    def output(self) -> str:
        return re.sub(r"^\$ .*\n", "", self.session, flags=re.MULTILINE)


class Page(NamedTuple):
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


def _example(text: str) -> Example:
    files, session = {}, ""
    for name, language, content in _FENCED.findall(text):
        if language == "console":
            session = content
        else:
            files[name or SPEC] = content
    return Example(files, session)
