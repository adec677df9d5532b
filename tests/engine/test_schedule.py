"""The order of a run against a plain model: random graphs, random failures, any order of ends."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from compiler.engine.schedule import Schedule


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, set[str]]:
    """Tasks and what each waits for; those waited for may be added later."""
    count = draw(st.integers(1, 12))
    names = [f"t{number}" for number in range(count)]
    after = {
        name: draw(st.sets(st.sampled_from(names[:place]), max_size=3)) if place else set()
        for place, name in enumerate(names)
    }
    return {name: after[name] for name in draw(st.permutations(names))}


@given(graphs(), st.sets(st.integers(0, 11)), st.integers(0, 2**32))
def test_what_runs_is_what_can_run(
    graph: dict[str, set[str]], failures: set[int], seed: int
) -> None:
    failing = {f"t{number}" for number in failures}
    chance = random.Random(seed)
    schedule = Schedule()
    for name, after in graph.items():
        schedule.add(name, after)
    running: list[str] = []
    ended: dict[str, bool] = {}
    stopped: list[str] = []
    while schedule.unfinished:
        taken = schedule.take(lambda _: True) if chance.random() < 0.5 else None
        if taken:
            assert all(ended[other] for other in graph[taken]), "all it waits for has succeeded"
            assert taken not in ended
            assert taken not in running
            running.append(taken)
        elif running:
            name = running.pop(chance.randrange(len(running)))
            if chance.random() < 0.2:
                schedule.give_back(name)
                continue
            ended[name] = name not in failing
            stopped += schedule.end(name, ended[name])

    def can_run(name: str) -> bool:
        return all(can_run(other) and other not in failing for other in graph[name])

    assert set(ended) == {name for name in graph if can_run(name)}
    assert sorted(stopped) == sorted(set(graph) - set(ended)), "each stopped once"


def test_ready_tasks_are_taken_in_order_as_far_as_they_fit() -> None:
    schedule = Schedule()
    for name in ("big", "small", "late"):
        schedule.add(name, ["small"] if name == "late" else [])
    assert schedule.take(lambda name: name != "big") == "small"
    assert schedule.take(lambda name: name != "big") is None
    assert schedule.end("small", True) == []
    assert [schedule.take(lambda _: True) for _ in range(3)] == ["big", "late", None]


def test_tasks_can_be_added_while_others_run() -> None:
    schedule = Schedule()
    schedule.add("loop", [])
    assert schedule.take(lambda _: True) == "loop"
    schedule.add("item", ["loop"])
    schedule.add("after", ["item", "later"])
    schedule.end("loop", True)
    schedule.add("later", ["loop"])
    assert [schedule.take(lambda _: True) for _ in range(3)] == ["item", "later", None]
    assert schedule.end("item", True) == schedule.end("later", True) == []
    assert schedule.take(lambda _: True) == "after"


def test_a_stopped_run_leaves_only_what_is_running() -> None:
    schedule = Schedule()
    for name, after in (("a", []), ("b", []), ("c", ["a"])):
        schedule.add(name, after)
    assert schedule.take(lambda _: True) == "a"
    assert schedule.abandon() == ["b", "c"]
    assert schedule.unfinished
    assert schedule.end("a", True) == []
    assert not schedule.unfinished


def test_a_long_chain_fails_at_once() -> None:
    schedule = Schedule()
    names = [f"t{number}" for number in range(5000)]
    for before, name in zip([None, *names], names, strict=False):
        schedule.add(name, [before] if before else [])
    schedule.take(lambda _: True)
    assert schedule.end("t0", False) == names[1:]
    assert not schedule.unfinished
