"""Which steps stand under which `If`: skipping, as the DSL can say it.

A step may take from a step inside an If only where it stands inside the same If. So what waits for
a conditional step goes into its Ifs, and a step that waits for two of them has to find one set of
Ifs inside the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from compiler.ordering import in_order
from compiler.targets.kfp_dsl.conditions import Comparison

T = TypeVar("T")


class Unit(NamedTuple, Generic[T]):
    """Something that runs or is skipped as one.

    `after` names what has to run first, of its level and of what is there before; `tests` is what
    has to hold besides, `content` what the caller wants back.
    """

    name: str
    after: tuple[str, ...]
    tests: tuple[Comparison, ...]
    content: T


class Branch(NamedTuple, Generic[T]):
    """An If around blocks."""

    test: Comparison
    body: tuple[Block[T], ...]


Block: TypeAlias = Unit[T] | Branch[T]


class JoinError(ValueError):
    """A unit waits for two others under Ifs of which none is inside the other."""

    def __init__(self, name: str, one: str, other: str) -> None:
        super().__init__(f"`{name}` waits for `{one}` and `{other}`")
        self.name, self.one, self.other = name, one, other


class Late(NamedTuple):
    """A unit that also waits for units which only others under its If wait for."""

    name: str
    waits_for: tuple[str, ...]


def blocks(units: Iterable[Unit[T]]) -> tuple[Block[T], ...]:
    """The units of a level with the Ifs around them, each after those that it waits for.

    Raises `JoinError`.
    """
    by_name = {unit.name: unit for unit in units}
    order = in_order({name: unit.after for name, unit in by_name.items()})
    paths: dict[str, tuple[Comparison, ...]] = {}
    for name in order:
        paths[name] = _path(by_name[name], paths)
    return _arranged([by_name[name] for name in order], paths, 0)


def late(level: Iterable[Block[T]]) -> Iterator[Late]:
    """The units that an If makes wait for more than they have to, from outer to inner Ifs."""
    for block in level:
        if isinstance(block, Branch):
            outside = _outside(_units(block))
            everything = dict.fromkeys(name for names in outside.values() for name in names)
            for name, own in outside.items():
                if more := tuple(other for other in everything if other not in own):
                    yield Late(name, more)
            yield from late(block.body)


def _path(unit: Unit[T], paths: Mapping[str, tuple[Comparison, ...]]) -> tuple[Comparison, ...]:
    deepest: tuple[Comparison, ...] = ()
    whose = ""
    for name in unit.after:
        path = paths.get(name, ())
        shorter, longer = sorted((_keys(path), _keys(deepest)), key=len)
        if longer[: len(shorter)] != shorter:
            raise JoinError(unit.name, whose, name)
        if len(path) > len(deepest):
            deepest, whose = path, name
    above = set(_keys(deepest))
    return (*deepest, *(test for test in unit.tests if test.key not in above))


def _keys(path: tuple[Comparison, ...]) -> tuple[str, ...]:
    return tuple(test.key for test in path)


def _arranged(
    units: list[Unit[T]], paths: Mapping[str, tuple[Comparison, ...]], depth: int
) -> tuple[Block[T], ...]:
    """Units whose paths are the same up to a depth."""
    made: dict[str, Block[T]] = {}
    block_of: dict[str, str] = {}
    for unit in units:
        if len(paths[unit.name]) == depth:
            made[unit.name] = unit
            block_of[unit.name] = unit.name
    for members in _groups([u for u in units if u.name not in made], paths, depth):
        first = members[0].name
        made[first] = Branch(paths[first][depth], _arranged(members, paths, depth + 1))
        block_of.update((member.name, first) for member in members)
    by_name = {unit.name: unit for unit in units}
    waits: dict[str, dict[str, None]] = {block_of[unit.name]: {} for unit in units}
    for unit in units:
        mine = block_of[unit.name]
        for name in unit.after:
            if name in by_name and block_of[name] != mine:
                waits[mine][block_of[name]] = None
    return tuple(made[name] for name in in_order(waits))


def _groups(
    units: list[Unit[T]], paths: Mapping[str, tuple[Comparison, ...]], depth: int
) -> Iterator[list[Unit[T]]]:
    """The units under an If of their own each.

    An If starts when all is there that is taken into it. So units share one where they hang
    together, or wait for the same from outside of it.
    """
    test = {unit.name: paths[unit.name][depth].key for unit in units}
    # Disjoint sets: each name leads to another of its set, and in the end to the one for all.
    leads = {unit.name: unit.name for unit in units}

    def first(name: str) -> str:
        while leads[name] != name:
            leads[name] = leads[leads[name]]
            name = leads[name]
        return name

    for unit in units:
        for name in unit.after:
            if name in leads:
                leads[first(unit.name)] = first(name)
    members: dict[str, list[Unit[T]]] = {}
    for unit in units:
        members.setdefault(first(unit.name), []).append(unit)
    shared: dict[tuple[str, frozenset[str]], list[Unit[T]]] = {}
    for together in members.values():
        own = {unit.name for unit in together}
        outside = frozenset(name for unit in together for name in unit.after if name not in own)
        shared.setdefault((test[together[0].name], outside), []).extend(together)
    yield from shared.values()


def _units(branch: Branch[T]) -> Iterator[Unit[T]]:
    for block in branch.body:
        if isinstance(block, Branch):
            yield from _units(block)
        else:
            yield block


def _outside(units: Iterable[Unit[T]]) -> dict[str, dict[str, None]]:
    """What each of the units of an If waits for outside of it, be it by way of others inside."""
    found: dict[str, dict[str, None]] = {}
    for unit in units:
        found[unit.name] = {}
        for other in unit.after:
            found[unit.name].update(found.get(other, {other: None}))
    return found
