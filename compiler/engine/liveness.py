"""Whether the process that recorded a run is still there.

A process id alone is used again by the system; with the time of its start it names one process.
"""

from __future__ import annotations

import subprocess
from pathlib import Path


def process_mark(pid: int) -> str:
    """A text that names the start of process `pid`, empty where there is no such process.

    On Linux the boot and the start in clock ticks since then (proc(5), field 22 of `stat`),
    elsewhere what ps says.
    """
    stat = Path(f"/proc/{pid}/stat")
    boot = Path("/proc/sys/kernel/random/boot_id")
    if boot.exists():
        try:
            # The second field is the name in parentheses, which may hold spaces and parentheses.
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        if fields[0] in "ZX":
            return ""
        return f"{boot.read_text().strip()} {fields[19]}"
    found = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return found.stdout.strip()


def is_alive(pid: int, mark: str) -> bool:
    return mark != "" and process_mark(pid) == mark
