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


def interpreter(caller: Mapping[str, str]) -> str:
    """The Python of steps: the activated environment's (venv or conda), else the one of mlc."""
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        python = Path(caller.get(variable) or "/nowhere", "bin", "python3")
        if python.is_file():
            return str(python)
    return sys.executable


def base_environment(caller: Mapping[str, str], local: LocalSettings, root: Path) -> dict[str, str]:
    """What every step of a project starts with, made from the caller's environment.

    `python` is that of the activated environment, its output comes line by line, and the
    project's `pythonpath` is where modules are found.
    """
    passed = {
        name: value
        for name, value in sorted(caller.items())
        if name in PASSED or name.startswith("LC_") or name in local.pass_env
    }
    folder = str(Path(interpreter(caller)).parent)
    path = [folder, *filter(None, [passed.get("PATH", os.defpath)])]
    passed["PATH"] = os.pathsep.join(path)
    passed["PYTHONUNBUFFERED"] = "1"
    if local.pythonpath:
        passed["PYTHONPATH"] = os.pathsep.join(str(root / folder) for folder in local.pythonpath)
    return passed
