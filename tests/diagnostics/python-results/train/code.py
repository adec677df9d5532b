from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypedDict


def load(data: Path) -> int: ...


def count(data: Path) -> dict[str, float]: ...


def maybe(data: Path) -> int | Mapping[str, float]: ...


async def fetch(data: Path) -> None: ...


class Counts:
    rows = 0


@dataclass
class Shape:
    data: Path


class Rows(TypedDict):
    rows: int


class Pair(NamedTuple):
    rows: int


class Fit:
    def __init__(self, data: Path) -> None: ...


if True:

    class Twice: ...


class Twice(dict): ...
