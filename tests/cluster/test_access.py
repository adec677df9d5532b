"""Ways to be let in, and to be kept out, by the command line."""

from __future__ import annotations

import pytest
from cluster.scenario import Project

pytestmark = pytest.mark.usefixtures("contracts")


def test_a_refusal_names_the_setting_that_says_who_one_is(there: Project) -> None:
    named = "the token in the variable ENGINE_TOKEN (`token_env`)"
    if there.kind == "kubernetes":
        named = f"the user in {there.checkout.folder.parent / 'kubeconfig'}"
    there.app.access.namespaces = frozenset()
    if there.kind != "kfp":  # whose one user has all of it
        done = there.mlc("runs", "--engine", "training")
        assert done.returncode == 3
        assert "HTTP 403" in done.stderr
        assert f"one is known there by {named}, but has no right to this" in done.stderr
    there.app.access.token = "another"
    done = there.mlc("runs", "--engine", "training")
    assert done.returncode == 3
    assert "HTTP 401" in done.stderr
    assert f"{named} may be wrong or too old: get a new one" in done.stderr
