"""Texts of several lines as constants of the module, and containers that refer to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import pairwise

from msgspec import Struct

from compiler.runtime import shim_text, wrapper_text
from compiler.targets.kfp.plan import (
    Container,
    ExecutorInput,
    InputPath,
    InputValue,
    OutputFile,
    OutputPath,
    Part,
    Plan,
    Text,
    Word,
)
from compiler.targets.kfp_dsl.source import Call, Expression, Items, Source, block, f_string
from compiler.targets.kubelet import escape_text


class Constant(Struct, frozen=True):
    """A module's constant: its name, what is said above it, its text and that as source."""

    name: Source
    comment: Source
    text: str
    source: Source


def constants(plan: Plan, free: Callable[[str], Source]) -> tuple[Constant, ...]:
    """A constant for each text of several lines; `free` makes a name that is not taken."""
    own = _own_texts()
    wanted: dict[str, tuple[str, str]] = {}
    for task in plan.root.containers():
        words = (*task.container.command, *task.container.args)
        for before, text in _long_texts(words):
            kind = "SCRIPT" if before in ("-c", "-ec") else "TEXT"
            title = task.name.replace("-", "_").upper()
            name, comment = f"{title}_{kind}", f"In the container of {task.step}."
            wanted.setdefault(text, own.get(text, (name, comment)))
    if "\n" in plan.description:
        wanted.setdefault(plan.description, ("DESCRIPTION", "Shown with the pipeline."))
    return tuple(
        Constant(free(name), Source(f"# {comment}"), text, block(text))
        for text, (name, comment) in wanted.items()
    )


def container_spec(container: Container, names: Mapping[str, Source]) -> Call:
    """The `ContainerSpec` of a component; `names` gives the constant for a text."""
    lists = (("command", container.command), ("args", container.args))
    return Call(
        Source("dsl.ContainerSpec"),
        (
            ("image", container.image),
            *(
                (name, Items(tuple(_word(w, names) for w in words)))
                for name, words in lists
                if words
            ),
        ),
    )


@cache
def _own_texts() -> dict[str, tuple[str, str]]:
    """Name and comment of what mlc itself brings into containers."""
    prepares = "Prepares a command: exports variables, puts flags together, looks for outputs."
    checks = "Prepares a command, and checks the values that it has written."
    metrics = "Prepares a command, checks what it has written, and hands over its metrics."
    return {
        escape_text(text): (name, comment)
        for text, name, comment in (
            (wrapper_text(), "WRAPPER", prepares),
            (wrapper_text({"values"}), "CHECKING_WRAPPER", checks),
            (wrapper_text({"metrics"}), "METRICS_WRAPPER", metrics),
            (shim_text(), "SHIM", "Calls a function with its inputs, and writes what it returns."),
        )
    }


def _long_texts(words: tuple[Word, ...]) -> Iterator[tuple[str, str]]:
    """Texts of several lines that are words of their own, each with the word before it."""
    texts = [word[0].text if len(word) == 1 and isinstance(word[0], Text) else "" for word in words]
    for before, text in pairwise(["", *texts]):
        if "\n" in text:
            yield before, text


def _word(word: Word, names: Mapping[str, Source]) -> Expression:
    if not word:
        return ""
    if len(word) > 1:
        return f_string(map(_part, word))
    only = _part(word[0])
    return names.get(only, only)


def _part(part: Part) -> str:
    match part:
        case Text(text=text):
            return text
        case InputValue(name=name) | OutputFile(name=name):
            return Source(name)
        case InputPath(name=name) | OutputPath(name=name):
            return Source(f"{name}.path")
        case ExecutorInput():
            raise AssertionError("the DSL takes no list of artifacts")
