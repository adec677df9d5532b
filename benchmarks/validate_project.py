"""How many specs `mlc validate` checks a second: a project of specs of 60 lines each.

`python benchmarks/validate_project.py [SPECS]` makes the project in a temporary folder, validates
it in one process and prints specs per second of processor time, and of the clock.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# What is different from spec to spec is its name and the name of a param.
SPEC = """\
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


def write(folder: Path, count: int) -> None:
    """A project of `count` specs in a folder, which is made where it is not there."""
    specs = folder / "algorithms"
    specs.mkdir(parents=True)
    (folder / "mlc.toml").write_text("".join(_SERVERS))
    for number in range(count):
        (specs / f"algorithm_{number}.yaml").write_text(SPEC.format(number=number))


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), count)
        began = time.perf_counter()
        command = [sys.executable, "-m", "compiler", "validate"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        wall = time.perf_counter() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stderr)
    cpu = used.ru_utime + used.ru_stime
    lines = len(SPEC.splitlines())
    print(f"{count} specs of {lines} lines: {count / cpu:.0f} a second of processor time, ", end="")
    print(f"{count / wall:.0f} of the clock; {used.ru_maxrss // 1024} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
