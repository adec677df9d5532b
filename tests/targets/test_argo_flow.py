"""Conditions, loops, last steps and schedules on Argo, run by the model of it.

What runs, and with which values, is compared with what the language says (argo_meaning).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from argo_flows import HAND_MADE, PARAMS, random_flow
from argo_meaning import Meaning, made
from argo_model import Argo, Leaf, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compiler.expr import ArtifactType, Expr, OutputPath, ValueType
from compiler.ir import Pipeline
from compiler.launch import Capture, captures
from compiler.settings import TargetSettings
from compiler.targets import Level, argo
from compiler.targets.argo.names import task_names
from compiler.values import to_text

NONE = TargetSettings()


def play(
    pipeline: Pipeline,
    failing: frozenset[str] = frozenset(),
    project: TargetSettings = NONE,
    params: dict[str, Any] = PARAMS,
    *,
    outputs_of_skipped: bool = True,
) -> tuple[Argo, Meaning]:
    """Run it on the model, and hold each container and the result against the meaning."""
    refusals = [u for u in argo.explain(pipeline, project) if u.level is Level.REFUSED]
    assert refusals == []
    meaning = Meaning(pipeline, params, failing)
    by_task = {task: name for name, task in task_names(_names(pipeline)).items()}
    steps = {step.name: step for step in pipeline.steps}
    ran: dict[str, Leaf] = {}

    def act(leaf: Leaf) -> Result | None:
        step = steps[by_task[leaf.task]]
        instance = ".".join((step.name, *map(str, leaf.rounds)))
        assert instance not in ran, "it runs twice"
        ran[instance] = leaf
        assert instance in meaning.taken, f"{instance} should not run"
        wanted = list(zip(step.expressions(), meaning.taken[instance], strict=True))
        words = leaf.container["command"][-len(wanted) :]
        for word, (expression, value) in zip(words, wanted, strict=True):
            if not isinstance(expression.type, ArtifactType):
                check(word, value, expression, instance)
        for capture in captures(step):
            if isinstance(capture.type, ArtifactType):
                assert artifact(leaf, capture) == value_of(capture.ref, wanted), instance
        if instance in failing:
            return None
        outputs = {o.name: made(o, instance) for o in step.outputs}
        # As a file has it: with a newline at its end, but for text.
        values = {n: v if isinstance(v, str) else to_text(v) + "\n" for n, v in outputs.items()}
        return Result(values, outputs)

    model = Argo(argo.emit(pipeline, project), outputs_of_skipped=outputs_of_skipped)
    given = {n: to_text(v) for n, v in params.items()}
    phase = model.run(given, act)
    assert ran.keys() == meaning.taken.keys()
    assert phase == meaning.status.replace("succ", "Succ").replace("fail", "Fail")
    assert model.outputs.keys() == meaning.outputs.keys()
    for output in pipeline.outputs:
        if phase == "Succeeded":
            found = model.outputs[output.name]
            if isinstance(output.type, ArtifactType):
                assert found == meaning.outputs[output.name]
            else:
                check(found, meaning.outputs[output.name], output.value, output.name)
    return model, meaning


def artifact(leaf: Leaf, capture: Capture) -> Any:
    """What a container finds; a list of artifacts is a folder with one for each round."""
    found = leaf.artifacts.get(capture.name)
    if isinstance(capture.type, ArtifactType) and capture.type.is_list:
        return [one for _, one in sorted((found or {}).items(), key=lambda item: int(item[0]))]
    return found


def value_of(ref: Expr, wanted: list[tuple[Expr, Any]]) -> Any:
    return next(value for expression, value in wanted if expression == ref)


def check(text: str, value: Any, given: Expr, where: str) -> None:
    """A value is text on Argo; of what is no string the spelling is free."""
    if isinstance(given, OutputPath):
        return
    assert isinstance(given.type, ValueType)
    kind = given.type.kind
    if value is None:
        assert text.strip() == "", where
    elif kind == "string" or (kind is None and isinstance(value, str)):
        assert text == value, where
    else:
        assert json.loads(text) == value, where


def _names(pipeline: Pipeline) -> list[str]:
    def walk(nodes: Any) -> list[str]:
        return [n for node in nodes for n in (node.name, *walk(getattr(node, "body", ())))]

    return walk((*pipeline.nodes, *pipeline.finally_nodes))


@pytest.mark.parametrize("outputs_of_skipped", [True, False])
@pytest.mark.parametrize("case", HAND_MADE)
def test_by_hand(case: str, outputs_of_skipped: bool) -> None:
    play(HAND_MADE[case], outputs_of_skipped=outputs_of_skipped)


@pytest.mark.parametrize("case", HAND_MADE)
def test_each_step_may_fail(case: str) -> None:
    _, whole = play(HAND_MADE[case])
    for instance in whole.taken:
        play(HAND_MADE[case], frozenset([instance]))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**6), st.integers(0, 8), st.booleans())
def test_random_flows(seed: int, threshold: int, outputs_of_skipped: bool) -> None:
    pipeline = random_flow(seed)
    params = {**PARAMS, "threshold": threshold}
    _, whole = play(pipeline, params=params, outputs_of_skipped=outputs_of_skipped)
    if whole.taken:
        failing = sorted(whole.taken)[seed % len(whole.taken)]
        play(pipeline, frozenset([failing]), params=params)
