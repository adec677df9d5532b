"""`mlc explain`: what a diagnostic's code is about, with an example of it.

The examples are in docs/codes.md, which the tests make of specs that show them.
"""

from __future__ import annotations

import re
import sys

from compiler import resources
from compiler.codes import CODES, WHERE_CODES_ARE, is_fixed, is_policy, meant
from compiler.commands import console
from compiler.diagnostics import nearest

PAGE = "docs/codes.md"
_GROUPS = {
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


def explain(code: str, style: str = "text") -> int:
    """Print what a code means and an example; `code` may be written without `MLC`."""
    known = meant(code)
    if known is None:
        near = nearest(code.upper(), CODES)
        hint = f"did you mean {near}?" if near else WHERE_CODES_ARE
        sys.stderr.write(f"mlc: there is no code `{code}`: {hint}\n")
        return console.USAGE
    example = examples().get(known, "")
    if style == "json":
        facts = {"code": known, "about": CODES[known], "counts": counts(known), "example": example}
        console.print_json(facts)
        return console.OK
    bold = ("\x1b[1m", "\x1b[0m") if console.coloured(sys.stdout.isatty()) else ("", "")
    sys.stdout.write(f"{bold[0]}{known}: {CODES[known]}{bold[1]}\n{counts(known)}\n")
    if example:
        sys.stdout.write(f"\nFor example:\n\n{example}")
    return console.OK


def list_codes(style: str = "text") -> int:
    """Print all codes, those of a kind together."""
    if style == "json":
        console.print_json(CODES)
        return console.OK
    for start, title in _GROUPS.items():
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


def examples() -> dict[str, str]:
    """What is printed for an example of each code that has one."""
    page = resources.read_text(PAGE)
    return dict(re.findall(r"^## (MLC\d+)[^\n]*\n\n```text\n(.*?)^```$", page, re.M | re.S))
