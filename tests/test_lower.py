"""Specs to the IR: what each name and setting comes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler import expr as ex
from compiler import frontend, ir
from compiler.git import UNKNOWN
from compiler.values import to_text

HEAD = "apiVersion: mlc/v1\nkind: Algorithm\nname: demo\nimage: x:1\n"


def build(spec: str, *profiles: str) -> ir.Pipeline:
    loaded = found(spec, *profiles)
    assert loaded.pipeline is not None, loaded.diagnostics
    return loaded.pipeline


def found(spec: str, *profiles: str) -> frontend.Loaded:
    document = frontend.read(Path("spec.yaml"), "spec.yaml", (HEAD + spec).encode())
    return frontend.build(document, profiles, git=UNKNOWN)


def arguments(step: ir.Step) -> tuple[ir.Argument, ...]:
    assert isinstance(step.program, ir.Command)
    return step.program.arguments


def test_a_step_uses_its_own_inputs_before_those_of_the_spec() -> None:
    (step,) = build(
        "params: {p: 7}\n"
        "inputs: {d: {default: file.txt}, e: {default: other.txt}}\n"
        "steps:\n"
        "  one:\n"
        "    inputs: {n: '${{ params.p }}', d: '${{ params.p }}', f: '${{ inputs.e }}'}\n"
        "    command: [echo, '${{ inputs.n }}', '${{ inputs.d }}', '${{ inputs.e }}']\n"
        "    args: [{--n: '${{ inputs.n }}', --f=: 'x${{ inputs.f }}'}]\n"
        "    env: {N: '${{ inputs.n }}'}\n"
        "    cache: {key: '${{ inputs.n }}'}\n"
    ).nodes
    _, n, d, e, flag, joined = (a.value for a in arguments(step))
    assert isinstance(n, ex.InputRef) and n.name == "n"
    assert isinstance(d, ex.InputRef) and d.name == "d"
    assert d.type == ex.ValueType("integer")
    assert isinstance(e, ex.PipelineInputRef)
    assert isinstance(flag, ex.InputRef)
    assert isinstance(joined, ex.Concat) and isinstance(joined.parts[1], ex.InputRef)
    assert isinstance(step.env[0].value, ex.InputRef)
    assert isinstance(step.cache.key, ex.InputRef)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("1.10", "1.10"),
        ("0644", "0644"),
        ("1e3", "1e3"),
        ("'${{ 1.5 }}'", "1.5"),
        ("'${{ \"a\" }}'", "a"),
    ],
)
def test_literals_of_flags_are_their_source_text(written: str, text: str) -> None:
    (step,) = build(f"steps: {{one: {{command: [x], args: [{{--h: {written}}}]}}}}\n").nodes
    value = arguments(step)[1].value
    assert isinstance(value, ex.Literal)
    assert to_text(value.value) == text


def test_an_overlay_changes_the_kind_of_a_volume() -> None:
    spec = (
        "volumes: {data: {claim: big, mount: /d}}\n"
        "steps: {one: {command: [x]}}\n"
        "profiles: {toy: {volumes: {data: {empty: true, mount: /d}}}}\n"
    )
    (step,) = build(spec, "toy").nodes
    assert [(v.kind, v.source) for v in step.volumes] == [("empty", None)]


def test_null_in_a_profile_takes_out_what_is_inherited() -> None:
    spec = (
        "env: {A: top, B: top}\n"
        "steps: {one: {command: [x], env: {C: own}}, two: {command: [x]}}\n"
        "profiles: {toy: {steps: {one: {env: {A: null}}, two: {env: {B: null}}}}}\n"
    )
    one, two = build(spec, "toy").nodes
    assert [v.name for v in one.env] == ["B", "C"]
    assert [v.name for v in two.env] == ["A"]


def test_conditions_on_reuse_do_not_switch_it_on() -> None:
    one, two = build(
        "cache: {max_age: 7d}\n"
        "steps: {one: {command: [x]}, two: {command: [x], outputs: {n: integer}}}\n"
    ).nodes
    assert (one.cache.enabled, two.cache.enabled) == (False, True)
    assert two.cache.max_age == 7 * 86400


def test_whole_numbers_are_integers_however_they_are_spelled() -> None:
    pipeline = build(
        "limits: {parallel: 2.0}\n"
        "steps: {one: {command: [x], retry: {max: 2.0, factor: 1e0}, resources: {gpu: 1.0},"
        " pod: {security: {run_as_user: 1e3},"
        " tolerations: [{key: a, effect: NoExecute, seconds: 3.0}]}}}\n"
    )
    (step,) = pipeline.nodes
    assert step.retry and step.resources.gpu and step.pod.security
    numbers = [
        pipeline.limits.parallel,
        step.retry.max,
        step.retry.factor,
        step.resources.gpu.count,
        step.pod.security.run_as_user,
        step.pod.tolerations[0].seconds,
    ]
    assert [(n, type(n)) for n in numbers] == [(n, int) for n in (2, 2, 1, 1, 1000, 3)]


def test_aliases_are_told_of_once() -> None:
    loaded = found("steps:\n  a: &s {command: echo hi}\n  b: *s\n")
    assert [d.code for d in loaded.diagnostics] == ["MLC103"]
