"""Argo's own validators, as `argo lint` asks them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from go_programs import go_program

# The programs of tests/golang by the versions that their go.mod names.
VERSIONS = {"3.7": "argo37", "4.0": "argo40"}
Judge = Callable[[str], list[str]]
Judges = Callable[[str], dict[str, list[str]]]


@contextmanager
def judging() -> Iterator[Judges]:
    """Says what each version finds wrong with the text of a file of manifests."""
    with ExitStack() as running:
        judges = {v: running.enter_context(_judging(p)) for v, p in VERSIONS.items()}
        yield lambda text: {version: judge(text) for version, judge in judges.items()}


@contextmanager
def _judging(program: str) -> Iterator[Judge]:
    with subprocess.Popen(
        [go_program(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as running:
        assert running.stdin is not None and running.stdout is not None
        lines_in, lines_out = running.stdin, running.stdout

        def judge(text: str) -> list[str]:
            lines_in.write(json.dumps({"text": text}) + "\n")
            lines_in.flush()
            wrong: list[str] = json.loads(lines_out.readline())["wrong"]
            return wrong

        yield judge
        lines_in.close()
