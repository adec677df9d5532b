"""The conditions and selectors of KFP's documents, by the CEL that KFP itself is built with.

The model of its driver runs each case with what the steps have written on this machine's engine.
KFP's CEL says which steps run, and these have to be the ones that have run here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import kfp_model
import pytest
from consumers import compiled
from expectation import Case, read_cases, same
from go_expressions import Ask, asking
from kfp_spec import read
from local import copied, loaded, pipeline_of, run_case

from compiler.values import to_text

CASES = [
    case
    for case in read_cases()
    if case.is_for("kfp") and "kfp" not in case.expected.get("refused", {})
]
NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)")


@pytest.fixture(scope="module")
def cel() -> Iterator[kfp_model.Cel]:
    with asking() as ask:
        yield by_kfp(ask)


def by_kfp(ask: Ask) -> kfp_model.Cel:
    def holds(condition: str, inputs: Mapping[str, Any]) -> bool:
        values = {n: v for n, v in inputs.items() if not isinstance(v, kfp_model.File | list)}
        lists = {n: v for n, v in inputs.items() if isinstance(v, list) and not _files(v)}
        found = ask("cel", condition, values | lists)
        assert isinstance(found, bool), f"{condition} is no boolean: {found!r}"
        return found

    def selected(selector: str, value: Any) -> Any:
        return ask("select", selector, {"string_value": to_text(value)})

    return kfp_model.Cel(holds, selected)


def _files(values: list[Any]) -> bool:
    return any(isinstance(value, kfp_model.File) for value in values)


def differs(
    case: Case, cel: kfp_model.Cel, folder: Path, mutate: Callable[[str], str] = str
) -> list[str]:
    """What goes another way there than here; `mutate` changes the text of the document."""
    here = run_case(case, folder / "here")
    assert here.outputs is not None
    wanted = {n: s for n, s in here.states.items() if s in ("succeeded", "failed")}
    outputs = here.outputs
    found: dict[str, str] = {}

    def act(step: str, rounds: tuple[int, ...]) -> Mapping[str, Any] | None:
        name = ".".join((step, *map(str, rounds)))
        if name not in here.states:
            # A loop over several lists is one in the other there, in the same order.
            others = [n for n in here.states if re.fullmatch(rf"{re.escape(step)}(\.\d+)*", n)]
            crossed = sorted(others, key=lambda other: [int(n) for n in NUMBER.findall(other)])
            name = next((n for n in crossed if n not in found), name)
        found[name] = wanted.get(name, "succeeded")
        return outputs.get(name, {}) if found[name] == "succeeded" else None

    loaded_there = loaded(copied(case, folder / "there"))
    pipeline = pipeline_of(loaded_there)
    text = compiled(pipeline, loaded_there.project, ["kfp"])["kfp"].text
    params = {p.name: "" if p.default is None else p.default for p in pipeline.params}
    ended = kfp_model.run(read(mutate(text)), {**params, **case.params}, cel, act)
    told = [f"{n} ran, and should not have" for n in found if n not in wanted]
    told += [f"{n} did not run, and should have" for n in wanted if n not in found]
    if ended.status != here.status:
        told.append(f"the run {ended.status}, and should have {here.status}")
    if here.result and not told and not same(dict(ended.outputs), dict(here.result)):
        told.append(f"handed on {ended.outputs}, should be {here.result}")
    return told


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, cel: kfp_model.Cel, tmp_path: Path) -> None:
    assert differs(case, cel, tmp_path) == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("when_param", ">= 3.0", "> 3.0"),
        ("when_param", "!inputs", "inputs"),
        ("when_text_is_exact", " == '", " != '"),
        ("when_operators", "&&", "||"),
    ],
)
def test_a_wrong_condition_shows(
    name: str, old: str, new: str, cel: kfp_model.Cel, tmp_path: Path
) -> None:
    (case,) = (case for case in CASES if case.name == name)

    def mutate(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    assert differs(case, cel, tmp_path, mutate) != []


def test_a_wrong_type_shows(cel: kfp_model.Cel, tmp_path: Path) -> None:
    (case,) = (case for case in CASES if case.name == "when_param")

    def mutate(text: str) -> str:
        assert ">= 3.0" in text
        return text.replace(">= 3.0", ">= '3.0'")

    with pytest.raises(AssertionError, match="no such overload"):
        differs(case, cel, tmp_path, mutate)
