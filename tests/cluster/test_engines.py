"""The engines asked through their protocol, against servers that keep state."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import pytest
from cluster.world import MARKS, World
from msgspec.structs import replace

from compiler.cluster.errors import EngineError
from compiler.cluster.records import ENDED, RunQuery, State
from compiler.ir import Pipeline
from compiler.settings import TargetSettings


def test_a_run_from_nothing_to_its_end(world: World, pipeline: Pipeline) -> None:
    engine = world.engine
    engine.check()
    assert engine.find_run("k1") is None
    run = world.submit(pipeline)
    assert not run.is_ended
    found = engine.find_run("k1")
    assert found is not None and found.id == run.id
    world.finish(run.id)
    read = engine.run(run.id)
    assert read.state == "succeeded" and read.is_ended
    assert [(s.name, s.state) for s in read.steps] == [
        ("read_rows", "succeeded"), ("train_it", "succeeded"),
    ]  # fmt: skip
    assert read.marks is not None and read.marks.key == "k1" and read.marks.project == "ia"
    assert read.ended and read.created and read.ended >= read.created
    assert str(read.params["rows"]) == "7" and read.params["label"] == ""
    (line,) = engine.log(read, "train_it")
    assert line.startswith("train-it") and line.endswith("has begun")


def test_what_is_there_is_not_made_again(world: World, pipeline: Pipeline) -> None:
    first = world.submit(pipeline)
    posts = world.server.count("^POST /api")
    again = world.submit(pipeline)
    assert again.id == first.id
    assert world.server.count("^POST /api") == posts
    other = world.submit(pipeline, "k2")
    assert other.id != first.id
    listed = list(world.engine.runs(RunQuery(project="ia")))
    assert {run.id for run in listed} == {first.id, other.id}
    assert not list(world.engine.runs(RunQuery(project="other")))
    assert len(list(world.engine.runs(RunQuery(branch=MARKS.branch, limit=1)))) == 1


@pytest.mark.parametrize("fault", ["drop", "lose", "truncated", "cut", "500", "503", "429"])
def test_lost_answers_make_nothing_twice(world: World, pipeline: Pipeline, fault: str) -> None:
    for on in ("POST .*(pipelines|templates)", "POST .*upload_version", "POST .*(runs|workflows)"):
        world.server.faults.add(fault, on=on)
    first = world.submit(pipeline)
    assert [run.id for run in world.engine.runs(RunQuery(project="ia"))] == [first.id]
    assert len(list(world.engine.versions("ia"))) == 1


def test_versions_tell_what_they_are(world: World, pipeline: Pipeline) -> None:
    version, manifest, _ = world.published(pipeline)
    assert version.name == MARKS.version
    assert version.marks is not None
    assert (version.marks.commit, version.marks.digest) == (MARKS.commit, MARKS.digest)
    assert version.marks.branch == MARKS.branch
    found = world.engine.find_version(manifest, MARKS.version)
    assert found is not None and found.id == version.id
    assert world.engine.find_version(manifest, "v-other") is None
    assert [v.id for v in world.engine.versions("ia", "doc-type")] == [version.id]
    assert not list(world.engine.versions("other"))
    documents = world.engine.version(version).documents
    assert [d.get("spec", d) for d in documents] == [d.get("spec", d) for d in manifest.documents]
    world.engine.delete_version(version)
    assert not list(world.engine.versions("ia"))
    world.engine.delete_version(version)


def test_a_branch_leaves_the_default_branch_alone(world: World, pipeline: Pipeline) -> None:
    version, _, _ = world.published(pipeline)
    own = replace(MARKS, version="v-branch")
    manifest = world.engine.compiled(pipeline, TargetSettings(), "IA-1742/doc type")
    world.engine.publish(manifest, own)
    before = world.engine.find_version(
        world.engine.compiled(pipeline, TargetSettings()), MARKS.version
    )
    assert before is not None and before.id == version.id
    assert len(list(world.engine.versions("ia", "doc-type"))) == 2


def test_what_is_foreign_stays(world: World, pipeline: Pipeline) -> None:
    world.published(pipeline)
    manifest = world.engine.compiled(pipeline, TargetSettings())
    with pytest.raises(EngineError, match="of the project ia, so it stays as it is"):
        world.engine.publish(manifest, replace(MARKS, project="other", version="v-2"))


def test_schedules(world: World, pipeline: Pipeline) -> None:
    engine = world.engine
    version, manifest, experiment = world.published(pipeline)
    spec = manifest.schedules[0]
    made = engine.put_schedule(spec, version, manifest, experiment, MARKS)
    assert made.enabled and made.spec.cron == "30 2 * * *" and made.spec.name == "nightly"
    assert str(made.spec.params["rows"]) == "5"
    assert made.marks is not None and made.marks.version == MARKS.version
    again = engine.put_schedule(spec, version, manifest, experiment, MARKS)
    assert again.id == made.id
    engine.disable_schedule(made)
    assert [s.enabled for s in engine.schedules("ia")] == [False]
    assert [s.enabled for s in engine.schedules("ia", "doc-type")] == [False]
    newer = replace(MARKS, version="v-2")
    moved = engine.put_schedule(spec, version, manifest, experiment, newer)
    count = 1 if engine.replaces_schedules else 2
    assert len(list(engine.schedules("ia"))) == count
    engine.delete_schedule(moved)
    engine.delete_schedule(moved)
    assert len(list(engine.schedules("ia"))) == count - 1
    assert not list(engine.schedules("other"))


def test_what_a_schedule_starts_is_known_for_whose_it_is(world: World, pipeline: Pipeline) -> None:
    """KFP's controller hands on nothing of what a recurring run says of itself."""
    engine = world.engine
    version, manifest, experiment = world.published(pipeline)
    made = engine.put_schedule(manifest.schedules[0], version, manifest, experiment, MARKS)
    app: Any = world.server.app
    with world.server.lock:
        app.trigger(made.id) if world.is_kfp else app.cluster.trigger("default", made.id)
    query = RunQuery("ia", "doc-type", MARKS.branch)
    (run,) = engine.runs(query)
    assert run.schedule == made.id
    assert not list(engine.runs(replace(query, project="other")))
    assert not list(engine.runs(replace(query, algorithm="doc-type-2")))
    for found in (run, engine.run(run.id)):
        assert found.marks is not None and found.marks.algorithm == "doc-type"
        assert found.marks.commit.startswith(MARKS.commit[:12])


def test_only_runs_of_the_states_asked_for_are_sent(world: World, pipeline: Pipeline) -> None:
    """A namespace has years of runs that have ended."""
    ended = [world.submit(pipeline, f"k{number}") for number in range(3)]
    for run in ended:
        world.finish(run.id)
    world.hold()
    under_way = world.submit(pipeline, "more")
    sent: list[int] = []

    def watch(_: Any, request: Any, answer: Any) -> None:
        if request.method == "GET" and request.path.endswith("/runs"):
            sent.append(len(answer.body.get("runs", ())))

    world.server.watch(watch)
    states = frozenset(get_args(State)) - ENDED
    query = RunQuery("ia", states=states)
    assert [run.id for run in world.engine.runs(query)] == [under_way.id]
    good = replace(query, states=frozenset({"succeeded"}))
    assert {run.id for run in world.engine.runs(good)} == {run.id for run in ended}
    assert sent == ([1, 3] if world.is_kfp else [])
    assert len(list(world.engine.runs(replace(query, states=frozenset())))) == 4


def test_experiments(world: World, pipeline: Pipeline) -> None:
    engine = world.engine
    assert engine.find_experiment("IA-1742", "ia") is None
    world.submit(pipeline)
    (found,) = engine.experiments("ia")
    assert found.name == "IA-1742" and not found.archived
    assert not list(engine.experiments("other"))
    engine.archive_experiment(found)
    assert [e.archived for e in engine.experiments("ia")] == [True]
    with pytest.raises(EngineError, match="so it stays as it is"):
        engine.restore_experiment(found, "other")
    assert [e.archived for e in engine.experiments("ia")] == [True]
    engine.restore_experiment(found, "ia")
    assert [e.archived for e in engine.experiments("ia")] == [False]


def test_a_run_is_stopped_once(world: World, pipeline: Pipeline) -> None:
    run = world.submit(pipeline)
    world.engine.terminate(run.id)
    world.finish(run.id)
    assert world.engine.run(run.id).state == "interrupted"
    world.engine.terminate(run.id)


def test_lists_come_page_by_page(world: World, pipeline: Pipeline) -> None:
    world.server.faults.page_size = 2
    ids = {world.submit(pipeline, f"k{number}").id for number in range(5)}
    assert {run.id for run in world.engine.runs(RunQuery(project="ia"))} == ids
    world.server.faults.add("unknown-field", times=20)
    assert {run.id for run in world.engine.runs(RunQuery(project="ia"))} == ids


def test_what_is_gone_is_told(world: World) -> None:
    with pytest.raises(EngineError) as caught:
        world.engine.run("6f1f2c52-6b1e-5c53-9a40-0d9bd0e1a7c4")
    assert caught.value.reason == "not found"


@pytest.mark.parametrize("seed", range(6))
def test_random_faults_leave_one_of_each(world: World, pipeline: Pipeline, seed: int) -> None:
    """Whoever gives up runs the command again; in the end there is one of each."""
    world.server.faults.at_random(seed, 0.3)
    wanted = {f"k{number}" for number in range(4)}
    for key in sorted(wanted):
        for _ in range(20):
            try:
                version, manifest, experiment = world.published(pipeline)
                world.submit(pipeline, key)
                schedule = manifest.schedules[0]
                world.engine.put_schedule(schedule, version, manifest, experiment, MARKS)
                break
            except EngineError:
                continue
        else:
            raise AssertionError("twenty tries did not do")
    world.server.faults.clear()
    runs = list(world.engine.runs(RunQuery(project="ia")))
    assert sorted(run.marks.key for run in runs if run.marks) == sorted(wanted)
    assert len(list(world.engine.versions("ia"))) == 1
    assert len(list(world.engine.schedules("ia"))) == 1
    assert [e.name for e in world.engine.experiments("ia")] == ["IA-1742"]


def test_two_at_once_make_one(world: World, pipeline: Pipeline) -> None:
    """From threads, as two commands would."""
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: world.submit(pipeline).id, range(4)))
        version, manifest, experiment = world.published(pipeline)
        schedule = manifest.schedules[0]
        for _ in pool.map(
            lambda _: world.engine.put_schedule(schedule, version, manifest, experiment, MARKS),
            range(4),
        ):
            pass
    assert len(set(made)) == 1
    assert [run.id for run in world.engine.runs(RunQuery(project="ia"))] == made[:1]
    assert len(list(world.engine.schedules("ia"))) == 1
    assert len(list(world.engine.experiments("ia"))) == 1


def test_a_run_whose_time_to_live_is_over_is_known_where_something_keeps_it(
    world: World, pipeline: Pipeline
) -> None:
    """As docs/clusters.md says of each engine."""
    first = world.submit(pipeline)
    world.finish(first.id)
    if not world.is_kfp:
        world.server.app.cluster.expire("default", first.id)
    world.submit(pipeline)
    app: Any = world.server.app
    there = len(app.runs) if world.is_kfp else len(app.cluster.of("workflows"))
    straight = world.engine.settings.via == "kubernetes"
    assert there == (0 if not world.is_kfp and not straight else 1)
    found = world.engine.find_run("k1")
    assert found is not None and found.id == first.id
    assert found.state == ("waiting" if straight else "succeeded")
