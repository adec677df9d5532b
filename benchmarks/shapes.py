"""Specs of any number of steps, as short as the language takes them: 10,000 fit into 1 MiB."""

from __future__ import annotations

from collections.abc import Callable, Iterator

_HEAD = "apiVersion: mlc/v1\nkind: Algorithm\nname: big\nimage: python:3.12\nsteps:\n"
_PLACE = 10  # steps in a nest of loops


def chain(count: int) -> Iterator[str]:
    for number in range(count):
        yield _step(number, number - 1)


def fan_out(count: int) -> Iterator[str]:
    for number in range(count):
        yield _step(number, 0 if number else -1)


def diamonds(count: int) -> Iterator[str]:
    """Two steps take from one, and the next from both."""
    for number in range(count):
        match number % 3:
            case 0:
                yield _step(number, number - 1, number - 2)
            case place:
                yield _step(number, number - place)


def nested_loops(count: int) -> Iterator[str]:
    for number in range(count):
        if number % _PLACE == 0:
            yield f"  o{number}:\n    foreach: {{a: [1, 2]}}\n    steps:"
            yield f"      i{number}:\n        foreach: {{b: [x, y]}}\n        steps:"
        yield " " * 8 + _step(number, number - 1 if number % _PLACE else -1)


SHAPES: dict[str, Callable[[int], Iterator[str]]] = {
    "chain": chain,
    "fan-out": fan_out,
    "diamonds": diamonds,
    "nested loops": nested_loops,
}


def spec(shape: str, count: int) -> str:
    return _HEAD + "\n".join(SHAPES[shape](count)) + "\n"


def _step(number: int, *takes: int) -> str:
    words = "".join(f', "${{{{steps.s{other}.outputs.o}}}}"' for other in takes if other >= 0)
    return f"  s{number}: {{command: [a{words}], outputs: {{o: string}}}}"
