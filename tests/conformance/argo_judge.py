"""Argo's own validator, as `argo lint` asks it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from go_programs import go_program

Judge = Callable[[str], list[str]]


@contextmanager
def judging() -> Iterator[Judge]:
    """Says what is wrong with the text of a file of manifests; nothing, for a good one."""
    with subprocess.Popen(
        [go_program("argo40")],
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
