"""Replays the conformance cases on a cluster: `make e2e ENGINE=argo` or `ENGINE=kfp`.

The environment names the cluster: MLC_E2E_SERVER (the address of the Argo Server or of KFP's API
server, such as `kubectl port-forward` gives), MLC_E2E_IMAGE (an image with sh and python3),
MLC_E2E_NAMESPACE, MLC_E2E_TOKEN, MLC_E2E_INSECURE=1 for a certificate that no one knows,
MLC_E2E_CODE=1 where the image has the `conformance_steps.py` of the cases on its path.
MLC_E2E_CASES is a regular expression over names.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import argo_server
import kfp_server
from expectation import Case, Outcome, differences, read_cases
from local import copied, loaded, pipeline_of
from rest import Cluster, ServerError
from rich.console import Console
from rich.table import Table

from compiler.ir import Pipeline
from compiler.settings import TargetSettings
from compiler.values import JsonValue

Replay = Callable[[Cluster, Pipeline, TargetSettings, Mapping[str, JsonValue], float], Outcome]
ENGINES: dict[str, Replay] = {"argo": argo_server.replay, "kfp": kfp_server.replay}
IMAGE = "mlc/conformance:1"
PATIENCE = 600.0


class Verdict(NamedTuple):
    """`left_out` says why a case was not replayed; else `found` is what went another way."""

    case: str
    seconds: float
    found: tuple[str, ...] = ()
    left_out: str = ""


def left_out(case: Case, engine: str, cluster: Cluster) -> str:
    """Why a case can't be replayed, or the empty text."""
    if not case.is_for(engine):
        return f"only on {', '.join(case.expected['only'])}"
    if engine in case.expected.get("refused", {}):
        return f"refused: {', '.join(case.expected['refused'][engine])}"
    if case.needs_code and not cluster.has_code:
        return "needs code in the image (MLC_E2E_CODE=1)"
    return ""


def replay_case(case: Case, engine: str, cluster: Cluster, patience: float) -> Verdict:
    reason = left_out(case, engine, cluster)
    if reason:
        return Verdict(case.name, 0.0, left_out=reason)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        spec = copied(case, Path(folder))
        for path in spec.parent.rglob("*.yaml"):
            path.write_text(path.read_text().replace(IMAGE, cluster.image))
        read = loaded(spec)
        pipeline, settings = pipeline_of(read), read.project.target(engine)
        try:
            outcome = ENGINES[engine](cluster, pipeline, settings, case.params, patience)
            found = differences(case, outcome)
        except (ServerError, OSError) as problem:
            found = [str(problem)]
    return Verdict(case.name, time.monotonic() - started, tuple(found))


def show(verdicts: Iterable[Verdict], console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("case", "", "s", "what went another way"):
        table.add_column(column, justify="right" if column == "s" else "left")
    for verdict in verdicts:
        word = "[yellow]left out" if verdict.left_out else "[green]ok"
        word = "[red]differs" if verdict.found else word
        said = "\n".join(verdict.found) or verdict.left_out
        table.add_row(verdict.case, word, f"{verdict.seconds:.0f}", said.replace("[", r"\["))
    console.print(table)


def main(engine: str, environment: Mapping[str, str]) -> int:
    try:
        cluster = Cluster.of(environment)
    except KeyError as missing:
        sys.stderr.write(f"{missing.args[0]} is not set; see tests/e2e/replay.py\n")
        return 2
    wanted = re.compile(environment.get("MLC_E2E_CASES", ""))
    cases = [case for case in read_cases() if wanted.search(case.name)]
    verdicts = [replay_case(case, engine, cluster, PATIENCE) for case in cases]
    show(verdicts, Console())
    return 1 if any(verdict.found for verdict in verdicts) else 0


if __name__ == "__main__":
    if sys.argv[1:] not in ([name] for name in ENGINES):
        sys.exit("usage: make e2e ENGINE=argo or ENGINE=kfp")
    sys.exit(main(sys.argv[1], os.environ))
