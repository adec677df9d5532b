"""docs/compatibility.md says what the tests show: which engine took or ran how many of the cases.

It counts the cases that the judges' tests are asked about, and each of these has to pass there. The
versions are those of the programs that judge. `pytest tests/conformance --update-golden` writes it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import test_argo_cluster
import test_dsl
import test_kfp_conditions
from expectation import Case, read_cases

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/compatibility.md"
CASES = read_cases()
# What cases show, by how their names begin.
FEATURES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "values, types and quoting",
        ("values", "numbers", "literals", "unicode", "python", "boolean"),
    ),
    ("outputs, artifacts, metrics", ("output", "missing", "artifact", "input", "metrics")),
    ("order: data and `needs`", ("diamond", "needs", "failure")),
    ("`when`", ("when",)),
    ("`??`", ("fallback",)),
    ("groups", ("group", "skipped_group")),
    ("`foreach`", ("loop",)),
    ("`finally` and `run.status`", ("finally",)),
    ("components, algorithms as steps, `extends`", ("use", "extends")),
    ("`retry`, `timeout`, `cache`", ("retry", "timeout", "cache")),
    ("resources", ("amount",)),
    ("flags, scripts, names of the run", ("flags", "script", "run_names")),
    ("all of it together", ("everything",)),
)

PREFACE = """\
# Which engine takes what

The tests make this from the conformance cases (tests/conformance), and each number is held by them;
don't edit it. A number is how many of the cases of a row went through:

- **here**: run by `mlc run`.
- **run**: run to the end by Argo's own controller; states, values and order are as expected.
- **lint**: accepted by Argo's own validator, with strict decoding, as `argo lint` asks it.
- **schemas**: accepted by strict schemas of the resource definitions.
- **round trip**: read by hera's models and written again, with nothing lost or changed.
- **read**: pipeline and platform are read by Go's protojson, as KFP's API server does.
- **IR**: accepted by the rules of KFP's API server and compiler, which the tests write down anew,
  and loaded by the SDK.
- **conditions**: the steps that run by the answers of the CEL that KFP is built with, on a model of
  its driver, are those that run here.
- **DSL**: Python source that the SDK compiles to the same pipeline as the IR.

Lint, schemas, round trip, read and IR also hold for all algorithms and examples, and on CI for
those of 1,000 specs at random that are not refused. Nothing here has been tried on a cluster yet;
`make e2e` does that.
"""


def version(program: str, module: str) -> str:
    """The version of a Go module that a program of tests/golang is built with."""
    text = (ROOT / "tests/golang" / program / "go.mod").read_text()
    found = re.search(rf"\b{re.escape(module)} v(\S+)", text)
    assert found is not None
    return found[1]


def package(name: str) -> str:
    """The version of a Python package that the tests run with."""
    text = (ROOT / "constraints.txt").read_text()
    found = re.search(rf"^{name}==(\S+)$", text, re.MULTILINE)
    assert found is not None
    return found[1]


def not_refused(target: str) -> set[str]:
    return {case.name for case in CASES if target not in case.expected.get("refused", {})}


def columns() -> Mapping[str, Collection[str]]:
    """The names of the cases that each engine took or ran."""
    sdk = package("kfp")
    argo = "github.com/argoproj/argo-workflows/v"
    return {
        "here": {case.name for case in CASES if case.is_for("local")},
        f"Argo {version('argocluster', argo + '4')}, run": set(test_argo_cluster.CASES),
        f"Argo {version('argo40', argo + '4')}, lint": not_refused("argo"),
        f"Argo {version('argo37', argo + '3')}, lint": not_refused("argo"),
        "Argo 4.1, schemas": not_refused("argo"),
        f"hera {package('hera')}, round trip": not_refused("argo"),
        f"protojson {version('kfpreader', 'google.golang.org/protobuf')}, read": not_refused("kfp"),
        f"KFP {sdk}, IR": not_refused("kfp"),
        f"cel-go {version('expressions', 'github.com/google/cel-go')}, conditions": {
            case.name for case in test_kfp_conditions.CASES
        },
        f"KFP {sdk}, DSL": {case.name for case in test_dsl.SAID},
    }


def feature_of(case: Case) -> str:
    found = [name for name, starts in FEATURES if case.name.startswith(starts)]
    assert len(found) == 1, f"{case.name} shows {found or 'no feature that FEATURES knows'}"
    return found[0]


def lines() -> Iterator[str]:
    yield PREFACE
    table = columns()
    yield f"| | cases | {' | '.join(table)} |"
    yield f"|---|---:|{'---:|' * len(table)}"
    for feature in [name for name, _ in FEATURES]:
        names = {case.name for case in CASES if feature_of(case) == feature}
        counts = [str(len(names & set(taken))) for taken in table.values()]
        yield f"| {feature} | {len(names)} | {' | '.join(counts)} |"
    counts = [str(len(set(taken))) for taken in table.values()]
    yield f"| **all** | {len(CASES)} | {' | '.join(counts)} |"
    yield ""
    yield "## What is left out"
    yield ""
    yield "A target refuses, with the place in the spec, what its engine cannot say:"
    yield ""
    refused: dict[str, list[str]] = {}
    for case in CASES:
        for target, fields in case.expected.get("refused", {}).items():
            for field in fields:
                refused.setdefault(f"`{target}`: `{field}`", []).append(case.name)
    for what, names_of in sorted(refused.items()):
        yield f"- {what}: cases {len(names_of)}"
    yield ""
    yield "Cases that not every engine can show:"
    yield ""
    for case in CASES:
        if "only" in case.expected:
            yield f"- `{case.name}`: {', '.join(case.expected['only'])}"


def test_the_table(update_golden: bool) -> None:
    text = "\n".join(lines()) + "\n"
    if update_golden:
        DOCUMENT.write_text(text)
    assert DOCUMENT.read_text() == text


def test_one_version_of_argo_validates_and_runs() -> None:
    """It is raised in both programs, and in what docs/engines.md says was seen."""
    argo = "github.com/argoproj/argo-workflows/v"
    newest = version("argo40", argo + "4")
    assert newest == version("argocluster", argo + "4")
    text = (ROOT / "docs/engines.md").read_text()
    assert f"({version('argo37', argo + '3')}, {newest})" in text
    assert f"its own controller ({newest})" in " ".join(text.split())
