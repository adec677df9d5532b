"""`mlc explain`: why a finding matters, with an example of it and one of what is right.

What it prints is docs/codes/, see `compiler.pages`.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Mapping

from compiler import pages
from compiler.codes import CODES, WHERE_CODES_ARE, is_fixed, is_policy, meant
from compiler.commands import console
from compiler.diagnostics import nearest

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


def explain(code: str, style: str = "text") -> int:
    """Print what a code means; `code` may be written without `MLC`."""
    known = meant(code)
    if known is None:
        near = nearest(code.upper(), CODES)
        hint = f"did you mean {near}?" if near else WHERE_CODES_ARE
        sys.stderr.write(f"mlc: there is no code `{code}`: {hint}\n")
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
    sys.stdout.write(_text(known, page, coloured=console.coloured(sys.stdout.isatty())))
    return console.OK


def list_codes(style: str = "text") -> int:
    """Print all codes, those of a kind together."""
    if style == "json":
        console.print_json(CODES)
        return console.OK
    for start, title in GROUPS.items():
        sys.stdout.write(f"{title}\n")
        own = (code for code in CODES if code.startswith(start))
        sys.stdout.writelines(f"  {code}  {CODES[code]}\n" for code in own)
    return console.OK


def counts(code: str) -> str:
    """What kind of finding it is, and what may be done about it but mending it."""
    if code.startswith("MLC8"):
        return "Found when a spec runs on this machine."
    if is_policy(code):
        return "What the project's policy asks for; `# mlc: ignore[CODE] why` takes one as it is."
    if is_fixed(code):
        return "An error of the language: no policy and no comment changes that."
    return (
        "A warning. `# mlc: ignore[CODE] why` takes one as it is, and the project's policy can "
        "make it an error or switch it off."
    )


def _text(code: str, page: pages.Page, *, coloured: bool) -> str:
    def strong(text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if coloured else text

    parts = [strong(f"{code}: {CODES[code]}"), _wrapped(counts(code))]
    parts += [_wrapped(paragraph) for paragraph in page.why.split("\n\n")]
    for title, example in (("Bad", page.bad), ("Good", page.good)):
        parts.append(strong(f"{title}:"))
        parts += _shown(example.files)
        if example.session:
            parts.append(_indented(example.session))
    return "\n\n".join(parts) + "\n"


def _wrapped(text: str) -> str:
    """A paragraph as wide as the terminal, within what reads well; no word is broken."""
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    return textwrap.fill(text, max(width, 40), break_long_words=False, break_on_hyphens=False)


def _shown(files: Mapping[str, str]) -> list[str]:
    """The files, named where there is more than the spec."""
    if list(files) == [pages.SPEC]:
        return [_indented(files[pages.SPEC])]
    return [f"  {name}:\n\n{_indented(text)}" for name, text in files.items()]


def _indented(text: str) -> str:
    return textwrap.indent(text.rstrip("\n"), "    ")
