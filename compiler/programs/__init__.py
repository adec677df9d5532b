"""Programs inside of specs: which words of a command are read as code, and values moved out of it.

Used by `lower` and `checks`, which report what they find with it.
"""

from __future__ import annotations

from compiler.programs.commandline import EXPRESSION, Text, program_texts
from compiler.programs.known import Language
from compiler.programs.moving import moved, scalar_at, variable_name
from compiler.programs.shell import Code, quotings, read_as_code

__all__ = [
    "EXPRESSION",
    "Code",
    "Language",
    "Text",
    "moved",
    "program_texts",
    "quotings",
    "read_as_code",
    "scalar_at",
    "variable_name",
]
