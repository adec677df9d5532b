"""Some mutants of each kind in every run of the tests; `make fuzz` takes 100,000 of them.

`found/` has what fuzzing found, each as small as it goes: a folder with a `spec.yaml` that broke a
rule once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import rules
from campaign import Bench, attempt, compare
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from mutants import tree_of

from compiler.commands.checking import check
from compiler.commands.console import document
from compiler.diagnostics import Diagnostic, Severity, Span

HERE = Path(__file__).resolve().parent
COUNT, PARTS = 800, 8


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch:
        below = tmp_path_factory.mktemp("seeds")
        patch.chdir(below)
        yield Bench(below)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_mutant_breaks_a_rule(bench: Bench, part: int) -> None:
    wrong = {number: bench.try_out(number) for number in range(part, COUNT, PARTS)}
    assert not {number: broken for number, broken in wrong.items() if broken}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**20), st.randoms(use_true_random=False))
def test_what_hypothesis_chooses_breaks_no_rule(bench: Bench, which: int, choose: Random) -> None:
    """Where it finds something, it looks for the least that shows it."""
    seed = bench.seeds[which % len(bench.seeds)]
    with bench.laid(seed, bench.changed(seed, choose)):
        assert rules.broken_rules(seed.entry, thorough=True) == []


def test_a_number_names_a_mutant(bench: Bench) -> None:
    assert [bench.make(n) for n in range(40)] == [bench.make(n) for n in range(40)]
    changed = [bench.make(n) for n in range(200)]
    assert sum(after != bench.read(seed) for seed, after in changed) > 150
    assert {Path(seed.file).suffix for seed, _ in changed} == {".yaml", ".toml", ".py"}


def test_no_mutant_writes_out_what_aliases_multiply() -> None:
    doubled = b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 40))
    assert tree_of(b"a: &a [1, 2]\nb: [*a, *a]\n") is not None
    assert tree_of(b"a: &a [*a]\n") is None
    assert tree_of(b"a0: &a0 [1, 1]\n" + doubled) is None


def test_mutants_are_the_same_under_every_hash_seed(tmp_path: Path) -> None:
    assert compare(0, 1500, tmp_path) == 0


@pytest.mark.parametrize("folder", sorted((HERE / "found").iterdir()), ids=lambda path: path.name)
def test_what_was_found_is_mended(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shutil.copytree(folder, tmp_path / "found"))
    if not any(Path(name).exists() for name in ("mlc.toml", "pyproject.toml")):
        Path("mlc.toml").touch()
    assert rules.broken_rules("spec.yaml", thorough=True) == []


def found(line: int = 1, column: int = 1, code: str = "MLC101") -> Diagnostic:
    span = Span("spec.yaml", line, column, line, column + 1)
    return Diagnostic(code, Severity.ERROR, "unknown key `a`", span)


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ([found(2), found(1)], "not sorted"),
        ([found(), found()], "told twice"),
        ([found(column=4)], "lies outside"),
        ([found(line=4)], "lies outside"),
        ([found(code="MLC999")], "is no code"),
        ([found()._replace(message="NoneType")], "speaks of Python"),
        ([found()._replace(span=found().span._replace(path="x"))], "not known"),
        ([found()._replace(span=Span("spec.yaml", 1, 2, 1, 1))], "ends before"),
    ],
)
def test_the_rules_see_what_is_broken(
    findings: list[Diagnostic],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On findings of a check that were wrong."""
    monkeypatch.chdir(tmp_path)
    Path("spec.yaml").write_text("ab\ncd\n")
    checked = check(document("spec.yaml"))
    wrong = replace(checked.loaded, diagnostics=findings)
    assert any(said in text for text in rules._findings(checked._replace(loaded=wrong)))


def test_what_takes_too_long_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "SECONDS", 0.05)
    with pytest.raises(rules.TooSlowError, match="counting"), rules.watched("counting"):
        while True:
            pass


def test_what_breaks_a_rule_is_kept(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "check", lambda _: 1 // 0)
    broken = attempt(bench, 7)
    assert "ZeroDivisionError" in broken[0]
    bench.keep(7, broken, tmp_path)
    seed, after = bench.make(7)
    assert (tmp_path / "7" / seed.file).read_bytes() == after
    assert "ZeroDivisionError" in (tmp_path / "7/why.txt").read_text()
