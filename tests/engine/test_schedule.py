"""The order of a level against a plain model: random graphs, random ends, in any order."""

from __future__ import annotations

import random
import time

from hypothesis import given
from hypothesis import strategies as st

from compiler.engine.schedule import Outcome, Schedule, Unrun
from compiler.graph import Waits


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Waits]:
    """Nodes in any order, and what each waits for."""
    names = [f"t{number}" for number in range(draw(st.integers(1, 12)))]
    waits = {}
    for place, name in enumerate(names):
        others = draw(st.sets(st.sampled_from(names[:place]), max_size=4)) if place else set()
        strict = {other for other in others if draw(st.booleans())}
        lenient = tuple(sorted(others - strict))
        joins = (lenient,) if len(lenient) > 1 and draw(st.booleans()) else ()
        waits[name] = Waits(tuple(sorted(strict)), lenient, joins)
    return {name: waits[name] for name in draw(st.permutations(names))}


OUTCOMES = st.sampled_from(["succeeded", "succeeded", "failed", "skipped"])


@given(graphs(), st.lists(OUTCOMES, min_size=12, max_size=12), st.integers(0, 2**32))
def test_what_runs_is_what_can_run(
    graph: dict[str, Waits], outcomes: list[Outcome], seed: int
) -> None:
    would_end = {f"t{number}": outcome for number, outcome in enumerate(outcomes)}
    chance = random.Random(seed)
    schedule = Schedule(graph)
    running: list[str] = []
    ended: dict[str, Outcome] = {}
    ready = schedule.ready
    while schedule.unfinished:
        if ready and chance.random() < 0.5:
            name = ready.pop(0)
            assert all(other in ended for other in graph[name].all)
            schedule.start(name)
            running.append(name)
        elif running:
            name = running.pop(chance.randrange(len(running)))
            assert name not in ended
            ended[name] = would_end[name]
            more, unrun = schedule.end(name, ended[name])
            ready += more
            for each in unrun:
                assert each.name not in ended, "each ends once"
                ended[each.name] = each.outcome
                wanted = "skipped" if each.outcome == "skipped" else "failed"
                assert ended[each.because] == wanted

    def model(name: str) -> Outcome:
        if any(model(other) in ("failed", "omitted") for other in graph[name].all):
            return "omitted"
        groups = [(other,) for other in graph[name].strict] + list(graph[name].joins)
        if any(all(model(other) == "skipped" for other in group) for group in groups):
            return "skipped"
        return would_end[name]

    assert ended == {name: model(name) for name in graph}


def chain(count: int) -> dict[str, Waits]:
    names = [f"t{number}" for number in range(count)]
    return {
        name: Waits((before,) if before else (), ())
        for before, name in zip([None, *names], names, strict=False)
    }


def test_a_skip_waits_for_all_as_a_failure_would_count_for_more() -> None:
    schedule = Schedule({"a": Waits((), ()), "b": Waits((), ()), "c": Waits(("a", "b"), ())})
    for name in schedule.ready:
        schedule.start(name)
    assert schedule.end("a", "skipped") == ([], [])
    assert schedule.end("b", "failed") == ([], [Unrun("c", "omitted", "b")])


def test_a_stopped_level_leaves_only_what_has_started() -> None:
    schedule = Schedule({**chain(3), "other": Waits((), ())})
    assert schedule.ready == ["t0", "other"]
    schedule.start("t0")
    assert schedule.abandon() == ["other", "t1", "t2"]
    assert schedule.unfinished
    assert schedule.end("t0", "succeeded") == ([], [])
    assert not schedule.unfinished


def test_a_long_chain_fails_at_once_and_a_wide_one_too() -> None:
    names = list(chain(10_000))
    schedule = Schedule(chain(10_000))
    schedule.start("t0")
    before = time.perf_counter()
    ready, unrun = schedule.end("t0", "failed")
    assert not ready
    assert [each.name for each in unrun] == names[1:]
    assert {each.because for each in unrun} == {"t0"}
    wide = Schedule({"t0": Waits((), ()), **{n: Waits(("t0",), ()) for n in names[1:]},
                     "end": Waits(tuple(names), ())})  # fmt: skip
    wide.start("t0")
    assert wide.end("t0", "succeeded") == (names[1:], [])
    for name in names[1:]:
        wide.start(name)
        wide.end(name, "succeeded")
    assert wide.ready == ["end"]
    assert time.perf_counter() - before < 2, "linear, not with the square of their number"
