"""How work grows with what is asked for, counted in calls and not in seconds.

Calls are those of functions, built-in ones too, and each turn of a generator.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import FrameType

import pytest

from compiler import TARGET_NAMES, frontend, schema, targets
from compiler.commands.validate import validate
from compiler.ir import Step
from compiler.launch import Launch
from compiler.targets.kfp import planning

# What the second doubling adds is held against what the first one adds: 2 where work grows with
# the size, 4 where it grows with its square, whatever it takes to begin with.
SIZES = (100, 200, 400)
MOST = 2.1
# A DAG of Argo has 200 tasks at most: all of these sizes but the first are parted.
PARTED = (200, 400, 800)

HEAD = """\
apiVersion: mlc/v1
kind: Algorithm
name: {name}
image: registry.example.com/ia/algorithm:1.4.2
params: {{limit: 5, mode: fast}}
steps:
"""


def step(number: int, *takes: int, indent: str = "  ", when: str = "") -> Iterator[str]:
    yield f"{indent}step_{number}:"
    if when:
        yield f"{indent}  when: {when}"
    yield f"{indent}  command: [python, -m, algorithm.step]"
    yield f"{indent}  args:"
    yield f"{indent}    - --limit: ${{{{ params.limit }}}}"
    for other in takes:
        yield f"{indent}      --in-{other}: ${{{{ steps.step_{other}.outputs.rows }}}}"
    yield f"{indent}      --out: ${{{{ outputs.rows }}}}"
    yield f"{indent}  outputs: {{rows: Dataset}}"


def chain(size: int) -> Iterator[str]:
    for number in range(size):
        yield from step(number, *([number - 1] if number else []))


def fan_out(size: int) -> Iterator[str]:
    for number in range(size):
        yield from step(number, *([0] if number else []))


def diamonds(size: int) -> Iterator[str]:
    """Each fourth step takes from the two before it, which both take from the one before them."""
    takes: tuple[tuple[int, ...], ...] = ((1,), (1,), (2,), (1, 2))
    for number in range(size):
        yield from step(number, *(number - by for by in takes[number % 4] if by <= number))


def conditions(size: int) -> Iterator[str]:
    for number in range(size):
        takes = [number - 1] if number % 3 else []
        yield from step(number, *takes, when="${{ params.mode == 'fast' }}")


def nested_loops(size: int) -> Iterator[str]:
    for number in range(size):
        if number % 4 == 0:
            yield f"  outer_{number}:"
            yield "    foreach: {a: [1, 2]}"
            yield "    steps:"
            yield f"      inner_{number}:"
            yield "        foreach: {b: [x, y]}"
            yield "        steps:"
        yield from step(number, *([number - 1] if number % 4 else []), indent=" " * 10)


SHAPES: dict[str, Callable[[int], Iterator[str]]] = {
    "chain": chain,
    "fan-out": fan_out,
    "diamonds": diamonds,
    "conditions": conditions,
    "nested loops": nested_loops,
}


def calls(work: Callable[[], object]) -> int:
    """How many calls a piece of work makes."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def growth(works: Sequence[Callable[[], object]]) -> float:
    works[-1]()  # what is kept for later is there from now on, but for what the last one leaves
    small, middle, large = map(calls, works)
    return (large - middle) / (middle - small)


def spec(folder: Path, shape: str, size: int) -> Path:
    path = folder / f"{size}.yaml"
    path.write_text(HEAD.format(name=f"spec_{size}") + "\n".join(SHAPES[shape](size)) + "\n")
    return path


def compiling(path: Path, name: str) -> Callable[[], object]:
    loaded = frontend.load(path)
    assert loaded.pipeline is not None, loaded.diagnostics
    target, pipeline = targets.target(name), loaded.pipeline
    settings = loaded.project.target(name)
    return lambda: target.compiled(pipeline, settings).text()


@pytest.mark.parametrize("shape", SHAPES)
def test_checking_grows_with_the_steps(shape: str, tmp_path: Path) -> None:
    paths = [spec(tmp_path, shape, size) for size in SIZES]
    assert growth([partial(frontend.load, path) for path in paths]) < MOST


@pytest.mark.parametrize("name", TARGET_NAMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_compiling_grows_with_the_steps(shape: str, name: str, tmp_path: Path) -> None:
    sizes = PARTED if name == "argo" else SIZES
    assert growth([compiling(spec(tmp_path, shape, size), name) for size in sizes]) < MOST


def test_a_square_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launched = planning.launched

    def after_a_look_at_those_before(step: Step) -> Launch:
        number = int(step.name.removeprefix("step_"))
        assert not any(step.name == f"step_{other}" for other in range(number))
        return launched(step)

    monkeypatch.setattr(planning, "launched", after_a_look_at_those_before)
    assert growth([compiling(spec(tmp_path, "chain", size), "kfp") for size in SIZES]) > MOST


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], object]:
    """Makes a project of so many specs and goes there."""

    def make(size: int) -> None:
        folder = tmp_path / f"project{size}"
        (folder / "algorithms").mkdir(parents=True, exist_ok=True)
        (folder / "mlc.toml").write_text('[policy]\nrequired = ["owner"]\n')
        steps = "\n".join(chain(3))
        for number in range(size):
            text = HEAD.format(name=f"spec_{number}") + steps + "\nowner: team\n"
            text += "profiles: {small: {params: {limit: 1}}}\n"
            (folder / "algorithms" / f"spec_{number}.yaml").write_text(text)
        monkeypatch.chdir(folder)

    return make


def test_validating_grows_with_the_specs(project: Callable[[int], object]) -> None:
    def validating(size: int) -> object:
        project(size)
        return validate((), quiet=True)

    assert growth([partial(validating, size) for size in (15, 30, 60)]) < MOST


def test_each_spec_is_held_against_the_schema_once(
    project: Callable[[int], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    check, roots = schema.check_against, list[str]()

    def noted(root: schema.Mapping, against: schema.Schema) -> list[frontend.Diagnostic]:
        roots.append(root.file.path)
        return check(root, against)

    monkeypatch.setattr(schema, "check_against", noted)
    project(5)
    assert validate((), quiet=True) == 0
    specs = [f"algorithms/spec_{number}.yaml" for number in range(5)]
    assert sorted(roots) == sorted([*specs, "mlc.toml"])
