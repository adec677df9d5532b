"""What an engine refuses of one algorithm, and what ends a deploy of all."""

from __future__ import annotations

import pytest
from cluster.deployed import Algorithm, World
from msgspec.structs import replace

from compiler.cluster import marks
from compiler.cluster.argo import objects

FIT = Algorithm()
# What makes a version of each engine.
MAKES = r"^POST .*(upload_version|workflow-?templates)"
# What starts a run.
STARTS = r"^POST .*/(runs|workflows(/default)?)$"
DEPLOY = ("deploy", "--yes", "--allow-dirty")


@pytest.fixture
def there(deployed: World) -> World:
    return deployed


def held(there: World) -> set[str]:
    """The algorithms that have a version on the server."""
    if there.kind == "kfp":
        app = there.app
        return {app.pipelines[one.pipeline_id].name for one in app.versions.values()}
    return {one["metadata"]["name"] for one in there.app.cluster.of("workflowtemplates")}


@pytest.mark.parametrize("status", ["403", "409", "413"])
def test_the_others_go_on(there: World, status: str) -> None:
    every = {"early": FIT, "fit": FIT, "late": FIT}
    there.write(every)
    there.server.faults.add(status, on=MAKES, times=1)
    code, printed = there.mlc(*DEPLOY)
    assert code == 3, printed
    told = printed[printed.index("mlc: ") :]
    assert f"HTTP {status}" in told and "  early: can't" in told, printed
    assert "mend this and run the command again" in told
    assert held(there) == {"fit", "late"}
    # The next one does what is left.
    printed = there.deploy()
    assert "early: published" in printed and "late: published" not in printed
    assert held(there) == set(every)


def test_one_that_is_refused_keeps_its_schedule(there: World) -> None:
    there.write({"early": FIT, "late": FIT})
    there.deploy()
    changed = replace(FIT, epochs=4)
    there.write({"early": changed, "late": changed})
    there.expect()
    refused = MAKES if there.kind == "kfp" else r"^PUT .*workflow-?templates"
    there.server.faults.add("403", on=refused, times=1)
    code, printed = there.mlc(*DEPLOY)
    assert code == 3 and "late: published" in printed and "early: published" not in printed
    there.invariants.settled()
    there.deploy()


@pytest.mark.parametrize("fault", ["401", "drop", "502"])
def test_what_is_of_no_algorithm_alone_ends_it(there: World, fault: str) -> None:
    there.write({"early": FIT, "fit": FIT, "late": FIT})
    there.server.faults.add("403", on=MAKES, times=1)
    there.server.faults.add(fault, on=MAKES, times=1000)
    code, printed = there.mlc(*DEPLOY)
    assert code == 3, printed
    # What was refused before is told all the same.
    assert "refused until then:\n  early: can't" in printed, printed
    assert not held(there)
    happened = [kind for _, kind in there.server.faults.happened]
    asked_of_late = happened.count(fault) > 10
    assert not asked_of_late, happened


def test_toys_are_of_what_is_deployed(there: World) -> None:
    there.write({"early": FIT, "late": FIT})
    there.server.faults.add("413", on=MAKES, times=1)
    code, printed = there.mlc(*DEPLOY, "--toy")
    assert code == 3, printed
    assert "late  late-main-toy-" in printed and "early-main-toy-" not in printed


def test_one_toy_that_is_refused_keeps_no_other(there: World) -> None:
    there.write({"early": FIT, "fit": FIT, "late": FIT})
    there.deploy()
    there.server.faults.add("403", on=STARTS, times=1)
    code, printed = there.mlc(*DEPLOY, "--toy")
    assert code == 3, printed
    assert "fit-main-toy-" in printed and "late-main-toy-" in printed
    assert "the engine refused something of `early`:\n  early: can't" in printed, printed
    # The next one does what is left.
    printed = there.deploy("--toy")
    assert "early  early-main-toy-" in printed and printed.count("submitted before") == 2


def test_one_of_several_submissions_that_is_refused_keeps_no_other(there: World) -> None:
    there.write({"early": FIT, "late": FIT})
    there.script.outcome = "succeeded"
    submit = ("submit", "algorithms", "--allow-dirty", "--wait")
    there.server.faults.add("413", on=STARTS, times=1)
    code, printed = there.mlc(*submit)
    assert code == 3, printed
    assert "early is not submitted: can't" in printed and "late  late-" in printed, printed
    there.server.faults.add("413", on=STARTS, times=1)
    code, printed = there.mlc("submit", "algorithms/early.yaml", "--allow-dirty", "--format=json")
    assert code == 3 and "something of" not in printed and "HTTP 413" in printed, printed


def test_a_spec_that_is_named_twice_is_refused_or_run(there: World) -> None:
    there.write({"early": FIT})
    there.server.faults.add("413", on=STARTS, times=1)
    twice = ("algorithms/early.yaml", "./algorithms/early.yaml")
    code, printed = there.mlc("submit", *twice, "--allow-dirty", "--format=json")
    assert code in (1, 3) and "Traceback" not in printed, printed


def test_orphans_stay_where_their_new_name_is_refused(there: World) -> None:
    """What was renamed and can't be deployed goes on as it was."""
    there.write({"early": FIT, "old": FIT})
    there.deploy()
    there.write({"early": replace(FIT, epochs=4), "new": FIT})
    there.invariants.wanted = {("old", "nightly"), ("early", "nightly")}
    there.server.faults.add("413", on=MAKES, skip=int(there.kind == "kfp"), times=1)
    code, printed = there.mlc(*DEPLOY, "--prune")
    assert code == 3 and "`old` not taken away, since `new` could not be deployed" in printed
    assert "old" in held(there)
    printed = there.deploy("--prune")
    assert held(there) == {"early", "new"}


def test_one_orphan_that_is_refused_keeps_no_other(there: World) -> None:
    there.write({"early": FIT, "fit": FIT, "stays": FIT})
    there.deploy()
    there.write({"stays": FIT})
    there.expect()
    there.server.faults.add("403", on=r"^DELETE .*(recurringruns|cron-?workflows)", times=1)
    code, printed = there.mlc(*DEPLOY, "--prune")
    assert code == 3 and "  early: can't delete" in printed, printed
    assert held(there) == {"early", "stays"}
    there.deploy("--prune")
    assert held(there) == {"stays"}


@pytest.mark.parametrize("description", ["Ours.", "mlc p=another b=main e=main"])
def test_an_experiment_of_others_stays_archived(there: World, description: str) -> None:
    """A namespace of KFP has one experiment of a name, whoever made it."""
    there.write({"fit": FIT, "plain": replace(FIT, schedules=())})
    app = there.app
    if there.kind == "kfp":
        experiment = app.add_experiment("main", description, "")
        experiment.storage_state = "ARCHIVED"
        commands = {
            DEPLOY: {"plain"},
            ("submit", "algorithms/fit.yaml", "--allow-dirty"): {"plain"},
        }
        whose = "of the project another" if "p=" in description else "not made by mlc"
        for command, made in commands.items():
            before = experiment.show()
            code, printed = there.mlc(*command)
            assert code == 3 and f"is archived and {whose}" in printed, printed
            assert "restore it by hand in KFP's pages" in printed
            assert experiment.show() == before
            assert held(there) == made
        # One that is in use is shared, and stays as it is.
        experiment.storage_state = "AVAILABLE"
        before = experiment.show()
        there.deploy()
        assert there.mlc("submit", "algorithms/fit.yaml", "--allow-dirty")[0] == 0
        after = experiment.show()
        assert {**after, "last_run_created_at": ""} == {**before, "last_run_created_at": ""}
        assert len(app.experiments) <= 2
        return
    theirs = marks.Marks("another", "theirs", branch="main", experiment="main")
    labels = {**marks.labels(theirs), objects.ARCHIVED: "true"}
    spec = {"templates": [{"name": "a", "container": {"image": "a"}}]}
    body = {"metadata": {"name": "a", "labels": labels, "annotations": marks.notes(theirs)}}
    with there.owners.others():
        app.cluster.create("workflowtemplates", "default", body | {"spec": spec})
    there.deploy()
    code, printed = there.mlc("submit", "algorithms/fit.yaml", "--allow-dirty")
    assert code == 0, printed
