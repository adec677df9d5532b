"""Names that are alike: one the beginning of another, of schedules, algorithms and projects."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from cluster.deployed import Algorithm, World, said
from msgspec.structs import replace

from compiler.cluster import marks

FIT = Algorithm()


@pytest.fixture
def there(deployed: World) -> World:
    return deployed


def test_schedules(there: World) -> None:
    """Both start runs, and each goes without the other."""
    weekly = ("weekly", "0 2 * * 1", 5, True)
    full = ("weekly_full", "0 4 * * 6", 9, True)
    there.write({"fit": replace(FIT, schedules=(weekly,))})
    there.deploy()
    there.write({"fit": replace(FIT, schedules=(weekly, full))})
    assert "schedule weekly_full starts" in there.mlc("plan")[1]
    there.deploy()
    assert there.owners.enabled() == {("fit", "weekly"): 1, ("fit", "weekly_full"): 1}
    assert there.mlc("plan", "--detailed-exitcode")[0] == 0
    there.write({"fit": replace(FIT, schedules=(full,))})
    there.deploy()
    assert there.mlc("plan", "--detailed-exitcode")[0] == 0


def test_algorithms(there: World) -> None:
    """What is off for a while in one stays where the other alone is deployed."""
    off = replace(FIT, schedules=(("nightly", "0 2 * * *", 5, False),))
    there.write({"ner_en": off, "ner_en_large": replace(FIT, schedules=())})
    there.deploy()
    there.deploy("algorithms/ner_en_large.yaml")
    assert there.mlc("plan", "--detailed-exitcode")[0] == 0


def test_projects(there: World) -> None:
    """A project that is called as the beginning of another loses nothing to it."""
    settings = (there.checkout.folder / "mlc.toml").read_text()
    folder = there.checkout.folder
    for name, place in (("team-a", folder / "team"), ("team-a-nlp", folder / "other")):
        (place / "algorithms").mkdir(parents=True, exist_ok=True)
        (place / "mlc.toml").write_text(settings.replace("ia-algorithms", name))
    (folder / "team" / "algorithms" / "fit.yaml").write_text(FIT.spec("fit"))
    (folder / "other" / "algorithms" / "read.yaml").write_text(FIT.spec("read"))
    there.checkout.commit("Two more projects")
    with contextlib.chdir(folder / "team"), there.owners.others():
        code, printed = said("deploy", "--yes", "--allow-dirty")
    assert code == 0, printed
    with contextlib.chdir(folder / "other"):
        code, printed = said("deploy", "--yes", "--allow-dirty", "--prune")
    assert code == 0 and "fit" not in printed, printed
    there.owners.check()
    there.server.check()


def test_a_mark_that_matches_too_much_is_seen(
    there: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has to hold is not told by the marks that mlc goes by itself."""
    read = marks._marks

    def all_are_ours(found: Any) -> Any:
        own = read(found)
        return None if own is None else replace(own, project="ia-algorithms")

    select = marks.selector
    monkeypatch.setattr(marks, "_marks", all_are_ours)
    monkeypatch.setattr(marks, "selector", lambda project=None, **more: select(**more))  # noqa: ARG005
    there.add_foreign()
    for algorithms in ({"fit": FIT}, {"fit": replace(FIT, epochs=4)}, {}):
        there.write(algorithms)
        there.expect()
        there.mlc("deploy", "--yes", "--allow-dirty", "--prune")
    with pytest.raises(AssertionError, match="of others and touched"):
        there.server.check()
