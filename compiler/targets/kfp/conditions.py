"""The conditions of tasks: what they test becomes inputs of the task."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Literal as OneOfText

from compiler.expr import Expr, Operation, RunTimeRef, ValueType, walk
from compiler.targets.kfp.cel import Unsayable, cel
from compiler.targets.kfp.levels import Path, UnfitError
from compiler.targets.kfp.plan import Condition
from compiler.targets.kfp.scopes import Frame, Inputs
from compiler.targets.kfp.sources import Context, Given, cel_name, given

_BOOLEAN = ValueType("boolean")
Turn = OneOfText["as is", "not", "empty"]


def condition(
    context: Context,
    frame: Frame,
    inputs: Inputs,
    tests: Sequence[Expr],
    path: Path,
    *,
    lists: Sequence[Given] = (),
    turn: Turn = "as is",
) -> Condition | None:
    """The condition that all tests hold and all lists have items; None without any.

    `not`: that some test does not hold. `empty`: that all tests hold and some list is empty.
    `inputs` are those of the task, in the scope `frame`, and get what is tested. Raises
    UnfitError.
    """
    if not tests and not lists:
        return None
    plain = [context.part.plain(test, path) for test in tests]
    test = reduce(_both, plain) if plain else None
    if test is not None and turn == "not":
        test = Operation("!", (test,), _BOOLEAN, test.span)
    names: list[tuple[RunTimeRef, str]] = []

    def variable(ref: RunTimeRef) -> str:
        known = next((name for other, name in names if other == ref), None)
        if known is None:
            value = given(context, frame, ref, path)
            known = inputs.add(value.wanted, value.port)
            names.append((ref, known))
        return cel_name(known)

    texts = []
    if test is not None:
        for part in walk(test):
            if isinstance(part, RunTimeRef):
                variable(part)
        try:
            texts.append(cel(test, variable))
        except Unsayable as found:
            raise UnfitError(found.span, str(found), "when") from None
    not_empty = tuple(inputs.add(value.wanted, value.port) for value in lists)
    if lists:
        sizes = " && ".join(f"size({cel_name(name)}) > 0" for name in not_empty)
        texts.append(f"!({sizes})" if turn == "empty" else sizes)
    text = texts[0] if len(texts) == 1 else " && ".join(f"({text})" for text in texts)
    return Condition(test, text, tuple(names), not_empty)


def _both(one: Expr, other: Expr) -> Expr:
    return Operation("&&", (one, other), _BOOLEAN, other.span)
