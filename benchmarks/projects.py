"""A project of a thousand specs of sixty lines: validated and compiled, by one process and two."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from measuring import Figure, Row, measure, mlc
from verdicts import Verdict, at_least

TITLE = "A project of many specs"
VERBS = {"validated": ["validate"], "compiled to three targets": ["compile", "-q"]}
_RATES = {"validated": 500, "compiled to three targets": 200}
_COUNT, _RUNS = 1000, 3
_TWO = "two processes" + (", on one core" if os.cpu_count() == 1 else "")

# What is different from spec to spec is its name and the name of a param.
_SPEC = """\
apiVersion: mlc/v1
kind: Algorithm
name: algorithm_{number}
description: Predicts the type of a report from its text.
owner: team-ia
tags: [nlp, reports]

image: registry.example.com/ia/algorithm:1.4.2

params:
  max_documents: {{type: integer, default: 5000, minimum: 1, description: How many to read.}}
  solver: {{type: string, default: lbfgs, enum: [lbfgs, saga]}}
  rate_{number}: {{type: number, default: 1e-3, exclusiveMinimum: 0, maximum: 1}}
  least: 0.8
  warm_start: false

inputs:
  reports: {{type: Dataset, default: "s3://ia-data/reports/2026-11"}}

steps:
  fetch_dataset:
    command: [python, -m, algorithm.fetch_dataset]
    args:
      - --limit: ${{{{ params.max_documents }}}}
        --reports: ${{{{ inputs.reports }}}}
        --out: ${{{{ outputs.dataset }}}}
    outputs: {{dataset: Dataset}}

  build_and_fit:
    command: [python, -m, algorithm.fit]
    args:
      - --dataset: ${{{{ inputs.dataset }}}}
        --solver: ${{{{ params.solver }}}}
        --rate: ${{{{ params.rate_{number} }}}}
        --warm-start: ${{{{ params.warm_start }}}}
        --model: ${{{{ outputs.model }}}}
    inputs: {{dataset: "${{{{ steps.fetch_dataset.outputs.dataset }}}}"}}
    outputs: {{model: Model}}
    resources: {{cpu: 4, memory: 8Gi, shm: 2Gi}}
    retry: {{max: 2, backoff: 30s, factor: 2}}
    timeout: 2h

  evaluate_model:
    command: [python, -m, algorithm.evaluate]
    args:
      - --model: ${{{{ steps.build_and_fit.outputs.model }}}}
        --metrics: ${{{{ outputs.metrics }}}}
        --accuracy: ${{{{ outputs.accuracy }}}}
    outputs: {{metrics: Metrics, accuracy: number}}

  report:
    when: ${{{{ steps.evaluate_model.outputs.accuracy >= params.least }}}}
    inputs: {{metrics: "${{{{ steps.evaluate_model.outputs.metrics }}}}"}}
    outputs: {{page: HTML}}
    script: |
      render-report "$INPUT_METRICS" > "$OUTPUT_PAGE"

schedules:
  weekly: {{cron: "0 3 * * 1", timezone: Europe/Paris}}
"""
# The specs' schedules are told in the time of Paris, and a KFP server has one time zone.
_SERVERS = [f'[targets.{name}]\ntimezone = "Europe/Paris"\n' for name in ("kfp", "kfp-dsl")]


def rows(scratch: Path, most: int) -> Iterator[Row]:
    count = min(_COUNT, most)
    folder = write(scratch / "specs", count)
    specs = sorted(f"algorithms/{path.name}" for path in (folder / "algorithms").iterdir())
    build = folder / "build"
    for verb, arguments in VERBS.items():
        one = measure(mlc(*arguments), folder, runs=_RUNS, output=build)
        yield Row(_name(count, verb), one, more=f"{count / one.cpu:.0f} specs a second")
        halves = [mlc(*arguments, *specs[first::2]) for first in (0, 1)]
        two = measure(halves[0], folder, beside=halves[1], runs=_RUNS, output=build)
        faster = {"as fast": one.wall / two.wall}
        yield Row(f"{_name(count, verb)}, {_TWO}", two, faster, "the peak is the sum of both")


def verdicts(found: Mapping[str, Figure], most: int) -> Iterator[Verdict]:
    count = min(_COUNT, most)
    for verb, rate in _RATES.items():
        rates = [count / cpu for cpu in found[_name(count, verb)].cpus]
        yield at_least(verb, verb, rates, rate, "# specs a second")


def write(folder: Path, count: int) -> Path:
    """A project of `count` specs in a new folder."""
    specs = folder / "algorithms"
    specs.mkdir(parents=True)
    (folder / "mlc.toml").write_text("".join(_SERVERS))
    for number in range(count):
        (specs / f"algorithm_{number}.yaml").write_text(_SPEC.format(number=number))
    return folder


def _name(count: int, verb: str) -> str:
    return f"{count:,} specs {verb}"
