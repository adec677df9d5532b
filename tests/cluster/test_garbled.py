"""Answers that are not as the contract says, at any place of any of them: each command ends with
words for its user."""

from __future__ import annotations

import copy
import itertools
import random
from typing import Any

import pytest
from cluster.scenario import TOKEN, Project
from cluster.servers.wire import Answer, Request
from cluster.world import QUICK
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from compiler.cli import cli
from compiler.diagnostics import MlcError

pytestmark = pytest.mark.usefixtures("contracts")
SEEDS = st.integers(0, 10**6)
ODD: tuple[Any, ...] = (
    None, True, 0, -1.5, 10**30, "", "0", "\ud800", "9999-12-31T23:59:59Z", [], {}, [None], [[]],
    ["x"], {"": 0}, {"name": None}, {"x": []},
)  # fmt: skip


def mutated(body: Any, chance: random.Random) -> Any:
    """The body with something else at one place."""
    odd = copy.deepcopy(chance.choice(ODD))
    body = copy.deepcopy(body)
    at = body
    # Few answers are what they are by their uppermost keys.
    if not isinstance(body, (dict, list)) or not body or chance.random() < 0.05:
        return odd
    while True:
        key: Any = chance.choice(list(at) if isinstance(at, dict) else range(len(at)))
        inner = at[key]
        if not isinstance(inner, (dict, list)) or not inner or chance.random() < 0.2:
            at[key] = odd
            return body
        at = inner


def test_no_answer_makes_a_traceback(
    there: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert there.mlc("submit", "algorithms/doc_type.yaml", "--wait").returncode == 0
    assert there.mlc("submit", "algorithms/other.yaml", "--branch=gone").returncode == 0
    monkeypatch.setenv("ENGINE_TOKEN", TOKEN)
    monkeypatch.setattr("time.sleep", lambda _: None)
    patience = replace(QUICK, pause=0.0)
    monkeypatch.setattr("compiler.cluster.transport.Patience", lambda: patience)
    monkeypatch.chdir(there.checkout.folder)
    there.script.metrics["*/evaluate"] = {"accuracy": 0.5}
    first, second = there.run_names()
    if there.kind != "kfp":
        there.app.cluster.script.compress = True
    numbers = itertools.count(10)
    spec = str(there.checkout.folder / "algorithms/doc_type.yaml")
    commands = {
        "runs": lambda: ("runs",),
        "show": lambda: ("show", first),
        "submit": lambda: ("submit", spec, "--wait", "-p", wanted()),
        "compare": lambda: ("compare", first, second),
        "prune": lambda: ("experiments", "prune", "--yes"),
    }

    def wanted() -> str:
        return f"epochs={next(numbers)}"

    said: list[str] = []

    @settings(
        max_examples=60, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.sampled_from(sorted(commands)), st.integers(0, 14), st.booleans(), SEEDS)
    def try_it(command: str, number: int, from_then_on: bool, seed: int) -> None:
        chance = random.Random(seed)
        counted = itertools.count()

        def watch(_: object, __: Request, answer: Answer) -> None:
            now = next(counted)
            # A run that never seems to end is waited for.
            goes_on = from_then_on and command != "submit" and now > number
            if (now == number or goes_on) and not isinstance(answer.body, bytes):
                answer.body = mutated(answer.body, chance)

        there.server.watchers[:] = [watch]
        try:
            words = [*commands[command](), "--engine", "training"]
            cli.main(words, "mlc", standalone_mode=False)
        except MlcError as problem:
            said.append(str(problem))
        there.server.watchers.clear()

    try_it()
    assert [text for text in said if "is garbled: `" in text]
    assert TOKEN not in "".join((*said, *capsys.readouterr()))
