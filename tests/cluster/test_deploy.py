"""`mlc plan`, `mlc deploy` and `mlc rollback` against servers that keep state."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import shlex
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster.deployed import Algorithm, Kill, Killed, World, run, said
from cluster.servers.kubernetes import Kubernetes, write_kubeconfig
from cluster.servers.wire import Server
from cluster.servers.workflows import Cluster
from msgspec.structs import replace

from compiler.cluster import marks

FIT = Algorithm()
# Of runs, by a submission that is followed and summed up.
LISTS = {"kfp": 1, "argo": 6}
CI = Path(__file__).resolve().parents[2] / "docs/ci"


@pytest.fixture
def there(deployed: World) -> World:
    return deployed


def plan(there: World, *arguments: str) -> Any:
    code, printed = there.mlc("plan", "-q", "--format", "json", *arguments)
    assert code == 0, printed
    return json.loads(printed)


def kinds(there: World) -> dict[str, str]:
    return {item["algorithm"]: item["kind"] for item in plan(there)["items"]}


def test_from_nothing_and_again(there: World) -> None:
    there.write({"fit": FIT, "other": replace(FIT, schedules=())})
    assert there.mlc("plan", "-q", "--detailed-exitcode")[0] == 2
    assert kinds(there) == {"fit": "new", "other": "new"}
    there.deploy()
    assert kinds(there) == {"fit": "unchanged", "other": "unchanged"}
    code, printed = there.mlc("plan", "-q", "--detailed-exitcode")
    assert (code, printed) == (0, "training: 2 unchanged; nothing to do\n")
    writes = writes_of(there)
    assert "nothing to do" in there.deploy()
    assert writes_of(there) == writes


def test_a_change_in_the_words_of_the_spec(there: World) -> None:
    there.write({"fit": FIT})
    there.deploy()
    there.write({"fit": replace(FIT, image="registry.example.com/ia:2", epochs=4)})
    code, printed = there.mlc("plan")
    assert code == 0
    assert "~ image: registry.example.com/ia:1 → registry.example.com/ia:2" in printed
    assert "~ params.epochs.default: 3 → 4" in printed
    assert "schedule nightly moves to main-" in printed
    there.deploy()
    assert kinds(there) == {"fit": "unchanged"}


def test_a_plan_is_calm(there: World) -> None:
    """What the target does less well is told by `compile`, and here where one asks for it."""
    there.write({"fit": FIT})
    # Argo does all of this spec.
    assert ("MLC702" in there.mlc("plan", "--verbose")[1]) == (there.kind == "kfp")
    there.write({"fit": replace(FIT, epochs=4)})
    for verb in ("plan", "deploy"):
        code, printed = there.mlc(verb)
        assert code == 0 and "MLC702" not in printed, printed
    assert "but the plan and errors" in " ".join(there.mlc("plan", "--help")[1].split())


def test_a_default_that_changes_is_told_once(there: World) -> None:
    """Steps that take it change alike; as data each is told."""
    there.write({"fit": FIT})
    path = there.checkout.folder / "algorithms/fit.yaml"
    text = path.read_text()
    own = '    command: [fit, "${{ params.epochs }}", "${{ outputs.metrics }}"]\n    resources: '
    for cpu in (1, 2):
        inherits = text.replace("steps:\n", f"resources: {{cpu: {cpu}, memory: 1Gi}}\nsteps:\n")
        there.checkout.write_all({"algorithms/fit.yaml": inherits})
        there.checkout.commit()
        if cpu == 1:
            there.deploy()
    printed = there.mlc("plan", "-q")[1]
    assert "~ resources.cpu" in printed and "steps.fit" not in printed
    places = [change[0] for change in plan(there)["items"][0]["changes"]]
    assert any(place.startswith("steps.fit.resources.cpu") for place in places)
    # One that has its own is told.
    kept = inherits.replace(own.rpartition("\n")[0] + "\n", f"{own}{{cpu: 3}}\n")
    assert kept != inherits
    there.checkout.write_all({"algorithms/fit.yaml": kept})
    there.checkout.commit()
    printed = there.mlc("plan", "-q")[1]
    assert "~ resources.cpu" in printed and "~ steps.fit.resources.cpu" in printed


def test_what_is_not_committed_is_planned_and_told(there: World) -> None:
    """The engine then holds what no commit has, though this clone has the commit."""
    there.write({"fit": FIT})
    there.deploy()
    path = there.checkout.folder / "algorithms/fit.yaml"
    path.write_text(replace(FIT, epochs=4).spec("fit"))
    code, printed = there.mlc("plan")
    assert code == 0 and "algorithms/fit.yaml is not committed" in printed, printed
    assert "not committed" not in there.mlc("plan", "-q")[1]
    there.algorithms["fit"] = replace(FIT, epochs=4)
    there.deploy()
    there.write({"fit": replace(FIT, epochs=5)})
    code, printed = there.mlc("plan")
    assert code == 0 and "not in this clone" not in printed
    assert "what is there is not the spec at" in printed and "not committed then" in printed


def test_a_schedule_alone_is_no_unchanged_algorithm(there: World) -> None:
    there.write({"fit": FIT, "other": FIT})
    there.deploy()
    schedules = (("nightly", "0 3 * * *", 5, True),)
    there.write({"fit": replace(FIT, schedules=schedules), "other": FIT})
    code, printed = there.mlc("plan", "-q")
    told = printed.splitlines()
    assert code == 0 and told[0] == "~ fit  schedules alone", printed
    assert told[-1] == "training: 1 of schedules alone, 1 unchanged"
    # As data the kind stays what it was.
    assert kinds(there) == {"fit": "unchanged", "other": "unchanged"}


def test_a_plan_in_a_file_says_how_to_carry_it_out(there: World, tmp_path: Path) -> None:
    there.write({"fit": FIT})
    file = tmp_path / "my plan.json"
    hint = f"mlc deploy --plan '{file}' carries this out"
    assert hint in there.mlc("plan", "--out", str(file))[1]
    assert hint not in there.mlc("plan", "-q", "--out", str(file))[1]
    there.deploy()
    assert "carries this out" not in there.mlc("plan", "--out", str(file))[1]


def test_an_unchanged_spec_makes_no_new_version(there: World) -> None:
    there.write({"fit": FIT})
    there.deploy()
    there.checkout.write_all({"README.md": "Another.\n"})
    there.checkout.commit()
    there.deploy()
    code, printed = there.mlc("plan", "-q", "--detailed-exitcode")
    assert code == 0, printed
    if there.kind == "kfp":
        assert len(there.app.versions) == 1 and len(there.app.recurring) == 1


def test_a_pipeline_that_is_small_again_is_unchanged(there: World) -> None:
    """A large one is several templates on Argo; those that are too many do no harm."""
    text = FIT.spec("fit")
    for count in (250, 1):
        more = "".join(f'  more_{n}: {{command: [more, "{n}"]}}\n' for n in range(count))
        there.checkout.write_all(
            {"algorithms/fit.yaml": text.replace("profiles:", f"{more}profiles:")}
        )
        there.checkout.commit()
        assert there.mlc("deploy", "--yes", "--allow-dirty", "-q")[0] == 0
        assert kinds(there) == {"fit": "unchanged"}


def test_a_prune_that_broke_off_leaves_nothing_behind(there: World) -> None:
    """Of several templates the one that tells of the others goes last."""
    if there.kind == "kfp":
        return
    more = "".join(f'  more_{n}: {{command: [more, "{n}"]}}\n' for n in range(250))
    large = FIT.spec("fit").replace("profiles:", f"{more}profiles:")
    for refused in ("fit", "fit.1"):
        there.checkout.write_all({"algorithms/fit.yaml": large})
        there.checkout.commit()
        assert there.mlc("deploy", "--yes", "--allow-dirty", "-q")[0] == 0
        assert len(there.app.cluster.of("workflowtemplates")) == 2
        there.write({})
        there.server.faults.add("403", on=f"DELETE .*/{refused}$", times=1)
        assert there.mlc("deploy", "--prune", "--yes", "--allow-dirty", "-q")[0] == 3
        there.deploy("--prune")
        assert not there.app.cluster.of("workflowtemplates")


def test_an_image_of_the_commit_makes_one(there: World) -> None:
    there.write({"fit": replace(FIT, image="registry.example.com/ia:${{ git.short_commit }}")})
    there.deploy()
    there.checkout.write_all({"README.md": "Another.\n"})
    there.checkout.commit()
    (item,) = plan(there)["items"]
    assert item["kind"] == "changed" and item["changes"][0][0] == "git.commit"
    there.deploy()
    assert kinds(there) == {"fit": "unchanged"}


def test_an_image_that_nobody_has_is_refused(there: World) -> None:
    of_commit = replace(FIT, image="registry.example.com/ia:${{ git.short_commit }}")
    there.write({"fit": of_commit})
    code, printed = there.mlc("deploy", "--yes")
    assert code == 1 and "no remote branch has the commit" in printed
    there.checkout.git("push", "--quiet")
    assert there.mlc("deploy", "--yes")[0] == 0
    (there.checkout.folder / "algorithms" / "new.yaml").write_text(of_commit.spec("new"))
    with contextlib.chdir(there.checkout.folder / "algorithms"):
        assert run(("deploy", "--yes", "new.yaml")) == 1


def test_schedules_come_change_and_go(there: World) -> None:
    there.write({"fit": FIT})
    there.deploy()
    there.write({"fit": replace(FIT, schedules=(("nightly", "0 3 * * *", 7, True),))})
    printed = there.mlc("plan")[1]
    assert "schedule nightly changes: cron 0 2 * * * → 0 3 * * *, params.epochs 5 → 7" in printed
    assert "by hand" not in printed
    there.deploy()
    two = (("nightly", "0 3 * * *", 7, False), ("weekly", "0 4 * * 0", 9, True))
    there.write({"fit": replace(FIT, schedules=two)})
    printed = there.mlc("plan")[1]
    assert "schedule nightly is disabled" in printed
    assert "schedule weekly starts main-" in printed
    there.deploy()
    assert kinds(there) == {"fit": "unchanged"} and not plan(there)["changes"]
    there.write({"fit": replace(FIT, schedules=())})
    assert "schedule weekly is removed" in there.mlc("plan")[1]
    there.deploy()
    assert not plan(there)["changes"]


def test_params_of_a_schedule_are_read_back_as_they_were_given(there: World) -> None:
    """Engines keep text, or numbers without their point."""
    text = FIT.spec("fit")
    params = {
        "rates: {type: array, items: {type: number}": "[1.0, 2.0, 0.5]",
        "rate: {type: number": "2.0",
        "small: {type: number": "1e-7",
        "count: {type: integer": "3",
        "text: {type: string": '"1.0"',
        "flag: {type: boolean": "true",
    }
    defined = "".join(f"  {name}, default: null, description: X.}}\n" for name in params)
    given = ", ".join(f"{name.partition(':')[0]}: {value}" for name, value in params.items())
    text = text.replace("steps:\n", f"{defined}steps:\n").replace("epochs: 5", given)
    there.checkout.write_all({"algorithms/fit.yaml": text})
    there.checkout.commit()
    assert there.mlc("deploy", "--yes", "--allow-dirty", "-q")[0] == 0
    code, printed = there.mlc("plan", "--detailed-exitcode", "-q")
    assert code == 0, printed


def test_runs_under_way_outlive_their_schedule(there: World) -> None:
    there.write({"fit": FIT})
    there.deploy()
    there.trigger_all()
    there.write({"fit": replace(FIT, epochs=4)})
    printed = there.deploy()
    if there.kind == "kfp":
        assert "until their runs have ended" in printed
        assert [job.enabled for job in there.app.recurring.values()] == [False, True]
        there.finish_all()
        assert "deleted fit--nightly--" in there.deploy()
        assert [job.enabled for job in there.app.recurring.values()] == [True]
    assert there.runs_of_schedules() == 1


def switch_off(there: World) -> None:
    """Someone disables all schedules by hand."""
    there.invariants.wanted = set()
    there.invariants.once.clear()
    if there.kind == "kfp":
        for job in there.app.recurring.values():
            job.enabled = False
    else:
        for cron in there.app.cluster.of("cronworkflows"):
            cron["spec"]["suspend"] = True


def test_what_was_changed_by_hand_is_told_and_mended(there: World) -> None:
    there.write({"fit": FIT})
    there.deploy()
    switch_off(there)
    (item,) = plan(there)["items"]
    assert item["drift"] == ["schedule nightly: changed by hand: enabled true → false"]
    there.deploy()
    if there.kind == "argo":
        (cron,) = there.app.cluster.of("cronworkflows")
        cron["spec"]["schedules"] = ["5 5 * * *"]
        cron["status"] = {"lastScheduledTime": "2026-01-01T00:00:00Z"}
        (template,) = there.app.cluster.of("workflowtemplates")
        template["spec"]["templates"][0]["name"] = template["spec"]["templates"][0]["name"]
        template["spec"]["ttlStrategy"] = {"secondsAfterCompletion": 5}
        drift = plan(there)["items"][0]["drift"]
        assert drift[0].startswith("what is there is not what its spec compiles to")
        assert drift[1] == "schedule nightly: changed by hand: cron 0 2 * * * → 5 5 * * *"
        there.deploy()
        (cron,) = there.app.cluster.of("cronworkflows")
        assert cron["spec"]["schedules"] == ["0 2 * * *"]
        assert cron["status"] == {"lastScheduledTime": "2026-01-01T00:00:00Z"}
    assert not plan(there)["changes"]


@pytest.mark.parametrize("name", ["trainer", "a-service-account-of-a-name-that-is-quite-long"])
def test_schedules_move_to_another_service_account(there: World, name: str) -> None:
    """It is of the settings, so no spec changes; KFP tells its own where none was given."""
    file = there.checkout.folder / "mlc.toml"
    plain = file.read_text()
    there.write({"fit": FIT})
    there.deploy()
    before: str | None = None
    if isinstance(there.app, Kubernetes):
        for account in (name, "other", "pipeline-runner"):
            there.app.add("serviceaccounts", "default", account)
    for account in (name, "other", None, name, "pipeline-runner"):
        line = f'service_account = "{account}"\n' if account else ""
        file.write_text(f"{plain}{line}")
        code, printed = there.mlc("plan", "-q")
        change = f"service_account {before or 'none'} → {account or 'none'}"
        assert f"schedule nightly changes: {change}\n" in printed, printed
        assert "~ fit  schedules alone" in printed and "by hand" not in printed
        there.deploy()
        assert accounts_of(there) == [account or ("pipeline-runner" if kfp(there) else None)]
        code, printed = there.mlc("plan", "--detailed-exitcode", "-q")
        assert code == 0, printed
        before = account
    there.write({"fit": replace(FIT, epochs=4)})
    there.deploy()
    code, printed = there.mlc("rollback", "fit", "--yes")
    assert code == 0 and "service_account" not in printed, printed
    assert accounts_of(there) == ["pipeline-runner"]


def kfp(there: World) -> bool:
    return there.kind == "kfp"


def accounts_of(there: World) -> list[str | None]:
    """Those of the schedules that start runs."""
    if kfp(there):
        return [job.service_account for job in there.app.recurring.values() if job.enabled]
    crons = there.app.cluster.of("cronworkflows")
    return [cron["spec"]["workflowSpec"].get("serviceAccountName") for cron in crons]


def test_templates_move_to_another_service_account(there: World) -> None:
    """That of the target is in the templates of Argo."""
    if kfp(there):
        return
    there.write({"fit": FIT})
    there.deploy()
    file = there.checkout.folder / "mlc.toml"
    file.write_text(f'{file.read_text()}[targets.argo]\nservice_account = "trainer"\n')
    (item,) = plan(there)["items"]
    assert item["kind"] == "changed" and "by settings" in item["why"][0]
    there.deploy()
    (template,) = there.app.cluster.of("workflowtemplates")
    assert template["spec"]["serviceAccountName"] == "trainer"
    assert not plan(there)["changes"]


def test_a_rename_that_git_saw_is_told(there: World) -> None:
    there.write({"fit": FIT, "stays": FIT})
    there.deploy()
    hint = "    to git it is fit renamed: the engine ties neither versions and runs of fit nor"
    text = (there.checkout.folder / "algorithms/fit.yaml").read_text()
    # The file and the name, or the name alone.
    for place in ("algorithms/learn.yaml", "algorithms/fit.yaml"):
        (there.checkout.folder / "algorithms/fit.yaml").unlink()
        there.checkout.write_all({place: text.replace("name: fit", "name: learn")})
        there.checkout.commit()
        code, printed = there.mlc("plan", "-q")
        assert code == 0 and "+ learn  new" in printed and "- fit  orphaned" in printed, printed
        assert printed.count(hint) == 1, printed
        (there.checkout.folder / place).unlink()
        there.checkout.write_all({"algorithms/fit.yaml": text})
        there.checkout.commit()
    # One that is like no other is no rename.
    other = (
        text.replace("name: fit", "name: learn").replace("fit", "x").replace("\n", " # 1234567\n")
    )
    (there.checkout.folder / "algorithms/fit.yaml").unlink()
    there.checkout.write_all({"algorithms/learn.yaml": other})
    there.checkout.commit()
    code, printed = there.mlc("plan", "-q")
    assert code == 0 and "+ learn  new" in printed and "renamed" not in printed, printed


def test_orphans_are_shown_and_pruned(there: World) -> None:
    there.add_foreign()
    there.write({"fit": FIT, "other": FIT})
    there.deploy()
    there.trigger_all()
    there.write({"fit": FIT})
    assert kinds(there) == {"fit": "unchanged", "other": "orphaned"}
    there.invariants.wanted = there.want(there.algorithms)
    code, printed = there.mlc("deploy")
    assert code == 0, printed
    assert kinds(there)["other"] == "orphaned"
    code, printed = there.mlc("deploy", "--prune")
    assert code == 1 and "pass --yes" in printed
    # What is shown before it is asked is what will be done.
    assert "- other  orphaned  no spec has it; it is taken away" in printed
    assert "schedule nightly is removed" in printed and "goes on" not in printed
    code, printed = there.mlc("deploy", "--prune", "--yes", "algorithms/fit.yaml")
    assert code == 2 and "--prune looks at all specs" in printed
    printed = there.deploy("--prune")
    assert "runs of it are under way" in printed
    there.finish_all()
    there.deploy("--prune")
    assert kinds(there) == {"fit": "unchanged"}


@pytest.mark.parametrize("file", ["mlc.toml", "pyproject.toml"])
def test_a_project_without_a_name_prunes_nothing(there: World, tmp_path: Path, file: str) -> None:
    """Two repositories in folders of one name, that share an engine."""
    text = (there.checkout.folder / "mlc.toml").read_text().replace('name = "ia-algorithms"\n', "")
    assert "name =" not in text
    if file == "pyproject.toml":
        text = text.replace("[engines", "[tool.mlc.engines")
    folders = []
    for team, algorithm in (("one", "mine"), ("other", "theirs")):
        folder = tmp_path / team / "algorithms-of-ia"
        there.checkout.git("clone", "--quiet", str(there.checkout.folder), str(folder))
        (folder / "mlc.toml").unlink()
        (folder / file).write_text(text)
        (folder / "algorithms").mkdir()
        (folder / "algorithms" / f"{algorithm}.yaml").write_text(FIT.spec(algorithm))
        with contextlib.chdir(folder):
            code, printed = said("deploy", "--yes", "--allow-dirty")
        assert code == 0, printed
        folders.append(folder)
    where = "the top of mlc.toml" if file == "mlc.toml" else "[tool.mlc] of pyproject.toml"
    line = f'add `name = "algorithms-of-ia"` to {where}'
    writes = writes_of(there)
    with contextlib.chdir(folders[1]):
        code, printed = said("deploy", "--yes", "--allow-dirty", "--prune")
        assert code == 3 and line in printed, printed
        code, printed = said("plan")
        assert code == 0 and "- mine  orphaned" in printed and line in printed, printed
        assert writes_of(there) == writes
        table = "[tool.mlc]\n" if file == "pyproject.toml" else ""
        (folders[1] / file).write_text(f'{table}name = "theirs"\n{text}')
        code, printed = said("plan")
        assert "mine" not in printed and "warning: --prune" not in printed, printed


def test_a_version_stays_while_a_run_of_it_is_under_way(there: World) -> None:
    """Also where someone has deleted the schedule that started it."""
    there.write({"fit": FIT})
    there.deploy()
    there.trigger_all()
    there.write({})
    with there.server.lock:
        if there.kind == "kfp":
            there.app.recurring.clear()
        else:
            there.app.cluster.delete("cronworkflows", "default", "fit--nightly", "Orphan")
    printed = there.deploy("--prune")
    assert "fit: runs of it are under way" in printed and "deleted" not in printed
    there.finish_all()
    there.deploy("--prune")
    assert kinds(there) == {}


def test_the_last_algorithm_is_pruned_as_any_other(there: World) -> None:
    there.write({"fit": FIT})
    there.deploy()
    there.write({})
    assert kinds(there) == {"fit": "orphaned"}
    there.deploy("--prune")
    assert there.mlc("plan", "-q") == (0, "training: no algorithms; nothing to do\n")
    code, printed = there.mlc("plan", "-q", ".")
    assert code == 3 and "there is no spec in ." in printed


def test_a_plan_is_carried_out_as_shown_or_not_at_all(there: World, tmp_path: Path) -> None:
    there.write({"fit": FIT})
    file = str(tmp_path / "plan.json")
    assert there.mlc("plan", "--out", file)[0] == 0
    there.deploy("--plan", file)
    writes = writes_of(there)
    code, printed = there.mlc("deploy", "--plan", file)
    assert code == 0 and f"{file} is already carried out" in printed, printed
    assert writes_of(there) == writes
    kept = Path(file).read_text()
    there.deploy()
    assert there.mlc("plan", "--out", file)[0] == 0
    code, printed = there.mlc("deploy", "--plan", file)
    assert code == 0 and "already carried out" not in printed and "nothing to do" in printed
    # What is neither as it was nor as planned stays.
    with there.server.lock:
        switch_off(there)
    Path(file).write_text(kept)
    code, printed = there.mlc("deploy", "--plan", file)
    assert code == 3 and "has changed on the engine since the plan was made" in printed, printed
    there.deploy()
    assert there.mlc("plan", "--out", file)[0] == 0
    there.write({"fit": replace(FIT, epochs=9)})
    code, printed = there.mlc("deploy", "--plan", file)
    assert code == 3 and "make a new plan" in printed
    there.write({"fit": replace(FIT, epochs=9), "other": FIT})
    assert there.mlc("plan", "algorithms/other.yaml", "--out", file)[0] == 0
    assert there.mlc("deploy", "--plan", file)[0] == 0
    assert kinds(there) == {"fit": "changed", "other": "unchanged"}
    good = json.loads(Path(file).read_text())
    for odd in (
        *("{}", "[]", "", "nonsense", '{"plan": 1}', '{"plan": 2}'),
        *(json.dumps(good | {"items": items}) for items in (None, 5, [5], [{}], [[]])),
        json.dumps(good | {"items": [good["items"][0] | {"spec": 5}]}),
        json.dumps(good | {"items": [good["items"][0] | {"more": 5}]}),
    ):
        Path(file).write_text(odd)
        code, printed = there.mlc("deploy", "--plan", file)
        assert code == 3 and "plan" in printed, odd


def test_a_plan_whose_deploy_was_killed(there: World, tmp_path: Path, kill: Kill) -> None:
    """What it had not begun is done by the same plan; what it was killed in wants a new one."""
    file = str(tmp_path / "plan.json")
    codes = set()
    there.write({"early": FIT, "late": FIT})
    there.deploy()
    for number in range(0, 200, 4):
        changed = replace(FIT, epochs=10 + number)
        there.write({"early": changed, "late": changed})
        there.expect()
        assert there.mlc("plan", "--out", file)[0] == 0
        kill.set(number, "after")
        try:
            there.mlc("deploy", "--allow-dirty", "--plan", file)
        except Killed:
            kill.set(None)
        else:
            kill.set(None)
            break
        there.left_alone()
        code, printed = there.mlc("deploy", "--allow-dirty", "--plan", file)
        codes.add(code)
        assert code in (0, 3), printed
        assert ("has changed on the engine since the plan was made" in printed) == (code == 3)
        there.deploy()
    else:
        raise AssertionError("it never came to an end")
    assert codes == {0, 3}


def test_a_version_of_others_is_not_taken(there: World) -> None:
    """Anyone may upload one of any name to a pipeline of KFP."""
    there.write({"fit": FIT})
    there.deploy()
    if not kfp(there):
        return
    there.write({"fit": replace(FIT, epochs=4)})
    name = plan(there)["items"][0]["version"]
    (ours,) = there.app.versions.values()
    with there.owners.others():
        theirs = dataclasses.replace(ours, id="theirs", name=name, display_name=name, tags={})
        there.app.versions[theirs.id] = theirs
    code, printed = there.mlc("deploy", "--yes", "--allow-dirty")
    assert code == 3 and f"the version {name} of fit on engine `training` is not made" in printed
    assert [job.version_id for job in there.app.recurring.values()] == [ours.id]


def test_back_and_forth(there: World) -> None:
    item_commit = there.write({"fit": FIT})
    there.deploy()
    there.write({"fit": replace(FIT, epochs=4)})
    there.deploy()
    code, printed = there.mlc("rollback", "fit", "--yes")
    assert code == 0, printed
    assert "~ params.epochs.default: 4 → 3" in printed
    assert "the next mlc deploy of main brings fit's own spec again" in printed
    settled = there.mlc("rollback", "fit", item_commit, "--yes")[1]
    assert "nothing to do" in settled and "own spec again" not in settled
    there.invariants.settled()
    (item,) = plan(there)["items"]
    assert ["params.epochs.default", 3, 4] in item["changes"]
    there.deploy()
    assert kinds(there) == {"fit": "unchanged"}
    code, printed = there.mlc("rollback", "nothing")
    assert code == 3 and "holds no algorithm nothing" in printed
    code, printed = there.mlc("rollback", "fit", "v-none")
    assert code == 3 and "v-none is neither a version of fit" in printed


def test_back_to_what_the_cluster_lacks(there: World, tmp_path: Path) -> None:
    """A deploy is asked for secrets, so what goes back is, too."""
    there.write({"fit": FIT})
    path = there.checkout.folder / "algorithms/fit.yaml"
    needy = path.read_text().replace(
        "    outputs:", '    env: {TOKEN: "${{ secrets.hub.token }}"}\n    outputs:'
    )
    there.checkout.write_all({"algorithms/fit.yaml": needy})
    there.checkout.commit()
    with kubernetes_of(there, tmp_path) as kubernetes:
        cluster = kubernetes.cluster
        kubernetes.add("secrets", "default", "hub", data={"token": "eA=="})
        there.deploy()
        there.write({"fit": FIT})
        there.deploy()
        del cluster.all[("secrets", "default", "hub")]
        before = versions_of(there)
        code, printed = there.mlc("rollback", "fit", "--yes")
        assert code == 1, printed
        assert "training lacks what this needs; nothing was made:" in printed
        assert "there is no secret `hub` in the namespace default" in printed
        assert versions_of(there) == before
        # The same is said of a deploy.
        there.checkout.write_all({"algorithms/fit.yaml": needy})
        there.checkout.commit()
        assert there.mlc("deploy", "--yes", "--allow-dirty")[0] == 1


def test_what_the_engine_can_not_store_is_told_before_anything_is_made(there: World) -> None:
    there.write({"fit": FIT})
    path = there.checkout.folder / "algorithms/fit.yaml"
    # In JSON each of these becomes two characters, and KFP takes 32 MB.
    words = ", ".join(["'%s'" % ('"' * 50_000)] * 11)
    spec = path.read_text().replace("command: [", f"command: [{words}, ", 1)
    there.checkout.write_all({"algorithms/fit.yaml": spec})
    there.checkout.commit()
    code, printed = there.mlc("deploy", "--yes", "--allow-dirty")
    assert code == 1, printed[-800:]
    if there.kind != "kfp":
        assert re.search(r"the manifest of fit has \d+ KiB, and the engine takes", printed)
    assert versions_of(there) == []


def writes_of(there: World) -> int:
    """The requests that changed something; Kubernetes is asked for rights by POST, too."""
    return there.server.count(r"^(POST|PUT|PATCH|DELETE) (?!.*(accessreviews|tokenreviews))")


@contextlib.contextmanager
def kubernetes_of(there: World, folder: Path) -> Iterator[Kubernetes]:
    """What there is of Kubernetes itself; of a server's one is made and named in the settings."""
    if isinstance(there.app, Kubernetes):
        yield there.app
        return
    app = Kubernetes(Cluster())
    with Server(app) as server:
        path = write_kubeconfig(folder / "kubeconfig", server.url)
        file = there.checkout.folder / "mlc.toml"
        file.write_text(f'{file.read_text()}kubeconfig = "{path}"\n')
        yield app


def versions_of(there: World) -> list[str]:
    """The names of what is deployed."""
    if there.kind == "kfp":
        return sorted(version.name for version in there.app.versions.values())
    return sorted(str(one) for one in there.app.cluster.of("workflowtemplates"))


def test_back_to_a_commit_that_is_told_before_it_is_done(there: World) -> None:
    """Argo keeps one version, so the one before is that of git, which may never have been there."""
    for epochs in (3, 4, 5, 6):
        there.write({"fit": replace(FIT, epochs=epochs)})
        if epochs == 4:
            there.checkout.git("commit", "--quiet", "--amend", "-m", "Never\a there")
        if epochs != 4:
            there.deploy()
    code, first = there.mlc("rollback", "fit", "--yes")
    assert code == 0 and "~ params.epochs.default: 6 → 5" in first, first
    code, printed = there.mlc("rollback", "fit", "--yes")
    assert code == 0, printed
    told, _, plan_and_more = printed.partition("~ fit  changed")
    assert re.search(
        r"^fit goes back to the commit [0-9a-f]{8} of \d{4}-\d\d-\d\d, `", told, re.M
    ), told
    assert plan_and_more
    guesses = "training does not keep what was deployed before" in told
    assert guesses == (there.kind == "argo")
    assert ("`Never? there`" in told) == (there.kind == "argo")


def test_back_to_a_version_by_name_and_to_a_commit(there: World) -> None:
    commits = []
    for epochs in (3, 4, 5):
        schedules = (("nightly", "0 2 * * *", epochs, True),)
        commits.append(there.write({"fit": replace(FIT, epochs=epochs, schedules=schedules)}))
        there.deploy()
    if there.kind == "kfp":
        oldest = next(v for v in there.app.versions.values() if commits[0][:8] in v.name)
        code, printed = there.mlc("rollback", "fit", oldest.name, "--yes")
    else:
        code, printed = there.mlc("rollback", "fit", commits[0], "--yes")
    assert code == 0, printed
    assert "~ params.epochs.default: 5 → 3" in printed
    assert "schedule nightly changes: params.epochs 5 → 3" in printed
    there.invariants.settled()
    code, printed = there.mlc("rollback", "fit", commits[1][:10], "--yes")
    assert code == 0 and "~ params.epochs.default: 3 → 4" in printed
    assert ["params.epochs.default", 4, 5] in plan(there)["items"][0]["changes"]


def test_a_submission_of_the_default_branch_takes_no_place(there: World) -> None:
    """What schedules start is what was deployed, whoever runs what from a checkout, of whichever
    commit, and before it is deployed or after."""
    there.write({"fit": FIT})
    assert there.mlc("submit", "algorithms/fit.yaml", "--allow-dirty", "-q")[0] == 0
    assert kinds(there) == {"fit": "new"}
    there.deploy()
    before = versions_of_schedules(there)
    file = there.checkout.folder / "algorithms" / "fit.yaml"
    file.write_text(replace(FIT, epochs=99).spec("fit"))
    code, printed = there.mlc("submit", "algorithms/fit.yaml", "--allow-dirty")
    assert code == 0, printed
    file.write_text(FIT.spec("fit"))
    assert versions_of_schedules(there) == before
    assert kinds(there) == {"fit": "unchanged"}
    writes = writes_of(there)
    there.deploy()
    assert writes_of(there) == writes


def versions_of_schedules(there: World) -> list[str]:
    """What each starts, whole."""
    if there.kind == "kfp":
        return [
            str(there.app.versions[job.version_id].spec) for job in there.app.recurring.values()
        ]
    crons = there.app.cluster.of("cronworkflows")
    names = {cron["spec"]["workflowSpec"]["workflowTemplateRef"]["name"] for cron in crons}
    templates = there.app.cluster.of("workflowtemplates")
    return [str(one["spec"]) for one in templates if one["metadata"]["name"] in names]


def test_a_pipeline_that_is_pruned_while_versions_are_read_is_gone(there: World) -> None:
    if there.kind != "kfp":
        return
    there.write({"fit": FIT, "other": FIT})
    there.deploy()
    there.write({"fit": FIT})

    def watch(app: Any, request: Any, _: Any) -> None:
        if request.method == "GET" and request.path.endswith("/pipelines"):
            gone = {id for id, one in app.pipelines.items() if one.name == "other"}
            for records in (app.pipelines, app.versions):
                for id, one in list(records.items()):
                    if {id, getattr(one, "pipeline_id", id)} & gone:
                        del records[id]

    there.server.watch(watch)
    assert kinds(there) == {"fit": "unchanged", "other": "orphaned"}
    assert plan(there)["items"][1]["before"] == ""


def test_what_is_later_stays(there: World) -> None:
    """Jobs of CI may end in another order than their commits came."""
    first = there.write({"fit": FIT})
    there.deploy()
    there.write({"fit": replace(FIT, epochs=4), "other": FIT})
    there.deploy()
    there.checkout.git("checkout", "--quiet", first)
    for more in ((), ("--prune",)):
        code, printed = there.mlc("deploy", "--yes", "--allow-dirty", *more)
        assert code == 3 and "which comes after" in printed, printed
        code, printed = there.mlc("plan")
        assert code == 0 and "so a deploy of this makes nothing" in printed, printed
    assert kinds(there) == {"fit": "changed", "other": "orphaned"}


@pytest.mark.parametrize("of", ["workflowtemplates", "cronworkflows"])
def test_one_whose_work_is_replaced_in_between_says_so(there: World, of: str) -> None:
    """Of two at once one may have the template, and the other its schedule."""
    if there.kind == "kfp":
        return
    there.write({"fit": FIT})
    there.deploy()
    there.write({"fit": replace(FIT, epochs=4)})

    def watch(_: Any, request: Any, __: Any) -> None:
        if request.method == "PUT" and of in request.path.replace("-", ""):
            (one,) = there.app.cluster.of(of)
            notes = one["metadata"]["annotations"]
            notes[marks.ANNOTATION] = re.sub(
                "main-[0-9a-f]{8}", "main-01234567", notes[marks.ANNOTATION]
            )

    there.server.watch(watch)
    code, printed = there.mlc("deploy", "--yes", "--allow-dirty")
    there.server.watchers.remove(watch)
    assert code == 3 and "someone else deployed fit at the same time" in printed, printed
    there.deploy()
    assert kinds(there) == {"fit": "unchanged"}


def test_a_schedule_that_is_off_for_a_while(there: World) -> None:
    """What was disabled is not enabled again on KFP: it would make up for what it missed."""
    crons = (("nightly", "*/5 * * * *", 5, True),)
    there.write({"fit": replace(FIT, schedules=crons)})
    there.deploy()
    there.write({"fit": replace(FIT, schedules=((*crons[0][:3], False),))})
    assert "schedule nightly is disabled" in there.mlc("plan")[1]
    there.deploy()
    assert not plan(there)["changes"]
    there.write({"fit": replace(FIT, schedules=crons)})
    there.deploy()
    if there.kind == "kfp":
        assert there.server.count("^POST .*:enable") == 0
        assert len(there.app.recurring) == 1
    there.write({"fit": replace(FIT, schedules=())})
    there.deploy()
    assert not there.app.recurring if there.kind == "kfp" else True
    assert not plan(there)["changes"]


def test_names_that_are_too_long_to_be_kept_whole(there: World) -> None:
    one = replace(FIT, schedules=(("a_schedule_of_a_name_that_is_too_long", "0 2 * * *", 5, True),))
    name = "an_algorithm_of_a_name_that_is_too_long_too"
    for epochs in (1, 2):
        there.write({name: replace(one, epochs=epochs)})
        code, printed = there.mlc("deploy", "--yes", "--allow-dirty")
        assert code == 0, printed
        assert not plan(there)["changes"]
        if there.kind == "kfp":
            assert len(there.app.recurring) == 1
    there.write({"fit": FIT})
    there.deploy("--prune")
    assert kinds(there) == {"fit": "unchanged"}


@pytest.mark.parametrize("name", ["fit", "an_algorithm_of_a_name_that_is_too_long_too"])
def test_schedules_whose_versions_someone_deleted(there: World, name: str) -> None:
    """They are taken for the algorithm's own, however little is left of its name."""
    for wanted in ({name: FIT}, {"other": FIT}):
        there.write({name: FIT})
        assert there.mlc("deploy", "--yes", "--allow-dirty", "-q")[0] == 0
        with there.server.lock:
            if there.kind == "kfp":
                there.app.versions.clear()
                there.app.pipelines.clear()
            else:
                for one in list(there.app.cluster.of("workflowtemplates")):
                    there.app.cluster.delete(
                        "workflowtemplates", "default", one["metadata"]["name"]
                    )
        there.write(wanted)
        code, printed = there.mlc("deploy", "--yes", "--allow-dirty", "--prune")
        assert code == 0, printed
        assert kinds(there) == dict.fromkeys(wanted, "unchanged")
        assert sorted(there.owners.enabled().values()) == [1]


def test_toy_learnings(there: World, tmp_path: Path) -> None:
    there.write({"fit": FIT, "other": replace(FIT, toy=False)})
    code, printed = there.mlc("deploy", "--yes", "--allow-dirty", "--toy")
    assert code == 0, printed
    assert "fit  fit-main-toy-" in printed and "other  other-main" not in printed
    assert printed.count("warning: ") == len(set(re.findall(r"warning: .*", printed)))
    there.deploy()
    assert not plan(there)["changes"]
    there.finish_all()
    outcomes = there.script.outcomes
    outcomes["*"] = "FAILED" if there.kind == "kfp" else "Failed"
    with playing(there):
        there.write({"fit": replace(FIT, epochs=4)})
        summary = str(tmp_path / "summary.md")
        code, printed = there.mlc(
            *("deploy", "--yes", "--allow-dirty"),
            *("--toy", "--wait", "--summary", summary, "-q"),
        )
    assert code == 1, printed
    assert "fit: ❌ failed" in Path(summary).read_text()
    assert kinds(there) == {"fit": "unchanged", "other": "orphaned"}
    assert there.mlc("deploy", "--wait")[0] == 2


def test_a_toy_that_failed_is_run_again(there: World) -> None:
    """A job that is repeated finds the run that failed, unless it asks for one more."""
    there.write({"fit": FIT})
    there.deploy()
    outcomes = there.script.outcomes
    toy = ("deploy", "--yes", "--allow-dirty", "--toy", "--wait")
    with playing(there):
        outcomes["*"] = "FAILED" if there.kind == "kfp" else "Failed"
        assert there.mlc(*toy)[0] == 1
        outcomes["*"] = "SUCCEEDED" if there.kind == "kfp" else "Succeeded"
        code, printed = there.mlc(*toy)
        assert code == 1 and "submitted before and failed" in printed, printed
        assert "--new submits it once more" in printed
        code, printed = there.mlc(*toy, "--new")
        assert code == 0 and "submitted before" not in printed, printed
    code, printed = there.mlc("deploy", "--new")
    assert code == 2 and "--new" in printed


@pytest.mark.parametrize("name", ["deploy.gitlab-ci.yml", "deploy.github.yml"])
def test_the_jobs_of_ci(there: World, name: str) -> None:
    """The commands that docs/ci has for merge requests and for the default branch."""
    text = (CI / name).read_text()
    commands = re.findall(r"(?:script: \[|run: )mlc ([^\]\n]+)", text)
    assert [command.split()[0] for command in commands] == ["plan", "deploy", "deploy"]
    there.write({"fit": FIT, "other": FIT, "gone": FIT})
    there.deploy()
    there.checkout.git("checkout", "--quiet", "-b", "IA-1742")
    there.write({"fit": replace(FIT, epochs=4), "other": FIT})
    code, printed = there.mlc(*shlex.split(commands[0]))
    assert code == 0 and "1 changed, 1 unchanged, 1 orphaned" in printed
    there.checkout.git("checkout", "--quiet", "main")
    there.checkout.git("merge", "--quiet", "IA-1742")
    there.expect()
    with playing(there):
        for command in commands[1:]:
            code, printed = there.mlc(*shlex.split(command))
            assert code == 0, printed
    there.invariants.settled()
    assert kinds(there) == {"fit": "unchanged", "other": "unchanged"}
    assert "fit: ✅ succeeded" in (there.checkout.folder / "summary.md").read_text()


def test_gates_on_the_engine(there: World, tmp_path: Path) -> None:
    gated = replace(FIT, gates=("f1 >= baseline.f1 - 0.005",))
    there.write({"fit": gated})
    summary = tmp_path / "summary.md"
    submit = ("submit", "algorithms/fit.yaml", "--wait", "--summary", str(summary), "-q")
    with playing(there):
        there.script.metrics["*"] = {"f1": 0.8}
        code, printed = there.mlc(*submit)
        if isinstance(there.app, Kubernetes):
            # Nothing there serves files, and what can't be told has not passed.
            assert code == 1 and "the run has no metric fit.metrics.f1" in printed
            return
        assert code == 0, printed
        assert "open    f1 >= baseline.f1 - 0.005" in printed
        there.checkout.git("checkout", "--quiet", "-b", "IA-1742@home")
        for value, verdict in ((0.797, "passed"), (0.79, "failed")):
            there.write({"fit": replace(gated, epochs=int(value * 1000))})
            there.script.metrics["*"] = {"f1": value}
            lists = there.server.count("^GET .*/(runs|workflows/default)$")
            code, printed = there.mlc(*submit)
            # The baseline of gates is that of the summary, too.
            lists = there.server.count("^GET .*/(runs|workflows/default)$") - lists
            assert lists <= LISTS[there.kind] and "of the default branch" in summary.read_text()
            assert code == (verdict == "failed"), printed
            assert f"`f1 >= baseline.f1 - 0.005` | {'✅' if not code else '❌'} {verdict}" in (
                summary.read_text()
            )
            code, printed = there.mlc("gate", "last", "--engine", "training", "--format", "json")
            assert code == (verdict == "failed"), printed
            found = json.loads(printed)
            assert found["gates"][0]["numbers"] == {
                "evaluate.metrics.f1".replace("evaluate", "fit"): value,
                "baseline.fit.metrics.f1": 0.8,
            }
        code, printed = there.mlc(*submit, "--profile", "toy")
        assert code == 0, printed
        code, printed = there.mlc("gate", "last", "--engine", "training")
        assert code == 3 and "gates are of runs without profiles" in printed, printed


@contextlib.contextmanager
def playing(there: World) -> Iterator[None]:
    """Runs go on by themselves."""
    stop = threading.Event()

    def play() -> None:
        while not stop.wait(0.05):
            there.finish_all()

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_branch_is_planned_but_not_deployed(there: World) -> None:
    there.write({"fit": FIT})
    there.deploy()
    there.checkout.git("checkout", "--quiet", "-b", "IA-1742")
    there.write({"fit": replace(FIT, epochs=4)})
    assert kinds(there) == {"fit": "changed"}
    code, printed = there.mlc("deploy", "--yes", "--allow-dirty")
    assert code == 3 and "this is branch IA-1742, and what is deployed follows main" in printed


def test_a_detached_commit_is_deployed_where_it_is_of_the_branch(there: World) -> None:
    """As in CI that names no branch."""
    there.write({"fit": FIT})
    git = there.checkout.git
    git("push", "--quiet")
    git("checkout", "--quiet", "--detach")
    there.deploy()
    there.write({"fit": replace(FIT, epochs=4)})
    writes = writes_of(there)
    code, printed = there.mlc("deploy", "--yes", "--allow-dirty")
    assert code == 3 and "HEAD is detached, and" in printed, printed
    assert "is no commit of main that this clone knows of" in printed
    assert writes_of(there) == writes
    code, printed = there.mlc("deploy", "--yes", "--allow-dirty", "--any-branch")
    assert code == 0, printed
    # The branch of the remote alone, as a clone of CI has it.
    git("push", "--quiet", "origin", "HEAD:main")
    git("branch", "-D", "--quiet", "main")
    there.deploy()


def test_what_is_foreign_is_refused(there: World) -> None:
    there.write({"fit": FIT})
    there.deploy()
    text = (there.checkout.folder / "mlc.toml").read_text()
    (there.checkout.folder / "more").mkdir()
    other = there.checkout.folder / "more" / "mlc.toml"
    other.write_text(text.replace("ia-algorithms", "other-project"))
    (there.checkout.folder / "more" / "fit.yaml").write_text(replace(FIT, epochs=8).spec("fit"))
    with contextlib.chdir(there.checkout.folder / "more"):
        assert run(("deploy", "--yes", "--allow-dirty", "fit.yaml")) == 3
    assert project_of(there) == "ia-algorithms"


def test_a_name_that_others_have_stops_a_plan_as_it_does_a_deploy(
    there: World, tmp_path: Path
) -> None:
    there.write({"fit": FIT})
    there.deploy()
    text = (there.checkout.folder / "mlc.toml").read_text()
    more = there.checkout.folder / "more"
    more.mkdir()
    (more / "mlc.toml").write_text(text.replace("ia-algorithms", "other-project"))
    for name in ("early", "fit"):
        (more / f"{name}.yaml").write_text(FIT.spec(name))
    early, fit = str(more / "early.yaml"), str(more / "fit.yaml")
    there.checkout.commit("Another project")
    writes = writes_of(there)
    file = tmp_path / "plan.json"
    for arguments in (("plan", "--out", str(file)), ("deploy", "--yes", "--allow-dirty")):
        with contextlib.chdir(more):
            code, printed = said(*arguments, early, fit)
        assert code == 3, printed
        assert "+ fit  new  but others have its name" in printed
        assert "fit on engine `training` is of the project ia-algorithms" in printed
        assert "rename the algorithm" in printed and "early on engine" not in printed
    assert not file.exists()
    # A plan of the others alone is fine.
    with contextlib.chdir(more):
        assert said("plan", early)[0] == 0
    assert writes_of(there) == writes


def test_a_schedule_whose_name_others_have_stops_a_deploy_before_anything_is_made(
    there: World,
) -> None:
    """On Argo a schedule has a name of its own to be taken."""
    spec = {"schedules": ["0 1 * * *"], "workflowSpec": {"workflowTemplateRef": {"name": "theirs"}}}
    for number, before in enumerate(
        ({"early": FIT}, {"early": FIT, "fit": replace(FIT, schedules=())})
    ):
        there.write(before)
        there.deploy()
        if there.kind == "kfp":
            continue
        if not number:
            theirs = {"metadata": {"name": "fit--nightly"}, "spec": spec}
            with there.owners.others():
                there.app.cluster.create("cronworkflows", "default", theirs)
        there.write({"early": replace(FIT, epochs=4 + number), "fit": FIT})
        writes = writes_of(there)
        code, printed = there.mlc("deploy", "--yes", "--allow-dirty")
        assert (
            code == 3 and "cron workflow fit--nightly on engine `training` is not made" in printed
        )
        assert writes_of(there) == writes


def test_a_spec_of_another_project_is_refused(there: World) -> None:
    """Deployed as one of this project it would be orphaned to its next plan."""
    there.write({"fit": FIT})
    settings = (there.checkout.folder / "mlc.toml").read_text()
    there.checkout.write_all(
        {
            "more/mlc.toml": settings.replace("ia-algorithms", "other-project"),
            "more/algorithms/mine.yaml": FIT.spec("mine"),
        }
    )
    there.checkout.commit("Another project")
    for verb in ("plan", "deploy"):
        code, printed = there.mlc(verb, "more/algorithms/mine.yaml")
        assert code == 3 and "mine.yaml is of the project other-project" in printed, printed
    assert not writes_of(there)
    there.deploy()


def project_of(there: World) -> str:
    if there.kind == "kfp":
        (pipeline,) = there.app.pipelines.values()
        found = marks.of_tags(pipeline.tags)
    else:
        (template,) = there.app.cluster.of("workflowtemplates")
        found = marks.of_metadata(template["metadata"])
    assert found is not None
    return found.project
