"""One process of a try: started in a group of its own, waited for, stopped with all it started.

As with a container, the end of the process is the end of whatever it left running in its group.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

# Linux's MAX_ARG_STRLEN, the closing NUL included (execve(2)). Other systems limit the sum only.
MAX_WORD = 128 * 1024


class LaunchError(Exception):
    """The process can't be started, and never could be: the message says why."""


class Child:
    """A running process. `stop` may be called from any thread, at any time.

    `stopped` says why it was stopped, and is empty for a process that ended by itself.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.stopped = ""
        self._process = process
        self._lock = threading.Lock()
        self._ended = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self) -> int:
        """Block until the process ends, and end its group. Its exit code, or minus the signal."""
        if hasattr(os, "waitid"):
            # Until it is reaped, the dead process keeps the group's number from being used again.
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        else:
            self._process.wait()
        with self._lock:
            self._ended = True
            _signal_group(self.pid, signal.SIGKILL)
        return self._process.wait()

    def stop(self, number: signal.Signals, reason: str) -> None:
        """Send a signal to the process and all in its group, if it still runs."""
        with self._lock:
            if not self._ended:
                self.stopped = self.stopped or reason
                _signal_group(self.pid, number)


def _signal_group(group: int, number: signal.Signals) -> None:
    # macOS says EPERM for a group of which only the dead are left.
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def start(argv: Sequence[str], env: Mapping[str, str], folder: Path, log: Path) -> Child:
    """Start a process in `folder`, with exactly `env`; what it prints goes to the file `log`.

    A program without a slash is looked up on `env`'s PATH. Text is handed over as UTF-8.

    Raises:
        LaunchError: no such program, or a text that the system can't take.
    """
    words = [_bytes(word, f"word {place} of the command") for place, word in enumerate(argv, 1)]
    variables = {
        _bytes(name, "a name in the environment"): _bytes(
            value, f"the environment variable {name}", len(name) + 1
        )
        for name, value in env.items()
    }
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    try:
        process = subprocess.Popen(
            words,
            env=variables,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise LaunchError(f"no program `{argv[0]}` on this machine") from None
    except PermissionError:
        raise LaunchError(f"`{argv[0]}` is no program that may be run") from None
    except OSError as problem:
        if problem.errno == errno.E2BIG:
            raise LaunchError(
                "the command and its environment are longer than this system takes; "
                "hand large values over as artifacts"
            ) from None
        if problem.errno == errno.ENOEXEC:
            raise LaunchError(f"`{argv[0]}` has no `#!` line and is no program") from None
        raise
    finally:
        os.close(output)
    return Child(process)


def _bytes(text: str, what: str, more: int = 0) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise LaunchError(f"{what} holds half a character (a lone surrogate)") from None
    if len(data) + more >= MAX_WORD:
        raise LaunchError(
            f"{what} has {len(data) + more:,} bytes; a process takes at most {MAX_WORD - 1:,} in "
            "one word: hand the value over as an artifact"
        )
    if b"\0" in data:
        raise LaunchError(f"{what} holds a NUL character")
    return data
