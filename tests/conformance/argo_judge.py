"""Argo's own validators, as `argo lint` asks them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from go_programs import running

# The programs of tests/golang by the versions that their go.mod names.
VERSIONS = {"3.7": "argo37", "4.0": "argo40"}
Judges = Callable[[str], dict[str, list[str]]]


@contextmanager
def judging() -> Iterator[Judges]:
    """Says what each version finds wrong with the text of a file of manifests."""
    with ExitStack() as stack:
        processes = {v: stack.enter_context(running(p)) for v, p in VERSIONS.items()}

        def judge(text: str) -> dict[str, list[str]]:
            # All are asked before one has answered, so that they judge at the same time.
            for asked, _ in processes.values():
                asked.write(json.dumps({"text": text}) + "\n")
                asked.flush()
            return {v: json.loads(told.readline())["wrong"] for v, (_, told) in processes.items()}

        yield judge
