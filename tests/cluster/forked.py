"""`mlc` many times over: each run a process of its own, forked from one that has its modules."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path

# What `mlc submit` imports on its way to any engine.
_LOADED = (
    "compiler.cli", "compiler.commands.submit", "compiler.cluster.kfp", "compiler.cluster.argo",
    "compiler.cluster.argo.direct", "compiler.cluster.kubernetes",
)  # fmt: skip


def start(
    arguments: tuple[str, ...], folder: Path, env: Mapping[str, str], output: Path
) -> ForkServerProcess:
    """A process that runs the command line; all that it prints goes to a file."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*_LOADED])
    process = context.Process(target=_run, args=(arguments, folder, dict(env), output))
    process.start()
    return process


def _run(arguments: tuple[str, ...], folder: Path, env: dict[str, str], output: Path) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    with output.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    from compiler.cli import main

    sys.argv[:] = ["mlc", *arguments]
    main()
