"""Which texts KFP carries unchanged from the spec, or from a run's form, into a container.

A text goes through Argo templates, as JSON, and through the kubelet's expansion twice before a
step sees it. What is literal in a command is escaped (`compiler.targets.kubelet`); for what is
known only at run time there is no escape.
"""

from __future__ import annotations

import re

from compiler.values import JsonValue, to_text

# Refused by name in messages: what it is, and what KFP makes of it. The last two: the folder of a
# workspace that the driver mounts where it sees it (driver/driver.go), and the macros of recurring
# runs (apiserver's SWFParameterFormatter).
_ALTERED = re.compile(
    r"\{\{|\$\$|\$\(|/kfp-workspace|\[\[(?:CurrentTime|ScheduledTime|RunUUID|Index)\b"
)
# What YAML 1.1 does not call printable.
_UNREADABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# The API server stores the parameters of a run in a column of this size.
MOST_PARAMETER_BYTES = 10_000


def altered(value: JsonValue) -> str | None:
    """The first part of a run-time value that KFP would alter, as a message shows it; or None."""
    text = to_text(value)
    found = _ALTERED.search(text)
    return f"`{found[0]}`" if found else unwritable(text)


def unwritable(text: str) -> str | None:
    """The first character that can't be in a template's argument, as a message shows it; or None.

    Argo quotes arguments by Go's rules and reads them back as JSON, which knows no `\\x7f` and no
    `\\U0001f6d8` (util/template/simple_template.go); Go writes those for what it can't print.
    """
    for character in text:
        if character == "\x7f" or (character > "\uffff" and not character.isprintable()):
            return f"U+{ord(character):04X}"
    return None


def readable(description: str) -> str:
    """A description without the characters that YAML holds only escaped, as it is only read."""
    kept = description if description.strip() else ""
    return _UNREADABLE.sub("\ufffd", kept)


def plain(description: str) -> str:
    """A readable description of a parameter, with nothing that Argo would act on beneath KFP."""
    # Each brace that another follows: a plain replacement would leave `{{` of `{{{`.
    text = re.sub(r"\{(?=\{)", "{ ", readable(description))
    return "".join("\ufffd" if unwritable(character) else character for character in text)
