"""Changes of a spec in its own words: where, what was there, what is there now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from compiler.deployment.wanted import Wanted, plain
from compiler.ir import Pipeline
from compiler.submission.key import data_of
from compiler.values import JsonValue, to_text

# Stands for what is not there, for null is a value.
ABSENT = object()


class Change(NamedTuple):
    """A place in a spec, as `steps.fit.image`; None for a value that is or was not there."""

    place: str
    old: JsonValue
    new: JsonValue


def spec_changes(old: Wanted, new: Wanted) -> Iterator[Change]:
    found = list(_differences(old.words, new.words, ""))
    if found:
        yield from found
        return
    # What a spec uses, and the project's catalogue, are not in its own words.
    yield from _step_changes(old.neutral, new.neutral)


def _differences(old: JsonValue | object, new: JsonValue | object, at: str) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in (*new, *(key for key in old if key not in new)):
            inner = f"{at}.{key}" if at else str(key)
            yield from _differences(old.get(key, ABSENT), new.get(key, ABSENT), inner)
    elif old is ABSENT or new is ABSENT or plain(old) != plain(new):
        yield Change(at, _shown(old, at), _shown(new, at))


def _shown(value: JsonValue | object, at: str) -> JsonValue:
    """A value; of a whole step that came or went, that there is one."""
    if value is ABSENT:
        return None
    if isinstance(value, dict) and at.count(".") == 1 and not at.startswith("params."):
        return "a step" if at.startswith(("steps.", "finally.")) else value
    return value  # type: ignore[return-value]


def _step_changes(old: Pipeline, new: Pipeline) -> Iterator[Change]:
    before = {step.name: step for step in old.steps}
    after = {step.name: step for step in new.steps}
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            yield Change(
                f"steps.{name}", *("a step" if name in m else None for m in (before, after))
            )
            continue
        # As they are digested: without places in files, and whatever the order of outputs.
        left, right = data_of(before[name]), data_of(after[name])
        for part in before[name].__struct_fields__:
            if left.get(part) != right.get(part):
                texts = _texts(getattr(before[name], part), getattr(after[name], part))
                yield Change(f"steps.{name}.{part}", *texts)


def _texts(old: object, new: object) -> tuple[JsonValue, JsonValue]:
    if isinstance(old, str) and isinstance(new, str):
        return old, new
    return "as it was", "in what it uses, or in the configuration, changed"


def said(value: JsonValue) -> str:
    """A value as a plan shows it."""
    if value is None:
        return "none"
    text = to_text(value)
    line = " ".join(text.split())
    return line if len(line) <= 72 else f"{line[:71]}…"
