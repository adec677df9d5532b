"""`mlc logs`: what the steps of a run printed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from compiler.commands import console
from compiler.commands.show import asked_for
from compiler.diagnostics import MlcError
from compiler.engine.history import NotFoundError, RecordedStep, steps_of


def print_logs(root: Path, run: str, step: str | None = None) -> int:
    """Print the logs of a run's steps to stdout, byte for byte, all tries in their order.

    `step` is a step, or a loop for all that ran in it. Where there are several logs, each has a
    heading. A cached step has the log of the run that it was taken from.
    """
    found = asked_for(root, run)
    try:
        steps = steps_of(found, step) if step else list(found.steps)
    except NotFoundError as problem:
        raise MlcError(str(problem)) from None
    logs = [each for one in steps for each in _logs(one)]
    if not logs:
        sys.stderr.write(f"nothing of {step or found.id} was started, so there is no log\n")
    out = sys.stdout.buffer
    for title, log in logs:
        if len(logs) > 1:
            out.write(f"==> {title} <==\n".encode())
        try:
            text = (root / log).read_bytes()
        except FileNotFoundError:
            sys.stderr.write(f"the log of {title} is gone: {root / log}\n")
            continue
        out.write(text)
        if len(logs) > 1 and not text.endswith(b"\n") and text:
            out.write(b"\n")
    out.flush()
    return console.OK


def _logs(step: RecordedStep) -> Iterator[tuple[str, str]]:
    """Titles and paths, relative to the project's root."""
    if step.cached_log is not None:
        yield f"{step.name}, cached from {step.cached_from}", step.cached_log
    for each in step.tries:
        title = f"{step.name}, try {each.number}" if len(step.tries) > 1 else step.name
        yield title, each.log
