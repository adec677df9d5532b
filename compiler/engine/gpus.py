"""The GPUs of this machine, handed out to the steps that ask for them.

A step that asks for none sees none. One that asks for more than there are gets those there are:
so says the rule for machines without a GPU, and the run says so in a note.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from compiler.ir import Step

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


class Devices:
    """Steps in line for the GPUs that they ask for; those that ask for none have their place too.

    `names` are all that there are. The first in line is the first that fits.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.count = len(names)
        self._free = list(names)
        self._lines: dict[int, deque[tuple[int, str]]] = {}
        self._order = itertools.count()

    def shortage(self, step: Step, count: int) -> str:
        """What to say where a step asks for more GPUs than there are."""
        assert step.resources.gpu
        wanted = f"{count} GPU{'s' if count > 1 else ''}"
        if step.resources.gpu.type:
            wanted += f" of type {step.resources.gpu.type}"
        there = f"{self.count}, and it runs with these" if self.count else "none: it runs without"
        return f"{step.name} asks for {wanted}; this machine has {there}"

    def queue(self, key: str, count: int) -> None:
        """Put a step in line. Where it asks for more than there are, for all there are."""
        line = self._lines.setdefault(min(count, self.count), deque())
        line.append((next(self._order), key))

    def take(self) -> tuple[str, tuple[str, ...]] | None:
        """The first step that can have its GPUs now, and these."""
        free = len(self._free)
        fitting = [(line[0], n) for n, line in self._lines.items() if line and n <= free]
        if not fitting:
            return None
        (_, key), count = min(fitting)
        self._lines[count].popleft()
        taken = tuple(self._free[:count])
        del self._free[:count]
        return key, taken

    def give_back(self, names: Sequence[str]) -> None:
        self._free += names

    def clear(self) -> list[str]:
        """Send away all in line, in their order."""
        left = sorted(waiting for line in self._lines.values() for waiting in line)
        self._lines.clear()
        return [key for _, key in left]
