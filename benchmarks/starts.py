"""One small pipeline from a cold start, beside the same in the peers and the bare interpreter.

The pipeline is algorithms/doc_type.yaml; for the SDK and hera it is written in by_hand/. Metaflow
gets a chain of five steps, which is less.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import others
from measuring import ROOT, Figure, Row, measure, mlc
from verdicts import Verdict, at_most, not_known

TITLE = "One small pipeline, from a cold start"
BARE, VALIDATE = "bare interpreter", "mlc validate"
DOC_TYPE = "algorithms/doc_type.yaml"
COMPILING = ("mlc compile, three targets", "kfp dsl compile, of the same written by hand")
_COMPILE, _SDK = COMPILING
_SDK_OF_OURS = "kfp dsl compile, of mlc's DSL source"
_RUNS, _PEER_RUNS = 11, 5
_COMPLETION = {"_MLC_COMPLETE": "bash_complete", "COMP_WORDS": "mlc va", "COMP_CWORD": "1"}


def rows(scratch: Path, most: int) -> Iterator[Row]:
    del most
    folder = scratch / "compiled"
    floor = measure([sys.executable, "-c", "pass"], runs=_RUNS, warm=True)
    yield Row(BARE, floor)
    for name, command, env in (
        ("mlc --help", mlc("--help"), {}),
        ("completion of a word", mlc(), _COMPLETION),
        (VALIDATE, mlc("validate", DOC_TYPE), {}),
        ("the hook on a changed file", mlc("validate", "--only-specs", DOC_TYPE), {}),
        (_COMPILE, mlc("compile", DOC_TYPE, "-o", str(folder), "-q"), {}),
    ):
        figure = measure(command, runs=_RUNS, warm=True, env=env, output=folder)
        yield Row(name, figure, {"the interpreter": figure.wall / floor.wall})
    by_hand = ROOT / "benchmarks" / "by_hand"
    yield Row(_SDK, others.sdk_compile(by_hand / "doc_type_kfp.py", scratch, 4, _PEER_RUNS))
    source = folder / "doc_type" / "kfp_dsl.py"
    yield Row(_SDK_OF_OURS, others.sdk_compile(source, scratch, 4, _PEER_RUNS))
    hera = others.hera_to_yaml(by_hand / "doc_type_hera.py", scratch, 4, _PEER_RUNS)
    yield Row("hera, to_yaml, of the same written by hand", hera)
    yield Row(
        "Metaflow, argo-workflows create of a chain of 5 steps",
        others.metaflow_create(scratch, 5, _PEER_RUNS),
    )


def verdicts(found: Mapping[str, Figure], most: int) -> Iterator[Verdict]:
    del most
    floor = found[BARE].wall
    times = [wall / floor for wall in found[VALIDATE].walls]
    yield at_most("start", "validate, by the interpreter's start", times, 8, "# ×")
    label, sdk = "compile, by `kfp dsl compile`", found[_SDK]
    if sdk.ended != "done":
        yield not_known("compile", label, sdk.ended)
    else:
        times = [wall / sdk.wall for wall in found[_COMPILE].walls]
        yield at_most("compile", label, times, 0.4, "# ×")
