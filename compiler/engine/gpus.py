"""The GPUs of this machine, handed out to the steps that ask for them.

A step that asks for none sees none. One that asks for more than there are gets those there are:
so says the rule for machines without a GPU, and the run says so in a note.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
_PATIENCE = 20.0


def detect(caller: Mapping[str, str], devices: Path = Path("/dev")) -> tuple[str, ...]:
    """The names of the GPUs that the caller may use, as CUDA_VISIBLE_DEVICES takes them.

    Found as device files, or by nvidia-smi where these don't show (WSL). A caller's own
    CUDA_VISIBLE_DEVICES narrows them.
    """
    found = sorted(int(d.name[6:]) for d in devices.glob("nvidia[0-9]*") if d.name[6:].isdigit())
    count = len(found) or _count_by_tool(caller)
    if not count:
        return ()
    if VISIBLE in caller:
        return tuple(name.strip() for name in caller[VISIBLE].split(",") if name.strip())
    return tuple(str(number) for number in range(count))


def _count_by_tool(caller: Mapping[str, str]) -> int:
    tool = shutil.which("nvidia-smi", path=caller.get("PATH"))
    if tool is None:
        return 0
    try:
        listed = subprocess.run(
            [tool, "-L"], capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
