"""What the SDK (2.17) forgets to hand into Ifs and loops.

In the DSL a task in a loop names a value that is made outside of it, and the SDK makes inputs of
all groups on the way. It tells by parts of names when it is done (kfp/compiler/compiler_utils.py,
`get_inputs_for_all_groups`), so some are missing: it fails then, or writes a spec that does. This
goes through the same motions to find them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from msgspec import Struct, field

from compiler.targets.kfp.plan import Constant, Dag, ParameterType, Task
from compiler.targets.kfp_dsl.branches import Block, Branch
from compiler.targets.kfp_dsl.conditions import Comparison, key
from compiler.targets.kfp_dsl.loops import lists
from compiler.targets.kfp_dsl.nesting import Content, Level, item_types, level
from compiler.targets.kfp_dsl.origins import Given, Item, Made, Origin, Place
from compiler.targets.kfp_dsl.ports import amounts, taken


class Lost(Struct, frozen=True):
    """A value that does not reach a step or loop (`node`); `unused` where it is a list whose items
    nobody takes."""

    node: str
    origin: Origin
    unused: bool


class Group(Struct, eq=False):
    """An If, a loop or an exit handler. `item` is what the SDK calls a loop's item."""

    item: str = ""
    declared: set[str] = field(default_factory=set)


class Name(Struct, frozen=True):
    """What the SDK calls a value; `loop` is the only group that knows it, with those inside."""

    text: str
    loop: Group | None = None


class Channel(Struct, frozen=True):
    """A value as the SDK sees it: its names from the most special to that of what it comes out
    of, the groups around the task that made that, and whether it comes out of a written list."""

    names: tuple[Name, ...]
    home: tuple[Group, ...]
    written: bool


class Use(Struct, frozen=True):
    """A value in its place; `loop` is the component of the loop that it is the list of."""

    node: str
    origin: Origin
    groups: tuple[Group, ...]
    loop: str = ""


class Looped(NamedTuple):
    """A loop: itself and what is around it, the list where it is not written out, its item."""

    group: Group
    around: tuple[Group, ...]
    given: Origin | None
    item: Item


def lost(place: Place, *, exits: bool) -> list[Lost]:
    """The values that are lost on the way to a step; `exits` where an exit handler is around."""
    around = (Group(),) if exits else ()
    walk = _Walk(item_types(place), numbers=len(around))
    walk.scope(place, around, ())
    strays = [use for use in walk.declaring if not walk.declare(use)]
    strays += (use for use in walk.declaring if walk.is_without_item(use))
    taken_of = {use.origin.component for use in walk.declaring if isinstance(use.origin, Item)}
    # What makes a list is waited for only by those that take its items.
    unused = [use for use in walk.needed if use.loop and use.loop not in taken_of]
    forgotten = [use for use in unused if isinstance(use.origin, Made) or walk.is_missing(use)]
    missing = [use for use in walk.needed if walk.is_missing(use)]
    every = (*forgotten, *walk.confused, *strays, *missing)
    return list(dict.fromkeys(Lost(use.node, use.origin, use in forgotten) for use in every))


class _Walk(Struct):
    """Through blocks in the order of the source, in which the SDK numbers its groups."""

    types: Mapping[Item, ParameterType]
    numbers: int
    needed: list[Use] = field(default_factory=list)
    declaring: list[Use] = field(default_factory=list)
    confused: list[Use] = field(default_factory=list)
    homes: dict[str, tuple[str, tuple[Group, ...]]] = field(default_factory=dict)
    loops: dict[Item, Looped] = field(default_factory=dict)

    def scope(self, place: Place, groups: tuple[Group, ...], tests: tuple[Origin, ...]) -> None:
        for imported in place.scope.imports:
            self.homes[imported.component] = (imported.name, groups)
            self._use(imported.name, place.given[imported.uri], groups, declares=True)
        found = level(place)
        self._blocks(found, found.blocks, groups, tests)

    def declare(self, use: Use) -> bool:
        """Make inputs of the groups on the way, as the SDK does; tells whether these can know what
        they are given then."""
        channel = self._channel(use.origin)
        if channel is None:
            return True
        known = True
        names = deque(channel.names)
        groups = use.groups[_shared(channel.home, use.groups) :]
        for group in reversed(use.groups) if channel.written else groups:
            name = names[0] if channel.written else names[-1]
            group.declared.add(name.text)
            if name.loop and name.loop not in use.groups[: use.groups.index(group) + 1]:
                known = False
            if name.text in group.item:
                names.popleft() if channel.written else names.pop()
                if not names:
                    break
        return known

    def is_without_item(self, use: Use) -> bool:
        """Whether an If is given a field of a written item, by a group that hasn't got the item."""
        if not isinstance(use.origin, Item):
            return False
        group, around, given, item = self._loop(use.origin)
        if given is not None or use.origin == item:
            return False
        inside = use.groups[len(around) + 1 :]
        return any(
            not taker.item and group.item not in giver.declared for giver, taker in pairwise(inside)
        )

    def is_missing(self, use: Use) -> bool:
        """Whether a group on the way is not given what the next one needs."""
        match use.origin:
            case Item():
                group, around, _, _ = self._loop(use.origin)
                first, name = len(around) + 1, group.item
            case Given(name=name):
                first = 0
            case Made(component=component, output=output):
                task, home = self.homes[component]
                first, name = _shared(home, use.groups), f"{task}-{output}"
            case Constant():
                return False
        return any(name not in group.declared for group in use.groups[first:])

    def _blocks(
        self,
        found: Level,
        blocks: tuple[Block[Content], ...],
        groups: tuple[Group, ...],
        tests: tuple[Origin, ...],
    ) -> None:
        for block in blocks:
            if isinstance(block, Branch):
                self.numbers += 1
                refs = tuple(found.refs[name] for name in _refs(block.test, found.refs))
                node = _first(block)
                for ref in refs:
                    self._use(node, ref, groups)
                self._blocks(found, block.body, (*groups, Group()), (*tests, *refs))
            elif isinstance(block.content, Dag):
                self._dag(block.content, found.place, groups, tests)
            else:
                self._task(block.content, found.place, groups, tests)

    def _dag(
        self, dag: Dag, place: Place, groups: tuple[Group, ...], tests: tuple[Origin, ...]
    ) -> None:
        if dag.iterator is None:
            self.scope(place.inside(dag), groups, tests)
            return
        for found in lists(dag, place, self.types):
            self.numbers += 1
            given = found.items
            if isinstance(given, tuple):
                group = Group(f"loop-item-param-{self.numbers}")
                self.numbers += 1
                self.loops[found.item] = Looped(group, groups, None, found.item)
            else:
                self.needed.append(Use(dag.node, given, groups, dag.component))
                channel = self._channel(given)
                assert channel is not None, "a constant is no list"
                group = Group(f"{channel.names[0].text}-loop-item", {channel.names[0].text})
                self.loops[found.item] = Looped(group, groups, given, found.item)
            group.declared.add(group.item)
            if any(group.item == outer.item for outer in groups):
                self.confused.append(Use(dag.node, found.item, groups))
            groups = (*groups, group)
        self.scope(place.inside(dag), groups, tests)

    def _loop(self, item: Item) -> Looped:
        """The loop that an item, or a field of it, comes from."""
        return self.loops.get(item) or self.loops[Item(item.component, ())]

    def _task(
        self, task: Task, place: Place, groups: tuple[Group, ...], tests: tuple[Origin, ...]
    ) -> None:
        self.homes[task.component] = (task.name, groups)
        for port in (*taken(task), *amounts(task)):
            self._use(task.step, place.origin(port), groups, declares=True)
        # What the Ifs around it compare is handed to it too, for nothing.
        self.declaring += (Use(task.step, origin, groups) for origin in tests)

    def _use(
        self, node: str, origin: Origin, groups: tuple[Group, ...], *, declares: bool = False
    ) -> None:
        use = Use(node, origin, groups)
        self.needed.append(use)
        if declares:
            self.declaring.append(use)

    def _channel(self, origin: Origin) -> Channel | None:
        match origin:
            case Given(name=name):
                return Channel((Name(name),), (), False)
            case Made(component=component, output=output):
                task, home = self.homes[component]
                return Channel((Name(f"{task}-{output}"),), home, False)
            case Item(path=path):
                group, _, given, item = self._loop(origin)
                names = [Name(f"{group.item}-subvar-{n}", group) for n in path[len(item.path) :]]
                names.append(Name(group.item, group))
                listed = None if given is None else self._channel(given)
                if listed is None:
                    return Channel(tuple(names), (), True)
                return Channel((*names, *listed.names), listed.home, False)
            case Constant():
                return None


def _shared(one: tuple[Group, ...], other: tuple[Group, ...]) -> int:
    """How many groups two places have in common."""
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine is not theirs:
            break
        count += 1
    return count


def _refs(test: Comparison, refs: Mapping[str, Origin]) -> Iterator[str]:
    return (name for name in (key(test.left), key(test.right)) if name in refs)


def _first(block: Block[Content]) -> str:
    while isinstance(block, Branch):
        block = block.body[0]
    content = block.content
    return content.node if isinstance(content, Dag) else content.step
