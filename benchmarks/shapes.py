"""Specs of any number of steps, as short as the language takes them: 10,000 fit into 1 MiB."""

from __future__ import annotations

from collections.abc import Callable, Iterator

_HEAD = "apiVersion: mlc/v1\nkind: Algorithm\nname: big\nimage: python:3.12\n{params}steps:\n"
PLACE = 10  # steps in a nest of loops


def one_before(number: int) -> list[int]:
    return [number - 1] if number else []


def the_first(number: int) -> list[int]:
    return [0] if number else []


def in_diamonds(number: int) -> list[int]:
    """Two steps take from one, and the next from both."""
    if number % 3:
        return [number - number % 3]
    return [number - 1, number - 2] if number else []


def in_nest(number: int) -> list[int]:
    return [number - 1] if number % PLACE else []


# The steps whose output a step takes, by its number.
TAKES: dict[str, Callable[[int], list[int]]] = {
    "chain": one_before,
    "fan-out": the_first,
    "diamonds": in_diamonds,
    "nested loops": in_nest,
    "one condition": one_before,
}


def chain(count: int) -> Iterator[str]:
    return (_step(number, one_before(number)) for number in range(count))


def fan_out(count: int) -> Iterator[str]:
    return (_step(number, the_first(number)) for number in range(count))


def diamonds(count: int) -> Iterator[str]:
    return (_step(number, in_diamonds(number)) for number in range(count))


def nested_loops(count: int) -> Iterator[str]:
    for number in range(count):
        if number % PLACE == 0:
            yield f"  o{number}:\n    foreach: {{a: [1, 2]}}\n    steps:"
            yield f"      i{number}:\n        foreach: {{b: [x, y]}}\n        steps:"
        yield " " * 8 + _step(number, in_nest(number))


def one_condition(count: int) -> Iterator[str]:
    """A chain that the condition of its first step skips as a whole; takes the param `go`."""
    for number in range(count):
        when = "" if number else "when: '${{ params.go }}', "
        yield _step(number, one_before(number), when)


SHAPES: dict[str, Callable[[int], Iterator[str]]] = {
    "chain": chain,
    "fan-out": fan_out,
    "diamonds": diamonds,
    "nested loops": nested_loops,
    "one condition": one_condition,
}


def spec(shape: str, count: int) -> str:
    params = "params: {go: true}\n" if shape == "one condition" else ""
    return _HEAD.format(params=params) + "\n".join(SHAPES[shape](count)) + "\n"


def _step(number: int, before: list[int], when: str = "") -> str:
    words = "".join(f', "${{{{steps.s{other}.outputs.o}}}}"' for other in before)
    return f"  s{number}: {{{when}command: [a{words}], outputs: {{o: string}}}}"
