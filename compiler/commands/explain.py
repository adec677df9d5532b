"""`mlc explain`: why a finding matters, with an example of it and one of what is right.

What it prints is docs/codes/, see `compiler.pages`.
"""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Iterable

from compiler import pages
from compiler.codes import CODES, GUESSES, WHERE_CODES_ARE, is_fixed, is_policy, meant
from compiler.codes import family as nearby
from compiler.commands import console
from compiler.reports.snippets import Paint

GROUPS = {
    "MLC0": "reading files",
    "MLC1": "the shape of a spec",
    "MLC2": "quantities, durations, schedules",
    "MLC3": "names and what they lead to",
    "MLC4": "expressions and values",
    "MLC5": "parameters",
    "MLC6": "images, resources, time",
    "MLC7": "what targets can do",
    "MLC8": "runs on this machine",
    "MLC9": "the project: configuration, policy, ignores",
}
_WIDEST = 100
_TONES = {"error": "31", "warning": "33", "note": "36"}


def explain(code: str, style: str = "text") -> int:
    """Print what a code means, which may be written without `MLC`; with words for it, the page
    that has them, or a list of these."""
    known = meant(code)
    if known is None and not (family := nearby(code)):
        found = pages.find(code)
        if len(found) > 1:
            return _list(found, style)
        known = found[0] if found else None
    if known is None:
        sys.stderr.write(f"mlc: {_unknown(code, family)}\n")
        return console.USAGE
    page = pages.page(known)
    if style == "json":
        facts = {
            "code": known,
            "about": CODES[known],
            "counts": counts(known),
            "why": page.why,
            "bad": page.bad.files,
            "commands": page.bad.commands,
            "output": page.bad.output,
            "good": page.bad.files | page.good.files,
        }
        console.print_json(facts)
        return console.OK
    sys.stdout.write(_text(known, page, Paint(console.coloured(sys.stdout.isatty()))))
    return console.OK


def _unknown(code: str, family: list[str]) -> str:
    if family:
        about = f"codes about {GROUPS[family[0][:4]]} are\n{_listed(family)}".rstrip("\n")
        return f"there is no code `{code}`; {about}"
    near = pages.near(code)
    hint = f"did you mean `{near}`?" if near else f"{WHERE_CODES_ARE}; `mlc explain` lists all"
    return f"there is no code `{code}`, and no page has it: {hint}"


def _list(codes: list[str], style: str) -> int:
    if style == "json":
        console.print_json({code: CODES[code] for code in codes})
    else:
        sys.stdout.write(_listed(codes))
    return console.OK


def _listed(codes: Iterable[str]) -> str:
    return "".join(f"  {code}  {CODES[code]}\n" for code in codes)


def list_codes(style: str = "text") -> int:
    """Print all codes, those of a kind together."""
    if style == "json":
        console.print_json(CODES)
        return console.OK
    for start, title in GROUPS.items():
        sys.stdout.write(f"{title}\n")
        sys.stdout.write(_listed(code for code in CODES if code.startswith(start)))
    return console.OK


def counts(code: str) -> str:
    """What kind of finding it is, and what may be done about it but mending it."""
    if code.startswith("MLC8"):
        return "Found when a spec runs on this machine."
    if is_policy(code):
        return "What the project's policy asks for; `# mlc: ignore[CODE] why` takes one as it is."
    if code in GUESSES:
        return (
            "An error that rests on how a text looks. `# mlc: ignore[CODE] why` takes one as it "
            "is, unless the project's policy enforces the code."
        )
    if is_fixed(code):
        return "An error of the language: no policy and no comment changes that."
    return (
        "A warning. `# mlc: ignore[CODE] why` takes one as it is, and the project's policy can "
        "make it an error or switch it off."
    )


def _text(code: str, page: pages.Page, paint: Paint) -> str:
    parts = [paint(f"{code}: {CODES[code]}", "1"), _wrapped(counts(code))]
    parts += [_wrapped(paragraph) for paragraph in page.why.split("\n\n")]
    several = len(page.bad.files | page.good.files) > 1
    for title, example, tone in (("Bad:", page.bad, "31"), ("Good:", page.good, "32")):
        parts.append(paint(title, "1", tone))
        for name, text in example.files.items():
            parts += [f"  {name}:"] if several else []
            parts.append(_indented(text))
        if example.session:
            parts.append(_indented(_painted(example.session, paint)))
    return "\n\n".join(parts) + "\n"


def _painted(session: str, paint: Paint) -> str:
    """A session as a terminal shows it: commands stand out, and the heads of findings."""
    return re.sub(
        r"^(?:\$ .*|(error|warning|note)\[MLC\d+\])",
        lambda head: paint(head[0], *(("1", _TONES[head[1]]) if head[1] else ("1",))),
        session,
        flags=re.MULTILINE,
    )


def _wrapped(text: str) -> str:
    """A paragraph as wide as the terminal, within what reads well; no word is broken."""
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    return textwrap.fill(text, max(width, 40), break_long_words=False, break_on_hyphens=False)


def _indented(text: str) -> str:
    return textwrap.indent(text.rstrip("\n"), "    ")
