"""Gates: what the metrics of a run have to be for it to pass, as a text of a spec.

    evaluate.metrics.f1 >= baseline.evaluate.metrics.f1 - 0.005

Reads such a text, and holds it against the metrics of a run and those of a baseline. Which metrics
an output has is known when it has been written, so names are bound to outputs alone.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

BASELINE = "baseline"
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)"
    r"|(?P<sign><=|>=|<|>|[-+*/()]))"
)
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_SUMS: dict[str, Callable[[float, float], float]] = {"+": operator.add, "-": operator.sub}
_PRODUCTS: dict[str, Callable[[float, float], float]] = {"*": operator.mul, "/": operator.truediv}
_DEEPEST = 50


class Metric(Struct, frozen=True):
    """A metric of the run, or of the baseline. Once it is bound it has a step and an output."""

    name: str
    of_baseline: bool
    start: int
    step: str = ""
    output: str = ""


class Arithmetic(Struct, frozen=True):
    sign: str
    left: Term
    right: Term


Term: TypeAlias = float | Metric | Arithmetic


class Comparison(Struct, frozen=True):
    sign: str
    left: Term
    right: Term


class GateError(ValueError):
    """A text that is no gate; `start` and `end` are the place in it."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.start, self.end = start, end


class Verdict(Struct, frozen=True):
    """What came of a gate. `numbers` are the metrics in it as they were, None for missing ones.

    `open`: nothing to compare with, as there is no baseline yet; that is no failure.
    """

    gate: str
    state: Literal["passed", "failed", "open"]
    numbers: tuple[tuple[str, float | None], ...]
    why: str = ""


def parse(text: str) -> Comparison:
    """A gate.

    Raises:
        GateError: it is none.
    """
    return _Reader(text).comparison()


def metrics_in(gate: Comparison | Term) -> Iterator[Metric]:
    if isinstance(gate, Metric):
        yield gate
    elif isinstance(gate, (Comparison, Arithmetic)):
        yield from metrics_in(gate.left)
        yield from metrics_in(gate.right)


def bound(gate: Comparison, bind: Callable[[Metric], Metric]) -> Comparison:
    """The gate with each of its metrics replaced."""
    return Comparison(gate.sign, _bound(gate.left, bind), _bound(gate.right, bind))


def judge(
    text: str,
    gate: Comparison,
    metrics: Mapping[str, Mapping[str, float]],
    baseline: Mapping[str, Mapping[str, float]] | None,
) -> Verdict:
    """Hold a bound gate against metrics by `STEP.OUTPUT`; `baseline` is None where there is no
    run to compare with."""
    numbers = {}
    for metric in metrics_in(gate):
        values = (baseline or {}) if metric.of_baseline else metrics
        place = f"{metric.step}.{metric.output}"
        shown = f"{place}.{metric.name}"
        shown = f"{BASELINE}.{shown}" if metric.of_baseline else shown
        numbers[shown] = values.get(place, {}).get(metric.name)
    known = tuple(numbers.items())
    absent = [name for name, value in known if value is None]
    own = [name for name in absent if not name.startswith(f"{BASELINE}.")]
    if own:
        return Verdict(text, "failed", known, f"the run has no metric {', '.join(own)}")
    if absent:
        why = "there is no run to compare with" if baseline is None else "that run lacks it"
        return Verdict(text, "open", known, why)
    try:
        left, right = (_value(side, metrics, baseline or {}) for side in (gate.left, gate.right))
    except ZeroDivisionError:
        return Verdict(text, "failed", known, "it divides by zero")
    if COMPARISONS[gate.sign](left, right):
        return Verdict(text, "passed", known)
    return Verdict(text, "failed", known, f"{left:.6g} {gate.sign} {right:.6g} is not so")


def _value(
    term: Term,
    metrics: Mapping[str, Mapping[str, float]],
    baseline: Mapping[str, Mapping[str, float]],
) -> float:
    if isinstance(term, Metric):
        values = baseline if term.of_baseline else metrics
        return values[f"{term.step}.{term.output}"][term.name]
    if isinstance(term, Arithmetic):
        function = (_SUMS | _PRODUCTS)[term.sign]
        return function(_value(term.left, metrics, baseline), _value(term.right, metrics, baseline))
    return term


def _bound(term: Term, bind: Callable[[Metric], Metric]) -> Term:
    if isinstance(term, Metric):
        return bind(term)
    if isinstance(term, Arithmetic):
        return Arithmetic(term.sign, _bound(term.left, bind), _bound(term.right, bind))
    return term


class _Reader:
    """One token ahead: kind, text, start."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.kind, self.word, self.start = "", "", 0
        self.next()

    def next(self) -> None:
        rest = self.text[self.at :]
        if not rest.strip():
            self.kind, self.word, self.start = "", "", len(self.text.rstrip())
            return
        found = _TOKEN.match(self.text, self.at)
        if found is None or found.lastgroup is None:
            start = self.at + len(rest) - len(rest.lstrip())
            pair = self.text[start : start + 2]
            word = pair if pair in ("==", "!=", "=>", "=<") else pair[:1]
            hint = "numbers are compared by `>=`, `<=`, `>` or `<`"
            raise GateError(f"`{word}` has no place in a gate; {hint}", start, start + len(word))
        self.kind = found.lastgroup
        self.word, self.start = found[self.kind], found.start(self.kind)
        self.at = found.end()

    def comparison(self) -> Comparison:
        left = self.sum()
        sign = self.word
        if sign not in COMPARISONS:
            raise self.refusal("a gate compares two numbers by `>=`, `<=`, `>` or `<`")
        self.next()
        right = self.sum()
        if self.word in COMPARISONS:
            raise self.refusal("a gate compares once; write two gates")
        if self.word:
            raise self.refusal(f"`{self.word}` is one too many")
        return Comparison(sign, left, right)

    def sum(self) -> Term:
        return self.series(_SUMS, lambda: self.series(_PRODUCTS, self.factor))

    def series(self, signs: Mapping[str, object], part: Callable[[], Term]) -> Term:
        term = part()
        while self.word in signs:
            sign = self.word
            self.next()
            term = Arithmetic(sign, term, part())
        return term

    def factor(self) -> Term:
        kind, word, start = self.kind, self.word, self.start
        if kind == "number":
            self.next()
            return float(word)
        if kind == "name":
            self.next()
            of_baseline = word.startswith(f"{BASELINE}.")
            name = word.removeprefix(f"{BASELINE}.")
            if name == BASELINE:
                end = start + len(word)
                raise GateError(
                    "`baseline` is a run; name a metric of it, as `baseline.f1`", start, end
                )
            return Metric(name, of_baseline, start)
        if word in ("-", "("):
            self.depth += 1
            if self.depth > _DEEPEST:
                raise self.refusal("it is too deep")
            self.next()
            term = Arithmetic("-", 0.0, self.factor()) if word == "-" else self.sum()
            if word == "(":
                if self.word != ")":
                    raise self.refusal("a `)` is missing")
                self.next()
            self.depth -= 1
            return term
        raise self.refusal("a metric or a number is missing")

    def refusal(self, message: str) -> GateError:
        end = self.start + max(len(self.word), 1)
        return GateError(message, self.start, end)
