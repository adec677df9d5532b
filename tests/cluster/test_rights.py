"""Rights are asked for before anything is made: those that a command uses, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster.deployed import Algorithm, Kill, World, world
from msgspec.structs import replace

FIT = Algorithm()
YES = ("--yes", "--allow-dirty")
_OBJECT = re.compile(r"/apis/argoproj\.io/v1alpha1/namespaces/default/([a-z]+)(/[^/]+)?")
_VERBS = {"POST": "create", "PUT": "update", "DELETE": "delete", "PATCH": "patch"}


class Rights:
    """What was asked for, and what was then used."""

    def __init__(self) -> None:
        self.asked: set[tuple[str, str]] = set()
        self.used: set[tuple[str, str]] = set()

    def __call__(self, _: Any, request: Any, __: Any) -> None:
        if request.path.endswith("/selfsubjectaccessreviews"):
            wanted = request.json()["spec"]["resourceAttributes"]
            self.asked.add((wanted["verb"], wanted["resource"]))
        found = _OBJECT.fullmatch(request.path)
        if found:
            reads = "get" if found[2] else "list"
            self.used.add((_VERBS.get(request.method, reads), found[1]))


@pytest.fixture
def there(tmp_path: Path, contracts: None, kill: Kill) -> Iterator[World]:  # noqa: ARG001
    with world(tmp_path, "kubernetes", kill.clock) as found:
        yield found


def rights_of(there: World, *arguments: str) -> Rights:
    found = Rights()
    there.server.watch(found)
    code, printed = there.mlc(*arguments)
    there.server.watchers.remove(found)
    assert code == 0, printed
    return found


def test_what_is_used_is_asked_for(there: World) -> None:
    """Each command alone, and what it does in all."""
    submit = rights_of_submit(there)
    assert not {kind for _, kind in submit.asked} - {"workflows", "workflowtemplates"}
    deploy = Rights()
    two = (*FIT.schedules, ("weekly", "0 4 * * 0", 9, True))
    for one in (
        replace(FIT, schedules=two),
        replace(FIT, epochs=4, schedules=two),
        replace(FIT, epochs=4),
    ):
        there.write({"fit": one})
        there.expect()
        found = rights_of(there, "deploy", *YES)
        deploy.asked |= found.asked
        deploy.used |= found.used
    assert deploy.used <= deploy.asked
    # All that is asked for is used by some deploy.
    assert deploy.asked <= deploy.used, deploy.asked - deploy.used
    back = rights_of(there, "rollback", "fit", "--yes")
    assert back.used <= back.asked == deploy.asked
    there.write({})
    there.expect()
    prune = rights_of(there, "deploy", "--prune", *YES)
    assert ("delete", "workflowtemplates") in prune.used <= prune.asked
    there.write({"fit": FIT})
    there.expect()
    toys = rights_of(there, "deploy", "--toy", *YES)
    assert ("create", "workflows") in toys.used <= toys.asked


def rights_of_submit(there: World) -> Rights:
    """Of the same spec twice, and of another."""
    found = Rights()
    for epochs in (3, 3, 4):
        there.write({"fit": replace(FIT, epochs=epochs)})
        one = rights_of(there, "submit", "algorithms/fit.yaml", "--allow-dirty")
        found.asked |= one.asked
        found.used |= one.used
    assert found.used == found.asked
    return found


@pytest.mark.parametrize(
    ("denied", "stops"),
    [
        (("delete", "cronworkflows"), {"deploy", "prune", "rollback"}),
        (("delete", "workflowtemplates"), {"prune"}),
        (("get", "workflowtemplates"), {"submit", "deploy", "prune", "rollback"}),
        (("update", "cronworkflows"), {"deploy", "prune", "rollback"}),
        (("create", "workflows"), {"submit"}),
    ],
)
def test_a_right_that_is_missing(there: World, denied: tuple[str, str], stops: set[str]) -> None:
    """It is told before anything is made, and by no command that does not need it."""
    for epochs in (3, 4):
        there.write({"fit": replace(FIT, epochs=epochs)})
        there.deploy()
    there.app.denied.add(denied)
    for name, arguments in {
        "submit": ("submit", "algorithms/fit.yaml", "--allow-dirty"),
        "rollback": ("rollback", "fit", "--yes"),
        "deploy": ("deploy", *YES),
        "prune": ("deploy", "--prune", *YES),
    }.items():
        writes = there.server.count("^(POST|PUT|DELETE) .*argoproj")
        code, printed = there.mlc(*arguments)
        if name not in stops:
            assert code == 0, (name, printed)
            continue
        assert code == 1, (name, printed)
        assert f"no right to {denied[0]} {denied[1]} in the namespace default" in printed
        assert there.server.count("^(POST|PUT|DELETE) .*argoproj") == writes
