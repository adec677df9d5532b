"""Argo's own validators, as `argo lint` asks them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

from go_programs import go_program

# The programs of tests/golang by the versions that their go.mod names.
VERSIONS = {"3.7": "argo37", "4.0": "argo40"}
Judges = Callable[[str], dict[str, list[str]]]


@contextmanager
def judging() -> Iterator[Judges]:
    """Says what each version finds wrong with the text of a file of manifests."""
    with ExitStack() as stack:
        running = {v: stack.enter_context(_running(p)) for v, p in VERSIONS.items()}

        def judge(text: str) -> dict[str, list[str]]:
            # All are asked before one has answered, so that they judge at the same time.
            for asked, _ in running.values():
                asked.write(json.dumps({"text": text}) + "\n")
                asked.flush()
            return {v: json.loads(told.readline())["wrong"] for v, (_, told) in running.items()}

        yield judge


@contextmanager
def _running(program: str) -> Iterator[tuple[IO[str], IO[str]]]:
    with subprocess.Popen(
        [go_program(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        yield process.stdin, process.stdout
        process.stdin.close()
