"""The conformance cases: what each says of a run, and how a run differs from that.

Knows no engine: the local engine and clusters both give an `Outcome`. A case is a folder with

- `spec.yaml`, and other specs and code that it uses;
- `params.yaml`: values of the run over the defaults, if any;
- `expected.yaml`: `run` (how it ends), `steps` (the state of each instance; a loop that did not
  begin stands there by its own name), `traces` (what a step printed after `MLC-TRACE `, as JSON),
  `outputs` (values; an artifact as its text), `order` (pairs: the first has to end before the
  second begins), `sooner` (the same, but only by the clock), `tries`, `result` (outputs of the
  algorithm), `refused` (fields by target), and `only` with the engines that can show it, where not
  all can.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

CASES = Path(__file__).parent / "cases"
MARK = "MLC-TRACE "
UNRUN = ("skipped", "omitted")


class Outcome(NamedTuple):
    """What an engine says of a run that has ended, by step instance (`fit.0`).

    `times` are seconds of start and end. What an engine does not tell is None. Without
    `tells_unrun` it does not tell skipped steps from omitted ones, nor of all of them: those that
    it knows of are `not run`. Without a clock, `times` follow from what has to come before.
    """

    status: str
    states: Mapping[str, str]
    traces: Mapping[str, Any] | None
    outputs: Mapping[str, Mapping[str, Any]] | None
    times: Mapping[str, tuple[float, float]]
    tries: Mapping[str, int] | None
    result: Mapping[str, Any] | None
    tells_unrun: bool = True
    has_clock: bool = True


class Case(NamedTuple):
    folder: Path
    expected: Mapping[str, Any]
    params: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def spec(self) -> Path:
        return self.folder / "spec.yaml"

    def is_for(self, engine: str) -> bool:
        """Whether an engine can show it: `local`, `argo` or `kfp`."""
        return engine in self.expected.get("only", (engine,))

    @property
    def needs_code(self) -> bool:
        """Whether its steps import code that lies beside the spec."""
        return any(self.folder.glob("*.py"))


def read_case(folder: Path) -> Case:
    expected = yaml.safe_load((folder / "expected.yaml").read_text())
    params = folder / "params.yaml"
    return Case(folder, expected, yaml.safe_load(params.read_text()) if params.exists() else {})


def read_cases() -> list[Case]:
    return [read_case(path) for path in sorted(CASES.iterdir())]


def trace_of(log: str) -> Any:
    """What a step's log tells, by its last mark; None where there is none."""
    for line in reversed(log.splitlines()):
        if line.startswith(MARK):
            return json.loads(line.removeprefix(MARK))
    return None


def differences(case: Case, outcome: Outcome) -> list[str]:
    """How a run went another way than its case says, a line for each; empty where it did not."""
    return list(_differences(case.expected, outcome))


def _differences(expected: Mapping[str, Any], outcome: Outcome) -> Iterator[str]:
    if outcome.status != expected["run"]:
        yield f"the run {outcome.status}, and should have {expected['run']}"
    states = expected["steps"]
    for step in dict.fromkeys([*states, *outcome.states]):
        wanted, found = states.get(step, "not there"), outcome.states.get(step, "not there")
        if not outcome.tells_unrun and wanted in UNRUN and found in ("not run", "not there"):
            continue
        if wanted != found:
            yield f"{step}: {found}, should be {wanted}"
    if outcome.traces is not None:
        for step, trace in expected.get("traces", {}).items():
            yield from _differs(f"{step} tells", trace, outcome.traces.get(step))
    if outcome.outputs is not None:
        for step, outputs in expected.get("outputs", {}).items():
            found_ones = outcome.outputs.get(step, {})
            for name, value in outputs.items():
                yield from _differs(f"{step}.{name}", value, found_ones.get(name))
    sooner = expected.get("sooner", ()) if outcome.has_clock else ()
    for first, second in (*expected.get("order", ()), *sooner):
        if first not in outcome.times or second not in outcome.times:
            yield f"{first} or {second} did not run, so one was not before the other"
        elif outcome.times[first][1] > outcome.times[second][0]:
            yield f"{second} began before {first} had ended"
    if outcome.tries is not None:
        for step, tries in expected.get("tries", {}).items():
            yield from _differs(f"tries of {step}", tries, outcome.tries.get(step))
    if outcome.result is not None and "result" in expected:
        yield from _differs("outputs of the algorithm", expected["result"], dict(outcome.result))


def _differs(what: str, wanted: Any, found: Any) -> Iterator[str]:
    if not same(wanted, found):
        yield f"{what}: {json.dumps(found, ensure_ascii=False)}\n" + (
            f"{'should be':>{len(what)}}: {json.dumps(wanted, ensure_ascii=False)}"
        )


def same(one: Any, other: Any) -> bool:
    """Equality as JSON has it: 1 and 1.0 are one number, but 1 is not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
