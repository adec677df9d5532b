"""One small pipeline from a cold start, beside the same in the peers and the bare interpreter."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import others
from measuring import Part, Row, Verdict, measure, mlc

_RUNS = 11
_DOC_TYPE = "algorithms/doc_type.yaml"
_COMPLETION = {"_MLC_COMPLETE": "bash_complete", "COMP_WORDS": "mlc va", "COMP_CWORD": "1"}


def part(scratch: Path) -> Part:
    rows = list(_rows(scratch))
    wall = {row.what: row.figure.wall for row in rows}
    validate = wall["mlc validate"] / wall["bare interpreter"]
    compiled = wall["mlc compile, three targets"] / wall["kfp dsl compile"]
    return Part(
        "One small pipeline, from a cold start",
        rows,
        [
            Verdict(
                "validate: 8 × the interpreter's start at most", f"{validate:.1f} ×", validate <= 8
            ),
            Verdict(
                "compile: 0.4 × `kfp dsl compile` at most", f"{compiled:.2f} ×", compiled <= 0.4
            ),
        ],
    )


def _rows(scratch: Path) -> Iterator[Row]:
    floor = measure([sys.executable, "-c", "pass"], runs=_RUNS)
    yield Row("bare interpreter", floor)
    for name, command, env in (
        ("mlc --help", mlc("--help"), {}),
        ("completion of a word", [Path(sys.executable).parent / "mlc"], _COMPLETION),
        ("mlc validate", mlc("validate", _DOC_TYPE), {}),
        ("the hook on a changed file", mlc("validate", "--only-specs", _DOC_TYPE), {}),
        (
            "mlc compile, three targets",
            mlc("compile", _DOC_TYPE, "-o", str(scratch / "compiled"), "-q"),
            {},
        ),
    ):
        figure = measure(command, runs=_RUNS, env=env, output=scratch / "compiled")
        yield Row(name, figure, f"{figure.wall / floor.wall:.1f} × the interpreter")
    source = scratch / "compiled" / "doc_type" / "kfp_dsl.py"
    yield Row("kfp dsl compile", measure(others.sdk_compile(source, scratch), runs=5))
    yield Row("hera, to_yaml of 5 steps", measure(others.hera_to_yaml(scratch, 5), runs=5))
    with others.object_store(scratch) as env:
        command = others.metaflow_create(scratch, 5)
        figure = measure(command, scratch, runs=5, env=env)
    yield Row("Metaflow, argo-workflows create of 5 steps", figure)
