"""The local engine: runs a pipeline on this machine, as processes, from the IR the targets get.

On the way of the data it stands where a target does, but for its end: not a file, a recorded run
with its artifacts under the project's `.mlc/`.
"""

from compiler.engine.events import (
    Event,
    Listener,
    Note,
    RunEnded,
    RunResult,
    RunStarted,
    StepChanged,
    StepResult,
)
from compiler.engine.run import Options, run

__all__ = [
    "Event",
    "Listener",
    "Note",
    "Options",
    "RunEnded",
    "RunResult",
    "RunStarted",
    "StepChanged",
    "StepResult",
    "run",
]
