"""A run for a merge request, as Markdown: what it was given, what came of it, beside the default
branch's last good run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from compiler.cluster import Engine, EngineError
from compiler.cluster.records import Marks, Run, RunQuery
from compiler.gates import Verdict
from compiler.units import duration
from compiler.values import JsonValue, to_text

_SIGNS = {"succeeded": "✅", "failed": "❌", "interrupted": "⏹️", "deleted": "🗑️"}
_VERDICTS = {"passed": "✅", "failed": "❌", "open": "➖"}
_LONGEST = 120
_MOST_STEPS = 50


class Summed(Struct, frozen=True):
    """A run with what it was given in all, and the run that it is held against."""

    algorithm: str
    run: Run
    params: Mapping[str, JsonValue]
    baseline: Run | None = None
    verdicts: tuple[Verdict, ...] = ()


def last_good(engine: Engine, marks: Marks, branch: str, run: Run) -> Run | None:
    """The last good run of an algorithm on a branch but this one, with its metrics."""
    query = RunQuery(marks.project, marks.algorithm, branch, states=frozenset({"succeeded"}))
    found = next((one for one in engine.runs(query) if one.id != run.id), None)
    return None if found is None else replace(found, metrics=engine.metrics(found))


def with_metrics(engine: Engine, run: Run, say: Callable[[str], None]) -> Run:
    """The run with its metrics; that they can't be had is a warning, since the rest is known."""
    if run.state == "deleted":
        return run
    try:
        return replace(run, metrics=engine.metrics(run))
    except EngineError as problem:
        say(f"warning: no metrics of {run.name}: {problem}")
        return run


def baseline_of(
    engine: Engine, marks: Marks, branch: str | None, say: Callable[[str], None]
) -> Run | None:
    """The last good run of an algorithm on the default branch, with its metrics; a warning where
    it can't be told."""
    if branch is None or branch == marks.branch:
        return None
    query = RunQuery(
        marks.project, marks.algorithm, branch, states=frozenset({"succeeded"}), limit=1
    )
    try:
        found = next(iter(engine.runs(query)), None)
    except EngineError as problem:
        say(f"warning: nothing to hold {marks.algorithm} against: {problem}")
        return None
    return None if found is None else with_metrics(engine, found, say)


def markdown(every: Sequence[Summed], branch: str, commit: str) -> str:
    """The text of a comment. Values of others never become markup of it."""
    parts = [f"## Runs of {_code(branch)} at {_code(commit[:8])}\n"]
    return "\n".join([*parts, *(_one(summed) for summed in every)])


def _one(summed: Summed) -> str:
    run = summed.run
    name = _text(summed.algorithm)
    state = f"{_SIGNS.get(run.state, '')} {run.state}".strip()
    if run.started is not None and run.ended is not None:
        state += f" in {duration(run.ended - run.started)}"
    link = f"[{_text(run.name)}]({run.url})" if run.url else _code(run.name)
    lines = [f"### {name}: {state}", "", f"Run {link}"]
    if summed.baseline is not None:
        base = summed.baseline
        at = f"[{_text(base.name)}]({base.url})" if base.url else _code(base.name)
        lines[-1] += f", beside {at} of the default branch"
    if run.message:
        lines += ["", f"> {_text(run.message)}"]
    lines += ["", *_gates(summed.verdicts)] if summed.verdicts else []
    lines += ["", *_metrics(summed)] if run.metrics else []
    lines += ["", *_params(summed)] if summed.params else []
    failed = [step for step in run.steps if step.state == "failed"]
    if failed:
        rows = [(_code(step.name), _text(step.message)) for step in failed[:_MOST_STEPS]]
        lines += ["", *_table(("step that failed", "why"), rows)]
    return "\n".join([*lines, ""])


def _gates(verdicts: Sequence[Verdict]) -> list[str]:
    rows = []
    for verdict in verdicts:
        numbers = ", ".join(
            f"{_code(name)} {'missing' if value is None else _number(value)}"
            for name, value in verdict.numbers
        )
        state = f"{_VERDICTS[verdict.state]} {verdict.state}"
        why = f"; {_text(verdict.why)}" if verdict.why else ""
        rows.append((_code(verdict.gate), state, f"{numbers}{why}"))
    return _table(("gate", "verdict", "numbers"), rows)


def _metrics(summed: Summed) -> list[str]:
    before = summed.baseline.metrics if summed.baseline is not None else {}
    rows = []
    for output, values in summed.run.metrics.items():
        for metric, value in values.items():
            old = before.get(output, {}).get(metric)
            row = [_code(f"{output} {metric}"), _number(value)]
            if summed.baseline is not None:
                row += ["", ""] if old is None else [_number(old), _difference(value, old)]
            rows.append(tuple(row))
    headings = ("metric", "value") if summed.baseline is None else (
        "metric", "value", "default branch", "difference",
    )  # fmt: skip
    return _table(headings, rows)


def _params(summed: Summed) -> list[str]:
    before = summed.baseline.params if summed.baseline is not None else {}
    rows = [
        (_code(name), _code(to_text(value)), _code(to_text(before[name])))
        if name in before and before[name] != value
        else (_code(name), _code(to_text(value)), "")
        for name, value in summed.params.items()
    ]
    if not any(row[2] for row in rows):
        return _table(("param", "value"), [row[:2] for row in rows])
    return _table(("param", "value", "default branch"), rows)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [headings, ["---"] * len(headings), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _number(value: float) -> str:
    return f"{value:.6g}"


def _difference(value: float, old: float) -> str:
    return f"{value - old:+.4g}" if value != old else "0"


def _text(text: str) -> str:
    """Text of others, on one line, without meaning to Markdown or HTML."""
    line = " ".join(text.split())
    line = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|!&~@" else c for c in line)


def _code(text: str) -> str:
    """The same as code, in as many backticks as it takes."""
    line = " ".join(text.split()).replace("|", "\\|")
    line = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
    ticks = "`"
    while ticks in line:
        ticks += "`"
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{space}{line}{space}{ticks}" if line else ""
