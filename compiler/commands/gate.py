"""`mlc gate`: whether a run's metrics are what its spec's `gates` ask, as text and exit code."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from compiler import frontend
from compiler.commands import console
from compiler.commands.specs import find_algorithms
from compiler.diagnostics import MlcError, has_errors
from compiler.gates import Verdict, judge
from compiler.git import UNKNOWN
from compiler.ir import Gate, Pipeline

if TYPE_CHECKING:
    from compiler.cluster import Engine
    from compiler.cluster.records import Marks, Run

Metrics = Mapping[str, Mapping[str, float]]
_SIGNS = {"passed": "passed", "failed": "FAILED", "open": "open  "}


def gate_local(root: Path, run: str, *, style: str) -> int:
    """A run of this machine, beside the last good run before it.

    Raises:
        MlcError: there is no spec of its algorithm any more, or it was run with a profile.
    """
    from compiler.commands.show import asked_for
    from compiler.engine.history import latest, open_history

    found = asked_for(root, run)
    _of_no_profile(found.id, found.profiles)
    gates = _gates(found.algorithm)
    if gates is None:
        return console.FAILED
    connection = open_history(root)
    assert connection is not None, "the run was found in it"
    try:
        every = latest(connection, found.algorithm, -1)
    finally:
        connection.close()
    good = (
        one
        for one in every
        if one.status == "succeeded"
        and one.id != found.id
        and one.started <= found.started
        and not one.profiles
    )
    baseline = next(good, None)
    name = baseline.id if baseline else None
    before = baseline.metrics if baseline else None
    return tell(found.id, gates, found.status, found.metrics, name, before, style)


def gate_remote(name: str | None, run: str, *, style: str, verbose: bool = False) -> int:
    """A run of an engine, beside the default branch's last good run.

    Raises:
        EngineError: the engine can't be reached, or says no.
        MlcError: there is no spec of its algorithm any more, or it was run with a profile.
    """
    from compiler.commands.engines import connected, here, settings_of
    from compiler.commands.remote import asked_for
    from compiler.submission.branch import read_branch
    from compiler.submission.summary import last_good

    project = here()
    default = read_branch(project.root).default
    with connected(settings_of(project, name), verbose) as engine:
        found = asked_for(engine, project, run)
        own = found.marks
        if own is None:
            return console.FAILED
        gates = _gates(own.algorithm, found.name, own.branch)
        if gates is None:
            return console.FAILED
        # Metrics that can't be read are an error here, for they are all that is asked for.
        found = replace(found, metrics=engine.metrics(found))
        baseline = last_good(engine, own, default, found) if default else None
    before = baseline.metrics if baseline else None
    base_name = baseline.name if baseline else None
    return tell(found.name, gates, found.state, found.metrics, base_name, before, style)


def judged(
    engine: Engine,
    pipeline: Pipeline,
    marks: Marks,
    run: Run,
    default: str | None,
    say: Callable[[str], None],
) -> tuple[tuple[Verdict, ...], Run | None]:
    """What the gates of a spec say of a run that has ended, beside the last good one of the branch
    `default`, and that one where it was read. With a profile it is another run than they mean."""
    from compiler.cluster import EngineError
    from compiler.submission.summary import last_good

    if not pipeline.gates or pipeline.profiles or run.state != "succeeded":
        return (), None
    baseline, unread = None, ""
    try:
        baseline = last_good(engine, marks, default, run) if default else None
    except EngineError as problem:
        say(f"warning: nothing to hold {pipeline.name} against: {problem}")
        unread = "the run to compare with can't be read"
    before = baseline.metrics if baseline else None
    return tuple(verdicts(pipeline.gates, run.metrics, before, unread)), baseline


def verdicts(
    gates: Sequence[Gate], metrics: Metrics, baseline: Metrics | None, unread: str = ""
) -> list[Verdict]:
    """`unread` is why a baseline there may be can't be read: what can't be told has not passed."""
    found = [judge(gate.text, gate.comparison, metrics, baseline) for gate in gates]
    if not unread:
        return found
    return [replace(v, state="failed", why=unread) if v.state == "open" else v for v in found]


def tell(
    name: str,
    gates: Sequence[Gate],
    state: str,
    metrics: Metrics,
    baseline: str | None,
    before: Metrics | None,
    style: str,
) -> int:
    """Print the verdict: 0 where the run succeeded and no gate failed."""
    found = verdicts(gates, metrics, before)
    passed = state in ("succeeded", "cached") and passes(found)
    if style == "json":
        console.print_json(
            {
                "run": name,
                "status": state,
                "baseline": baseline,
                "passed": passed,
                "gates": [as_data(verdict) for verdict in found],
            }
        )
        return console.OK if passed else console.FAILED
    beside = f", beside {baseline}" if baseline else ", with nothing to compare with"
    sys.stdout.write(f"{name}  {state}{beside}\n")
    sys.stdout.writelines(f"  {line}\n" for line in lines(found))
    if not gates:
        sys.stderr.write("the spec has no gates\n")
    return console.OK if passed else console.FAILED


def passes(found: Iterable[Verdict]) -> bool:
    return all(verdict.state != "failed" for verdict in found)


def lines(found: Iterable[Verdict]) -> Iterator[str]:
    """Each gate with its numbers."""
    for verdict in found:
        numbers = ", ".join(
            f"{name} = {'missing' if value is None else f'{value:.6g}'}"
            for name, value in verdict.numbers
        )
        why = f"; {verdict.why}" if verdict.why else ""
        yield f"{_SIGNS[verdict.state]}  {verdict.gate}  ({numbers}{why})"


def as_data(verdict: Verdict) -> dict[str, object]:
    return {
        "gate": verdict.gate,
        "state": verdict.state,
        "numbers": dict(verdict.numbers),
        "why": verdict.why,
    }


def _of_no_profile(run: str, profiles: Sequence[str]) -> None:
    """What a profile makes of a spec is another pipeline than its gates mean."""
    if profiles:
        given = ", ".join(profiles)
        raise MlcError(f"{run} was run with {given}, and gates are of runs without profiles")


def _profiles_of(branch: str, known: Collection[str]) -> list[str]:
    """Those behind a branch in the mark of its run (`main@toy`); a branch may have an `@` too."""
    behind = reversed(branch.split("@")[1:])
    return list(itertools.takewhile(known.__contains__, behind))[::-1]


def _gates(algorithm: str, run: str = "", branch: str = "") -> tuple[Gate, ...] | None:
    """Those of an algorithm's spec as it is now; None where it has errors, which are shown. With
    the mark `branch` of a run that may be one with profiles."""
    plain = algorithm.replace("_", "-")
    # Most are called as their file, and each that is built costs.
    for spec in sorted(find_algorithms(()), key=lambda spec: _name(None, spec) != plain):
        document = console.document(spec)
        loaded = frontend.build(document, git=UNKNOWN)
        if _name(loaded.pipeline, spec) != plain:
            continue
        if loaded.pipeline is None:
            console.report([d for d in loaded.diagnostics if has_errors([d])], loaded.sources)
            return None
        _of_no_profile(run, _profiles_of(branch, document.profiles))
        return loaded.pipeline.gates
    raise MlcError(f"no spec in algorithms/ is called {algorithm}, so there are no gates to hold")


def _name(pipeline: Pipeline | None, spec: str) -> str:
    """Of a spec with errors what its file is called."""
    return pipeline.kubernetes_name if pipeline else Path(spec).stem.replace("_", "-")
