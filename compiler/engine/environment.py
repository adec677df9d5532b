"""The environment of a step's process: clean, but for what any program needs.

A step sees a short list of the caller's variables, those that the project names in `pass_env`,
and its own `env`; never the rest of the author's shell.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from compiler.settings import LocalSettings

PASSED = frozenset(
    {
        "HOME",
        "LANG",
        "LANGUAGE",
        "LOGNAME",
        "PATH",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TMPDIR",
        "TZ",
        "USER",
    }
)


def base_environment(caller: Mapping[str, str], local: LocalSettings, root: Path) -> dict[str, str]:
    """What every step of a project starts with, made from the caller's environment.

    `python` is the interpreter that runs mlc, its output comes line by line, and the project's
    `pythonpath` is where modules are found.
    """
    passed = {
        name: value
        for name, value in sorted(caller.items())
        if name in PASSED or name.startswith("LC_") or name in local.pass_env
    }
    path = [str(Path(sys.executable).parent), *filter(None, [passed.get("PATH", os.defpath)])]
    passed["PATH"] = os.pathsep.join(path)
    passed["PYTHONUNBUFFERED"] = "1"
    if local.pythonpath:
        passed["PYTHONPATH"] = os.pathsep.join(str(root / folder) for folder in local.pythonpath)
    return passed
