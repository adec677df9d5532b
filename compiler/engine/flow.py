"""The flow of a run: which step is next, and what follows from how one ended.

Goes from level to level: the nodes that it is given, and in them each round of a loop. Conditions
and lists are evaluated when all that a node waits for has ended. Starts nothing itself and knows
no clock; what it decides it tells the journal.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from compiler.engine.attempt import Instance
from compiler.engine.events import INTERRUPTED, StepStatus
from compiler.engine.journal import Journal, Place
from compiler.engine.known import EvaluationError, Known, Round, Value, evaluate
from compiler.engine.outputs import Written
from compiler.engine.schedule import Outcome, Schedule
from compiler.expr import Expr
from compiler.graph import Graph, Waits
from compiler.ir import Loop, Node
from compiler.values import JsonValue, to_json


class _Body(Struct, frozen=True):
    """The nodes of a level and what each waits for: the same in all rounds of a loop.

    `home` names the loops around, from the outermost.
    """

    home: tuple[str, ...]
    nodes: Mapping[str, Node]
    waits: Mapping[str, Waits]


class _Level(Struct, eq=False):
    """Nodes that are under way: the outermost, or one round of `loop`.

    `suffix` is what comes after a node's name in its key (`.2.0`).
    """

    body: _Body
    schedule: Schedule
    known: Known
    suffix: str = ""
    loop: _Looping | None = None
    failed: bool = False


class _Looping(Struct, eq=False):
    """A loop under way, on the level where it stands.

    `axes` are its lists, `repeats` how often each item stood in its list before. `scopes` are
    those of the rounds that have begun; `running` and `failed` count rounds.
    """

    loop: Loop
    level: _Level
    body: _Body
    axes: tuple[list[JsonValue], ...]
    repeats: tuple[list[int], ...]
    scopes: list[Known] = field(default_factory=list)
    running: int = 0
    failed: int = 0

    @property
    def key(self) -> str:
        return self.loop.name + self.level.suffix

    @property
    def rounds(self) -> int:
        return math.prod(map(len, self.axes))

    @property
    def may_begin(self) -> bool:
        limit = self.loop.parallel
        return len(self.scopes) < self.rounds and (limit is None or self.running < limit)

    def begin(self) -> _Level:
        """The next round. The items of the first axis change slowest."""
        number = rest = len(self.scopes)
        items: dict[str, JsonValue] = {}
        repeats: dict[str, int] = {}
        for axis, values, repeated in reversed(
            [*zip(self.loop.axes, self.axes, self.repeats, strict=True)]
        ):
            rest, index = divmod(rest, len(values))
            items[axis.name], repeats[axis.name] = values[index], repeated[index]
        known = self.level.known.inside(Round(self.loop.name, items, repeats))
        self.scopes.append(known)
        self.running += 1
        suffix = f"{self.level.suffix}.{number}"
        return _Level(self.body, Schedule(self.body.waits), known, suffix, self)


class Flow:
    """The steps of some nodes, as they can start.

    `first` is the place of the first node among all of the run's, `is_finally` tells whose.
    """

    def __init__(
        self,
        nodes: Iterable[Node],
        known: Known,
        journal: Journal,
        *,
        first: int = 0,
        is_finally: bool = False,
    ) -> None:
        self._graph = Graph(nodes)
        self._journal = journal
        self._stopped = ""
        self._bodies: dict[str, _Body] = {}
        self._started: dict[str, tuple[_Level, str]] = {}
        self._ready: deque[tuple[_Level, str]] = deque()
        # Loops that have rounds left to begin. One begins only when no step is ready, and of the
        # loop met last: so rounds end early, and of a long list only what runs is held.
        self._beginning: dict[str, _Looping] = {}
        self._levels: dict[_Level, None] = {}
        body = self._body(())
        self._top = _Level(body, Schedule(body.waits), known)
        self._is_finally = is_finally
        self._enter(self._top, first)

    @property
    def unfinished(self) -> bool:
        return self._top.schedule.unfinished

    @property
    def failed(self) -> bool:
        """Whether a step has failed, or was not run though no condition kept it from running."""
        return self._top.failed

    def next(self) -> Instance | None:
        """The next step to start; None where none can until another has ended."""
        while True:
            if self._ready:
                level, name = self._ready.popleft()
                instance = self._begin(level, level.body.nodes[name])
                if instance is not None:
                    self._started[instance.key] = (level, name)
                    return instance
            elif self._beginning:
                self._begin_round(next(reversed(self._beginning.values())))
            else:
                return None

    def end(self, key: str, written: Written | None) -> None:
        """A step that was started has ended; it has failed if there is nothing `written`."""
        level, name = self._started.pop(key)
        if written is not None:
            level.known.learn(name, written)
        self._end(level, name, "failed" if written is None else "succeeded")

    def stop(self, reason: str) -> None:
        """Start nothing more: what has not started is omitted. What has is still to be ended."""
        self._stopped = reason
        self._ready.clear()
        levels = list(self._levels)
        for level in levels:
            for name in level.schedule.abandon():
                level.failed = True
                self._journal.unrun(name + level.suffix, "omitted", reason)
        idle = [looping for looping in self._beginning.values() if not looping.running]
        self._beginning.clear()
        for looping in reversed(idle):
            self._end_loop(looping)
        for level in reversed(levels):
            self._end_round(level)

    def _body(self, home: tuple[str, ...]) -> _Body:
        named = {node.name: node for node in self._graph.levels[home]}
        return _Body(home, named, self._graph.waits(home))

    def _enter(self, level: _Level, first: int) -> None:
        """Take up the nodes of a level; the first of them has the place `first` in its loop."""
        self._levels[level] = None
        loop = None if level.loop is None else level.loop.key
        self._journal.added(
            {
                name + level.suffix: Place(loop, place, isinstance(node, Loop), self._is_finally)
                for place, (name, node) in enumerate(level.body.nodes.items(), first)
            }
        )
        self._ready.extend((level, name) for name in level.schedule.ready)

    def _begin(self, level: _Level, node: Node) -> Instance | None:
        """Start a node that is ready. A step that is to be run comes back."""
        level.schedule.start(node.name)
        key = node.name + level.suffix
        try:
            if node.when is not None and not _is_true(node.when, level.known):
                self._journal.unrun(key, "skipped", "`when` is false")
                self._end(level, node.name, "skipped")
            elif isinstance(node, Loop):
                self._begin_loop(level, node)
            else:
                return Instance(key, node, level.known)
        except EvaluationError as problem:
            self._journal.unrun(key, "failed", str(problem))
            self._end(level, node.name, "failed")
        return None

    def _begin_loop(self, level: _Level, loop: Loop) -> None:
        axes = tuple(_items(axis.name, axis.items, level.known) for axis in loop.axes)
        if loop.name not in self._bodies:
            self._bodies[loop.name] = self._body((*level.body.home, loop.name))
        body = self._bodies[loop.name]
        looping = _Looping(loop, level, body, axes, tuple(map(_repeats, axes)))
        self._journal.loop_started(looping.key, looping.rounds)
        if looping.rounds:
            self._beginning[looping.key] = looping
        else:
            self._end_loop(looping)

    def _begin_round(self, looping: _Looping) -> None:
        first = len(looping.scopes) * len(looping.body.nodes)
        level = looping.begin()
        if not looping.may_begin:
            del self._beginning[looping.key]
        self._enter(level, first)

    def _end(self, level: _Level, name: str, outcome: Outcome) -> None:
        ready, unrun = level.schedule.end(name, outcome)
        self._ready.extend((level, other) for other in ready)
        for other in unrun:
            ended = "failed" if other.outcome == "omitted" else "was skipped"
            reason = f"needs {other.because}{level.suffix}, which {ended}"
            self._journal.unrun(other.name + level.suffix, other.outcome, reason)
        level.failed |= outcome == "failed"
        self._end_round(level)

    def _end_round(self, level: _Level) -> None:
        """End a round if all in it has ended, and its loop if that was the last one."""
        looping = level.loop
        if looping is None or level.schedule.unfinished or level not in self._levels:
            return
        del self._levels[level]
        looping.running -= 1
        looping.failed += level.failed
        if looping.may_begin and not self._stopped:
            self._beginning[looping.key] = looping
        elif not looping.running:
            self._end_loop(looping)

    def _end_loop(self, looping: _Looping) -> None:
        is_whole = len(looping.scopes) == looping.rounds and not looping.failed
        if is_whole:
            looping.level.known.collect(looping.loop, looping.scopes)
            self._journal.loop_ended(looping.key, "succeeded")
        elif self._stopped:
            status: StepStatus = "interrupted" if self._stopped == INTERRUPTED else "failed"
            self._journal.loop_ended(looping.key, status, self._stopped)
        else:
            reason = f"{looping.failed} of {looping.rounds} rounds failed"
            self._journal.loop_ended(looping.key, "failed", reason)
        self._end(looping.level, looping.loop.name, "succeeded" if is_whole else "failed")


def _is_true(condition: Expr, known: Known) -> bool:
    found = evaluate(condition, known)
    if not isinstance(found, bool):
        raise EvaluationError(f"`when` is neither true nor false: {_shown(found)}")
    return found


def _items(axis: str, expression: Expr, known: Known) -> list[JsonValue]:
    found = evaluate(expression, known)
    if not isinstance(found, list):
        raise EvaluationError(f"`foreach.{axis}` is no list: {_shown(found)}")
    return found


def _repeats(values: list[JsonValue]) -> list[int]:
    """For each item how often it stood in the list before."""
    seen: Counter[str] = Counter()
    repeats = []
    for text in map(to_json, values):
        repeats.append(seen[text])
        seen[text] += 1
    return repeats


def _shown(value: Value) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
