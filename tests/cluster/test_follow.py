"""Runs followed to their end, and what is told of them, while the engine has troubles."""

from __future__ import annotations

import pytest
from cluster.world import MARKS, World
from msgspec.structs import replace

from compiler.cluster import EngineError
from compiler.cluster.records import StepState
from compiler.ir import Pipeline
from compiler.submission.follow import Away, Event, Looked, follow
from compiler.submission.summary import baseline_of, with_metrics


def test_each_change_of_a_step_is_told_once(world: World, pipeline: Pipeline) -> None:
    run = world.submit(pipeline)
    told: list[Event] = []
    (ended,) = follow(world.engine, [run], told.append, wait=0.01)
    assert ended.state == "succeeded"
    steps: list[StepState] = [s for e in told if isinstance(e, Looked) for s in e.steps]
    ends = [step.name for step in steps if step.state == "succeeded"]
    assert ends == ["read_rows", "train_it"]
    assert len({(step.name, step.state) for step in steps}) == len(steps)


def test_a_run_that_cannot_be_read_ends_the_wait_while_others_can(
    world: World, pipeline: Pipeline
) -> None:
    """Answers for one run are no sign that the other will be told of."""
    well, ill = world.submit(pipeline, "k1"), world.submit(pipeline, "k2")
    world.hold()
    world.server.faults.add("500", f"^GET .*{ill.id}$", times=10**6)
    told: list[Event] = []
    with pytest.raises(EngineError):
        follow(world.engine, [well, ill], told.append, wait=0.01, patience=0.5)
    assert [event for event in told if isinstance(event, Away)] != []


def test_a_run_that_is_deleted_has_ended_with_that(world: World, pipeline: Pipeline) -> None:
    """The other one is followed on; a 404 of what stands before the server is no deletion."""
    well, gone = world.submit(pipeline, "k1"), world.submit(pipeline, "k2")
    world.server.faults.add("404", f"^GET .*{well.id}$", skip=1)
    told: list[Event] = []

    def listen(event: Event) -> None:
        told.append(event)
        if isinstance(event, Looked) and event.run.id == gone.id and len(told) < 3:
            world.delete(gone.id)

    one, other = follow(world.engine, [well, gone], listen, wait=0.01)
    assert (one.state, other.state) == ("succeeded", "deleted")
    assert "it is on the engine no more" in other.message
    said: list[str] = []
    assert with_metrics(world.engine, other, said.append) == other and not said


def test_an_archived_run_is_followed_on(world: World, pipeline: Pipeline) -> None:
    if not world.is_kfp:
        pytest.skip("Argo archives no runs that go on")
    run = world.submit(pipeline)
    told: list[Event] = []

    def listen(event: Event) -> None:
        told.append(event)
        if len(told) == 1:
            world.server.app.runs[run.id].storage_state = "ARCHIVED"

    (ended,) = follow(world.engine, [run], listen, wait=0.01)
    assert ended.state == "succeeded"
    away = [isinstance(event, Looked) and event.is_put_away for event in told]
    assert away.count(True) == 1


def test_metrics_that_cannot_be_had_are_a_warning(world: World, pipeline: Pipeline) -> None:
    """What a run came to is known without them."""
    run = world.submit(pipeline)
    world.finish(run.id)
    ended = world.engine.run(run.id)
    said: list[str] = []
    world.server.faults.add("500", "^GET ", times=10**6)
    found = with_metrics(world.engine, ended, said.append)
    assert (found.metrics, found.state) == ({}, "succeeded")
    assert len(said) == 1
    said.clear()
    assert baseline_of(world.engine, replace(MARKS, branch="x"), "main", said.append) is None
    assert len(said) == 1


@pytest.mark.parametrize("live", ["", '{"error_message": "no such pod"}'])
def test_a_log_of_kfp_is_found_by_each_way(world: World, pipeline: Pipeline, live: str) -> None:
    """The API server's own way answers 200 with nothing, or with an error, for a pod that is
    gone; the UI's server and the archive have the log still."""
    if not world.is_kfp:
        pytest.skip("Argo has one way to a log")
    run = world.submit(pipeline)
    world.finish(run.id)
    ended = world.engine.run(run.id)
    world.server.app.live_logs = live  # type: ignore[attr-defined]
    assert [line.endswith("has begun") for line in world.engine.log(ended, "train_it")] == [True]
    world.server.faults.add("404", "^GET /k8s/pod/logs", times=10**6)
    assert [line.endswith("has begun") for line in world.engine.log(ended, "train_it")] == [True]
